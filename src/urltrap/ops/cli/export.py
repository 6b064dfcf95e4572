"""`urltrap export`: the published URLs as a feed, the events as Cowrie would have logged them."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from urltrap.exchange.cowrie import CowrieWriter
from urltrap.feeds import FORMATS, FeedError, render
from urltrap.ops.cli.common import DEFAULT_DATA, CommandError, DataOption, app, console_err
from urltrap.ops.cli.store import opened_store
from urltrap.store.queries import feed as feed_queries
from urltrap.store.queries.history import events_between

group = typer.Typer(help="Write what was found in the forms that others read.", invoke_without_command=True)
app.add_typer(group, name="export")

FormatOption = Annotated[str, typer.Option("--format", help=f"one of {', '.join(FORMATS)}")]
OutputOption = Annotated[Path | None, typer.Option(help="write here instead of to standard output")]
ConfidenceOption = Annotated[
    int | None, typer.Option(min=0, max=100, help="instead of publish.min_confidence")
]
_FIRST, _LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)


@group.callback()
def export(
    context: typer.Context,
    data: DataOption = DEFAULT_DATA,
    form: FormatOption = "csv",
    output: OutputOption = None,
    min_confidence: ConfidenceOption = None,
) -> None:
    """Write what was found in the forms that others read; without a word more: the published URLs."""
    if context.invoked_subcommand is None:
        urls(data, form, output, min_confidence)


@group.command()
def urls(
    data: DataOption = DEFAULT_DATA,
    form: FormatOption = "csv",
    output: OutputOption = None,
    min_confidence: ConfidenceOption = None,
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
    _write([body], output)
    if output is not None:
        _tell(f"{len(rows)} URLs written to {output}")


@group.command()
def cowrie(
    data: DataOption = DEFAULT_DATA,
    output: OutputOption = None,
    since: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"], help="sessions from then on (UTC)"),
    ] = None,
    until: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"], help="sessions before then (UTC)"),
    ] = None,
) -> None:
    """Write the events as lines of Cowrie's JSON log, session by session."""
    writer = CowrieWriter()
    lines = 0

    def made() -> Iterator[bytes]:
        nonlocal lines
        for event in events_between(store, _utc(since) or _FIRST, _utc(until) or _LAST):
            for line in writer.lines(event):
                lines += 1
                yield line

    with opened_store(data) as (store, _):
        _write(made(), output)
    if output is not None:
        _tell(f"{lines:,} lines written to {output}")


def _utc(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment else None


def _write(parts: Iterable[bytes], output: Path | None) -> None:
    if output is None:
        for part in parts:
            sys.stdout.buffer.write(part)
        sys.stdout.buffer.flush()
        return
    with _opened(output) as file:
        for part in parts:
            file.write(part)


@contextlib.contextmanager
def _opened(output: Path) -> Iterator[BinaryIO]:
    try:
        with open(output, "wb") as file:
            yield file
    except OSError as error:
        raise CommandError(f"{output} cannot be written: {error.strerror}") from error


def _tell(what: str) -> None:
    console_err.print(what, highlight=False, markup=False, soft_wrap=True)
