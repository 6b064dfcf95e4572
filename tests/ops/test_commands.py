from __future__ import annotations

import subprocess
import sys

import pytest

from urltrap.ops.cli import COMMANDS, load_commands
from urltrap.ops.cli.common import CommandError, app


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
