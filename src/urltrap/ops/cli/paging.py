"""Lists of the store on the command line: as many pages as the wanted rows take, as a table or as JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from pydantic import BaseModel

from urltrap.ops.cli.common import print_json, print_table
from urltrap.ops.cli.store import opened_store
from urltrap.store import Store
from urltrap.store.queries.shared import LARGEST_PAGE

R = TypeVar("R", covariant=True)
M = TypeVar("M", bound=BaseModel)


class Page(Protocol[R]):
    """What the store's lists return."""

    @property
    def rows(self) -> Sequence[R]:
        """One page."""
        ...

    @property
    def next(self) -> str | None:
        """The cursor of the next."""
        ...


def rows_of(page: Callable[[str | None, int], Page[R]], limit: int) -> Iterator[R]:
    """Up to `limit` rows over as many pages as that takes; `page` gets a cursor and a size."""
    cursor: str | None = None
    while limit > 0:
        found = page(cursor, min(limit, LARGEST_PAGE))
        yield from found.rows
        limit -= len(found.rows)
        cursor = found.next
        if cursor is None:
            return


def print_rows(
    data: Path,
    page: Callable[[Store, str | None, int], Page[M]],
    limit: int,
    as_json: bool,
    title: str,
    columns: Sequence[str],
    cells: Callable[[M], Sequence[object]],
) -> None:
    """Print up to `limit` rows of a list: models as JSON, or a table of their `cells` (columns: see `print_table`)."""
    with opened_store(data) as (store, _):
        found = list(rows_of(lambda cursor, size: page(store, cursor, size), limit))
    if as_json:
        print_json(found)
    else:
        print_table(title, columns, map(cells, found))
