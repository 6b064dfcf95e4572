"""How fast a job may go: a burst at full speed, then a small share, as on a machine that is busy.

A loop that never ends does not end on a real machine either, so it is not killed after some milliseconds: it is slowed
until it costs next to nothing, and ended at ``limits.steps_per_command``. One step is about a microsecond of CPU.
"""

from __future__ import annotations

BURST = 40_000
"""Steps at full speed: 30 to 45 ms; a 200-line script needs about a third of them."""
EARNED_MAX = 1_000_000
"""Steps that a command may earn at most by real work (data read, paths looked up, programs started): a pipeline over
megabytes and a search of the whole tree go through, an endless one is slowed after a second of CPU."""
SHARE = 4_000
"""Steps a second for what has used up its burst: less than half a percent of a core."""
REST = 50_000
"""Steps a second that come back while a job waits for input, a download or a timer."""
TYPED = 4_000
"""What each input gives at least, so that ^C and the next prompt do not wait behind a loop."""
_PORTION = 4_000


class Pace:
    """The account of one job, in steps."""

    __slots__ = ("_at", "_credit", "_to_earn")

    def __init__(self) -> None:
        self._credit: float = BURST
        self._to_earn = EARNED_MAX
        self._at: float | None = None

    def pass_time(self, now: float, busy: bool) -> None:
        """Time passed since the last call, in which the job had work to do (`busy`) or waited."""
        if self._at is not None and now > self._at and self._credit < BURST:
            self._credit = min(BURST, self._credit + (now - self._at) * (SHARE if busy else REST))
            if self._credit >= BURST:
                self._to_earn = EARNED_MAX
        self._at = now

    def spend(self, steps: int) -> None:
        """Steps were done."""
        self._credit -= steps

    def earn(self, steps: int) -> None:
        """Real work was done: data was read (a step for each byte), a path was looked up, a program was started."""
        earned = min(steps, self._to_earn)
        self._to_earn -= earned
        self._credit += earned

    def typed(self) -> None:
        """Input came."""
        self._credit = max(self._credit, TYPED)

    @property
    def may_run(self) -> bool:
        """True while there is something on the account."""
        return self._credit > 0

    @property
    def waits(self) -> float:
        """Seconds until the next portion where `may_run` is False."""
        return (_PORTION - self._credit) / SHARE
