"""Whether what an attacker fetched was run, or made executable, in his session."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence

_SHELL = rb"(?:[\w./]*/)?(?:busybox\s+)?(?:ba|da|a|z|k)?sh\b"
_PIPED = re.compile(
    rb"\|\s*(?:sudo\s+)?" + _SHELL + rb"|\|\s*(?:python\d?|perl|php)\b|" + _SHELL + rb"\s+<\(|"
    + _SHELL + rb"\s+-c\s+[\"']?(?:\$\(|`)|\beval\s+[\"']?(?:\$\(|`)|(?:\bsource|(?:^|[;&|\s])\.)\s+<\("
)  # fmt: skip
# One of these stands in whatever the pattern matches.
_PIPING = (b"|", b"<(", b"$(", b"`")
_RUNNERS = {
    b"sh", b"bash", b"ash", b"dash", b"zsh", b"busybox", b"nohup", b"perl", b"python", b"python2", b"python3", b"php",
    b"setsid", b"exec", b"source", b".", b"sudo",
}  # fmt: skip
# Shapes first, names afterwards: a pattern per name would be compiled for every URL.
_CHMOD = re.compile(
    rb"\bchmod\s+(?:-\w{1,8}\s+)?(?:[ugoa]{0,4}\+[rwX]{0,3}x|0?[0-7]{0,3}[1357])[rwx]{0,3}\s+([^;&|\n]{1,400})"
)
_STARTED = re.compile(
    rb"(?:(?:^|[;&|(\n])[ \t]{0,8}|\b(?:then|do|else|sudo|nohup|exec|setsid)\s{1,8})(\.{0,2}/[^\s;&|<>'\"]{1,255})"
    rb"|(?:^|[\s;&|(/])(?:(?:ba|da|a)?sh|nohup|exec|perl|python\d?|php)\s{1,8}(?:-\w{1,8}\s{1,8})?"
    rb"([^\s;&|<>'\"-][^\s;&|<>'\"]{0,255})"
)
_EXECUTABLE_MODE = re.compile(rb"[ugoa]*\+[rwX]*x[rwx]*|0?[0-7]*[1357][0-7]*")


def is_piped(texts: Iterable[bytes], raws: Collection[bytes]) -> bool:
    """Whether a command line hands one of the URLs, as written, straight to an interpreter."""
    return any(
        any(raw in text for raw in raws)
        and any(sign in text for sign in _PIPING)
        and _PIPED.search(text) is not None
        for text in texts
    )


def runs(argv: Sequence[bytes], names: set[bytes]) -> bool:
    """Whether a program that was run is, or makes run, a file of one of these names."""
    first, rest = _base(argv[0]), [_base(argument) for argument in argv[1:]]
    if first in names:
        return True
    if not names.intersection(rest):
        return False
    return first in _RUNNERS or (first == b"chmod" and any(_EXECUTABLE_MODE.fullmatch(item) for item in rest))


def _base(path: bytes) -> bytes:
    return path.rpartition(b"/")[2]


def text_runs(text: bytes, names: set[bytes]) -> bool:
    """Whether a command line runs, or makes executable, a file of one of these names."""
    if not any(name in text for name in names):
        return False
    for match in _CHMOD.finditer(text):
        if names.intersection(_base(argument.strip(b"'\"")) for argument in match[1].split()):
            return True
    return any(_base(match[1] or match[2]) in names for match in _STARTED.finditer(text))
