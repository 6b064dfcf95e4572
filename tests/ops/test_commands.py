from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from urltrap.ops.cli import COMMANDS, load_commands
from urltrap.ops.cli.common import CommandError, app, program
from urltrap.ops.data_folder import DataFolder, running

from .commands import run


def test_every_command_is_listed_under_the_module_that_defines_it() -> None:
    load_commands([])
    defined = {
        command.name or (command.callback.__name__ if command.callback else ""): command.callback.__module__
        for command in app.registered_commands
        if command.callback
    }
    for group in app.registered_groups:
        first = group.typer_instance.registered_commands[0].callback if group.typer_instance else None
        defined[group.name or ""] = first.__module__ if first else ""
    assert {name: module.rpartition(".")[2] for name, module in defined.items()} == COMMANDS


def test_one_command_alone_works_as_it_does_among_all() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "urltrap.ops", "status", "--help"], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0 and "Show the running processes" in done.stdout


def test_a_mistyped_command_is_told() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "urltrap.ops", "sesions"], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 2 and "No such command 'sesions'" in done.stderr


def test_a_command_that_cannot_be_loaded_breaks_no_other(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(COMMANDS, "broken", "not_there")
    load_commands(["--help"])
    assert "urltrap: broken: cannot be loaded (ModuleNotFoundError" in capsys.readouterr().err
    with pytest.raises(CommandError, match="broken: cannot be loaded"):
        load_commands(["broken"])


def test_the_program_is_named_as_it_can_be_called_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found = tmp_path / "bin" / "urltrap"
    found.parent.mkdir()
    found.write_text("")
    found.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    for path, argument, name in (
        ("/usr/bin", str(found), "bin/urltrap"),
        (str(found.parent), str(found), "urltrap"),
        ("/usr/bin", "/srv/other/urltrap", "/srv/other/urltrap"),
        ("/usr/bin", "/src/urltrap/ops/__main__.py", "urltrap"),
    ):
        monkeypatch.setenv("PATH", path)
        monkeypatch.setattr(sys, "argv", [argument])
        assert program() == name


def test_an_unknown_class_or_verdict_is_told_with_those_that_there_are(tmp_path: Path) -> None:
    for command, option in (("sessions", "--class"), ("urls", "--verdict")):
        done = run(command, option, "nonsense", "--data", tmp_path)
        assert done.exit_code == 1 and "'nonsense'; known: " in done.output


@pytest.mark.parametrize(
    ("status", "runs"),
    [
        (None, False),
        ("not JSON", False),
        (json.dumps({"pid": 2**22 + 1}), False),
        (json.dumps({"pid": 1}), True),
    ],
)
def test_what_a_killed_supervisor_left_behind_is_no_running_one(
    tmp_path: Path, status: str | None, runs: bool
) -> None:
    folder = DataFolder(tmp_path)
    folder.run.mkdir()
    if status is not None:
        folder.status.write_text(status)
    assert (running(folder) is not None) is runs


def test_a_command_does_not_change_the_schema_under_a_running_trap(tmp_path: Path) -> None:
    assert run("init", tmp_path / "data").exit_code == 0
    folder = DataFolder(tmp_path / "data")
    folder.status.write_text(json.dumps({"pid": os.getpid()}))
    done = run("urls", "--data", folder.root)
    assert done.exit_code == 1 and "older schema" in done.output
    folder.status.unlink()
    assert run("urls", "--data", folder.root).exit_code == 0
