"""The same payload for other processors: what a dropper that serves ``/bins/mips`` most likely serves beside it.

Two vocabularies are in use: that of Mirai's build script and that of the cross compilers it was built with. A URL is
answered in the vocabulary that its own token belongs to.
"""

from __future__ import annotations

import re

from urltrap.model.url import Url, UrlError, parse_url
from urltrap.recover.architectures import COMPILERS, MIRAI, OTHERS

_FETCHED = frozenset(("http", "https", "ftp", "ftps", "tftp"))
_TOKEN = re.compile(
    r"(?:^|[._-])("
    + "|".join(map(re.escape, sorted({*MIRAI, *COMPILERS, *OTHERS}, key=len, reverse=True)))
    + r")$",
    re.IGNORECASE,
)


def architecture_of(url: Url) -> str:
    """The architecture that the last part of the path names, as it stands there; empty where it names none."""
    if url.scheme not in _FETCHED or any(mark in url.path for mark in "?#%"):
        return ""
    match = _TOKEN.search(url.path.rpartition("/")[2])
    return match[1] if match else ""


def siblings_of(text: str) -> list[str]:
    """The canonical URLs of the same file for other architectures, likeliest first; none where `text` names none."""
    try:
        url = parse_url(text)
    except UrlError:
        return []
    token = architecture_of(url)
    if not token:
        return []
    lower = token.lower()
    words = COMPILERS if lower in COMPILERS and lower not in MIRAI else MIRAI
    stem = url.text[: -len(token)]
    upper = token.isupper()
    return [stem + (word.upper() if upper else word) for word in words if word != lower]
