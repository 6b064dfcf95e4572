"""`urltrap urls`, `urltrap url`: what was recovered, captured and judged."""

from __future__ import annotations

from typing import Annotated, get_args

import typer

from urltrap.model.url import defang
from urltrap.model.verdict import VerdictName
from urltrap.model.views import UrlFilter, UrlRow
from urltrap.ops.cli.common import (
    DEFAULT_DATA,
    CommandError,
    DataOption,
    JsonOption,
    LimitOption,
    app,
    check_choice,
    console,
    print_json,
    print_table,
    program,
    visible,
)
from urltrap.ops.cli.handed import print_submissions
from urltrap.ops.cli.paging import print_rows
from urltrap.ops.cli.store import opened_store
from urltrap.store import submissions
from urltrap.store.queries import urls as url_queries


@app.command()
def urls(
    data: DataOption = DEFAULT_DATA,
    verdict: Annotated[str | None, typer.Option(help=f"one of {', '.join(get_args(VerdictName))}")] = None,
    host: Annotated[str | None, typer.Option(help="only this host")] = None,
    text: Annotated[str | None, typer.Option(help="only URLs that contain this")] = None,
    limit: LimitOption = 50,
    as_json: JsonOption = False,
) -> None:
    """List URLs, most recently seen first. Tables show them defanged, --json as they are."""
    check_choice(VerdictName, verdict, "verdict")
    wanted = UrlFilter(verdict=verdict, host=host, text=text)
    print_rows(
        data,
        lambda store, cursor, size: url_queries.page(store, wanted, cursor, size),
        limit,
        as_json,
        "URLs",
        ("last seen (UTC)", "URL*", "verdict", "seen", "last answer"),
        _row,
    )


def _row(row: UrlRow) -> tuple[object, ...]:
    answer = " ".join(str(part) for part in (row.outcome, row.status, row.kind) if part)
    return (
        row.last_seen.strftime("%m-%d %H:%M:%S"),
        defang(row.url),
        f"{row.verdict} {row.confidence}",
        f"{row.sightings} from {row.sources}",
        answer or (f"kept back: {', '.join(row.flags)}" if row.held else "not asked yet"),
    )


@app.command()
def url(
    name: Annotated[
        str, typer.Argument(help="the URL, or its id as `urltrap urls --json` shows it", metavar="URL")
    ],
    data: DataOption = DEFAULT_DATA,
    as_json: JsonOption = False,
) -> None:
    """Tell the story of one URL: sightings, captures, payloads, verdict with its reasons."""
    with opened_store(data) as (store, _):
        found = url_queries.detail(store, name)
        handed = submissions.of_subject(store, "url", found.row.url) if found else []
    if found is None:
        raise CommandError(f"no such URL; see: {program()} urls --data {data} --text PART")
    if as_json:
        print_json(found)
        return
    console.print(visible(defang(found.row.url)), style="bold", markup=False, highlight=False, soft_wrap=True)
    console.print(f"{found.row.verdict}, confidence {found.row.confidence}", highlight=False)
    for reason in found.verdict.reasons if found.verdict else ():
        console.print(f"  {reason.weight:+d}  {visible(reason.text)}", markup=False, highlight=False)
    print_table(
        "sightings",
        ("at (UTC)", "session", "from", "how*", "as written*"),
        (
            (
                s.sighting.at.strftime("%Y-%m-%d %H:%M:%S"),
                s.sighting.session,
                s.src_ip,
                " → ".join([s.sighting.recovered.method, *s.sighting.recovered.chain]),
                s.sighting.recovered.raw,
            )
            for s in found.sightings
        ),
    )
    print_table(
        "captures",
        ("at (UTC)", "as", "outcome*", "status", "bytes", "artifact*"),
        (
            (
                c.at.strftime("%Y-%m-%d %H:%M:%S"),
                c.client,
                f"{c.outcome} {c.detail}".strip(),
                c.status,
                c.size,
                c.sha256,
            )
            for c in found.captures
        ),
    )
    print_table(
        "payloads",
        ("first (UTC)", "last (UTC)", "captures", "sha256*"),
        (
            (
                served.first.strftime("%Y-%m-%d %H:%M:%S"),
                served.last.strftime("%Y-%m-%d %H:%M:%S"),
                served.captures,
                served.sha256,
            )
            for served in found.payloads
        ),
    )
    if handed:
        print_submissions(handed)
