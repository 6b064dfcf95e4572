"""One attacker's SSH connection: its record, its machine, its channels, and its end."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from asyncssh.constants import (
    OPEN_ADMINISTRATIVELY_PROHIBITED,
    OPEN_CONNECT_FAILED,
    OPEN_UNKNOWN_CHANNEL_TYPE,
)
from asyncssh.misc import ChannelOpenError, ConnectionLost, ProtocolError
from asyncssh.packet import SSHPacket, UInt32

from urltrap.machine.api import Connection, decode
from urltrap.machine.machine import LoginError, MachineDownError
from urltrap.model.event import ClientIdentified, CloseReason, CommandEntered, ForwardAsked
from urltrap.sensors.admission import MADE_ROOM, Ticket
from urltrap.sensors.budget import Budget
from urltrap.sensors.files import FileKeeper
from urltrap.sensors.late import LateEvent
from urltrap.sensors.machines import MACHINE_DOWN
from urltrap.sensors.ports import Login, Machine
from urltrap.sensors.session import Session
from urltrap.sensors.ssh.attributes import CONNECTION, OF_CLIENTS
from urltrap.sensors.ssh.authentication import AuthenticatingConnection
from urltrap.sensors.ssh.channel import ChannelSession, Program, SessionChannel
from urltrap.sensors.ssh.forward import DeadPeer, is_local
from urltrap.sensors.ssh.programs import JobProgram
from urltrap.sensors.ssh.transfers import transfer_program
from urltrap.wire.ssh.fingerprint import KexInit, hassh
from urltrap.wire.ssh.packets import with_room

if TYPE_CHECKING:
    from urltrap.sensors.ssh.server import SshSensor

_MAX_FORWARDS = 200
"""Forwards of one connection that are answered; more are refused."""
_WATCH_SECONDS = 15.0


class SshConnection(AuthenticatingConnection):
    """One connection of the SSH sensor."""

    __slots__ = CONNECTION

    def __init__(self, sensor: SshSensor, loop: asyncio.AbstractEventLoop, ticket: Ticket) -> None:
        where = ticket.endpoints
        canary = sensor.credentials.is_canary(where.src_ip)
        self.session = Session(sensor.journal, "ssh", "ssh", where, sensor.persona_name, canary=canary)
        super().__init__(loop, sensor.options, sensor.profile, sensor.groups)
        self.sensor = sensor
        self.max_auth_tries, self.timing_secret = sensor.settings.max_auth_tries, sensor.timing_secret
        self._ticket = ticket
        self._reason: CloseReason | None = None
        self._detail = ""
        self._close_event = LateEvent()
        for name in OF_CLIENTS:
            setattr(self, name, ())
        self._login: Login | None = None
        self._machine: Machine | None = None
        self._password: bytes | None = None
        self._programs: set[JobProgram] = set()
        self._numbers = self._forwards = self._open_sessions = 0
        self._listeners: set[tuple[bytes, int]] = set()
        self._offered = self._no_more_sessions = self.has_agent = False
        self._watch: asyncio.TimerHandle | None = None

    # ---- coming and going ----

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, unless the machine is down."""
        if self.sensor.machines.is_down(self.session.endpoints.src_ip):
            self._cancel_login_timer()
            self.session.close("server", MACHINE_DOWN)
            self._ticket.leave()
            transport.abort()  # type: ignore[attr-defined]
            return
        self._ticket.drop = lambda: self.end("server", MADE_ROOM)
        limits = self.sensor.limits
        self.budget = Budget(
            self.session, limits, lambda what: self.end("budget", what), self.sensor.bytes_before_login
        )
        services = self.sensor.services
        self.files = FileKeeper(
            self.session,
            services.artifacts,
            self.sensor.known_contents,
            limits.upload_bytes,
            services.errors,
            self.writable_again,
        )
        self.sensor.connections.add(self)
        super().connection_made(transport)

    def end(self, reason: CloseReason, detail: str = "") -> None:
        """Close the connection from our side and say why in the record."""
        if self._transport is None:
            return  # it has ended already
        if self._reason is None:
            self._reason, self._detail = reason, detail
        self._force_close(None)

    def was_malformed(self, what: str, data: bytes) -> None:
        """Record it; the connection is about to end, and what else goes wrong on the way there is no news."""
        if self._reason is None:
            self.session.malformed(what, data)
            self._reason, self._detail = "protocol-error", what

    def broke(self, error: BaseException | None) -> None:
        """An error of our own: logged, and the record says so."""
        if error is not None:
            self.sensor.services.errors.report("ssh", error)
            self.session.failed(type(error).__name__)

    def counted(self, received: int, sent: int) -> None:
        """Bytes on the wire."""
        self.session.bytes_in += received
        self.session.bytes_out += sent
        self.budget.wire(received)

    def writable_again(self) -> None:
        """Wake everything that waited."""
        for program in list(self._programs):
            program.wake()
        for channel in list(self._channels.values()):
            if isinstance(channel, SessionChannel):
                channel.resume()

    def identified(self, line: bytes, offered: KexInit | None) -> None:
        """Record what the client says of itself, once all of it is known."""
        if offered is not None and not self._offered:
            self._offered = True
            algorithms = offered.client_algorithms
            self.session.record(
                ClientIdentified,
                version=line[:1024],
                hassh=hassh(algorithms),
                hassh_algorithms=algorithms[:8192].decode("latin-1"),
            )

    def _login_timer_callback(self) -> None:
        self._login_timer = None
        self.end("timeout", "log-in took too long")

    def _cleanup(self, exc: Exception | None) -> None:
        super()._cleanup(exc)
        if self._watch is not None:
            self._watch.cancel()
        task = asyncio.ensure_future(self._finish(exc))
        self.sensor.finishing.add(task)
        task.add_done_callback(self.sensor.finishing.discard)

    async def _finish(self, exc: Exception | None) -> None:
        """Let commands go on for a while, keep the files, close the record: in this order, whatever fails."""
        duration = self.session.elapsed_ms
        try:
            if self._programs and self._reason not in ("budget", "shutdown"):
                await self._linger()
            for program in list(self._programs):
                program.hang_up()
            await self.files.finish()
        except Exception as error:
            self.broke(error)
        finally:
            if not self._offered and self._client_version:
                self.session.record(ClientIdentified, version=self._client_version[:1024])
            self._close_machine()
            self.session.close(self._why(exc), self._detail, duration_ms=duration)
            self.sensor.connections.discard(self)
            self._ticket.leave()

    async def _linger(self) -> None:
        """Wait until all commands have ended, the time for it is over, or the sensor stops."""
        running = asyncio.ensure_future(self._all_ended())
        stopping = asyncio.ensure_future(self.sensor.stopping.wait())
        waiters: set[asyncio.Future[Any]] = {running, stopping}
        await asyncio.wait(waiters, timeout=self.sensor.linger_seconds, return_when=asyncio.FIRST_COMPLETED)
        for waiter in waiters:
            waiter.cancel()
        await asyncio.gather(*waiters, return_exceptions=True)

    async def _all_ended(self) -> None:
        for program in list(self._programs):
            await program.wait()

    def _close_machine(self) -> None:
        if self._machine is None:
            return
        try:
            if self._login is not None:
                self._login.close(time.time())
            self.sensor.machines.release(self.session.endpoints.src_ip)
        except Exception as error:
            self.broke(error)

    def _why(self, exc: Exception | None) -> CloseReason:
        if self._reason is not None:
            return self._reason
        if isinstance(exc, ConnectionResetError):
            return "reset"
        return "client" if exc is None or isinstance(exc, ConnectionLost) else "error"

    # ---- log-in ----

    def password_opens(self, user: bytes, password: bytes) -> bool:
        """Ask the policy."""
        opens = self.sensor.credentials.password_opens(self.session.endpoints.src_ip, user, password)
        self._password = password if opens else None
        return opens

    def key_opens(self, user: bytes, key: bytes) -> bool:
        """Ask the policy."""
        return self.sensor.credentials.key_opens(self.session.endpoints.src_ip, user, key)

    def logged_in(self) -> None:
        """From here on the idle time counts instead of the log-in time, and the session's budgets."""
        self._ticket.logged_in()
        self.budget.logged_in()
        self._watch = self._loop.call_later(_WATCH_SECONDS, self._look)

    def _look(self) -> None:
        if self.budget.idle_seconds > self.sensor.settings.idle_seconds:
            self.end("timeout", "idle")
        elif self.budget.time():
            delay = min(_WATCH_SECONDS, max(0.05, self.sensor.settings.idle_seconds / 4))
            self._watch = self._loop.call_later(delay, self._look)

    @property
    def is_root(self) -> bool:
        """Whether root is logged in."""
        return self.username == b"root"

    @property
    def login(self) -> Login:
        """The log-in on the attacker's machine, made when something runs for the first time."""
        if self._login is None:
            where = self.session.endpoints
            user = decode(self.username)
            self._machine = machine = self.sensor.machines.take(where.src_ip)
            connection = Connection(
                protocol="ssh",
                client_ip=where.src_ip,
                client_port=where.src_port,
                server_ip=where.dst_ip,
                server_port=where.dst_port,
                user=user,
                since=time.time(),
                session=self.session.id,
            )
            try:
                self._login = machine.login(user, connection, time.time(), self._password)
            except LoginError as error:
                # He has deleted the account that he came in with; sshd's child ends then.
                down = isinstance(error, MachineDownError)
                self.end("server", MACHINE_DOWN if down else "the account is gone from the machine")
                raise ProtocolError("no such account") from error
        return self._login

    @property
    def machine(self) -> Machine:
        """The attacker's machine; there once he is logged in on it."""
        assert self._machine is not None
        return self._machine

    # ---- channels ----

    def _process_channel_open(self, pkttype: int, pktid: int, packet: SSHPacket) -> None:
        payload = packet.get_full_payload()
        packet = SSHPacket(with_room(payload))
        packet.get_byte()
        super()._process_channel_open(pkttype, pktid, packet)

    _packet_handlers = AuthenticatingConnection._packet_handlers | {90: _process_channel_open}

    def _process_session_open(self, packet: SSHPacket) -> Any:
        packet.check_end()
        if self._no_more_sessions:
            self.say_goodbye("Possible attack: attempt to open a session after additional sessions disabled")
        if self._no_more_sessions or self._open_sessions >= self.profile.max_sessions:
            raise ChannelOpenError(OPEN_CONNECT_FAILED, "open failed")
        channel = SessionChannel(self, self._loop, self._numbers)
        self._numbers += 1
        self._open_sessions += 1
        self._update_recv_pktlen(self.profile.channel_packet)
        return channel, ChannelSession()

    def add_channel(self, chan: Any) -> int:
        """Number a channel as sshd does: the lowest number that is free."""
        self._next_recv_chan = 0
        return int(super().add_channel(chan))

    def remove_channel(self, recv_chan: int) -> None:
        """A channel is gone."""
        if isinstance(self._channels.get(recv_chan), SessionChannel):
            self._open_sessions -= 1
        super().remove_channel(recv_chan)

    def start_shell(self, channel: SessionChannel) -> Program | None:
        """An interactive shell, or one that reads commands from its standard input."""
        term, columns, rows = channel.terminal
        if channel.has_terminal:
            job = self.login.shell(decode(term), columns, rows, _decoded(channel.environment))
        else:
            job = self.login.shell_on_pipes(_decoded(channel.environment))
        return self.job_program(channel, job)

    def start_command(self, channel: SessionChannel, command: bytes) -> Program | None:
        """A command given with the request."""
        limit = self.budget.limits.line_bytes
        kept = command[:limit]
        self.session.record(
            CommandEntered,
            channel=channel.number,
            mode="exec",
            text=kept,
            truncated_from=len(command) if len(command) > limit else None,
        )
        if not self.budget.command():
            return None
        transfer = transfer_program(self, channel, kept)
        if transfer is not None:
            return transfer
        environment = _decoded(channel.environment)
        if channel.has_terminal:
            term, columns, rows = channel.terminal
            job = self.login.exec_on_terminal(decode(kept), decode(term), columns, rows, environment)
        else:
            job = self.login.exec(decode(kept), environment)
        return self.job_program(channel, job)

    def start_subsystem(self, channel: SessionChannel, name: bytes) -> Program | None:
        """SFTP; sshd knows no other."""
        self.session.record(CommandEntered, channel=channel.number, mode="subsystem", text=name[:1024])
        return transfer_program(self, channel, None) if name == b"sftp" else None

    def job_program(self, channel: SessionChannel, job: Any) -> Program:
        """A job of the machine on a channel."""
        program = JobProgram(self, channel, job)
        self._programs.add(program)
        return program

    def forget(self, program: JobProgram) -> None:
        """The program has ended."""
        self._programs.discard(program)

    def send_channel_open_failure(self, send_chan: int, code: int, reason: str, lang: str) -> None:
        """Refuse a channel in sshd's words."""
        if code == OPEN_UNKNOWN_CHANNEL_TYPE:
            code, reason = OPEN_CONNECT_FAILED, "open failed"
        super().send_channel_open_failure(send_chan, code, reason, "")

    # ---- forwards ----

    def _process_direct_tcpip_open(self, packet: SSHPacket) -> Any:
        host, port = packet.get_string(), packet.get_uint32()
        origin, origin_port = packet.get_string(), packet.get_uint32()
        packet.check_end()
        return self._forward(
            is_local(host),
            direction="direct",
            host=host[:1024],
            port=port,
            origin_host=origin[:1024],
            origin_port=origin_port,
        )

    def _process_direct_streamlocal_at_openssh_dot_com_open(self, packet: SSHPacket) -> Any:
        path = packet.get_string()
        return self._forward(True, direction="direct-unix", host=path[:1024], port=0)

    def _process_tun_at_openssh_dot_com_open(self, packet: SSHPacket) -> Any:
        known = packet.get_uint32() in (1, 2)
        self.say_aside(
            "Server has rejected tunnel device forwarding" if known else "Unsupported tunnel device mode."
        )
        raise ChannelOpenError(OPEN_CONNECT_FAILED, "open failed")

    def _forward(self, refuse: bool, **fields: Any) -> Any:
        fields["channel"] = self._numbers
        self._numbers += 1
        self._forwards += 1
        self.budget.input(0)
        if fields["port"] > 65_535:
            self.session.record(ForwardAsked, **fields)
            raise ChannelOpenError(OPEN_ADMINISTRATIVELY_PROHIBITED, "open failed")
        if refuse or self._forwards > _MAX_FORWARDS:
            self.session.record(ForwardAsked, **fields)
            words = "Connection refused" if fields["direction"] == "direct" else "open failed"
            raise ChannelOpenError(OPEN_CONNECT_FAILED, words)
        channel = self.create_tcp_channel(
            None, "strict", self.profile.channel_window, self.profile.channel_packet
        )
        return channel, DeadPeer(self.session, fields)

    def _process_tcpip_forward_global_request(self, packet: SSHPacket) -> None:
        host, port = packet.get_string(), packet.get_uint32()
        packet.check_end()
        self._forwards += 1
        self.session.record(ForwardAsked, direction="reverse", host=host[:1024], port=port)
        if self._forwards > _MAX_FORWARDS:
            self._report_global_response(False)
            return
        chosen = port & 0xFFFF or 32_768 + (hash((self.session.id, self._forwards)) % 28_000)
        self._listeners.add((host, chosen))
        self._report_global_response(UInt32(chosen) if port == 0 else True)

    def _process_cancel_tcpip_forward_global_request(self, packet: SSHPacket) -> None:
        key = (packet.get_string(), packet.get_uint32())
        packet.check_end()
        self._report_global_response(key in self._listeners)
        self._listeners.discard(key)

    def _process_streamlocal_forward_at_openssh_dot_com_global_request(self, packet: SSHPacket) -> None:
        path = packet.get_string()
        packet.check_end()
        self._forwards += 1
        self.session.record(ForwardAsked, direction="reverse-unix", host=path[:1024], port=0)
        if self._forwards <= _MAX_FORWARDS:
            self._listeners.add((path, -1))
        self._report_global_response(self._forwards <= _MAX_FORWARDS)

    def _process_cancel_streamlocal_forward_at_openssh_dot_com_global_request(
        self, packet: SSHPacket
    ) -> None:
        key = (packet.get_string(), -1)
        packet.check_end()
        self._report_global_response(key in self._listeners)
        self._listeners.discard(key)

    def _process_hostkeys_prove_00_at_openssh_dot_com_global_request(self, packet: SSHPacket) -> None:
        if packet:
            super()._process_hostkeys_prove_00_at_openssh_dot_com_global_request(packet)
        else:
            self._report_global_response(True)

    def _process_keepalive_at_openssh_dot_com_global_request(self, packet: SSHPacket) -> None:
        self._report_global_response(
            False
        )  # sshd does not know it, and that is the answer that clients expect

    def _process_no_more_sessions_at_openssh_dot_com_global_request(self, packet: SSHPacket) -> None:
        self._no_more_sessions = True
        self._report_global_response(True)


def _decoded(environment: dict[bytes, bytes]) -> dict[str, str]:
    return {decode(name): decode(value) for name, value in environment.items()}
