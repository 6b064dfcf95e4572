"""JNDI look-ups (Log4Shell): nested look-ups resolved, the URL they lead to, the command in known gadget paths.

Source: Log4j 2's look-up syntax ``${prefix:name:-default}``; the paths of exploit kits (``/Basic/Command/Base64/…``).
"""

from __future__ import annotations

import base64
import binascii
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from urltrap.recover.ask import unknown

_INNER = re.compile(rb"\$\{([^${}]*)\}")
_URL = re.compile(rb"(?i)(?:ldaps?|rmi|dns|iiop|corbaname|nis|nds|https?)://[^\s\"'<>`|\\\x00-\x20}]+")
_JNDI = re.compile(rb"(?i)jndi:")
_BARE = re.compile(rb"(?i)(?<![a-z0-9+.-])(?:ldaps?|rmi|iiop)://[^\s\"'<>`|\\\x00-\x20}{),;]+")
_BASE64 = re.compile(rb"(?i)/base64/([A-Za-z0-9+/%_=-]+)")
_ROUNDS = 24
_LARGEST = 65_536
_MOST = 50
_RESOLVED_PREFIXES = (b"lower", b"upper", b"date")


@dataclass(frozen=True, slots=True)
class Lookup:
    """What a look-up leads to: its URL, and the command that the server is told to run, where the path says it."""

    url: bytes
    command: bytes = b""


def lookups(text: bytes) -> Iterator[Lookup]:
    """The look-ups of a text; parts that only the victim knows are stand-ins."""
    seen: set[bytes] = set()
    if b"${" in text or b"%24" in text:
        for form in _forms(text[:_LARGEST]):
            resolved = resolve(form)
            for match in itertools.islice(_JNDI.finditer(resolved), _MOST):
                found = _URL.match(resolved[match.end() : match.end() + 4000].lstrip())
                if found and found[0] not in seen:
                    seen.add(found[0])
                    yield Lookup(found[0], command(found[0]))
    for match in _BARE.finditer(text[:_LARGEST]):
        if match[0] not in seen and b"${" not in match[0]:
            seen.add(match[0])
            yield Lookup(match[0], command(match[0]))


def _forms(text: bytes) -> list[bytes]:
    forms = [text]
    if b"%" in text:
        forms.append(unquote_to_bytes(text))
        forms.append(unquote_to_bytes(forms[-1]))
    return forms


def resolve(text: bytes) -> bytes:
    """`text` with its look-ups replaced from the inside out."""
    for _ in range(_ROUNDS):
        changed = _INNER.sub(_resolved, text)
        if changed == text:
            break
        text = changed
    return text


def _resolved(match: re.Match[bytes]) -> bytes:
    body = match[1]
    if body[:5].lower() == b"jndi:":
        return body
    prefix, colon, rest = body.partition(b":")
    if b":-" in body:
        value = body.partition(b":-")[2]
        return value
    if colon and prefix.lower() in _RESOLVED_PREFIXES:
        if prefix.lower() == b"date":
            return rest.strip(b"'")
        return rest.lower() if prefix.lower() == b"lower" else rest.upper()
    if colon and prefix.lower() == b"base64":
        return _decoded(rest)
    return unknown(body.decode("latin-1")).encode()


def command(url: bytes) -> bytes:
    """The command in ``/Base64/…`` of an exploit kit's path; empty where there is none."""
    match = _BASE64.search(url)
    return _decoded(unquote_to_bytes(match[1])) if match else b""


def _decoded(data: bytes) -> bytes:
    data = data.replace(b"-", b"+").replace(b"_", b"/").rstrip(b"=")
    data = data[: len(data) - (len(data) % 4 == 1)]
    try:
        return base64.b64decode(data + b"=" * (-len(data) % 4), validate=True)
    except (binascii.Error, ValueError):
        return b""
