"""Walking through the store's pages for a command that wants N rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar

from urltrap.store.queries.shared import LARGEST_PAGE

R = TypeVar("R", covariant=True)


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
