"""What a feed format is, and the table of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from urltrap.model.views import FeedRow

Writer = Callable[[Iterable[FeedRow], datetime], Iterator[str]]
"""Rows and the moment of making → pieces of text."""


class FeedError(ValueError):
    """There is no such format."""


@dataclass(frozen=True, slots=True)
class Feed:
    """One format. `name` is also the file's ending; `media_type` for HTTP."""

    name: str
    media_type: str
    title: str
    write: Writer


FORMATS: dict[str, Feed] = {}
"""Every format by its name, in the order of registration."""


def feed(name: str, media_type: str, title: str) -> Callable[[Writer], Writer]:
    """Register a format: a decorator of its writer."""

    def register(write: Writer) -> Writer:
        FORMATS[name] = Feed(name, media_type, title, write)
        return write

    return register


def render(name: str, rows: Iterable[FeedRow], now: datetime) -> bytes:
    """The feed in a format; FeedError names the formats there are."""
    if name not in FORMATS:
        raise FeedError(f"no feed format {name[:40]!r}; there are: {', '.join(sorted(FORMATS))}")
    return "".join(FORMATS[name].write(rows, now)).encode()
