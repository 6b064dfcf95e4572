"""File transfers on a session channel: the sftp subsystem, and scp started by an exec request."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Protocol

from urltrap.sandbox.login import BoxLogin
from urltrap.sensors.ssh.files import machine_files
from urltrap.wire.sftp.scp import ScpSink, ScpSource, parse_scp
from urltrap.wire.sftp.server import ProtocolViolation, SftpServer

if TYPE_CHECKING:
    from urltrap.sensors.ssh.channel import Program, SessionChannel
    from urltrap.sensors.ssh.connection import SshConnection


class Transfer(Protocol):
    """A transfer as a value: bytes in, bytes out until `status` is there."""

    @property
    def status(self) -> int | None: ...
    def receive(self, data: bytes) -> None: ...
    def take(self) -> bytes: ...
    def end(self) -> None: ...


class SftpTransfer:
    """The sftp subsystem."""

    def __init__(self, server: SftpServer, connection: SshConnection) -> None:
        self._server = server
        self._connection = connection
        self._out = bytearray()
        self.status: int | None = None

    def receive(self, data: bytes) -> None:
        """Requests."""
        try:
            self._out += self._server.receive(data)
        except ProtocolViolation as error:
            self._connection.session.malformed(f"sftp: {error}", data)
            self._server.close()
            self.status = error.status

    def take(self) -> bytes:
        """Replies."""
        out, self._out = bytes(self._out), bytearray()
        return out

    def end(self) -> None:
        """The client sends no more: sftp-server ends."""
        self._server.close()
        if self.status is None:
            self.status = 0
            self._out.clear()  # replies that were not sent yet are lost with it


class TransferProgram:
    """Runs a transfer on a channel."""

    def __init__(self, connection: SshConnection, channel: SessionChannel, transfer: Transfer) -> None:
        self._connection = connection
        self._channel = channel
        self._transfer = transfer
        self._waiting = bytearray()
        self._ended = self._gone = False

    def start(self) -> None:
        """The client was told that it may go on."""
        self.wake()

    def receive(self, data: bytes) -> None:
        """Bytes from the client; they wait while it does not take our replies."""
        if self._connection.budget.input(len(data)):
            self._waiting += data
            # After what else came with it: an end of input is seen before the replies are sent, as sftp-server sees it.
            asyncio.get_running_loop().call_soon(self.wake)

    def receive_eof(self) -> None:
        """The client sends no more."""
        self._ended = True
        self.wake()

    def wake(self) -> None:
        """Work on what waits, as long as the client takes replies."""
        if self._gone:
            return
        transfer = self._transfer
        while self._channel.writable:
            if self._waiting and transfer.status is None:
                data, self._waiting = bytes(self._waiting[:65_536]), self._waiting[65_536:]
                transfer.receive(data)
                if self._ended and not self._waiting and transfer.status is None:
                    transfer.end()
            elif self._ended and transfer.status is None:
                transfer.end()
            out = transfer.take()
            if out:
                if not self._connection.budget.output(len(out)):
                    return
                self._channel.output(out, 1)
            elif transfer.status is not None or not self._waiting:
                break
        if transfer.status is not None and self._channel.writable:
            self._gone = True
            transfer.end()
            self._channel.finished(transfer.status)

    def receive_signal(self, name: str) -> None:
        """A signal ends it."""
        self._ended = True
        self.wake()

    def resize(self, columns: int, rows: int) -> None:
        """It has no terminal."""

    def client_gone(self) -> None:
        """Keep what came."""
        if not self._gone:
            self._gone = True
            try:
                if self._transfer.status is None and self._waiting:
                    self._transfer.receive(bytes(self._waiting))
                self._transfer.end()
            except Exception as error:
                self._connection.broke(error)


def transfer_program(
    connection: SshConnection, channel: SessionChannel, command: bytes | None
) -> Program | None:
    """The transfer that an exec request's command (None: the sftp subsystem) asks for; None where it is none."""
    login = connection.login
    if isinstance(login, BoxLogin) and login.has_box:  # a box has an scp and an SFTP server of its own
        return connection.job_program(channel, login.sftp_server()) if command is None else None
    if command is None:
        files = machine_files(connection, channel.number, "sftp")
        return TransferProgram(connection, channel, SftpTransfer(SftpServer(files, time.time), connection))
    scp = parse_scp(command)
    if scp is None:
        return None
    files = machine_files(connection, channel.number, "scp")
    paths = tuple(path.removeprefix(b"~/") if path != b"~" else b"." for path in scp.paths)
    if scp.sink:
        transfer: Transfer = ScpSink(files, paths[-1], scp.directory)
    else:
        transfer = ScpSource(files, type(scp)(False, scp.recursive, scp.directory, paths))
    return TransferProgram(connection, channel, transfer)
