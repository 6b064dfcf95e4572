"""`urltrap doctor`."""

from __future__ import annotations

from dataclasses import asdict

import typer
from rich.text import Text

from urltrap.ops.cli.common import (
    DEFAULT_DATA,
    DataOption,
    JsonOption,
    app,
    open_folder,
    print_json,
    print_table,
)
from urltrap.ops.doctor import examine

_MARKS = {"ok": Text("ok", "green"), "note": Text("note", "yellow"), "bad": Text("bad", "bold red")}


@app.command()
def doctor(data: DataOption = DEFAULT_DATA, as_json: JsonOption = False) -> None:
    """Look at this machine and the settings; exit status 1 where something is bad."""
    folder, settings = open_folder(data)
    findings = examine(folder, settings)
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        print_table(
            "doctor",
            ("what", "state", "found*", "what to do*"),
            ((f.what, _MARKS[f.state], f.words, f.remedy) for f in findings),
        )
    if any(finding.state == "bad" for finding in findings):
        raise typer.Exit(1)
