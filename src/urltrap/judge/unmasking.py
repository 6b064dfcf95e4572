"""What must not leave: text that carries an address or a name of ours, and what looks made for one victim.

Whoever breaks in can write the machine's own address into a URL and look for it in what we publish. So a text is
looked at as it stands and as what it decodes to (percent signs, hexadecimal, base64, base32), for every way in which
an address is commonly written. A cipher of an attacker's own is found by nobody: that is what `publication` is for,
which lets nothing out that only one network showed.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import lru_cache
from urllib.parse import unquote_to_bytes

LONGEST = 2000
"""Characters of a URL; in more, anything can be hidden, and it is taken to be made for one victim."""

_DEPTH = 3
_MOST_VIEWS = 60
_PACKED = range(4, 21)
"""Lengths of bytes that may be an address and something around it."""
_READABLE = bytes(range(32, 127))
_SHORTEST_NAME = 4
_HEX = re.compile(r"(?:[0-9a-fA-F]{2}){4,}")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{6,}")
_BASE32 = re.compile(r"[A-Za-z2-7]{8,}")
_GAP = r"[^0-9a-z]{1,6}"
_WIDE_GAP = r"[^0-9]{1,8}"


class Unmasking:
    """Tells whether a text carries one of these addresses or names (of sensors, of the operator), however written.

    Addresses that tell nobody where a sensor is (loopback, unspecified, no address at all) are left out; names shorter
    than four characters too, which would be found everywhere.
    """

    def __init__(self, addresses: Iterable[str] = (), names: Iterable[str] = ()) -> None:
        forms: dict[_Form, None] = {}
        for text in addresses:
            forms.update(dict.fromkeys(_address_forms(text)))
        for name in names:
            forms.update(dict.fromkeys(_name_forms(name.strip().lower().rstrip("."))))
        self._forms = [(needs, re.compile(pattern) if pattern else None) for needs, pattern in forms]
        self._looked = lru_cache(4096)(self._look)

    def carries(self, text: str) -> bool:
        """Whether one of them stands in the text."""
        return bool(self._forms) and self._looked(text[: 8 * LONGEST])

    def _look(self, text: str) -> bool:
        return any(self._stands_in(view.lower()) for view in _views(text))

    def _stands_in(self, text: str) -> bool:
        # Most texts lack a part that a form needs: looking for that costs a twentieth of its pattern.
        for needs, pattern in self._forms:
            for part in needs:
                if part not in text:
                    break
            else:
                if pattern is None or pattern.search(text):
                    return True
        return False


def looks_made_for_one(url: str) -> bool:
    """Whether a canonical URL looks like a token that was made for one victim: long numbers, identifiers, noise.

    A heuristic: `/bins/x86` and `/ohshit.sh` are none, `/d/8f14e45fceea167a` and `?id=7716253` are. A word chosen for
    one victim is not told from another word.
    """
    if len(url) > LONGEST:
        return True
    rest = url.partition("://")[2]
    authority, _, path = rest.partition("/")
    if "%" in path or "{" in path:  # what was escaped is no name that a person chose
        return True
    host = authority.rpartition(":")[0] or authority
    parts = [] if _is_address(host) else host.split(".")[:-1]
    parts += re.split(r"[/?&=;,+:@._-]", path)
    return any(_is_noise(part) for part in parts)


def _is_noise(part: str) -> bool:
    if len(part) < 6:
        return False
    digits = sum(char.isdigit() for char in part)
    if re.search(r"\d{6}", part) or len(part) > 40:
        return True
    if len(part) >= 8 and re.fullmatch(r"[0-9a-fA-F-]+", part) and digits >= 2:
        return True
    mixed = digits >= 2 and any(char.isupper() for char in part) and any(char.islower() for char in part)
    if len(part) >= 8 and (mixed or (digits >= 3 and _entropy(part) > 2.9)):
        return True
    return len(part) >= 14 and _entropy(part) > 3.5


def _entropy(text: str) -> float:
    """Bits per character, by how often each one stands in it."""
    return -sum(n / len(text) * math.log2(n / len(text)) for n in Counter(text).values())


@lru_cache(maxsize=4096)
def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


_Form = tuple[tuple[str, ...], str]
"""How something may be written in a text in lower case: parts that all stand in it, and a pattern where that is not
enough."""


def _address_forms(text: str) -> Iterator[_Form]:
    try:
        address = ipaddress.ip_address(text.strip("[]").partition("%")[0])
    except ValueError:
        return
    if address.is_loopback or address.is_unspecified:
        return
    packed = address.packed
    plain = str(address)
    if isinstance(address, ipaddress.IPv6Address):
        groups = address.exploded.split(":")
        short = [group.lstrip("0") or "0" for group in groups]
        yield (plain,), ""
        yield (plain[::-1],), ""
        yield _needed(groups), _GAP.join(groups)
        yield _needed(short), "[^0-9a-z]{1,2}".join(short)
        yield _needed(packed.hex()), _GAP.join(reversed(packed.hex()))  # as in ip6.arpa
    else:
        for octets in (list(packed), list(packed)[::-1]):
            yield from _octet_forms(octets)
        for number in (int(address), int.from_bytes(packed[::-1], "big")):
            # Not within a longer number; one so short is found by chance.
            yield (f"{number}",), rf"(?<![0-9]){number}(?![0-9])"
            yield (f"{number:x}",), rf"(?<![0-9a-f]){number:x}(?![0-9a-f])"
            yield (f"{number:o}",), rf"(?<![0-7])0*{number:o}(?![0-7])"
        yield (plain[::-1],), rf"(?<![0-9]){re.escape(plain[::-1])}(?![0-9])"
        yield ("".join(f"{octet:03}" for octet in packed),), ""
    for data in (packed, packed[::-1]):
        yield (data.hex(),), ""
    yield from _encoded(plain.encode())
    yield from _encoded(packed)


def _octet_forms(octets: list[int]) -> Iterator[_Form]:
    """Four numbers in a row: decimal with or without zeros, hexadecimal or octal, whatever stands between them."""
    decimal, hexadecimal, octal = ([format(octet, base) for octet in octets] for base in "dxo")
    yield _needed(decimal), r"(?<![0-9])" + _WIDE_GAP.join(f"0*{text}" for text in decimal) + r"(?![0-9])"
    yield (
        _needed(hexadecimal),
        r"(?<![0-9a-f])" + _GAP.join(rf"(?:0x|x|%)?0?{text}" for text in hexadecimal) + r"(?![0-9a-f])",
    )
    yield _needed(hexadecimal), r"(?:0x|%|x)".join(("", *(f"{octet:02x}" for octet in octets)))
    yield _needed(octal), r"(?<![0-7])" + _GAP.join(f"0*{text}" for text in octal) + r"(?![0-7])"


def _needed(parts: Iterable[str]) -> tuple[str, ...]:
    """The parts, the ones that are found most seldom first."""
    return tuple(sorted(set(parts), key=lambda part: (-len(part), part)))


def _name_forms(name: str) -> Iterator[_Form]:
    if len(name) < _SHORTEST_NAME:
        return
    yield (name,), rf"(?<![0-9a-z]){re.escape(name)}(?![0-9a-z])"
    yield (name[::-1],), rf"(?<![0-9a-z]){re.escape(name[::-1])}(?![0-9a-z])"
    yield (name.encode().hex(),), ""
    yield from _encoded(name.encode())


def _encoded(data: bytes) -> Iterator[_Form]:
    """Base64 and base32 of bytes as they stand in names of hosts, where upper case is lost and nothing decodes."""
    if len(data) < 6:
        return
    for shift in range(3):
        whole = base64.b64encode(b"\0" * shift + data).decode().rstrip("=").lower()
        start = (0, 2, 3)[shift]
        inner = whole[start:] if (len(data) + shift) % 3 == 0 else whole[start:-1]
        if len(inner) >= 7:
            yield (inner,), ""
            yield (inner.replace("+", "-").replace("/", "_"),), ""
    yield (base64.b32encode(data).decode().rstrip("=").lower()[:-1],), ""


def _views(text: str) -> Iterator[str]:
    """The text, and what parts of it decode to, each once and not more than a bounded number."""
    seen = {text}
    waiting = [(text, 0)]
    while waiting:
        view, depth = waiting.pop(0)
        yield view
        for decoded, depth_of in _decoded(view, depth + 1) if depth < _DEPTH else ():
            if decoded not in seen and len(seen) < _MOST_VIEWS:
                seen.add(decoded)
                waiting.append((decoded, depth_of))


def _decoded(text: str, depth: int) -> Iterator[tuple[str, int]]:
    """What parts of a text decode to, and how deep that is; what nobody can read is decoded no further."""
    if "%" in text:
        yield unquote_to_bytes(text).decode("latin-1"), depth
    for found in _HEX.findall(text):
        data = bytes.fromhex(found)
        if _is_readable(data):
            yield data.decode("latin-1"), depth
    tokens = _BASE64.findall(text)
    parts = [part for token in tokens if "/" in token for part in token.split("/") if len(part) >= 6]
    for found in dict.fromkeys([*tokens, *parts]):
        yield from _of_base64(found.replace("-", "+").replace("_", "/"), depth)
    for found in _BASE32.findall(text):
        try:
            data = base64.b32decode(found.upper() + "=" * (-len(found) % 8))
        except binascii.Error:
            continue
        if _is_readable(data):
            yield data.decode("latin-1"), depth


def _of_base64(token: str, depth: int) -> Iterator[tuple[str, int]]:
    """What a token may mean in base64, whichever of its first four characters it begins at."""
    for start in range(4):
        part = token[start:]
        part = part[: len(part) - (len(part) % 4 == 1)]
        data = binascii.a2b_base64(part + "=" * (-len(part) % 4))
        if _is_readable(data):
            yield data.decode("latin-1"), depth
        elif start == 0 and len(data) in _PACKED:
            yield data.hex(), _DEPTH


def _is_readable(data: bytes) -> bool:
    return len(data) >= 4 and len(data.translate(None, _READABLE)) <= 0.2 * len(data)
