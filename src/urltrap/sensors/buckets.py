"""Token buckets for any number of sources in a table of fixed size."""

from __future__ import annotations

from array import array

SLOTS = 65_536
"""Slots of each of the two rows; 2 MB together with the other row and table of one door."""


class Buckets:
    """A bucket of `burst` tokens per key, filled with `rate` tokens a second; each `take` costs one.

    A bucket is one number, the time at which it is full again (the generic cell rate algorithm, ITU-T I.371). Keys
    share slots: each has one in either of two rows and is believed the emptier of them (a count-min sketch), so that a
    key is only mistaken for others where both of its slots are another's. Memory never grows, nothing is evicted, and
    whoever sends from a million addresses wins nothing but a few wrong refusals. Slots come from `hash`, which Python
    keys anew in every process.
    """

    __slots__ = ("_burst", "_first", "_interval", "_second")

    def __init__(self, rate: float, burst: float) -> None:
        self._interval = 1.0 / rate
        self._burst = (burst + 0.01) * self._interval  # sums of fractions come out a little too large
        self._first = array("d", bytes(8 * SLOTS))
        self._second = array("d", bytes(8 * SLOTS))

    def take(self, key: str | bytes, now: float) -> bool:
        """Take a token; False where there is none. `now` is in seconds, of a clock that never goes back."""
        mixed = hash(key)
        one, other = mixed & (SLOTS - 1), (mixed >> 16) & (SLOTS - 1)
        due = max(now, min(self._first[one], self._second[other])) + self._interval
        if due - now > self._burst:
            return False
        # The emptier slot alone tells of this key; the other one is another's, who keeps what he has.
        self._first[one] = max(self._first[one], due)
        self._second[other] = max(self._second[other], due)
        return True
