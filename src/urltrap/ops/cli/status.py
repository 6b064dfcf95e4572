"""`urltrap status`: which processes run, since when, where they listen."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime

from urltrap.ops.cli.common import (
    DEFAULT_DATA,
    CommandError,
    DataOption,
    JsonOption,
    app,
    open_folder,
    print_json,
    print_table,
)


@app.command()
def status(data: DataOption = DEFAULT_DATA, as_json: JsonOption = False) -> None:
    """Show the running processes of a data folder."""
    folder, _ = open_folder(data)
    try:
        body = json.loads(folder.status.read_text())
        os.kill(body["pid"], 0)
    except PermissionError:
        pass  # it runs, as somebody else
    except (FileNotFoundError, ProcessLookupError):
        raise CommandError(
            f"urltrap is not running on {data}; start it with: urltrap up --data {data}"
        ) from None
    body["egress"] = "off" if folder.egress_off.exists() else "on"
    if as_json:
        print_json(body)
        return
    rows = [
        (
            name,
            "ready" if state["ready"] else "starting" if state["pid"] else "down",
            state["pid"] or "",
            datetime.fromtimestamp(state["since"], UTC).strftime("%Y-%m-%d %H:%M:%S")
            if state["since"]
            else "",
            state["restarts"],
            ", ".join(state["listen"]),
        )
        for name, state in body["processes"].items()
    ]
    print_table(
        f"urltrap on {data}, egress {body['egress']}",
        ("process", "state", "pid", "since (UTC)", "restarts", "listens*"),
        rows,
    )
