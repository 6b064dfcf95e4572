"""Command lines across sessions."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import select

from urltrap.model.views import CommandRow
from urltrap.store.engine import Store
from urltrap.store.schema import commands


def newest(store: Store, limit: int) -> Iterator[CommandRow]:
    """The newest command lines first, streamed so that a long list costs no memory."""
    query = (
        select(commands.c.session, commands.c.seq, commands.c.at, commands.c.mode, commands.c.text)
        .order_by(commands.c.at.desc(), commands.c.session, commands.c.seq.desc())
        .limit(limit)
    )
    with store.connect() as connection:
        for row in connection.execution_options(yield_per=1000).execute(query).mappings():
            yield CommandRow(**row)
