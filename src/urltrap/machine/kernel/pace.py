"""How fast a job may go: a burst at full speed, then a small share, as on a machine that is busy; and when it is ended.

A loop that never ends does not end on a real machine either, so it is not killed after some milliseconds: it is slowed
until it costs next to nothing, and ended some seconds later. What evidently has an end (``for``, a counter that comes
nearer to its bound) goes at full speed for as long as other work would. Two limits end it: ``limits.barren_steps``
where nothing comes of its steps, ``limits.steps_per_command`` where something does. One step is about a microsecond of
CPU.
"""

from __future__ import annotations

from urltrap.model.settings import SessionLimits

TURN = 2_000
"""Steps of one turn of a process."""
BURST = 40_000
"""Steps at full speed: 30 to 45 ms; a 200-line script needs about a third of them."""
EARNED_MAX = 400_000
"""Steps that a command earns at most ahead of time by real work (data read, paths looked up, programs started): a
pipeline over 300 MB and a search of the whole tree go through at full speed, work without end is slowed after a third
of a second of CPU."""
SHARE = 15_000
"""Steps a second for what has used up its burst: 1.5 percent of a core."""
EARNING = 150_000
"""Steps a second that may be earned by real work after those."""
REST = 50_000
"""Steps a second that come back while a job waits for input, a download or a timer."""
FORGIVEN = 2_000
"""Steps a second that no longer count towards the end of a command while it waits: what works a little now and then
(``while :; do ps; sleep 1; done``) goes on as long as its session does."""
TYPED = 4_000
"""What an input gives at least, so that ^C and the next prompt do not wait behind a loop."""
_TYPED_EVERY = 0.1
"""Seconds between two inputs that give it: a stream of them buys no CPU."""
_PORTION = 4_000
_AGAIN = 0.9
"""How much of a limit is used already for a shell that survived what it had started."""


class Pace:
    """The account of one job, in steps. Credit may be spent at once; barren and spent steps count towards its end."""

    __slots__ = ("_at", "_barren", "_credit", "_limits", "_spent", "_to_earn", "_typed", "slowed")

    def __init__(self, limits: SessionLimits) -> None:
        self._limits = limits
        self._credit: float = BURST
        self._to_earn: float = EARNED_MAX
        self._spent: float = 0
        self._barren: float = 0
        self._at: float | None = None
        self._typed: float | None = None
        self.slowed = 0.0
        """Seconds in which there was work to do: what a processor is busy for on the machine that is shown."""

    def pass_time(self, now: float, busy: bool) -> None:
        """Time passed since the last call, in which the job had work to do (`busy`) or waited."""
        if self._at is not None and now > self._at:
            seconds = now - self._at
            self._to_earn = min(EARNED_MAX, self._to_earn + seconds * EARNING)
            if self._credit < BURST:
                self._credit = min(BURST, self._credit + seconds * (SHARE if busy else REST))
            if busy:
                self.slowed += seconds
            else:
                self._barren = max(0, self._barren - seconds * REST)
                self._spent = max(0, self._spent - seconds * FORGIVEN)
        self._at = now

    def spend(self, steps: int) -> None:
        """Steps were done."""
        self._credit -= steps
        self._spent += steps
        self._barren += steps

    def earn(self, steps: int) -> None:
        """Real work was done: data was read (a step for each byte), a path was looked up, a program was started."""
        self._barren = max(0, self._barren - steps)
        earned = min(steps, self._to_earn)
        self._to_earn -= earned
        self._credit += earned

    def advance(self, steps: int) -> None:
        """Steps were done that come nearer to an end: as `earn`, and half of them count towards the command's limit."""
        self.earn(steps)
        self._spent = max(0, self._spent - steps / 2)

    def typed(self) -> None:
        """Input came: what was done until now does not count towards the end of what is done from now on."""
        self._barren = self._spent = 0
        if self._typed is None or self._at is None or not 0 <= self._at - self._typed < _TYPED_EVERY:
            self._typed = self._at
            self._credit = max(self._credit, TYPED)

    @property
    def may_run(self) -> bool:
        """True while there is something on the account."""
        return self._credit > 0

    @property
    def waits(self) -> float:
        """Seconds until the next portion where `may_run` is False."""
        return (_PORTION - self._credit) / SHARE

    @property
    def over(self) -> str:
        """The name of the limit at which the command is to be ended, or ""."""
        if self._barren > self._limits.barren_steps:
            return "barren_steps"
        return "steps_per_command" if self._spent > self._limits.steps_per_command else ""

    def reprieve(self) -> None:
        """What the command had started was ended in its stead: it goes on, but not for long."""
        self._barren = min(self._barren, self._limits.barren_steps * _AGAIN)
        self._spent = min(self._spent, self._limits.steps_per_command * _AGAIN)
