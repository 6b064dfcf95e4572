"""`urltrap judge`: judge everything again, offline."""

from __future__ import annotations

from typing import Annotated

import typer

from urltrap.judge import RULES
from urltrap.ops.cli.common import (
    DEFAULT_DATA,
    CommandError,
    DataOption,
    JsonOption,
    app,
    console,
    console_err,
    open_folder,
    print_json,
    print_table,
)
from urltrap.ops.cli.store import opened_store
from urltrap.pipeline.laboratory.laboratory import LaboratoryError
from urltrap.pipeline.process import make_workshop
from urltrap.pipeline.rejudging import rejudge


@app.command()
def judge(
    replay: Annotated[bool, typer.Option("--replay", help="judge every URL of the store again")] = False,
    analyse: Annotated[
        bool, typer.Option("--analyse", help="analyse every payload again before that")
    ] = False,
    data: DataOption = DEFAULT_DATA,
    as_json: JsonOption = False,
) -> None:
    """Judge all URLs again from what is stored: after new rules, lists or settings. Nothing is fetched or asked."""
    if not replay:
        raise CommandError(
            "say what to judge: urltrap judge --replay (URLs with news are judged by themselves)"
        )
    folder, settings = open_folder(data)
    with opened_store(data) as (store, _):
        workshop = make_workshop(settings, folder.root, store)
        try:
            with console_err.status("judging") as status:
                moved = rejudge(
                    workshop, analyse=analyse, tell=lambda done: status.update(f"judging: {done:,} URLs")
                )
        except LaboratoryError as error:
            raise CommandError(str(error)) from error
        finally:
            workshop.laboratory.close()
    rows = sorted(moved.items(), key=lambda row: (row[0][0] == row[0][1], -row[1], row[0]))
    if as_json:
        print_json([{"before": before, "now": now, "urls": count} for (before, now), count in rows])
        return
    if not rows:
        console.print("no URL yet: nothing to judge")
        return
    print_table(
        f"judged again by rules {RULES}",
        ("before", "now", "URLs"),
        ((before, now if now != before else "the same", count) for (before, now), count in rows),
    )
