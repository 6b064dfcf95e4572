"""The same payload for other processors: what a dropper that serves ``/bins/mips`` most likely serves beside it.

Two vocabularies are in use: that of Mirai's build script and that of the cross compilers it was built with. A URL is
answered in the vocabulary that its own token belongs to.
"""

from __future__ import annotations

import re

from urltrap.model.url import Url, UrlError, parse_url

MIRAI = (
    "mips", "mpsl", "arm", "arm5", "arm6", "arm7", "x86", "x86_64", "i586", "i686", "ppc", "sh4", "m68k", "spc", "arc",
)  # fmt: skip
COMPILERS = (
    "mips", "mipsel", "armv4l", "armv5l", "armv6l", "armv7l", "aarch64", "x86_64", "i486", "i586", "i686", "powerpc",
    "sh4", "m68k", "sparc", "arc",
)  # fmt: skip
_OTHERS = (
    "mipsle", "mips64", "arm4", "arm8", "arm64", "armv5", "armv6", "armv7", "x64", "amd64", "i386", "386", "ppc440fp",
    "powerpc-440fp",
)  # fmt: skip
_FETCHED = frozenset(("http", "https", "ftp", "ftps", "tftp"))
_TOKEN = re.compile(
    r"(?:^|[._-])("
    + "|".join(map(re.escape, sorted({*MIRAI, *COMPILERS, *_OTHERS}, key=len, reverse=True)))
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
