"""Texts that something else runs later: cron tables and units, as the commands in them."""

from __future__ import annotations

import re

_FIELD = (
    rb"(?:[\d*,/@-]+|(?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|mon|tue|wed|thu|fri|sat|sun)[\w,-]*)"
)
_LINE = re.compile(rb"\s*(?:@\w+|(?:" + _FIELD + rb"\s+){4}" + _FIELD + rb")\s+(.*)", re.DOTALL)
_USER = re.compile(rb"(?:root|daemon|nobody|www-data|admin|ubuntu|user|[a-z_][a-z0-9_-]{0,15})\s+(?=\S)")
_EXEC = re.compile(rb"(?im)^\s*Exec(?:Start|StartPre|StartPost|Reload|Stop)\s*=\s*[-+!@:]*(.*)$")


def commands_of(text: bytes, why: str) -> bytes:
    """The shell text in `text`: of a cron table the commands, of a unit what it starts, else the text itself."""
    if why == "cron":
        found = []
        for line in text.splitlines():
            match = _LINE.match(line)
            if match:
                # The system's tables have a user in front of the command; personal ones have none.
                user = _USER.match(match[1])
                rest = match[1][user.end() :] if user and user[0].strip() in _USERS else match[1]
                found.append(rest.replace(b"\\%", b"%"))
            elif line.strip() and not line.lstrip().startswith(b"#"):
                found.append(line)
        return b"\n".join(found)
    if why == "unit":
        return b"\n".join(_DOUBLE.sub(_single, match[1].strip()) for match in _EXEC.finditer(text))
    return text


def _single(match: re.Match[bytes]) -> bytes:
    """systemd takes quotes away itself: what stands in them is no shell's to expand."""
    if match[1] is None:
        return match[0]
    inner = re.sub(rb"\\([\"\\$`])", rb"\1", match[1]).replace(b"$$", b"$").replace(b"%%", b"%")
    return b"'" + inner.replace(b"'", b"'\\''") + b"'"


_DOUBLE = re.compile(rb"'[^']*'|\"((?:[^\"\\]|\\.)*)\"")
_USERS = frozenset((b"root", b"daemon", b"nobody", b"www-data", b"admin", b"ubuntu", b"user", b"bin", b"sys"))
