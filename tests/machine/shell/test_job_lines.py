"""Lines of ``jobs`` in dash and BusyBox's ash, recorded from dash 0.5.12 and BusyBox 1.35 of Debian 12."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from tests.machine.programs.support import Box

from urltrap.machine.shell.builtins.jobs import job_line
from urltrap.machine.shell.jobs import JobTable

AT_A_PROMPT = {
    "dash": ["[2] + 26667 Running              sleep 60\n", "[1] - Terminated                 sleep 50\n",
             "[2] + Killed                     sleep 60\n"],
    "ash": ["[2]+  26667 Running              sleep 60\n", "[1]-  Terminated                 sleep 50\n",
            "[2]+  Killed                     sleep 60\n"],
}  # fmt: skip


@pytest.mark.parametrize("name", ["dash", "ash"])
def test_a_prompts_lines_are_those_of_the_real_ones(name: str) -> None:
    table = JobTable()
    first, second = table.add([26_626], "sleep 50"), table.add([26_667], "sleep 60")
    sh: Any = SimpleNamespace(
        jobs=table,
        options={"monitor"},
        dialect=SimpleNamespace(bash=False, name=name),
        env={},
        interactive=True,
    )
    lines = [job_line(sh, second, "l")]
    first.status = 128 + 15
    lines.append(job_line(sh, first))
    second.status = 128 + 9
    lines.append(job_line(sh, second))
    assert lines == AT_A_PROMPT[name]


@pytest.mark.parametrize(
    ("kind", "line", "expected"),
    [
        ("debian-12", "dash -c 'sleep 50 & sleep 60 & jobs'", "[2] + Running{0}\n[1] - Running{0}\n"),
        ("busybox-mips", "sleep 50 & sleep 60 & jobs", "[2]+  Running{0}\n[1]-  Running{0}\n"),
    ],
)
def test_without_job_control_they_do_not_know_what_runs(kind: str, line: str, expected: str) -> None:
    assert Box(kind).run(line).out.decode() == expected.format(" " * 20)  # type: ignore[arg-type]
