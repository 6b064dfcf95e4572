"""What a blocked process waits for. A program's generator yields ``(queue, until)`` to the scheduler, or None for its
next turn; the scheduler resumes it when the queue is woken, the time has come, or a caught signal arrived."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from urltrap.machine.kernel.process import KernelProcess


class WaitQueue:
    """Processes that wait for one thing (data in a pipe, an ended child, a fetch)."""

    __slots__ = ("waiting",)

    def __init__(self) -> None:
        self.waiting: list[KernelProcess] = []

    def wake(self) -> None:
        """Let everybody here look again."""
        if self.waiting:
            woken, self.waiting = self.waiting, []
            for process in woken:
                process.parked = None
                process.ready()


Park = tuple[WaitQueue | None, float | None] | None
"""What the scheduler understands: None "my turn again"; (queue, until) "when woken or at that unix time"."""
