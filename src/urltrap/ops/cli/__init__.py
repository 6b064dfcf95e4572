"""The command line. One file per command group; each registers itself on `app`."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

COMMANDS = {
    "up": "run",
    "init": "init",
    "status": "status",
    "urls": "urls",
    "url": "urls",
    "sessions": "sessions",
    "show": "sessions",
    "replay": "sessions",
    "commands": "sessions",
    "overview": "sessions",
    "gaps": "sessions",
    "judge": "judge",
    "artifacts": "artifacts",
    "export": "export",
    "publish": "publish",
    "import": "cowrie",
    "tail": "cowrie",
    "check": "check",
    "domains": "domains",
    "lists": "lists",
    "quota": "quota",
    "submit": "submit",
    "recover": "recover",
    "egress": "egress",
    "doctor": "doctor",
    "audit": "audit",
    "profile": "profile",
    "rebuild": "rebuild",
    "db": "db",
    "backup": "backup",
    "restore": "restore",
    "forget": "forget",
    "fleet": "fleet",
    "user": "accounts",
    "key": "accounts",
    "image": "image",
    "schema": "schema",
}
"""Command → module, in the order of the help. Only the named command's module is loaded: most need half the others'
time to start, and scripts call the command line often."""


def load_commands(arguments: Sequence[str]) -> None:
    """Load the module of the command that `arguments` begin with; all where they name none (help, a typing error).

    Of all, one that cannot be loaded is told and left out: the others are still there. CommandError where it is the
    wanted one.
    """
    from urltrap.ops.cli.common import CommandError

    wanted = COMMANDS.get(arguments[0]) if arguments else None
    for module in [wanted] if wanted else dict.fromkeys(COMMANDS.values()):
        try:
            importlib.import_module(f"urltrap.ops.cli.{module}")
        except Exception as error:
            names = ", ".join(name for name, place in COMMANDS.items() if place == module)
            problem = f"{names}: cannot be loaded ({type(error).__name__}: {error}); is urltrap installed completely?"
            if wanted:
                raise CommandError(problem) from error
            sys.stderr.write(f"urltrap: {problem}\n")


def main() -> None:
    """Entry point of the `urltrap` command: mistakes of the user become one clear message and exit status 1."""
    from urltrap.ops.cli.common import CommandError, app, console_err

    try:
        load_commands(sys.argv[1:])
        app()
    except CommandError as error:
        console_err.print(f"urltrap: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        sys.exit(error.status)
    except BrokenPipeError:
        # The reader of our output (head, less) went away: that is his right.
        sys.stderr.close()
        sys.exit(0)
