"""The machine's shells against recorded answers of bash 5.2, dash 0.5.12 and BusyBox 1.35 (record_shell.py)."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from tests.golden import record_shell as recorder
from tests.machine.shell import harness

_HERE = Path(__file__).parent


GOLDEN: dict[str, list[tuple[str, int, str, str]]] = json.loads((_HERE / "golden.json").read_text())

# What is known to differ, and why. An entry that starts to agree fails the test: take it out then.
DIFFERENT = {
    ("dash", "sleep 0.1 & wait; echo $?; (exit 4)"): "a script's ended jobs are listed with an empty text",
    ("ash", "sleep 0.1 & wait; echo $?; (exit 4)"): "a script's ended jobs are listed with an empty text",
    ("dash", "while getopts a:b o -x -a;"): "getopts starts again by itself after its end",
    ("ash", "while getopts a:b o -x -a;"): "getopts starts again by itself after its end",
    ("dash", "echo `if`"): "backquotes are parsed with the line, not when they run",
    ("ash", "echo `if`"): "backquotes are parsed with the line, not when they run",
    ("ash", "coproc_() { :; };"): "${@:1:1} of BusyBox works on the joined text",
    ("dash", "./; echo $?; ..;"): "'..' and '' are looked up in PATH as files",
    ("ash", "./; echo $?; ..;"): "'..' and '' are looked up in PATH as files",
}


def _mask(text: str) -> str:
    """Process ids and what depends on the machine's limits."""
    return re.sub(r"\b\d{4,}\b", "N", text)


def _known(dialect: str, script: str) -> str:
    return next(
        (why for (name, head), why in DIFFERENT.items() if name == dialect and script.startswith(head)), ""
    )


def _differs(dialect: str, script: str, expected: tuple[int, str, str]) -> str:
    """What differs, or ""."""
    box = harness.ShellBox()
    status = box.run(dialect, script)
    ours = (status, _mask(box.take(1)), _mask(box.take(2)))
    theirs = (expected[0], _mask(expected[1]), _mask(expected[2]))
    return "" if ours == theirs else f"{script!r}\n  real {theirs}\n  ours {ours}"


@pytest.mark.parametrize("dialect", ["bash", "dash", "ash"])
def test_every_recorded_script_gives_the_real_shells_output_errors_and_status(dialect: str) -> None:
    wrong: list[str] = []
    for script, status, out, err in GOLDEN[dialect]:
        difference = _differs(dialect, script, (status, out, err))
        if bool(difference) != bool(_known(dialect, script)):
            wrong.append(difference or f"agrees now: {script!r}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("dialect", ["bash", "dash", "ash"])
def test_the_recording_still_is_what_the_installed_shell_answers(dialect: str) -> None:
    rows = [row for row in GOLDEN[dialect] if "sleep" not in row[0]][::9]
    for script, status, out, err in rows:
        real = recorder.run_real(dialect, script)
        if real is None:
            pytest.skip(f"{recorder.PROGRAMS[dialect]} is not installed")
        if dialect == "bash" and "5.2" not in recorder.run_real("bash", "echo $BASH_VERSION")[1]:
            pytest.skip("the installed bash is not 5.2")
        assert (real[0], _mask(real[1]), _mask(real[2])) == (status, _mask(out), _mask(err)), script
