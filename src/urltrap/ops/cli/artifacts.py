"""`urltrap artifacts`: captured payloads. They are listed, never opened."""

from __future__ import annotations

from typing import Annotated

import typer

from urltrap.ops.cli.common import (
    DEFAULT_DATA,
    DataOption,
    JsonOption,
    LimitOption,
    app,
)
from urltrap.ops.cli.paging import print_rows
from urltrap.store.queries import artifacts as artifact_queries


@app.command()
def artifacts(
    data: DataOption = DEFAULT_DATA,
    kind: Annotated[
        str | None, typer.Option(help="only this kind: elf, script, archive, html, text …")
    ] = None,
    limit: LimitOption = 50,
    as_json: JsonOption = False,
) -> None:
    """List payloads, most recently seen first."""
    print_rows(
        data,
        lambda store, cursor, size: artifact_queries.page(store, kind, cursor, size),
        limit,
        as_json,
        "artifacts",
        ("last seen (UTC)", "SHA-256*", "bytes", "what", "came by", "times"),
        lambda row: (
            row.last_seen.strftime("%m-%d %H:%M:%S"),
            row.artifact.sha256,
            row.artifact.size,
            "" if row.analysis is None else f"{row.analysis.kind} {row.analysis.architecture}".strip(),
            row.via,
            row.times,
        ),
    )
