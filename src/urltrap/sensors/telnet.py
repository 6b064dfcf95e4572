"""The Telnet sensor: BusyBox' telnetd and login in front of a machine's shell."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from urltrap.machine.api import Connection, decode
from urltrap.machine.machine import LoginError, MachineDownError
from urltrap.model.event import ClientIdentified, CloseReason, LoginTried, TerminalRequested
from urltrap.model.settings import SessionLimits, TelnetSettings
from urltrap.sensors.admission import MADE_ROOM, Admission, Ticket
from urltrap.sensors.budget import Budget
from urltrap.sensors.credentials import Credentials
from urltrap.sensors.files import FileKeeper, KnownContents
from urltrap.sensors.gathering import GatheringTransport
from urltrap.sensors.jobs import JobDriver, Services
from urltrap.sensors.listener import Listener
from urltrap.sensors.machines import MACHINE_DOWN, Machines
from urltrap.sensors.ports import Journal, Login
from urltrap.sensors.session import Session
from urltrap.wire.telnet.login import MAX_AHEAD, GaveUp, LoginDialogue, Outcome, Tried
from urltrap.wire.telnet.options import Data, Malformed, TelnetServer, TerminalType, WindowSize

_MAX_SIDE = 500
_MAX_RESIZES = 50
_HIGH_WATER = 65_536
_REFUSAL_SECONDS = 3.0
"""login(1) waits before it says no (FAIL_DELAY)."""


@dataclass(slots=True)
class TelnetShared:
    """What all Telnet connections of a process share."""

    settings: TelnetSettings
    limits: SessionLimits
    hostname: str
    persona_name: str
    journal: Journal
    services: Services
    machines: Machines
    credentials: Credentials
    admission: Admission
    bytes_before_login: int = 1_000_000
    refusal_seconds: float = _REFUSAL_SECONDS
    issue: bytes = b""
    linger_seconds: float = 30.0


class TelnetSensor:
    """Listens and keeps count of its connections."""

    def __init__(self, shared: TelnetShared) -> None:
        self.shared = shared
        self.known_contents = KnownContents()
        self.connections: set[TelnetConnection] = set()
        self.finishing: set[asyncio.Task[None]] = set()
        self._listeners: list[Listener] = []

    async def start(self, sockets: Sequence[socket.socket]) -> None:
        """Serve on bound sockets."""
        shared = self.shared
        for each in sockets:
            self._listeners.append(
                Listener(
                    each,
                    shared.admission,
                    lambda ticket: TelnetConnection(self, ticket),
                    shared.services.errors,
                )
            )

    async def stop(self) -> None:
        """Stop listening, end all connections and wait until their records are closed."""
        self.shared.linger_seconds = 0.0
        for listener in self._listeners:
            await listener.close()
        for connection in list(self.connections):
            connection.end("shutdown")
        while self.connections or self.finishing:
            await asyncio.sleep(0)
            if self.finishing:
                await asyncio.wait(set(self.finishing))
        self.shared.admission.flush()


class TelnetConnection(asyncio.Protocol):
    """One connection: negotiation, log-in, shell."""

    def __init__(self, sensor: TelnetSensor, ticket: Ticket) -> None:
        shared = sensor.shared
        self.session = Session(
            shared.journal, "telnet", "telnet", ticket.endpoints, persona=shared.persona_name
        )
        self._sensor = sensor
        self._ticket = ticket
        self._shared = sensor.shared
        self._loop = asyncio.get_running_loop()
        self._wire = TelnetServer()
        self._dialogue: LoginDialogue | None = LoginDialogue(sensor.shared.hostname, sensor.shared.issue)
        self._driver: JobDriver | None = None
        self._login: Login | None = None
        self._term, self._size = b"", (80, 24)
        self._resizes = 0
        self._taken = False
        self._paused = self._ended = False
        self._reason: CloseReason | None = None
        self._detail = ""
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._delay: asyncio.TimerHandle | None = None

    # ---- coming and going ----

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet, unless the machine is down."""
        gathering = GatheringTransport(cast(asyncio.Transport, transport), self._loop)
        self._transport = cast(asyncio.Transport, gathering)
        shared = self._shared
        if shared.machines.is_down(self.session.endpoints.src_ip):
            self._ended = True
            self.session.close("server", MACHINE_DOWN)
            self._ticket.leave()
            self._transport.abort()
            return
        self._budget = Budget(
            self.session, shared.limits, lambda what: self.end("budget", what), shared.bytes_before_login
        )
        self._files = FileKeeper(
            self.session,
            shared.services.artifacts,
            self._sensor.known_contents,
            shared.limits.upload_bytes,
            shared.services.errors,
            self._wake,
        )
        self._ticket.drop = lambda: self.end("server", MADE_ROOM)
        self._sensor.connections.add(self)
        self._transport.set_write_buffer_limits(_HIGH_WATER)
        self._timer = self._loop.call_later(shared.settings.login_grace_seconds, self._login_timed_out)
        self._flush()

    def end(self, reason: CloseReason, detail: str = "") -> None:
        """Close from our side and say why in the record."""
        if self._reason is None:
            self._reason, self._detail = reason, detail
        if self._transport is not None:
            if self._paused or reason in ("budget", "shutdown"):
                self._transport.abort()
            else:
                self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone, whoever closed it."""
        if self._ended:
            return
        self._ended = True
        for timer in (self._timer, self._delay):
            if timer is not None:
                timer.cancel()
        task = asyncio.ensure_future(self._finish(exc))
        self._sensor.finishing.add(task)
        task.add_done_callback(self._sensor.finishing.discard)

    async def _finish(self, exc: Exception | None) -> None:
        duration = self.session.elapsed_ms
        try:
            if self._driver is not None:
                await self._driver.settle(self._shared.linger_seconds if self._reason is None else 0)
            await self._files.finish()
            if self._term:
                self.session.record(ClientIdentified, version=b"terminal " + self._term)
            if self._login is not None:
                self._login.close(time.time())
            if self._taken:
                self._shared.machines.release(self.session.endpoints.src_ip)
        except Exception as error:
            self._shared.services.errors.report("telnet", error)
            self.session.failed(type(error).__name__)
        finally:
            reset = isinstance(exc, ConnectionResetError)
            self.session.close(
                self._reason or ("reset" if reset else "client"), self._detail, duration_ms=duration
            )
            self._sensor.connections.discard(self)
            self._ticket.leave()

    # ---- bytes ----

    def data_received(self, data: bytes) -> None:
        """Bytes from the client."""
        if self._ended or self._reason is not None:
            return
        self.session.bytes_in += len(data)
        if not self._budget.wire(len(data)):
            return
        try:
            self._take(data)
            if self._dialogue is not None and self._dialogue.backlog > MAX_AHEAD:
                self.hold_input(True)
            self._flush()
        except Exception as error:
            self._shared.services.errors.report("telnet", error)
            self.session.failed(type(error).__name__)
            self.end("error")

    def _take(self, data: bytes) -> None:
        for event in self._wire.receive(data):
            self._handle(event)
            if self._reason is not None:
                return

    def eof_received(self) -> bool:
        """The client sends no more: telnetd hangs up."""
        return False

    def pause_writing(self) -> None:
        """The client does not take what it is sent: nothing is read from it either."""
        self._paused = True
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        """It takes data again."""
        self._paused = False
        if self._transport is not None:
            self._transport.resume_reading()
        self._wake()

    def _handle(self, event: Data | WindowSize | TerminalType | Malformed) -> None:
        if isinstance(event, Data):
            if self._driver is not None:
                self._driver.receive(event.data)
            elif self._dialogue is not None and self._budget.input(len(event.data)):
                self._judge(self._dialogue.receive(event.data))
        elif isinstance(event, WindowSize):
            self._resize(event.columns, event.rows)
        elif isinstance(event, TerminalType):
            self._term = event.name
        else:
            self.session.malformed(event.what, event.data)

    def _resize(self, columns: int, rows: int) -> None:
        self._size = (min(columns, _MAX_SIDE) or 80, min(rows, _MAX_SIDE) or 24)
        self._resizes += 1
        if self._resizes <= _MAX_RESIZES:
            self.session.record(TerminalRequested, term=self._term, columns=columns, rows=rows)
        if self._driver is not None:
            self._driver.resize(*self._size)

    def _send(self, data: bytes) -> None:
        if data and self._transport is not None and not self._transport.is_closing():
            self.session.bytes_out += len(data)
            self._transport.write(data)

    def _flush(self) -> None:
        self._send(self._wire.take())
        if self._dialogue is not None:
            self._send(self._wire.send(self._dialogue.take()))

    # ---- log-in ----

    def _judge(self, outcome: Outcome | None) -> None:
        if isinstance(outcome, GaveUp):
            self._flush()
            self.end("server", "log-in failed")
        elif isinstance(outcome, Malformed):
            self._flush()
            self.session.malformed(outcome.what, outcome.data)
            self.end("protocol-error", outcome.what)
        elif isinstance(outcome, Tried):
            opens = self._shared.credentials.password_opens(
                self.session.endpoints.src_ip, outcome.user, outcome.password
            )
            self.session.record(
                LoginTried,
                method="password",
                username=outcome.user,
                password=outcome.password,
                accepted=opens,
            )
            if opens:
                self._enter(outcome.user, outcome.password)
            else:
                self._delay = self._loop.call_later(self._shared.refusal_seconds, self._refuse)

    def _refuse(self) -> None:
        if self._dialogue is not None and not self._ended:
            self._judge(self._dialogue.refused())
            self._flush()
            if self._dialogue is not None and self._dialogue.backlog <= MAX_AHEAD:
                self.hold_input(False)

    def _login_timed_out(self) -> None:
        if self._dialogue is not None:
            self._dialogue.timed_out(self._shared.settings.login_grace_seconds)
            self._flush()
            self.end("timeout", "log-in took too long")

    def _enter(self, user: bytes, password: bytes) -> None:
        dialogue, self._dialogue = self._dialogue, None
        assert dialogue is not None
        self._ticket.logged_in()
        self._budget.logged_in()
        self._send(self._wire.send(dialogue.take()))
        where = self.session.endpoints
        now = time.time()
        machine = self._shared.machines.take(where.src_ip)
        connection = Connection(
            protocol="telnet",
            client_ip=where.src_ip,
            client_port=where.src_port,
            server_ip=where.dst_ip,
            server_port=where.dst_port,
            user=decode(user),
            since=now,
            session=self.session.id,
        )
        self._taken = True
        try:
            self._login = machine.login(decode(user), connection, now, password)
        except LoginError as error:
            down = isinstance(error, MachineDownError)
            self.end("server", MACHINE_DOWN if down else "the account is gone from the machine")
            return
        term = decode(self._term.lower()) or "vt102"
        job = self._login.shell(term, *self._size, {})
        self._driver = JobDriver(
            job,
            self,
            channel=0,
            session=self.session,
            budget=self._budget,
            files=self._files,
            services=self._shared.services,
        )
        if self._timer is not None:
            self._timer.cancel()
        self._look()
        self._driver.start()
        self.hold_input(False)
        if dialogue.rest:
            self._driver.receive(dialogue.rest)

    def _look(self) -> None:
        idle = self._shared.settings.idle_seconds
        if self._budget.idle_seconds > idle:
            self.end("timeout", "idle")
        elif self._budget.time():
            self._timer = self._loop.call_later(min(15.0, max(0.05, idle / 4)), self._look)

    # ---- the shell's output ----

    @property
    def writable(self) -> bool:
        """Whether the client takes output."""
        return not self._paused

    def output(self, data: bytes, stream: int) -> None:
        """Show output."""
        self._send(self._wire.send(data))

    def hold_input(self, hold: bool) -> None:
        """Stop or go on reading from the client."""
        if self._transport is not None and not self._transport.is_closing():
            if hold:
                self._transport.pause_reading()
            elif not self._paused:
                self._transport.resume_reading()

    def finished(self, status: int, signal: str | None) -> None:
        """The shell has ended: telnetd closes the connection."""
        self.end("client", "shell ended")

    def machine_went_down(self, kind: str) -> None:
        """The machine is gone, and the connection with it."""
        self.end("server", f"machine: {kind}")

    def _wake(self) -> None:
        if self._driver is not None:
            self._driver.wake()
