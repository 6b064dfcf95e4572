"""What runs on a session channel: a job of the machine, or a file transfer."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from urltrap.machine.effects import Job
from urltrap.sensors.jobs import JobDriver

if TYPE_CHECKING:
    from urltrap.sensors.ssh.channel import SessionChannel
    from urltrap.sensors.ssh.connection import SshConnection


class JobProgram:
    """A job of the machine on a channel."""

    def __init__(self, connection: SshConnection, channel: SessionChannel, job: Job) -> None:
        self._connection = connection
        self._channel = channel
        self._terminal = channel.has_terminal
        self._driver = JobDriver(
            job,
            self,
            channel=channel.number,
            session=connection.session,
            budget=connection.budget,
            files=connection.files,
            services=connection.sensor.services,
        )
        self.start = self._driver.start
        self.receive = self._driver.receive
        self.receive_eof = self._driver.receive_eof
        self.receive_signal = self._driver.receive_signal
        self.resize = self._driver.resize
        self.wake = self._driver.wake
        self.wait = self._driver.wait

    @property
    def writable(self) -> bool:
        """Whether the client takes output."""
        return self._channel.writable

    def output(self, data: bytes, stream: int) -> None:
        """Send output."""
        self._channel.output(data, stream)

    def hold_input(self, hold: bool) -> None:
        """Let the client's window run out, or open it again."""
        if hold:
            self._channel.pause_reading()
        else:
            self._channel.resume_reading()

    def finished(self, status: int, signal: str | None) -> None:
        """The command has ended; the connection forgets it when nothing of it goes on."""
        self._channel.finished(status, signal)

    def machine_went_down(self, kind: str) -> None:
        """The machine is gone, and the connection with it, without exit status."""
        self._connection.end("server", f"machine: {kind}")

    def client_gone(self) -> None:
        """A shell on a terminal is hung up when it has read what was typed; a command without one goes on."""
        if self._driver.done:
            self._connection.forget(self)
        elif self._terminal:
            task = asyncio.ensure_future(self._driver.settle(self._connection.sensor.linger_seconds))
            task.add_done_callback(lambda _: self._connection.forget(self))
        else:
            self._driver.detach()

    def hang_up(self) -> None:
        """End the job now."""
        self._driver.hang_up()
        self._connection.forget(self)
