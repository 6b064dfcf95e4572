"""The template of a command sequence: what stays when addresses, names made by chance and secrets are taken out."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

_LONGEST = 65_536
_LEAST_COMMANDS = 3
_LEAST_LENGTH = 40

_PARTS: tuple[tuple[re.Pattern[bytes], bytes], ...] = (
    (re.compile(rb"(?:https?|ftp|tftp)://[^\s'\"|;&>)]{1,2000}"), b"<url>"),
    (re.compile(rb"AAAA[0-9A-Za-z+/=]{40,4000}"), b"<key>"),
    (re.compile(rb"\b\d{1,3}(?:\.\d{1,3}){3}(?::\d{1,5})?\b"), b"<address>"),
    (re.compile(rb"(?<=:)[^\s:|'\"]{6,64}(?=['\"]?\s{0,4}\|\s{0,4}(?:sudo\s+)?chpasswd)"), b"<secret>"),
    (re.compile(rb"[0-9A-Za-z+/]{40,}={0,2}"), b"<data>"),
    (re.compile(rb"(?:\\x[0-9A-Fa-f]{2}){4,}"), b"<data>"),
    (re.compile(rb"\b[0-9a-fA-F]{12,}\b"), b"<hex>"),
    (re.compile(rb"\b[A-Z]{5,10}\b"), b"<token>"),
    (re.compile(rb"\b(?=[a-z]{0,20}\d)(?=\d{0,20}[a-z])[0-9a-z]{10,40}\b"), b"<name>"),
    (re.compile(rb"\d{4,}"), b"<number>"),
    (re.compile(rb"[ \t]+"), b" "),
)
_SEPARATORS = re.compile(rb"[;\n|&]+")


def template_of(commands: Sequence[bytes]) -> str:
    """The template's digest (SHA-256, hexadecimal); empty where the commands are too few or too common to tell anybody
    apart: three simple commands and forty characters are the least."""
    text = b"\n".join(commands)[:_LONGEST]
    for pattern, name in _PARTS:
        text = pattern.sub(name, text)
    parts = [part.strip() for part in _SEPARATORS.split(text) if part.strip()]
    if len(parts) < _LEAST_COMMANDS or sum(map(len, parts)) < _LEAST_LENGTH:
        return ""
    # Questions alone are what every scanner asks: a template says something once something is changed or fetched.
    if not _CHANGES.search(text):
        return ""
    return hashlib.sha256(b"\n".join(parts)).hexdigest()


_CHANGES = re.compile(
    rb"<url>|<key>|<data>|\b(?:wget|curl|tftp|ftpget|chmod|chattr|crontab|chpasswd|passwd|useradd|mkdir|rm|mv|cp)\b|>"
)
