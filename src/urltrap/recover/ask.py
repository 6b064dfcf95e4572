"""What a download program would ask for: the value that command lines, programs and static readings are turned into."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from urltrap.model.sighting import UrlKind


@dataclass(frozen=True, slots=True)
class Ask:
    """One thing that would be fetched (or called), as the client was told: `url` raw, its scheme perhaps missing.

    `output` is the file that it is for: "-" standard output, "" unknown. `default_scheme` is what the client puts in
    front where there is no scheme.
    """

    url: bytes
    client: str
    output: str = ""
    user_agent: bytes = b""
    kind: UrlKind = "payload"
    default_scheme: Literal["http", "https", "ftp", "tftp", "git", "scp", "rsync"] = "http"
    from_words: bool = False
    """Put together from several words, so that it stands nowhere in the text as it is."""


MARK, END, GAP = "\ue000", "\ue001", "\ue002"
"""What stands around a value that nobody can know before the run: ``MARK + "uname -m" + END``. Private-use characters,
which attackers' texts do not hold: `clean` takes them out of what is read."""


def unknown(what: str) -> str:
    """A stand-in for a value that only the victim's machine could tell."""
    return f"{MARK}{what.replace(chr(32), GAP)}{END}"


def clean(text: str) -> str:
    """`text` without characters that would be taken for marks."""
    if MARK in text or END in text:
        return text.replace(MARK, "?").replace(END, "?")
    return text


def has_unknown(data: bytes) -> bool:
    """Whether a value that nobody can know is a part of it."""
    return _MARK_BYTES in data


_MARK_BYTES = MARK.encode()
