"""Texts that something else runs later (cron tables, units, keys with a command, …), as the commands in them."""

from __future__ import annotations

import re

_FIELD = (
    rb"(?:[\d*,/@-]+|(?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|mon|tue|wed|thu|fri|sat|sun)[\w,-]*)"
)
_LINE = re.compile(rb"\s*(?:@\w+|(?:" + _FIELD + rb"\s+){4}" + _FIELD + rb")\s+(.*)", re.DOTALL)
_USER = re.compile(rb"(?:root|daemon|nobody|www-data|admin|ubuntu|user|[a-z_][a-z0-9_-]{0,15})\s+(?=\S)")
_EXEC = re.compile(
    rb"(?im)^\s*Exec(?:Start|StartPre|StartPost|Reload|Stop|StopPost|Condition)?\s*=\s*[-+!@:]*(.*)$"
)

_ANACRON = re.compile(rb"\s*(?:\d+|@\w+)\s+\d+\s+[\w.-]+\s+(\S.*)")
_WITHIN = {
    "keys": re.compile(rb'(?m)^[^#\n]*?\bcommand="((?:[^"\\\n]|\\.)*)"'),
    "inittab": re.compile(rb"(?m)^[^#\n:]*:[^\n:]*:[a-z]+:-?([^\n]+)$"),
    "network": re.compile(rb"(?m)^\s*(?:pre-up|up|post-up|down|pre-down|post-down)\s+([^\n]+)$"),
    "udev": re.compile(rb'\b(?:RUN|PROGRAM)(?:\{\w+\})?\s*\+?:?==?\s*"((?:[^"\\\n]|\\.)*)"'),
    "apt": re.compile(rb"(?:Invoke|Update|Install)[\w:-]*\s*\{?\s*(?:\"((?:[^\"\\\n]|\\.)*)\"|'([^'\n]*)')"),
}
"""sshd(8) AUTHORIZED_KEYS FILE FORMAT, inittab(5), interfaces(5), udev(7), apt.conf(5): the commands in a file."""


def commands_of(text: bytes, why: str) -> bytes:
    """The shell text in `text`: of a cron table the commands, of a unit what it starts, else the text itself."""
    if why == "cron":
        found = []
        for line in text.splitlines():
            match = _LINE.match(line)
            if anacron := _ANACRON.match(line) if not match else None:
                found.append(anacron[1])
            elif match:
                # The system's tables have a user in front of the command; personal ones have none.
                user = _USER.match(match[1])
                rest = match[1][user.end() :] if user and user[0].strip() in _USERS else match[1]
                found.append(rest.replace(b"\\%", b"%"))
            elif line.strip() and not line.lstrip().startswith(b"#"):
                found.append(line)
        return b"\n".join(found)
    if why in _WITHIN:
        return b"\n".join(
            _unescaped(next(filter(None, match.groups()))) for match in _WITHIN[why].finditer(text)
        )
    if why == "unit":
        return b"\n".join(_DOUBLE.sub(_single, match[1].strip()) for match in _EXEC.finditer(text))
    return text


def _unescaped(text: bytes) -> bytes:
    return re.sub(rb'\\(["\\])', rb"\1", text)


def _single(match: re.Match[bytes]) -> bytes:
    """systemd takes quotes away itself: what stands in them is no shell's to expand."""
    if match[1] is None:
        return match[0]
    inner = re.sub(rb"\\([\"\\$`])", rb"\1", match[1]).replace(b"$$", b"$").replace(b"%%", b"%")
    return b"'" + inner.replace(b"'", b"'\\''") + b"'"


_DOUBLE = re.compile(rb"'[^']*'|\"((?:[^\"\\]|\\.)*)\"")
_USERS = frozenset((b"root", b"daemon", b"nobody", b"www-data", b"admin", b"ubuntu", b"user", b"bin", b"sys"))
