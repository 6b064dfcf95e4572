"""bash, dash and ash as programs: all are the one shell of `machine.shell`, which tells its dialect by its name."""

from __future__ import annotations

from urltrap.machine.programs.registry import program
from urltrap.machine.shell.main import main

program("bash", "rbash", "dash", "sh", "ash", "hush")(main)
