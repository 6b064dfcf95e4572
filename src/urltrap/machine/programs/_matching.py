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


@lru_cache(maxsize=512)
def _other(source: str | bytes, flags: int) -> Any:
    # The flags have the same numbers in both; the expression was accepted by re.
    return regex.compile(source, flags)
