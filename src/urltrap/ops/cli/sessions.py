"""`urltrap sessions|show|replay|commands|overview|gaps`: what attackers did."""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, get_args

import typer

from urltrap.model.event import EventBase
from urltrap.model.session import SessionClass, SessionSummary
from urltrap.model.url import defang
from urltrap.model.views import SessionFilter
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
from urltrap.ops.cli.replay import play
from urltrap.ops.cli.store import opened_store
from urltrap.sensors.recording import MAX_BYTES
from urltrap.store import submissions
from urltrap.store.queries import beliefs as belief_queries
from urltrap.store.queries import commands as command_queries
from urltrap.store.queries import gaps as gap_queries
from urltrap.store.queries import overview as overview_queries
from urltrap.store.queries import sessions as session_queries
from urltrap.store.queries import wire as wire_queries

_HIDDEN = {"session", "seq", "at", "kind", "channel"}


@app.command()
def sessions(
    data: DataOption = DEFAULT_DATA,
    classed: Annotated[
        str | None, typer.Option("--class", help=f"one of {', '.join(get_args(SessionClass))}")
    ] = None,
    address: Annotated[str | None, typer.Option(help="only from this address")] = None,
    text: Annotated[str | None, typer.Option(help="only sessions with a command that contains this")] = None,
    limit: LimitOption = 50,
    as_json: JsonOption = False,
) -> None:
    """List sessions, newest first."""
    check_choice(SessionClass, classed, "class")
    wanted = SessionFilter(classed=classed, src_ip=address, text=text)
    print_rows(
        data,
        lambda store, cursor, size: session_queries.page(store, wanted, cursor, size),
        limit,
        as_json,
        "sessions",
        ("started (UTC)", "id", "from*", "class", "log-in*", "cmds", "URLs"),
        lambda s: (
            s.started.strftime("%m-%d %H:%M:%S"),
            s.id,
            f"{s.src_ip} {s.country}".strip(),
            f"{s.protocol} {s.classed}",
            f"{_login(s)} ({s.login_tries})",
            s.commands,
            s.urls,
        ),
    )


def _login(session: SessionSummary) -> str:
    if session.username is None:
        return ""
    return f"{visible(session.username)}:{visible(session.password or b'')}"


@app.command()
def show(
    session: Annotated[str, typer.Argument(help="the session's id", metavar="ID")],
    data: DataOption = DEFAULT_DATA,
    limit: LimitOption = 2000,
    as_json: JsonOption = False,
) -> None:
    """Show one session: every event in order."""
    with opened_store(data) as (store, _):
        found = session_queries.detail(store, session, limit=limit)
        handed = submissions.of_session(store, session)
    if found is None:
        raise CommandError(f"no session {session[:40]!r}; see: {program()} sessions --data {data}")
    if as_json:
        print_json(found)
        return
    summary = found.summary
    console.print(
        f"{summary.protocol} session {summary.id} from {summary.src_ip}:{summary.src_port}, {summary.classed}",
        style="bold",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    print_table(
        "events",
        ("at (UTC)", "seq", "what", "details*"),
        (
            (event.at.strftime("%H:%M:%S.%f")[:-3], event.seq, getattr(event, "kind", ""), _details(event))
            for event in found.events
        ),
    )
    if handed:
        print_submissions(handed)
    if found.more_events:
        console.print(f"more events follow; --limit {limit * 10} shows them", style="dim")
    if found.recorded:
        console.print(
            f"replay the terminal: {program()} replay {summary.id} --data {data}", style="dim", soft_wrap=True
        )


def _details(event: EventBase) -> str:
    parts = []
    for name, value in event:
        if name in _HIDDEN or value in (None, b"", "", []):
            continue
        if isinstance(value, list):
            value = b" ".join(part if isinstance(part, bytes) else str(part).encode() for part in value)
        parts.append(f"{name}={visible(value)}")
    return "  ".join(parts)


@app.command()
def replay(
    session: Annotated[str, typer.Argument(help="the session's id", metavar="ID")],
    data: DataOption = DEFAULT_DATA,
    channel: Annotated[int | None, typer.Option(help="which channel, where a session had several")] = None,
    speed: Annotated[float, typer.Option(min=0.1, max=1000, help="times faster than it was")] = 1.0,
    longest_pause: Annotated[float, typer.Option(min=0, help="cut pauses to this many seconds")] = 2.0,
    plain: Annotated[bool, typer.Option("--plain", help="print all at once, escapes made visible")] = False,
    as_json: JsonOption = False,
) -> None:
    """Play the terminal of a session at its own pace. What could harm your terminal is taken out."""
    with opened_store(data) as (store, _):
        found = session_queries.recording(store, session, channel)
    if found is None:
        raise CommandError(
            f"nothing was recorded for {session[:40]!r}; see: {program()} show {session[:40]} --data {data}"
        )
    if as_json:
        print_json(found)
    elif plain:
        output = b"".join(body for _, direction, body in found.frames if direction == "o")
        for line in output.decode("utf-8", "replace").replace("\r\n", "\n").split("\n"):
            sys.stdout.write(visible(line) + "\n")
    else:
        play(
            found.frames,
            speed,
            longest_pause,
            time.sleep,
            lambda text: (sys.stdout.write(text), sys.stdout.flush()),
        )
        sys.stdout.write("\x1b[r\x1b[0m\n")
    if not as_json and sum(len(body) for _, _, body in found.frames) >= MAX_BYTES:
        sys.stderr.write(f"the recording was cut after {MAX_BYTES:,} bytes\n")


@app.command()
def commands(data: DataOption = DEFAULT_DATA, limit: LimitOption = 50, as_json: JsonOption = False) -> None:
    """List command lines, newest first."""
    with opened_store(data) as (store, _):
        found = list(command_queries.newest(store, limit))
    if as_json:
        print_json(found)
        return
    print_table(
        "commands",
        ("at (UTC)", "session", "how", "command*"),
        ((row.at.strftime("%Y-%m-%d %H:%M:%S"), row.session, row.mode, row.text) for row in found),
    )


@app.command()
def overview(data: DataOption = DEFAULT_DATA, as_json: JsonOption = False) -> None:
    """Show the counters of the overview page."""
    with opened_store(data) as (store, _):
        found = overview_queries.counters(store, datetime.now(UTC))
    if as_json:
        print_json(found)
        return
    print_table("overview", ("what", "how many"), ((name.replace("_", " "), value) for name, value in found))


@app.command()
def gaps(
    data: DataOption = DEFAULT_DATA,
    limit: LimitOption = 50,
    belief: Annotated[
        bool, typer.Option("--belief", help="rank the answers after which attackers leave instead")
    ] = False,
    wire: Annotated[
        bool, typer.Option("--wire", help="show URLs that boxes asked for and no text had shown instead")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Rank the programs that attackers asked for and that the machine could not give: what to write next."""
    if wire:
        _unseen(data, limit, as_json)
        return
    if belief:
        _beliefs(data, limit, as_json)
        return
    with opened_store(data) as (store, _):
        found = gap_queries.gaps(store, limit)
    if as_json:
        print_json(found)
        return
    total = sum(found.outcomes.values())
    print_table(
        "program runs",
        ("outcome", "runs", "share"),
        (
            (name, count, f"{count / total:.1%}")
            for name, count in sorted(found.outcomes.items(), key=lambda row: -row[1])
        ),
    )
    print_table(
        "did not run",
        ("name*", "outcome", "runs", "sessions"),
        ((row.name, row.outcome, row.count, row.sessions) for row in found.rows),
    )


def _unseen(data: Path, limit: int, as_json: bool) -> None:
    with opened_store(data) as (store, _):
        found = wire_queries.wire_gaps(store, limit)
    if as_json:
        print_json(found)
        return
    console.print(
        f"{found.urls} URLs were seen on the wire, {found.recovered} of them in texts too", highlight=False
    )
    print_table(
        "asked for by boxes, shown by no text",
        ("at (UTC)", "URL*", "times", "program*", "after*"),
        (
            (f"{row.at:%m-%d %H:%M:%S}", defang(row.url), row.times, b" ".join(row.argv), row.command)
            for row in found.rows
        ),
    )


def _beliefs(data: Path, limit: int, as_json: bool) -> None:
    with opened_store(data) as (store, _):
        found = belief_queries.beliefs_lost(store, limit)
    if as_json:
        print_json(found)
        return
    print_table(
        "answers after which attackers left",
        ("check", "answer*", "asked", "left", "more than usual", "after (s)"),
        ((row.check, row.answer, row.asked, row.left, f"{row.excess:+.1f}", row.seconds) for row in found),
    )
