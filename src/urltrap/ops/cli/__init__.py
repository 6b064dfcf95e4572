"""The command line. One file per command group; each registers itself on `app`."""

from __future__ import annotations

import importlib
import sys

from urltrap.ops.cli.common import CommandError, app, console_err

_GROUPS = (
    "run",
    "init",
    "status",
    "egress",
    "urls",
    "sessions",
    "artifacts",
    "export",
    "doctor",
    "rebuild",
    "image",
    "schema",
)


def main() -> None:
    """Entry point of the `urltrap` command: mistakes of the user become one clear message and exit status 1."""
    for group in _GROUPS:
        importlib.import_module(f"urltrap.ops.cli.{group}")
    try:
        app()
    except CommandError as error:
        console_err.print(f"urltrap: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        sys.exit(error.status)
    except BrokenPipeError:
        # The reader of our output (head, less) went away: that is his right.
        sys.stderr.close()
        sys.exit(0)
