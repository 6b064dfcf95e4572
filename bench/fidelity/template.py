"""Templates: lines that differ only in numbers, hexadecimal bytes and names are one."""

from __future__ import annotations

import functools
import importlib.resources
import re
from collections.abc import Iterable

from urltrap.machine.image.record import load_record

_URL = re.compile(r"\b(?:https?|s?ftp|tftp)://[^\s;'\"|&)<>]+", re.I)
_ADDRESS = re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b")
_BYTES = re.compile(r"(?:\\+(?:x[0-9a-fA-F]{1,2}|0?[0-7]{3}))+")
_WORD = re.compile(r"[A-Za-z0-9_@%+][A-Za-z0-9_@%+=.,:-]*|[^\x00-\x7f]+")
_SHELL_WORDS = (
    ". : [ alias bg bind break builtin caller case cd command compgen complete continue coproc declare dirs disown do "
    "done echo elif else enable esac eval exec exit export false fc fg fi for function getopts hash help history if in "
    "jobs kill let local logout mapfile popd printf pushd pwd read readarray readonly return select set shift shopt "
    "source suspend test then time times trap true type typeset ulimit umask unalias unset until wait while"
)


@functools.cache
def vocabulary() -> frozenset[str]:
    """Words that say what a line does: shell words, program names and folder names of the shipped images."""
    words = set(_SHELL_WORDS.split())
    for name in ("debian-12.img.zst", "busybox.img.zst"):
        entries = load_record((importlib.resources.files("urltrap.machine.data") / name).read_bytes())
        for entry in entries:
            parts = entry.path.strip("/").split("/")
            if entry.kind != "d" and ("bin" in parts or "sbin" in parts):
                words.add(parts[-1])
            elif entry.kind == "d" and len(parts) <= 2:
                words.update(parts)
    return frozenset(words)


def fold(text: str, known: Iterable[str] | None = None) -> str:
    """The template of a line: URLs, addresses, byte escapes, numbers and names that no machine has are folded."""
    words = vocabulary() if known is None else frozenset(known)

    def word(found: re.Match[str]) -> str:
        value = found[0]
        before = text_now[found.start() - 1 : found.start()]
        if value in words or before == "-":
            return re.sub(r"\d+", "N", value) if before == "-" else value
        return "N" if value.isdigit() else "W"

    text_now = _BYTES.sub(" B ", _ADDRESS.sub("IP", _URL.sub("URL", text)))
    folded = _WORD.sub(word, text_now)
    folded = re.sub(r"\bW(?:[ /.,:*?_-]*W\b)+", "W", folded)
    return re.sub(r"\s+", " ", folded).strip()
