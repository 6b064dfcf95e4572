"""`urltrap domains`: the networks that attackers come from, by the registered domains of their reverse names."""

from __future__ import annotations

from typing import Annotated

import typer

from urltrap.ops.cli.common import DEFAULT_DATA, DataOption, JsonOption, app, print_json, print_table
from urltrap.ops.cli.store import opened_store
from urltrap.store.queries import intel


@app.command()
def domains(
    data: DataOption = DEFAULT_DATA,
    top: Annotated[int, typer.Option("--top", min=1, max=10_000, help="how many domains at most")] = 50,
    as_json: JsonOption = False,
) -> None:
    """Rank registered domains by how many attackers' addresses have a reverse name below them."""
    with opened_store(data) as (store, _):
        rows = intel.domains(store, top)
    if as_json:
        print_json(
            [
                {"domain": row.domain, "addresses": row.addresses, "confirmed": row.confirmed,
                 "sessions": row.sessions, "last_seen": row.last_seen.isoformat()}
                for row in rows
            ]
        )  # fmt: skip
        return
    print_table(
        "registered domains of attackers' reverse names",
        ("domain*", "addresses", "of these confirmed", "sessions", "last seen (UTC)"),
        (
            (row.domain, row.addresses, row.confirmed, row.sessions, row.last_seen.strftime("%m-%d %H:%M"))
            for row in rows
        ),
    )
