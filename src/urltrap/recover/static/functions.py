"""What the string functions of Python, Perl, PHP, Ruby, JavaScript and PowerShell make of known strings."""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from collections.abc import Callable, Sequence

LARGEST = 300_000
_MOST_ITEMS = 20_000

Value = object
"""bytes, int, a list of values, or None where it is not known."""


def unbase64(data: bytes) -> bytes | None:
    """Base64 text decoded, also without its padding or in the alphabet for URLs; None where it is none."""
    data = re.sub(rb"\s", b"", data).translate(_URL_SAFE).rstrip(b"=")
    try:
        return base64.b64decode(data + b"=" * (-len(data) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None


def unhex(data: bytes) -> bytes | None:
    """Hexadecimal text decoded; None where it is none."""
    try:
        return bytes.fromhex(data.decode("ascii", "replace"))
    except ValueError:
        return None


def inflate(data: bytes) -> bytes | None:
    """zlib, raw deflate or gzip data, up to the limit; None where it is none."""
    for bits in (15, -15, 31):
        try:
            return zlib.decompressobj(bits).decompress(data, LARGEST)
        except zlib.error:
            continue
    return None


def _uudecoded(data: bytes) -> bytes | None:
    try:
        return b"".join(binascii.a2b_uu(line) for line in data.splitlines() if line.strip())
    except binascii.Error:
        return None


def as_text(value: Value) -> bytes:
    """A value as one of the parts of a joined string."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, list):
        return b"".join(as_text(each) for each in value[:_MOST_ITEMS])
    return bytes((value & 255,)) if isinstance(value, int) else b""


def _numbers(items: Sequence[Value]) -> list[int]:
    found: list[int] = []
    for item in items:
        if isinstance(item, int):
            found.append(item)
        elif isinstance(item, list):
            found += [each for each in item if isinstance(each, int)]
    return found[:_MOST_ITEMS]


_ROT13 = bytes.maketrans(
    b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
    b"nopqrstuvwxyzabcdefghijklmNOPQRSTUVWXYZABCDEFGHIJKLM",
)
_URL_SAFE = bytes.maketrans(b"-_", b"+/")
_DECODERS: dict[bytes, Callable[[bytes], bytes | None]] = {
    b"base64": unbase64, b"hex": unhex, b"hex_codec": unhex, b"rot13": lambda data: data.translate(_ROT13),
    b"rot_13": lambda data: data.translate(_ROT13), b"zlib": inflate, b"uu": _uudecoded,
}  # fmt: skip
_OF_ONE: dict[bytes, Callable[[bytes], bytes | None]] = {
    **dict.fromkeys((b"b64decode", b"base64_decode", b"decode64", b"strict_decode64", b"urlsafe_decode64", b"atob",
                     b"frombase64string", b"decodebase64", b"decode_base64", b"urlsafe_b64decode", b"decodestring",
                     b"decodebytes", b"standard_b64decode"), unbase64),
    **dict.fromkeys((b"fromhex", b"unhexlify", b"hex2bin", b"a2b_hex"), unhex),
    **dict.fromkeys((b"str_rot13", b"rot13"), lambda data: data.translate(_ROT13)),
    **dict.fromkeys((b"decompress", b"gzinflate", b"gzuncompress", b"gzdecode", b"inflate", b"zlib_decode"), inflate),
    b"convert_uudecode": _uudecoded,
}  # fmt: skip
_KEEPING = frozenset((
    b"encode", b"getstring", b"strip", b"rstrip", b"lstrip", b"str", b"bytes", b"bytearray", b"trim", b"chomp",
    b"unescape", b"tostring", b"urldecode", b"string", b"stripslashes", b"lower", b"strtolower", b"lc", b"to_s", b"b",
    b"encoding", b"decodeuri", b"decodeuricomponent",
))  # fmt: skip
NOT_MINE = object()
"""The answer to functions that are none of these."""


def evaluate(last: bytes, items: Sequence[Value], target: Value) -> Value:
    """What the function named `last` (lower case) gives for `items`, called on `target`; `NOT_MINE` for others."""
    texts = [item for item in items if isinstance(item, bytes)]
    first = texts[0] if texts else target if isinstance(target, bytes) else b""
    if last in _OF_ONE:
        return _OF_ONE[last](first)
    if last in _KEEPING:
        return first or (as_text(target) if isinstance(target, list) else None)
    if last in (b"decode", b"from", b"buffer"):
        return _decoded(last, texts, target)
    if last in (b"strrev", b"reverse", b"reversed", b"scalar"):
        if last == b"scalar" or texts or not isinstance(target, list):
            return first if last == b"scalar" else first[::-1] or None
        return target[::-1]
    if last in (b"chr", b"fromcharcode"):
        return bytes(number & 255 for number in _numbers(items))
    if last in (b"pack", b"unpack"):
        return _packed(texts, items, target)
    if last in (b"split", b"explode", b"list", b"str_split") and (first or isinstance(target, bytes)):
        return _parted(last, texts, target)
    if last == b"map":
        return next((item for item in items if isinstance(item, list)), None)
    if last in (b"join", b"implode"):
        return _joined(texts, items, target)
    if last == b"replace" and isinstance(target, bytes) and len(texts) == 2:
        return target.replace(texts[0], texts[1])
    if last == b"str_replace" and len(texts) == 3:
        return texts[2].replace(texts[0], texts[1])
    return NOT_MINE


def _decoded(last: bytes, texts: list[bytes], target: Value) -> Value:
    """``X.decode("hex")``, ``codecs.decode(X, "hex")``, ``Buffer.from(X, "base64")``."""
    if last == b"decode" and isinstance(target, bytes):
        data, codec = target, texts[0].lower() if texts else b""
    elif texts:
        data, codec = texts[0], texts[1].lower() if len(texts) > 1 else b""
    else:
        return NOT_MINE
    return _DECODERS[codec](data) if codec in _DECODERS else data


def _packed(texts: list[bytes], items: Sequence[Value], target: Value) -> Value:
    """Perl's and Ruby's pack: ``H*`` (hex), ``C*`` (numbers), ``u`` and ``m`` (encodings)."""
    if not texts:
        return NOT_MINE
    form, rest = texts[0], texts[1:]
    given = rest[0] if rest else as_text(target) if isinstance(target, list | bytes) else b""
    if form[:1] in b"Hh" and form:
        return unhex(given)
    if form[:1] in b"CcUW" and form:
        return bytes(number & 255 for number in _numbers([*items, target]))
    if form[:1] == b"m":
        return unbase64(given)
    return _uudecoded(given) if form[:1] == b"u" else given or None


def _parted(last: bytes, texts: list[bytes], target: Value) -> Value:
    if last == b"explode" and len(texts) > 1:
        glue, data = texts[0], texts[1]
    elif isinstance(target, bytes):
        glue, data = texts[0] if texts else b"", target
    else:
        glue, data = (texts[0], texts[1]) if len(texts) > 1 else (b"", texts[0])
    data = data[:_MOST_ITEMS]
    return data.split(glue) if glue else [data[at : at + 1] for at in range(len(data))]


def _joined(texts: list[bytes], items: Sequence[Value], target: Value) -> Value:
    for item in items:
        if isinstance(item, list):
            glue = target if isinstance(target, bytes) else texts[0] if texts else b""
            return glue.join(as_text(each) for each in item[:_MOST_ITEMS])
    if isinstance(target, list):
        return (texts[0] if texts else b"").join(as_text(each) for each in target[:_MOST_ITEMS])
    return None if len(texts) < 2 else texts[0].join(texts[1:])
