"""Loops that count to an end run as on a machine with nothing else to do; those without one are slowed."""

from __future__ import annotations

import pytest
from tests.machine.programs.support import Box

from urltrap.model.event import BudgetSpent


@pytest.mark.parametrize(
    "line",
    [
        "for i in {1..6000}; do :; done; echo $i",
        "for ((i=0;i<6000;i++)); do :; done; echo $i",
        "i=0; while [ $i -lt 6000 ]; do i=$((i+1)); done; echo $i",
        "i=0; until ((i == 6000)); do ((i++)); done; echo $i",
        "i=0; while [[ $i -ne 6000 ]]; do let i++; done; echo $i",
        "i=0; while :; do ((++i >= 6000)) && break; done; echo $i",
        "awk 'BEGIN { for (i = 0; i < 6000; i++) x += i; print i }'",
        "perl -e 'for ($i = 0; $i < 6000; $i++) { $x += $i } print \"$i\\n\"'",
        "python3 -c 'for i in range(6001): x = i * 2\nprint(i)'",
    ],
)
def test_counting_takes_no_time(line: str) -> None:
    box = Box()
    began = box.now
    found = box.run(line)
    assert (found.status, found.out) == (0, b"6000\n")
    assert box.now == began


def test_a_counter_that_goes_away_from_its_bound_is_slowed_and_ended() -> None:
    box = Box()
    found = box.run("i=1; while [ $i -gt 0 ]; do i=$((i+1)); done; echo never")
    assert (found.status, found.out) == (137, b"")
    assert [fact["what"] for fact in found.facts(BudgetSpent)] == ["barren_steps"]
