"""Attackers' expressions on attackers' texts, as Python's re understands them, within a bound of time.

Python's own matcher goes back without end ("(a?){30}a{30}b" on 35 letters takes it minutes), and while it does, no
other attacker is served. `regex` understands the same expressions, remembers where it has been, and can be told to
stop.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import islice
from typing import Any

import regex

_SECONDS = 0.05
_MOST = 200_000
"""Matches of one text that are kept at once."""
_REPEATS = frozenset("*+?{")
HEAVIEST = 50_000
"""Pieces of an expression beyond which it is not compiled: each takes the host memory."""


_PIECE = re.compile(r"\\.|\[(?:\\.|[^\]\\])*\]|\{(\d+)(,?)(\d*)\}|\(|\)|.", re.DOTALL)


TEMPLATE_ERRORS: tuple[type[Exception], ...] = (re.error, regex.error, IndexError)
"""What `expand` of a match raises for a template that is not valid."""


class TooLong(Exception):
    """The bound was reached before it was known whether there is a match."""


def bounded(pattern: re.Pattern[Any], how: str, text: Any, *arguments: Any) -> Any:
    """`getattr(pattern, how)(text, *arguments)` for search, match, fullmatch and split, a list of all for findall and
    finditer. TooLong where that takes more than 50 ms, or finds too many."""
    try:
        if not _REPEATS.intersection(_shown(pattern.pattern)):
            found = getattr(pattern, how)(text, *arguments)
        else:
            other = _other(pattern.pattern, pattern.flags)
            found = getattr(other, how)(text, *arguments, timeout=_SECONDS)
        if how != "finditer":
            return found
        every = list(islice(found, _MOST + 1))
    except TimeoutError:
        raise TooLong from None
    if len(every) > _MOST:
        raise TooLong
    return every


def _shown(source: str | bytes) -> str:
    return source if isinstance(source, str) else source.decode("latin-1")


def weight(source: str) -> int:
    """How many pieces the expression has once its counted repeats are spelled out, as the host does."""
    groups: list[list[int]] = [[]]
    for found in _PIECE.finditer(source):
        text = found[0]
        if text == "(":
            groups.append([])
        elif text == ")" and len(groups) > 1:
            inner = sum(groups.pop())
            groups[-1].append(inner + 1)
        elif found[1] is not None:
            times = max(int(found[1]), int(found[3] or 0), 1)
            if groups[-1]:
                groups[-1][-1] *= times
        else:
            groups[-1].append(1)
        if groups[-1] and groups[-1][-1] > HEAVIEST:
            return groups[-1][-1]
    return sum(map(sum, groups))


@lru_cache(maxsize=512)
def _other(source: str | bytes, flags: int) -> Any:
    if weight(_shown(source)) > HEAVIEST:
        raise TooLong
    # The flags have the same numbers in both; the expression was accepted by re.
    return regex.compile(source, flags)
