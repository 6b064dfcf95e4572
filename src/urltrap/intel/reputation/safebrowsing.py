"""Google Safe Browsing v5, `hashes:search`: only four bytes of a hash leave the machine, never the URL.

Source: developers.google.com/safe-browsing. The answer is protocol buffers, or JSON where a proxy turned it into that;
both are read. Non-commercial use only; the terms forbid publishing its answers.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterator
from urllib.parse import unquote_to_bytes

from urltrap.intel.errors import Malformed
from urltrap.intel.http import Reply
from urltrap.intel.reputation.asked import Answer, Asked, Subject, Tools, is_address
from urltrap.intel.reputation.reading import text

_TYPES = {1: "MALWARE", 2: "SOCIAL_ENGINEERING", 3: "UNWANTED_SOFTWARE", 4: "POTENTIALLY_HARMFUL_APPLICATION"}


class SafeBrowsing(Asked):
    """`GET /v5/hashes:search` with the key in a header, so that it stands in no address."""

    name = "safe-browsing"
    tier = "metered"
    kinds = frozenset({"url"})
    key = "safe_browsing"
    key_needed = True
    limits = {"minute": 60, "day": 10_000}
    default_base = "https://safebrowsing.googleapis.com/v5"

    async def ask(self, tools: Tools, subject: Subject) -> Answer:
        """See Asked. All host and path combinations of the URL are looked up, as browsers do."""
        hashes = {hashlib.sha256(item.encode()).digest(): item for item in expressions(subject)}
        prefixes = sorted({digest[:4] for digest in hashes})
        reply = await tools.ask(
            "GET",
            f"{self.base}/hashes:search",
            params=[("hashPrefixes", base64.b64encode(prefix).decode()) for prefix in prefixes],
            headers={"X-Goog-Api-Key": tools.key(self.key)},
        )
        # All of it is read first: a cut answer is an error even where its beginning holds a match.
        for digest, threats in list(found(reply)):
            if digest in hashes:
                return Answer(True, f"{hashes[digest]}"[:200], tuple(dict.fromkeys(threats)))
        return Answer(listed=False)


def expressions(subject: Subject) -> list[str]:
    """The strings whose hashes are listed: up to five hosts times six paths."""
    url = subject.url
    path, _, query = url.path.partition("?")
    path = unquote_to_bytes(path).decode("utf-8", "replace") if "%25" in path else path
    labels = url.host.split(".")
    hosts = [url.host]
    if not is_address(url.host):
        hosts += [".".join(labels[-count:]) for count in range(min(5, len(labels) - 1), 1, -1)]
    steps = path.split("/")[1:-1]
    prefixes = [
        "/" + "".join(f"{step}/" for step in steps[:count]) for count in range(min(4, len(steps) + 1))
    ]
    paths = [path + (f"?{query}" if query else ""), path, *prefixes]
    return list(dict.fromkeys(f"{host}{item}" for host in dict.fromkeys(hosts) for item in paths))


def found(reply: Reply) -> Iterator[tuple[bytes, list[str]]]:
    """Full hashes of an answer with their threat types."""
    kind = {name.lower(): value for name, value in reply.headers.items()}.get("content-type", "")
    if "json" in kind:
        yield from _from_json(reply)
    elif "protobuf" in kind or "octet-stream" in kind:
        yield from _from_protobuf(reply.body)
    else:
        raise Malformed(f"the answer is neither protocol buffers nor JSON ({text(kind, 40)})")


def _from_json(reply: Reply) -> Iterator[tuple[bytes, list[str]]]:
    entries = reply.object().get("fullHashes", [])
    if not isinstance(entries, list):
        raise Malformed("fullHashes is no list")
    for entry in entries:
        try:
            digest = base64.b64decode(entry["fullHash"], validate=True)
            details = entry["fullHashDetails"]
            threats = [text(detail["threatType"], 60) for detail in details]
        except (KeyError, TypeError, ValueError, binascii.Error) as error:
            raise Malformed("an entry of fullHashes cannot be read") from error
        yield digest, threats


def _from_protobuf(body: bytes) -> Iterator[tuple[bytes, list[str]]]:
    for number, value in _fields(body):
        if number != 1 or not isinstance(value, bytes):
            continue
        digest, threats = b"", []
        for inner, item in _fields(value):
            if inner == 1 and isinstance(item, bytes):
                digest = item
            elif inner == 2 and isinstance(item, bytes):
                threats += [
                    _TYPES.get(kind, "UNKNOWN")
                    for field, kind in _fields(item)
                    if field == 1 and isinstance(kind, int)
                ]
        yield digest, threats


def _fields(body: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Numbers and values of a message's fields: wire types 0 (varint), 1, 2 (bytes) and 5."""
    place = 0
    while place < len(body):
        key, place = _varint(body, place)
        number, kind = key >> 3, key & 7
        if kind == 0:
            value, place = _varint(body, place)
            yield number, value
            continue
        if kind == 2:
            size, place = _varint(body, place)
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
        else:
            raise Malformed("the answer is no protocol buffers message")
        if place + size > len(body):
            raise Malformed("the answer is cut")
        yield number, body[place : place + size]
        place += size


def _varint(body: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if place >= len(body) or shift > 63:
            raise Malformed("the answer is cut")
        byte = body[place]
        value |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if not byte & 0x80:
            return value, place
