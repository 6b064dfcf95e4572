"""Placeholder."""

from __future__ import annotations

from collections.abc import Iterator

from urltrap.recover.ask import Ask


def read_binary(data: bytes) -> Iterator[Ask]:
    """"""
    yield from ()
