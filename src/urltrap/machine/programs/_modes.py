"""File modes: as ls shows them, as chmod reads them."""

from __future__ import annotations

import re

from urltrap.machine.api import S_IFMT, Stat

_KINDS = {
    0o140000: "s",
    0o120000: "l",
    0o100000: "-",
    0o060000: "b",
    0o040000: "d",
    0o020000: "c",
    0o010000: "p",
}
_SYMBOLIC = re.compile(r"([ugoa]*)((?:[-+=](?:[rwxXst]*|[ugo]|[0-7]+))+)")
_ACTION = re.compile(r"([-+=])([ugo]|[rwxXst]*|[0-7]+)")
_SHIFT = {"u": 6, "g": 3, "o": 0}


def mode_text(mode: int) -> str:
    """ "-rwxr-xr-x"."""
    out = [_KINDS.get(mode & S_IFMT, "?")]
    for shift, special, small, big in ((6, 0o4000, "s", "S"), (3, 0o2000, "s", "S"), (0, 0o1000, "t", "T")):
        bits = mode >> shift & 7
        run = (small if bits & 1 else big) if mode & special else "x" if bits & 1 else "-"
        out.append(("r" if bits & 4 else "-") + ("w" if bits & 2 else "-") + run)
    return "".join(out)


def parse_mode(text: str, old: int, umask: int, is_dir: bool) -> int | None:
    """The permission bits that a mode operand makes of `old`; None where it is not valid."""
    if re.fullmatch(r"[0-7]+", text):
        value = int(text[-12:], 8)
        if value > 0o7777 or len(text) > 12:
            return None
        if is_dir and len(text) < 5:
            value |= old & 0o6000  # GNU keeps the set-id bits of directories
        return value
    if match := re.fullmatch(r"([-+=])([0-7]+)", text):
        value = int(match[2][-12:], 8) & 0o7777
        return {"+": old | value, "-": old & ~value, "=": value}[match[1]] & 0o7777
    mode = old & 0o7777
    for clause in text.split(","):
        match = _SYMBOLIC.fullmatch(clause)
        if match is None:
            return None
        who = match[1]
        mask = 0
        for letter in who or "a":
            mask |= (
                0o7777
                if letter == "a"
                else 0o7 << _SHIFT[letter] | {"u": 0o4000, "g": 0o2000, "o": 0o1000}[letter]
            )
        for operator, what in _ACTION.findall(match[2]):
            if what[:1].isdigit():
                return None
            bits = _bits(what, mode, is_dir)
            bits &= mask
            if not who:
                bits &= ~umask
            if operator == "+":
                mode |= bits
            elif operator == "-":
                mode &= ~bits
            else:
                keep = 0o6000 if is_dir and "s" not in what else 0
                mode = mode & ~(mask & ~keep) | bits
    return mode


def _bits(what: str, mode: int, is_dir: bool) -> int:
    if what in _SHIFT and what:
        share = mode >> _SHIFT[what] & 7
        return share << 6 | share << 3 | share
    bits = 0
    for letter in what:
        bits |= {"r": 0o444, "w": 0o222, "x": 0o111, "s": 0o6000, "t": 0o1000}.get(letter, 0)
        if letter == "X" and (is_dir or mode & 0o111):
            bits |= 0o111
    return bits


def kind_words(stat: Stat) -> str:
    """The kind as stat and "not a …" messages say it."""
    kind = stat.mode & S_IFMT
    if kind == 0o100000:
        return "regular file" if stat.size else "regular empty file"
    return {
        0o040000: "directory", 0o120000: "symbolic link", 0o020000: "character special file",
        0o060000: "block special file", 0o010000: "fifo", 0o140000: "socket",
    }.get(kind, "weird file")  # fmt: skip
