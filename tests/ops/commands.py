"""Commands as users type them, run in this process."""

from __future__ import annotations

from dataclasses import dataclass

from typer.testing import CliRunner

from urltrap.ops.cli import load_commands
from urltrap.ops.cli.common import CommandError, app

NO_USER = {"URLTRAP_SUPERVISOR__USER": "nobody"}
"""As root, `urltrap init` would otherwise make a user on the machine that runs the tests."""


@dataclass(frozen=True, slots=True)
class Done:
    """What a command printed (a refusal included) and its exit status."""

    output: str
    exit_code: int


def run(*arguments: object, **environment: str) -> Done:
    """Run `urltrap ARGUMENTS`; a refusal is output, as it is on a terminal, any other exception is raised."""
    words = [str(argument) for argument in arguments]
    load_commands(words)
    done = CliRunner().invoke(app, words, env={"COLUMNS": "250", **NO_USER, **environment})
    if isinstance(done.exception, CommandError):
        return Done(f"{done.output}urltrap: {done.exception}\n", done.exception.status)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return Done(done.output, done.exit_code)
