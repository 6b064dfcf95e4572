"""`urltrap status`: which processes run, since when, where they listen; how old backups are."""

from __future__ import annotations

from datetime import UTC, datetime

from urltrap.model.backup import BackupState
from urltrap.model.settings import Settings
from urltrap.ops.cli.common import (
    DEFAULT_DATA,
    CommandError,
    DataOption,
    JsonOption,
    app,
    console,
    open_folder,
    print_json,
    print_table,
    program,
)
from urltrap.ops.data_folder import running
from urltrap.pipeline.line_state import line_state
from urltrap.store.backups import backup_state


@app.command()
def status(data: DataOption = DEFAULT_DATA, as_json: JsonOption = False) -> None:
    """Show the running processes of a data folder, how old its backups are, and the last visit of the synthetic

    attacker.
    """
    folder, settings = open_folder(data)
    body = running(folder)
    now = datetime.now(UTC)
    state = backup_state(folder.root)
    if body is None:
        if not as_json:
            _tell_backups(state, settings, now)
        raise CommandError(f"urltrap is not running on {data}; start it with: {program()} up --data {data}")
    since = datetime.fromtimestamp(folder.status.stat().st_mtime, UTC)
    overdue = state.overdue(settings.backup, now, since)
    body["backup"] = {**state.model_dump(mode="json"), "overdue": overdue}
    body["canary"] = line_state(folder.root).model_dump(mode="json")
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
    _tell_backups(state, settings, now)
    line = line_state(folder.root)
    if line.visit is not None:
        ages = [_aged("got in", line.visit.well_at, now)]
        if not settings.journal.ship:
            ages.append(_aged("was in the store", line.stored_at, now))
        console.print("synthetic attacker: " + "; ".join(ages), highlight=False)
        overdue = overdue + line.troubles(now, since, stores=not settings.journal.ship)
    for words in overdue:
        console.print(f"overdue: {words}", style="red", markup=False, highlight=False, soft_wrap=True)


def _tell_backups(state: BackupState, settings: Settings, now: datetime) -> None:
    lines = [_aged(words, moment, now) for words, moment in (
        ("newest backup", state.last_at), ("verified by hash", state.verified_at),
        ("restored and compared", state.verified_whole_at), ("newest events copied", state.copied_at),
    )]  # fmt: skip
    console.print(
        "backups: " + ("; ".join(lines) if settings.backup.enabled else "off (backup.enabled)"),
        highlight=False, soft_wrap=True,
    )  # fmt: skip


def _aged(words: str, moment: datetime | None, now: datetime) -> str:
    if moment is None:
        return f"{words}: never"
    seconds = max(0, round((now - moment).total_seconds()))
    age = (
        f"{seconds} s"
        if seconds < 120
        else f"{seconds // 60} min"
        if seconds < 7200
        else f"{seconds // 3600} h"
    )
    return f"{words}: {age} ago"
