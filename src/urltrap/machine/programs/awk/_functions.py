"""awk's functions that cannot block."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from urltrap.machine.programs._zone import zone_of
from urltrap.machine.programs.awk._expressions import Node
from urltrap.machine.programs.awk._memory import AwkFatal
from urltrap.machine.programs.awk._values import Field, Value, foreign, from_bytes, number, sprintf, to_bytes
from urltrap.machine.shell.timeformat import strftime

if TYPE_CHECKING:
    from urltrap.machine.programs.awk._evaluate import Evaluator

_MASK = 2**64 - 1


class Chance:
    """random(3) of glibc, which both awks use: the same seed gives the same numbers."""

    def __init__(self, seed: int) -> None:
        self.seed = float(seed)
        self._restart()

    def reseed(self, seed: float) -> float:
        """Begin again; the seed before."""
        before, self.seed = self.seed, seed
        self._restart()
        return before

    def _restart(self) -> None:
        seed = int(self.seed) & 0xFFFFFFFF if abs(self.seed) < 2**63 else 0
        word = (seed - 2**32 if seed >= 2**31 else seed) or 1
        state = [word]
        for _ in range(30):
            high = int(word / 127_773)  # C divides towards zero
            word = 16_807 * (word - high * 127_773) - 2_836 * high
            word += 2_147_483_647 if word < 0 else 0
            state.append(word)
        self._state = [each & 0xFFFFFFFF for each in state]
        self._state += self._state[:3]
        for _ in range(310):
            self._next()

    def _next(self) -> int:
        state = self._state
        found = (state[-31] + state[-3]) & 0xFFFFFFFF
        state.append(found)
        del state[0]
        return found >> 1

    def number(self, busybox: bool) -> float:
        """The next number from 0 to 1."""
        if busybox:  # it asks three times and the last has the highest bits
            self._next()
            self._next()
        return self._next() / (2**31 - 1)


def call(m: Evaluator, name: str, nodes: list[Node]) -> Value:
    """The value of a built-in function."""
    form = m.setting("CONVFMT")

    def text(at: int, default: str = "") -> str:
        return m.text(m.ev(nodes[at]), form) if at < len(nodes) else default

    def real(at: int, default: float = 0.0) -> float:
        return number(m.ev(nodes[at])) if at < len(nodes) else default

    match name:
        case "length":
            if nodes and nodes[0][0] == "var" and isinstance(m.scope(nodes[0][1]).get(nodes[0][1]), dict):
                return float(len(m.array(nodes[0][1])))
            return float(len(text(0) if nodes else m.text(m.field(0))))
        case "substr":
            cut = _substr_busybox if m.busybox else _substr
            return cut(text(0), real(1), real(2, math.inf))
        case "index":
            return float(text(0).find(text(1)) + 1)
        case "split":
            return _split(m, nodes, text(0))
        case "sub" | "gsub":
            return _sub(m, nodes, name == "gsub")
        case "gensub":
            return _gensub(m, nodes, text(2))
        case "match":
            found = m.pattern(nodes[1]).search(text(0))
            m.globals["RSTART"] = float(found.start + 1) if found else 0.0
            m.globals["RLENGTH"] = float(found.end - found.start) if found else -1.0
            return m.globals["RSTART"]
        case "sprintf":
            return sprintf(text(0), [m.ev(each) for each in nodes[1:]], m.busybox)
        case "tolower":
            return from_bytes(to_bytes(text(0)).lower())
        case "toupper":
            return from_bytes(to_bytes(text(0)).upper())
        case "srand":
            return m.chance.reseed(real(0) if nodes else float(int(m.p.now())))
        case "rand":
            return m.chance.number(m.busybox)
        case "systime":
            return float(int(m.p.now()))
        case "strftime":
            moment = real(1, m.p.now())
            offset = 0 if len(nodes) > 2 and real(2) else zone_of(m.p).at(moment).offset
            return foreign(strftime(text(0, "%c"), moment + offset))
        case "mktime":
            return _mktime(m, text(0))
    if m.busybox and name in ("atan2", "cos", "exp", "log", "sin", "sqrt"):
        raise AwkFatal("", "Math support is not compiled in")
    return _math(name, [real(at) for at in range(len(nodes))])


def _substr(text: str, start: float, length: float) -> str:
    """mawk's: fractions are cut off; what lies before the first character is added to the length."""
    if start != start or length != length:
        return ""
    begin, size = (int(max(-1e9, min(1e9, each))) for each in (start, length))
    if begin < 1:
        size -= begin
        begin = 1
    return text[begin - 1 : begin - 1 + size] if size > 0 else ""


def _substr_busybox(text: str, start: float, length: float) -> str:
    begin, size = (int(max(-1e9, min(1e9, each))) if each == each else 0 for each in (start, length))
    begin = max(0, begin - 1)
    return text[begin : begin + size] if size > 0 else ""


def _split(m: Evaluator, nodes: list[Node], text: str) -> float:
    if nodes[1][0] != "var":
        return 0.0
    if len(nodes) > 2:
        node = nodes[2]
        parts = m.split(text, node[1] if node[0] == "regex" else m.text(m.ev(node)))
        if node == ("regex", " "):
            parts = [Field(each) for each in text.split(" ")]
    else:
        parts = m.split(text, m.setting("FS"))
    found = m.array(nodes[1][1])
    found.clear()
    found.update({str(number_of): part for number_of, part in enumerate(parts, 1)})
    return float(len(parts))


def _replacement(template: str, matched: str) -> str:
    if "\\" not in template:
        return template.replace("&", matched)
    out, pos = [], 0
    while pos < len(template):
        char = template[pos]
        if char == "\\" and template[pos + 1 : pos + 2] in ("&", "\\"):
            out.append(template[pos + 1])
            pos += 2
            continue
        out.append(matched if char == "&" else char)
        pos += 1
    return "".join(out)


def _replaced(m: Evaluator, nodes: list[Node], text: str, first: int, last: int) -> tuple[str, int]:
    """A text with the matches from the `first` to the `last` replaced, and how many."""
    template = m.text(m.ev(nodes[1]))
    out: list[str] = []
    pos = count = size = 0
    for at, found in enumerate(m.pattern(nodes[0]).all(text), 1):
        m.steps += 1
        if at < first:
            continue
        piece = _replacement(template, text[found.start : found.end])
        out += [text[pos : found.start], piece]
        size += len(piece)
        pos = found.end
        count += 1
        if at >= last or size > 8_000_000:
            break
    return "".join(out) + text[pos:], count


def _sub(m: Evaluator, nodes: list[Node], globally: bool) -> float:
    target: Node = nodes[2] if len(nodes) > 2 else ("field", ("num", 0.0))
    made, count = _replaced(m, nodes, m.text(m.ev(target)), 1, 10**9 if globally else 1)
    if count and target[0] in ("var", "field", "index"):
        m.store(target, made)
    return float(count)


def _gensub(m: Evaluator, nodes: list[Node], which: str) -> str:
    text = m.text(m.ev(nodes[3])) if len(nodes) > 3 else m.text(m.field(0))
    if which[:1] in ("g", "G"):
        return _replaced(m, nodes, text, 1, 10**9)[0]
    at = max(1, int(number(which)))
    return _replaced(m, nodes, text, at, at)[0]


def _mktime(m: Evaluator, text: str) -> float:
    try:
        year, month, day, hour, minute, second = (int(each[:6]) for each in text.split()[:6])
        wall = datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp()
    except (ValueError, OverflowError):
        return -1.0
    return wall - zone_of(m.p).at(wall).offset


def _math(name: str, values: list[float]) -> float:
    first, second = (*values, 0.0)[:2]
    try:
        match name:
            case "int":
                return float(math.trunc(first))
            case "sqrt":
                return math.sqrt(first) if first >= 0 else -math.nan
            case "exp":
                return math.exp(first)
            case "log":
                return math.log(first) if first > 0 else -math.inf if first == 0 else -math.nan
            case "sin":
                return math.sin(first)
            case "cos":
                return math.cos(first)
            case "atan2":
                return math.atan2(first, second)
        one, other = int(first) & _MASK, int(second) & _MASK
        bits = {
            "and": one & other, "or": one | other, "xor": one ^ other, "compl": ~one,
            "lshift": one << min(other, 64), "rshift": one >> min(other, 64),
        }  # fmt: skip
        return float(bits[name] & _MASK)
    except (OverflowError, ValueError):
        return first if name == "int" else math.inf
