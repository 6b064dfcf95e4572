"""What one session may still use, over all its channels."""

from __future__ import annotations

import time
from collections.abc import Callable

from urltrap.model.settings import SessionLimits
from urltrap.sensors.session import Session

_WIRE = 2
"""Bytes on the wire per byte of input that a session may send: headers, padding, and messages that carry nothing."""


class Budget:
    """Counts a session's use. `exhausted` is called once, with the name of the limit that was met first."""

    def __init__(
        self,
        session: Session,
        limits: SessionLimits,
        exhausted: Callable[[str], None],
        before_login: int = 1_000_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.limits = limits
        self._session = session
        self._exhausted = exhausted
        self._clock = clock
        self._started = self._last_input = clock()
        self._wire = 0
        self._most_wire = before_login
        self._input = self._output = self._commands = 0
        self._over = ""

    @property
    def over(self) -> str:
        """Name of the limit that was met, or ""."""
        return self._over

    @property
    def idle_seconds(self) -> float:
        """Seconds since the client sent anything of meaning."""
        return self._clock() - self._last_input

    def wire(self, size: int) -> bool:
        """Count bytes that came over the wire, whatever they mean; False where they are too many."""
        self._wire += size
        return self._within("bytes", self._wire, self._most_wire)

    def logged_in(self) -> None:
        """From here on it may send what a session may."""
        self._most_wire = _WIRE * self.limits.input_bytes

    def input(self, size: int) -> bool:
        """Count bytes that came in; False where they are too many."""
        self._last_input = self._clock()
        self._input += size
        return self._within("input_bytes", self._input, self.limits.input_bytes)

    def output(self, size: int) -> bool:
        """Count bytes that go out; False where they are too many."""
        self._output += size
        return self._within("output_bytes", self._output, self.limits.output_bytes)

    def command(self) -> bool:
        """Count a command line; False where there were too many."""
        self._commands += 1
        return self._within("commands", self._commands, self.limits.commands)

    def time(self) -> bool:
        """False where the session has lasted too long."""
        return self._within("seconds", self._clock() - self._started, self.limits.seconds)

    def _within(self, what: str, used: float, limit: float) -> bool:
        if used <= limit:
            return True
        if not self._over:
            self._over = what
            self._session.spent(what, limit)
            self._exhausted(what)
        return False
