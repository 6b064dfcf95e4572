"""pack and unpack: the letters that scripts use (perldoc -f pack)."""

from __future__ import annotations

import binascii
import re
import struct
from typing import Any

from urltrap.machine.programs.perl._values import LARGEST, Unsupported, num, string, to_bytes, whole
from urltrap.machine.programs.perl._vm import Vm

_ITEM = re.compile(r"\s*([a-zA-Z@.])([<>!]*)\s*(\*|\d+|\[\d+\])?\s*(/)?")
_INTEGERS = {
    "c": (1, True, "<"), "C": (1, False, "<"), "s": (2, True, "<"), "S": (2, False, "<"), "l": (4, True, "<"),
    "L": (4, False, "<"), "q": (8, True, "<"), "Q": (8, False, "<"), "i": (4, True, "<"), "I": (4, False, "<"),
    "n": (2, False, ">"), "N": (4, False, ">"), "v": (2, False, "<"), "V": (4, False, "<"), "j": (8, True, "<"),
    "J": (8, False, "<"), "W": (1, False, "<"), "U": (1, False, "<"),
}  # fmt: skip
_FLOATS = {"f": "<f", "d": "<d", "F": "<d"}


def _items(template: str) -> list[tuple[str, str, str, bool]]:
    template = re.sub(r"#[^\n]*", "", template)
    found: list[tuple[str, str, str, bool]] = []
    at = 0
    while at < len(template.rstrip()):
        one = _ITEM.match(template, at)
        if one is None:
            raise Unsupported("a template of pack")
        found.append((one[1], one[2], (one[3] or "").strip("[]"), one[4] is not None))
        at = one.end()
    return found


def _order(letter: str, modifiers: str) -> tuple[int, bool, str]:
    size, signed, order = _INTEGERS[letter]
    if "<" in modifiers or ">" in modifiers:
        order = modifiers.strip("!")
    if "!" in modifiers and letter in "lL":
        size = 8
    return size, signed or ("!" in modifiers and letter in "nvNV"), order


def pack(vm: Vm, template: str, args: list[Any]) -> str:
    """pack: a string of bytes."""
    out = bytearray()
    wide: list[str] | None = None
    items = _items(template)
    left = list(args)
    at = 0
    while at < len(items):
        letter, modifiers, count, slash = items[at]
        at += 1
        if slash and at < len(items):
            counted = items[at]
            at += 1
            body = to_bytes(string(left.pop(0) if left else None))
            if counted[0] == "Z":
                body += b"\0"
            size, _, order = _order(letter, modifiers)
            out += len(body).to_bytes(size, "big" if order == ">" else "little") + body
            continue
        if count not in ("", "*") and int(count) > LARGEST:
            raise vm.die("Out of memory!")
        if letter in "aAZ":
            data = to_bytes(string(left.pop(0) if left else None))
            size = len(data) + (letter == "Z") if count == "*" else int(count or 1)
            padding = b" " if letter == "A" else b"\0"
            cut = data[: size - 1] if letter == "Z" and count != "" and len(data) >= size else data[:size]
            out += cut.ljust(size, padding)
        elif letter in "hHbB":
            out += _digits(letter, string(left.pop(0) if left else None), count)
        elif letter == "x":
            out += b"\0" * int(count if count not in ("", "*") else (0 if count else 1))
        elif letter == "u":
            out += _uuencoded(to_bytes(string(left.pop(0) if left else None)))
        elif letter in "U" or letter == "W":
            wide = wide if wide is not None else []
            for _ in range(len(left) if count == "*" else int(count or 1)):
                code = whole(left.pop(0) if left else 0)
                out_char = chr(code & 0x1FFFFF if code <= 0x10FFFF else 0xFFFD)
                wide.append(out.decode("latin-1") + out_char)
                out.clear()
        elif letter in _INTEGERS:
            size, _, order = _order(letter, modifiers)
            for _ in range(len(left) if count == "*" else int(count or 1)):
                number = whole(left.pop(0) if left else 0) & (1 << 8 * size) - 1
                out += number.to_bytes(size, "big" if order == ">" else "little")
        elif letter in _FLOATS:
            for _ in range(len(left) if count == "*" else int(count or 1)):
                form = _FLOATS[letter]
                form = ">" + form[1:] if ">" in modifiers else form
                try:
                    out += struct.pack(form, float(num(left.pop(0) if left else 0)))
                except OverflowError:
                    out += struct.pack(form, float("inf"))
        elif letter == "w":
            for _ in range(len(left) if count == "*" else int(count or 1)):
                number = whole(left.pop(0) if left else 0)
                parts = [number & 127]
                while number := number >> 7:
                    parts.append(number & 127 | 128)
                out += bytes(reversed(parts))
        else:
            raise Unsupported(f"pack {letter}")
        if len(out) > LARGEST:
            raise vm.die("Out of memory!")
    vm.grow(len(out))
    text = out.decode("latin-1")
    return "".join(wide) + text if wide is not None else text


def _digits(letter: str, text: str, count: str) -> bytes:
    size = len(text) if count == "*" else int(count or 1)
    text = text[:size].ljust(size, "0")
    if letter in "hH":
        digits = "".join(
            each if each in "0123456789abcdefABCDEF" else format(ord(each) & 15, "x") for each in text
        )
        digits += "0" * (len(digits) % 2)
        data = bytes.fromhex(digits)
        return data if letter == "H" else bytes(each >> 4 | (each & 15) << 4 for each in data)
    bits = "".join("1" if ord(each) & 1 else "0" for each in text)
    bits += "0" * (-len(bits) % 8)
    chunks = [bits[at : at + 8] for at in range(0, len(bits), 8)]
    return bytes(int(each if letter == "B" else each[::-1], 2) for each in chunks)


def _uuencoded(data: bytes) -> bytes:
    out = bytearray()
    for at in range(0, len(data), 45):
        out += binascii.b2a_uu(data[at : at + 45], backtick=True)
    return bytes(out)


def unpack(vm: Vm, template: str, text: str) -> list[Any]:
    """unpack: a list of values."""
    checksum = re.match(r"%(\d*)", template)
    if checksum is not None:
        found = unpack(vm, template[checksum.end() :], text)
        if "b" in template or "B" in template:
            return [sum(string(each).count("1") for each in found)]
        return [sum(whole(each) for each in found) & (1 << int(checksum[1] or 16)) - 1]
    if "(" in template:
        return _groups(vm, template, text)
    data = to_bytes(text)
    found_all: list[Any] = []
    at = 0
    items = _items(template)
    index = 0
    while index < len(items):
        letter, modifiers, count, slash = items[index]
        index += 1
        if slash and index < len(items):
            size, _, order = _order(letter, modifiers)
            count = str(int.from_bytes(data[at : at + size], "big" if order == ">" else "little"))
            at += size
            letter, modifiers = items[index][0], items[index][1]
            index += 1
        rest = len(data) - at
        if letter in "aAZ":
            size = rest if count == "*" else min(int(count or 1), rest)
            piece = data[at : at + size]
            at += size
            if letter == "A":
                piece = piece.rstrip(b" \0\n\t\r\f")
            elif letter == "Z" and b"\0" in piece:
                used = piece.index(b"\0")
                if count == "*":
                    at -= len(piece) - used - 1
                piece = piece[:used]
            found_all.append(piece.decode("latin-1"))
        elif letter in "hHbB":
            per = 2 if letter in "hH" else 8
            size = rest * per if count == "*" else min(int(count or 1), rest * per)
            piece = data[at : at + -(-size // per)]
            at += len(piece)
            if letter == "H":
                shown = piece.hex()
            elif letter == "h":
                shown = "".join(f"{each & 15:x}{each >> 4:x}" for each in piece)
            else:
                shown = "".join(
                    format(each, "08b") if letter == "B" else format(each, "08b")[::-1] for each in piece
                )
            found_all.append(shown[:size])
        elif letter == "x":
            at += int(count or 1) if count != "*" else 0
        elif letter == "@":
            at = int(count or 0)
        elif letter == "u":
            found_all.append(_uudecoded(data[at:]).decode("latin-1"))
            at = len(data)
        elif letter in "UW":
            for char in text[at:] if count == "*" else text[at : at + int(count or 1)]:
                found_all.append(ord(char))
                at += 1
        elif letter in _INTEGERS:
            size, signed, order = _order(letter, modifiers)
            for _ in range(rest // size if count == "*" else min(int(count or 1), rest // size)):
                found_all.append(
                    int.from_bytes(data[at : at + size], "big" if order == ">" else "little", signed=signed)
                )
                at += size
        elif letter in _FLOATS:
            size = struct.calcsize(_FLOATS[letter])
            for _ in range(rest // size if count == "*" else min(int(count or 1), rest // size)):
                form = _FLOATS[letter]
                found_all.append(
                    struct.unpack(">" + form[1:] if ">" in modifiers else form, data[at : at + size])[0]
                )
                at += size
        else:
            raise Unsupported(f"unpack {letter}")
        vm.grown += 60 * len(found_all) if len(found_all) > 1000 else 0
    vm.steps += len(found_all) >> 1
    return found_all


def _groups(vm: Vm, template: str, text: str) -> list[Any]:
    """(…)* and (…)N with pieces of a fixed size."""
    one = re.fullmatch(r"\s*\(([^()]*)\)(\*|\d+)?\s*", template)
    if one is None:
        raise Unsupported("groups of unpack")
    size = 0
    for letter, modifiers, count, _ in _items(one[1]):
        many = int(count or 1) if count != "*" else 0
        if letter in "aAZx":
            size += many
        elif letter in "hH":
            size += -(-many // 2)
        elif letter in "bB":
            size += -(-many // 8)
        elif letter in _INTEGERS:
            size += many * _order(letter, modifiers)[0]
        else:
            raise Unsupported("groups of unpack")
    found: list[Any] = []
    most = len(text) if one[2] in ("*", None) else int(one[2])
    for at in range(0, len(text), max(size, 1)):
        if at // max(size, 1) >= most:
            break
        found += unpack(vm, one[1], text[at : at + size])
    return found


def _uudecoded(data: bytes) -> bytes:
    out = bytearray()
    for line in data.split(b"\n"):
        if line:
            try:
                out += binascii.a2b_uu(line)
            except binascii.Error:
                break
    return bytes(out)
