"""A session channel as sshd opens, serves and ends it: window, order of messages, which requests succeed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Protocol

from asyncssh.channel import SSHServerChannel
from asyncssh.constants import EXTENDED_DATA_STDERR
from asyncssh.misc import ProtocolError
from asyncssh.packet import Boolean, SSHPacket, String, UInt32
from asyncssh.session import SSHServerSession

from urltrap.model.event import EnvironmentSet, TerminalRequested
from urltrap.sensors.late import LateEvent
from urltrap.sensors.ssh.attributes import CHANNEL
from urltrap.sensors.ssh.authentication import c_string
from urltrap.wire.ssh.compatibility import knows_end_of_writing

if TYPE_CHECKING:
    from urltrap.sensors.ssh.connection import SshConnection

_WINDOW_ADJUST = 93
_SIGNALS = frozenset(
    {"ABRT", "ALRM", "FPE", "HUP", "ILL", "INT", "KILL", "PIPE", "QUIT", "SEGV", "TERM", "USR1", "USR2"}
)
"""Signals that have a name in the protocol (RFC 4254 section 6.10); sshd tells others as "SIG@openssh.com"."""
_MAX_ENV = 64
_MAX_KEPT = 4096
_MAX_SIDE = 500
"""Columns and rows that the machine is told at most."""


class Program(Protocol):
    """What runs on a channel: a job of the machine, a file transfer."""

    def start(self) -> None: ...
    def receive(self, data: bytes) -> None: ...
    def receive_eof(self) -> None: ...
    def receive_signal(self, name: str) -> None: ...
    def resize(self, columns: int, rows: int) -> None: ...
    def wake(self) -> None: ...
    def client_gone(self) -> None: ...


class ChannelSession(SSHServerSession[bytes]):
    """asyncssh's view of what runs on the channel."""

    def __init__(self) -> None:
        self.program: Program | None = None
        self.has_terminal = False

    def session_started(self) -> None:
        """The client was told that its request succeeded: only now may output follow."""
        if self.program is not None:
            self.program.start()

    def data_received(self, data: bytes, datatype: Any) -> None:
        """Standard input."""
        if self.program is not None:
            self.program.receive(data)

    def eof_received(self) -> bool:
        """End of input; with a terminal sshd tells the shell nothing. The channel stays open."""
        if self.program is not None and not self.has_terminal:
            self.program.receive_eof()
        return True

    def resume_writing(self) -> None:
        """The client takes output again."""
        if self.program is not None:
            self.program.wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """The channel is gone."""
        if self.program is not None:
            self.program.client_gone()


class SessionChannel(SSHServerChannel[bytes]):
    """The channel. Its number for the record is the order of its opening, not the protocol's."""

    __slots__ = CHANNEL

    _conn: SshConnection
    _session: ChannelSession

    def __init__(self, conn: SshConnection, loop: asyncio.AbstractEventLoop, number: int) -> None:
        profile = conn.profile
        super().__init__(
            conn,
            loop,
            True,
            False,
            False,
            0,
            0,
            None,
            "strict",
            profile.channel_window,
            profile.channel_packet,
        )
        self.number = number
        self._close_event = LateEvent()
        self._exit_status: int | None = None
        self._killed_by: str | None = None
        self._told = False
        self._lines = 0

    # ---- opening ----

    def process_open(self, send_chan: int, send_window: int, send_pktsize: int, session: Any) -> None:
        """Confirm at once, with an empty window: sshd opens it when something runs."""
        self._send_chan = send_chan
        self._send_window = send_window
        self._send_pktsize = send_pktsize
        self._session = session
        assert self._recv_chan is not None
        self._conn.send_channel_open_confirmation(send_chan, self._recv_chan, 0, self._recv_pktsize)
        self._send_state = self._recv_state = "open"

    # ---- what sshd does not mind ----

    def _process_data(self, pkttype: int, pktid: int, packet: SSHPacket) -> None:
        if self._recv_state == "open":
            super()._process_data(pkttype, pktid, packet)

    def _process_extended_data(self, _pkttype: int, _pktid: int, packet: SSHPacket) -> None:
        if self._recv_state != "open":
            raise ProtocolError(f"Received extended_data after EOF on channel {self._recv_chan}.")

    def _process_eof(self, pkttype: int, pktid: int, packet: SSHPacket) -> None:
        if self._recv_state == "open":
            super()._process_eof(pkttype, pktid, packet)

    def _process_window_adjust(self, pkttype: int, pktid: int, packet: SSHPacket) -> None:
        before = self._send_window
        super()._process_window_adjust(pkttype, pktid, packet)
        if before + int.from_bytes(packet.get_consumed_payload()[5:9], "big") > 0xFFFFFFFF:
            raise ProtocolError("a window that is too large")

    _packet_handlers = SSHServerChannel._packet_handlers | {
        93: _process_window_adjust,
        94: _process_data,
        95: _process_extended_data,
        96: _process_eof,
    }

    # ---- requests ----

    def _process_pty_req_request(self, packet: SSHPacket) -> bool:
        term = c_string(packet)
        columns, rows = packet.get_uint32(), packet.get_uint32()
        packet.get_uint32()
        packet.get_uint32()
        packet.get_string()
        packet.check_end()
        if self._session.has_terminal:
            self._conn.say_goodbye("Protocol error: you already have a pty.")
            return False
        if self._session_started:
            return False
        self._session.has_terminal = True
        self._term_size = (columns, rows, 0, 0)
        self._term = term[:256]
        self._conn.session.record(
            TerminalRequested, channel=self.number, term=term[:_MAX_KEPT], columns=columns, rows=rows
        )
        return True

    _term = b""

    def _process_env_request(self, packet: SSHPacket) -> bool:
        name, value = c_string(packet), c_string(packet)
        packet.check_end()
        if self._lines < _MAX_ENV:
            self._lines += 1
            self._conn.session.record(
                EnvironmentSet, channel=self.number, name=name[:_MAX_KEPT], value=value[:_MAX_KEPT]
            )
        if self._session_started or not self._conn.profile.accepts_env(name) or len(self._env) >= _MAX_ENV:
            return False
        self._env[name] = value[:_MAX_KEPT]
        return True

    def _process_window_change_request(self, packet: SSHPacket) -> bool:
        columns, rows = packet.get_uint32(), packet.get_uint32()
        packet.get_uint32()
        packet.get_uint32()
        packet.check_end()
        if self._session.program is not None and self._session.has_terminal:
            self._session.program.resize(*_bounded(columns, rows))
        self._term_size = (columns, rows, 0, 0)
        if self._lines < _MAX_ENV:
            self._lines += 1
            self._conn.session.record(
                TerminalRequested, channel=self.number, term=self._term, columns=columns, rows=rows
            )
        return True

    def _process_signal_request(self, packet: SSHPacket) -> bool:
        name = c_string(packet)
        packet.check_end()
        text = name.decode("ascii", "replace")
        # Where root is logged in, an older sshd has no process of its own for the session that could send it.
        refused = self._conn.is_root and not self._conn.profile.root_signals
        if self._session.program is None or text not in _SIGNALS or refused:
            return False
        self._session.program.receive_signal(text)
        return True

    def _process_break_request(self, packet: SSHPacket) -> bool:
        packet.get_uint32()
        return self._session.has_terminal and self._session_started

    def _process_x11_req_request(self, packet: SSHPacket) -> bool:
        self._conn.say_aside("No xauth program; cannot forward X11.")  # as on a server without X
        return False

    def _process_auth_agent_req_at_openssh_dot_com_request(  # type: ignore[override]
        self, packet: SSHPacket
    ) -> bool:
        had, self._conn.has_agent = self._conn.has_agent, True
        return not had

    def _process_shell_request(self, packet: SSHPacket) -> bool:
        packet.check_end()
        return self._launch(lambda: self._conn.start_shell(self))

    def _process_exec_request(self, packet: SSHPacket) -> bool:
        command = c_string(packet)
        packet.check_end()
        return self._launch(lambda: self._conn.start_command(self, command))

    def _process_subsystem_request(self, packet: SSHPacket) -> bool:
        name = c_string(packet)
        packet.check_end()
        return self._launch(lambda: self._conn.start_subsystem(self, name))

    def _launch(self, make: Any) -> bool:
        if self._session_started:
            return False
        program = make()
        if program is None:
            return False
        self._session_started = True
        self._session.program = program
        self.send_packet(_WINDOW_ADJUST, UInt32(self._init_recv_window))
        return True

    # ---- for what runs on it ----

    @property
    def environment(self) -> dict[bytes, bytes]:
        """What the client set and sshd lets through."""
        return dict(self._env)

    @property
    def has_terminal(self) -> bool:
        """Whether a pseudo-terminal was asked for."""
        return self._session.has_terminal

    @property
    def terminal(self) -> tuple[bytes, int, int]:
        """(type, columns, rows) of the pseudo-terminal."""
        return (self._term, *_bounded(self._term_size[0], self._term_size[1]))

    @property
    def writable(self) -> bool:
        """False while the client does not take what it was sent."""
        return not self._send_paused and self._send_state == "open" and not self._conn.write_paused

    def resume(self) -> None:
        """The connection takes output again."""
        if self._session is not None:
            self._session.resume_writing()

    def output(self, data: bytes, stream: int) -> None:
        """Send standard output (1) or standard error (2)."""
        if self._send_state == "open":
            self.write(data, EXTENDED_DATA_STDERR if stream == 2 else None)

    def finished(self, status: int, signal: str | None = None) -> None:
        """The end: remaining data, EOF, how it ended, CLOSE, in sshd's order."""
        if self._send_state == "open":
            self._exit_status, self._killed_by = status & 0xFF, signal
            if self._send_buf:  # the client's window is used up: it hears how it ended before the rest
                self._tell_status()
            self.write_eof()

    def _flush_send_buf(self) -> None:
        super()._flush_send_buf()
        if self._exit_status is not None and self._send_state == "eof":
            self._tell_status()
            self.close()

    def _tell_status(self) -> None:
        if not self._told:
            self._told = True
            status = self._exit_status or 0
            if self._killed_by in _SIGNALS:
                details = (String(self._killed_by or ""), Boolean(False), String(""), String(""))
                self._send_request(b"exit-signal", *details)
            else:
                self._send_request(b"exit-status", UInt32(status))
            if self._recv_state == "open" and knows_end_of_writing(self._conn.client_software):
                self._send_request(b"eow@openssh.com")


def _bounded(columns: int, rows: int) -> tuple[int, int]:
    return (min(columns, _MAX_SIDE) or 80, min(rows, _MAX_SIDE) or 24)
