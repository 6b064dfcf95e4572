"""`urltrap export`: the feed as a file."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from urltrap.feeds import FORMATS, FeedError, render
from urltrap.ops.cli.common import DEFAULT_DATA, CommandError, DataOption, app, console_err
from urltrap.ops.cli.store import opened_store
from urltrap.store.queries import feed as feed_queries


@app.command()
def export(
    data: DataOption = DEFAULT_DATA,
    form: Annotated[str, typer.Option("--format", help=f"one of {', '.join(FORMATS)}")] = "csv",
    output: Annotated[Path | None, typer.Option(help="write here instead of to standard output")] = None,
    min_confidence: Annotated[
        int | None, typer.Option(min=0, max=100, help="instead of publish.min_confidence")
    ] = None,
) -> None:
    """Write the published URLs in one of the feeds' formats."""
    now = datetime.now(UTC)
    with opened_store(data) as (store, settings):
        floor = settings.publish.min_confidence if min_confidence is None else min_confidence
        rows = feed_queries.rows(store, now, floor)
    try:
        body = render(form, rows, now)
    except FeedError as error:
        raise CommandError(str(error)) from error
    if output is None:
        sys.stdout.buffer.write(body)
        sys.stdout.buffer.flush()
        return
    try:
        output.write_bytes(body)
    except OSError as error:
        raise CommandError(f"{output} cannot be written: {error.strerror}") from error
    console_err.print(f"{len(rows)} URLs written to {output}", highlight=False, markup=False, soft_wrap=True)
