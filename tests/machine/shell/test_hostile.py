"""Hostile lines end by a budget, and nothing of ours crashes."""

from __future__ import annotations

import pytest
from tests.machine.shell import harness

from urltrap.model.event import BudgetSpent
from urltrap.model.settings import SessionLimits

LIMITS = SessionLimits(steps_per_command=100_000)


@pytest.mark.parametrize(
    "line",
    [
        "while :; do :; done",
        "until false; do :; done",
        "for ((;;)); do :; done",
        "a=x; while :; do a=$a$a; done",
        "a=x; while :; do a=(${a[@]} ${a[@]} y); done",
        "echo {1..1000000}",
        "echo {1..300}{1..300}{1..300}",
        "echo " + "$(" * 10_000 + "echo" + ")" * 10_000,
        "f() { f; }; f",
        "f() { if true; then while true; do f; done; fi; }; f",
        "f() { eval f; }; f",
        'eval_() { eval "$1"; }; x=\'eval_ "$x"\'; eval_ "$x"',
        "echo $((" + "(" * 5000 + "1" + ")" * 5000 + "))",
        "printf %1000000000d 1",
        "x=$(printf '%20000s' a); x=${x// /a}; echo ${x//a*b/}",
        "yes > /dev/null",
        "trap 'kill -USR1 $$' USR1; kill -USR1 $$; while :; do :; done",
        ". /tmp/w/self",
    ],
)
def test_a_line_without_end_is_stopped_by_its_budget(line: str) -> None:
    box = harness.ShellBox(limits=LIMITS)
    status = box.run("bash", "echo '. /tmp/w/self' > self; " + line)
    assert status == 137
    assert box.facts(BudgetSpent)
    box.take(1)  # fails where a program crashed


def test_a_fork_bomb_meets_the_limit_of_processes() -> None:
    box = harness.ShellBox(limits=LIMITS)
    box.run("bash", ":(){ :|:& };:")
    assert any(fact["what"] in ("processes", "steps_per_command") for fact in box.facts(BudgetSpent))
    box.take(1)


@pytest.mark.parametrize("dialect", ["bash", "dash", "ash"])
def test_binary_garbage_as_a_script_is_answered_and_ends(dialect: str) -> None:
    garbage = bytes(range(1, 256)) * 20
    box = harness.ShellBox()
    job = box.start([dialect], stdin=garbage)
    assert box.drive(job) is not None
    box.take(2)


def test_invalid_utf8_goes_through_unchanged() -> None:
    box = harness.ShellBox()
    box.run("bash", "x=$'\\xff\\xfe'; echo \"$x\"; printf '%s' \"$x\" | cat")
    assert box.take(1).encode("utf-8", "surrogateescape") == b"\xff\xfe\n\xff\xfe"


@pytest.mark.parametrize("dialect", ["bash", "dash", "ash"])
def test_ten_thousand_arguments_arrive(dialect: str) -> None:
    box = harness.ShellBox()
    assert box.run(dialect, "set -- " + "x " * 10_000 + "; echo $#") == 0
    assert box.take(1) == "10000\n"
