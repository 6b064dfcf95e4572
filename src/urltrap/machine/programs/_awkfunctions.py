"""awk's functions that cannot block."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from urltrap.machine.programs._awkparse import Node
from urltrap.machine.programs._awkvalue import Field, Value, number, sprintf, string
from urltrap.machine.shell.timeformat import strftime

if TYPE_CHECKING:
    from urltrap.machine.programs._awkrun import Machine


def call(m: Machine, name: str, nodes: list[Node]) -> Value:
    """The value of a built-in function."""
    form = string(m.globals["CONVFMT"])

    def text(at: int, default: str = "") -> str:
        return string(m.ev(nodes[at]), form) if at < len(nodes) else default

    def real(at: int, default: float = 0.0) -> float:
        return number(m.ev(nodes[at])) if at < len(nodes) else default

    if name == "length":
        if nodes and nodes[0][0] == "var" and isinstance(m.scope(nodes[0][1]).get(nodes[0][1]), dict):
            return float(len(m.array(nodes[0][1])))
        return float(len(text(0) if nodes else string(m.field(0))))
    if name == "substr":
        return _substr(text(0), real(1), real(2, math.inf))
    if name == "index":
        return float(text(0).find(text(1)) + 1)
    if name == "split":
        return _split(m, nodes, text(0))
    if name in ("sub", "gsub"):
        return _sub(m, nodes, name == "gsub")
    if name == "match":
        found = m.pattern(nodes[1]).search(text(0)) if len(nodes) > 1 else None
        m.globals["RSTART"] = float(found.start + 1) if found else 0.0
        m.globals["RLENGTH"] = float(found.end - found.start) if found else -1.0
        return m.globals["RSTART"]
    if name == "sprintf":
        return sprintf(text(0), [m.ev(each) for each in nodes[1:]])
    if name in ("tolower", "toupper"):
        return text(0).lower() if name == "tolower" else text(0).upper()
    if name in ("srand", "rand"):
        return _chance(m, name, real(0) if nodes else None)
    if name == "systime":
        return float(int(m.p.now()))
    if name == "strftime":
        return strftime(text(0, "%c"), real(1, m.p.now()))
    return _math(name, [real(at) for at in range(len(nodes))])


def _substr(text: str, start: float, length: float) -> str:
    if start != start or length != length:
        return ""
    begin = math.floor(start + 0.5) if abs(start) != math.inf else start
    end = math.floor(start + length + 0.5) if abs(start + length) != math.inf else start + length
    if end != end:
        return ""
    low, high = max(1.0, begin), min(float(len(text) + 1), end)
    return text[int(low) - 1 : int(high) - 1] if high > low else ""


def _split(m: Machine, nodes: list[Node], text: str) -> float:
    if len(nodes) < 2 or nodes[1][0] != "var":
        return 0.0
    if len(nodes) > 2:
        node = nodes[2]
        parts = m.split(text, node[1] if node[0] == "regex" else string(m.ev(node)))
        if node[0] == "regex" and len(node[1]) == 1 and node[1] == " ":
            parts = [Field(each) for each in text.split(" ")]
    else:
        parts = m.split(text, string(m.globals["FS"]))
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


def _sub(m: Machine, nodes: list[Node], globally: bool) -> float:
    if len(nodes) < 2:
        return 0.0
    matcher = m.pattern(nodes[0])
    template = string(m.ev(nodes[1]))
    target: Node = nodes[2] if len(nodes) > 2 else ("field", ("num", 0.0))
    text = string(m.ev(target))
    out: list[str] = []
    pos = count = size = 0
    for found in matcher.all(text):
        piece = _replacement(template, text[found.start : found.end])
        out += [text[pos : found.start], piece]
        size += len(piece)
        pos = found.end
        count += 1
        m.steps += 1
        if not globally or size > 8_000_000:
            break
    if count and target[0] in ("var", "field", "index"):
        m.store(target, "".join(out) + text[pos:])
    return float(count)


def _chance(m: Machine, name: str, seed: float | None) -> float:
    if name == "srand":
        before = m.seed
        m.seed = seed if seed is not None else float(int(m.p.now()))
        m.random_state = int(m.seed) & 0x7FFFFFFF if abs(m.seed) < 1e18 else 1
        return before
    if m.random_state == 1 and m.seed == 1.0:
        m.random_state = m.p.random(2**31)
        m.seed = float(m.random_state)
    m.random_state = (m.random_state * 1_103_515_245 + 12_345) & 0x7FFFFFFF
    return m.random_state / 2**31


def _math(name: str, values: list[float]) -> float:
    first = values[0] if values else 0.0
    second = values[1] if len(values) > 1 else 0.0
    try:
        if name == "int":
            return float(math.trunc(first))
        if name == "sqrt":
            return math.sqrt(first) if first >= 0 else -math.nan
        if name == "exp":
            return math.exp(first)
        if name == "log":
            return math.log(first) if first > 0 else -math.inf if first == 0 else math.nan
        if name == "sin":
            return math.sin(first)
        if name == "cos":
            return math.cos(first)
        if name == "atan2":
            return math.atan2(first, second)
        one, other = int(first) & (2**53 - 1), int(second) & (2**53 - 1)
        return float({
            "and": lambda: one & other, "or": lambda: one | other, "xor": lambda: one ^ other,
            "lshift": lambda: (one << min(other, 64)) & (2**53 - 1), "rshift": lambda: one >> min(other, 64),
            "compl": lambda: ~one & (2**53 - 1),
        }[name]())  # fmt: skip
    except (OverflowError, ValueError):
        return first if name == "int" else math.inf
    except KeyError:
        return 0.0
