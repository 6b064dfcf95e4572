"""md5sum, sha*sum, cksum, sum, base64, base32."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Generator
from typing import Any

from urltrap.machine.api import Run, decode
from urltrap.machine.errors import SysError
from urltrap.machine.programs._choices import bad_choice
from urltrap.machine.programs._cmd import Cmd, command, paths_or_stdin
from urltrap.machine.programs._lines import Source

_ALGORITHMS = {"md5sum": "md5", "sha1sum": "sha1", "sha224sum": "sha224", "sha256sum": "sha256", "sha384sum": "sha384",
               "sha512sum": "sha512", "b2sum": "blake2b", "sha3sum": "sha3_224"}  # fmt: skip
_LONG = {"binary": "b", "check": "c", "tag": "tag", "text": "t", "zero": "z", "ignore-missing": "im", "quiet": "quiet",
         "status": "status", "strict": "strict", "warn": "w"}  # fmt: skip


def _digest(c: Cmd, path: str, name: str) -> Generator[Any, Any, str]:
    source = Source(c, path)
    state = hashlib.new(name, usedforsecurity=False)
    try:
        while piece := (yield from source.chunk()):
            state.update(piece)
    finally:
        source.close()
    return state.hexdigest()


@command(*_ALGORITHMS, short="bctwz", bb="bctws", long=_LONG)
def hashes(c: Cmd) -> Run:
    """Print or check digests."""
    base = c.name.rpartition("/")[2]
    name = _ALGORITHMS.get(base, "md5")
    if c.has("c"):
        return (yield from _check(c, name))
    for path in paths_or_stdin(c.args):
        try:
            found = yield from _digest(c, path, name)
        except SysError as problem:
            if c.bb:
                yield from c.fail(
                    f"can't open '{path}': {problem.words}"
                    if problem.errno != 21
                    else f"can't read '{path}': {problem.words}"
                )
            else:
                yield from c.fail(f"{c.quote(path)}: {problem.words}")
            continue
        if c.has("tag"):
            yield from c.say(f"{name.upper()} ({path}) = {found}\n")
            continue
        escaped = path.replace("\\", "\\\\").replace("\n", "\\n")
        prefix = "\\" if escaped != path and not c.bb else ""
        mark = "*" if c.last("bt") == "b" and not c.bb else " "
        end = "\0" if c.has("z") else "\n"
        yield from c.say(f"{prefix}{found} {mark}{escaped if prefix else path}{end}")
    return c.status


def _check(c: Cmd, name: str) -> Run:
    failed = missing = 0
    for path in paths_or_stdin(c.args):
        try:
            data = yield from c.load(path)
        except SysError as problem:
            yield from c.fail(f"{c.quote(path)}: {problem.words}")
            continue
        good = 0
        for number, line in enumerate(decode(data).split("\n"), 1):
            match = re.fullmatch(r"\\?([0-9a-fA-F]{32,128}) [ *](.+)", line) or re.fullmatch(
                r"\w+ \((?P<f>.+)\) = (?P<d>[0-9a-f]+)", line
            )
            if match is None:
                if c.has("w") and line:
                    shown = "'standard input'" if path == "-" else c.quote(path)
                    kind = name.upper() if name != "blake2b" else "BLAKE2b"
                    yield from c.warn(f"{shown}: {number}: improperly formatted {kind} checksum line")
                continue
            digest, target = (match["d"], match["f"]) if match.re.groupindex else (match[1], match[2])
            good += 1
            try:
                found = yield from _digest(c, target, name)
            except SysError as problem:
                missing += 1
                yield from c.warn(f"{c.quote(target)}: {problem.words}")
                if not c.has("status"):
                    yield from c.say(f"{target}: FAILED open or read\n")
                continue
            if found == digest.lower():
                if not c.has("quiet", "status", "s"):
                    yield from c.say(f"{target}: OK\n")
            else:
                failed += 1
                if not c.has("status", "s"):
                    yield from c.say(f"{target}: FAILED\n")
        if not good:
            shown = "'standard input'" if path == "-" else c.quote(path)
            yield from c.fail(f"{shown}: no properly formatted checksum lines found")
    if missing and not c.has("status"):
        yield from c.warn(f"WARNING: {missing} listed file{'s' if missing > 1 else ''} could not be read")
    if failed and not c.has("status"):
        yield from c.warn(f"WARNING: {failed} computed checksum{'s' if failed > 1 else ''} did NOT match")
    return 1 if failed or missing else c.status


_CRC = []
for _byte in range(256):
    _value = _byte << 24
    for _ in range(8):
        _value = (_value << 1) ^ (0x04C11DB7 if _value & 0x80000000 else 0)
    _CRC.append(_value & 0xFFFFFFFF)


@command(
    "cksum", "crc32", short="a:cw", long={"algorithm:": "a", "check": "c", "untagged": "u", "tag": "tag"}
)
def cksum(c: Cmd) -> Run:
    """POSIX CRC and size, or what -a asks for."""
    if (name := c.value("a")) is not None and not c.bb and name != "crc":
        return (yield from _other_sum(c, name))
    for path in paths_or_stdin(c.args):
        try:
            data = yield from c.load(path)
        except SysError as problem:
            yield from c.bad_file(path, problem)
            continue
        if c.bb and c.name == "crc32":
            yield from c.say(f"{binascii.crc32(data):08x}{' ' + path if len(c.args) > 1 else ''}\n")
            continue
        crc, table = 0, _CRC
        for at in range(0, len(data), 16_384):
            for byte in data[at : at + 16_384]:
                crc = ((crc << 8) & 0xFFFFFFFF) ^ table[(crc >> 24) ^ byte]
            yield from c.p.tick(1_000)
        length = len(data)
        while length:
            crc = ((crc << 8) & 0xFFFFFFFF) ^ table[(crc >> 24) ^ (length & 255)]
            length >>= 8
        yield from c.say(f"{crc ^ 0xFFFFFFFF} {len(data)}{' ' + path if c.args else ''}\n")
    return c.status


_CKSUM = ("bsd", "sysv", "crc", "md5", "sha1", "sha224", "sha256", "sha384", "sha512", "blake2b", "sm3")


def _other_sum(c: Cmd, name: str) -> Run:
    """cksum -a."""
    if name not in _CKSUM:
        return (yield from bad_choice(c, name, "--algorithm", _CKSUM))
    if name in ("bsd", "sysv"):
        return (yield from _short_sums(c, name == "sysv"))
    for path in paths_or_stdin(c.args):
        try:
            found = yield from _digest(c, path, name)
        except SysError as problem:
            yield from c.bad_file(path, problem)
            continue
        shown = "BLAKE2b" if name == "blake2b" else name.upper()
        yield from c.say(f"{found}  {path}\n" if c.has("u") else f"{shown} ({path}) = {found}\n")
    return c.status


@command("sum", short="rs", long={"sysv": "s"})
def checksum(c: Cmd) -> Run:
    """BSD and System V sums."""
    return (yield from _short_sums(c, c.has("s")))


def _short_sums(c: Cmd, system_v: bool) -> Run:
    for path in paths_or_stdin(c.args):
        try:
            data = yield from c.load(path, 4_000_000)
        except SysError as problem:
            yield from c.bad_file(path, problem)
            continue
        shown = f" {path}" if c.args else ""
        if system_v:
            total = sum(data)
            value = (total & 0xFFFF) + (total >> 16)
            yield from c.say(f"{(value & 0xFFFF) + (value >> 16)} {-(-len(data) // 512)}{shown}\n")
            continue
        value = 0
        for at in range(0, len(data), 16_384):
            for byte in data[at : at + 16_384]:
                value = ((value >> 1) + ((value & 1) << 15) + byte) & 0xFFFF
            yield from c.p.tick(1_000)
        yield from c.say(f"{value:05d} {-(-len(data) // 1024):5d}{shown}\n")
    return c.status


@command(
    "base64", "base32", short="diw:", bb="dw:", long={"decode": "d", "ignore-garbage": "i", "wrap:": "w"}
)
def base_code(c: Cmd) -> Run:
    """Encode or decode."""
    thirty_two = c.name.endswith("32")
    wrap = c.value("w") or "76"
    if not wrap.isdecimal():
        yield from c.warn(f"invalid wrap size: {c.lq(wrap)}")
        return 1
    if len(c.args) > 1:
        return (yield from c.usage(f"extra operand {c.lq(c.args[1])}"))
    path = c.args[0] if c.args else "-"
    try:
        data = yield from c.load(path)
    except SysError as problem:
        yield from c.warn(f"{c.quote(path)}: {problem.words}")
        return 1
    yield from c.p.tick(1 + len(data) // 4096)
    if not c.has("d"):
        text = base64.b32encode(data) if thirty_two else base64.b64encode(data)
        width = int(wrap[:9])
        if not width:
            yield from c.put(text)
            return 0
        for at in range(0, len(text), width):
            yield from c.put(text[at : at + width] + b"\n")
        return 0
    allowed = (
        b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567="
        if thirty_two
        else b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
    )
    found, good = _decode(data, allowed, thirty_two, c.has("i"))
    yield from c.put(found)
    if not good:
        yield from c.flush()
        yield from c.p.err(f"{c.name}: {'truncated input' if c.bb else 'invalid input'}\n")
        return 1
    return 0


def _decode(data: bytes, allowed: bytes, thirty_two: bool, lenient: bool) -> tuple[bytes, bool]:
    """What can be decoded, and whether all of it could; several padded pieces may follow each other."""
    data = data.replace(b"\n", b"")
    size = 8 if thirty_two else 4
    good = True
    wrong = re.search(b"[^" + re.escape(allowed) + b"]", data)
    if wrong is not None:
        if lenient:
            data = re.sub(b"[^" + re.escape(allowed) + b"]", b"", data)
        else:
            good = False
            data = data[: wrong.start()]
    out = bytearray()
    for piece in re.findall(rb"[^=]+=*", data):
        whole = len(piece) // size * size
        rest = piece[whole:]
        try:
            if whole:
                out += base64.b32decode(piece[:whole]) if thirty_two else base64.b64decode(piece[:whole])
            if rest.rstrip(b"="):
                good = False
                padded = rest.rstrip(b"=") + b"=" * (size - len(rest.rstrip(b"=")))
                out += base64.b32decode(padded) if thirty_two else base64.b64decode(padded)
        except (binascii.Error, ValueError):
            return bytes(out), False
    return bytes(out), good and not data.startswith(b"=")
