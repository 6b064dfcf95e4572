"""Standard input, output and error of a job without terminal: what sshd's channel is for a command."""

from __future__ import annotations

from typing import TYPE_CHECKING

from urltrap.machine.api import O_RDONLY, O_WRONLY, S_IFIFO, Stat
from urltrap.machine.kernel.files import File
from urltrap.machine.kernel.waiting import WaitQueue

if TYPE_CHECKING:
    from urltrap.machine.kernel.job import KernelJob
    from urltrap.machine.kernel.state import ProcessState


class ConsoleInput(File):
    """What the attacker sends to the command."""

    __slots__ = ("buffer", "ended", "inode")

    def __init__(self, inode: int) -> None:
        super().__init__(f"pipe:[{inode}]", O_RDONLY)
        self.inode = inode
        self.buffer = bytearray()
        self.ended = False
        self.read_queue = WaitQueue()

    def stat(self) -> Stat:
        """fstat(2)."""
        return Stat(S_IFIFO | 0o600, 0, inode=self.inode, device=14)

    def try_read(self, process: ProcessState, length: int) -> bytes | None:
        """What has come; the end once he closed his side."""
        if self.buffer:
            data = bytes(self.buffer[:length])
            del self.buffer[:length]
            return data
        return b"" if self.ended else None


class ConsoleOutput(File):
    """What the attacker sees: `stream` 1 or 2."""

    __slots__ = ("inode", "job", "stream")

    def __init__(self, job: KernelJob, stream: int, inode: int) -> None:
        super().__init__(f"pipe:[{inode}]", O_WRONLY)
        self.job = job
        self.stream = stream
        self.inode = inode
        self.write_queue = job.drained

    def stat(self) -> Stat:
        """fstat(2)."""
        return Stat(S_IFIFO | 0o600, 0, inode=self.inode, device=14)

    def try_write(self, process: ProcessState, data: bytes) -> int:
        """As much as the current step may give out."""
        return self.job.put_out(data, self.stream)
