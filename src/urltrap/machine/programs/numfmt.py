"""numfmt: numbers with and without units (GNU coreutils)."""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, ROUND_HALF_UP, ROUND_UP, Decimal

from urltrap.machine.api import decode
from urltrap.machine.programs._choices import bad_choice
from urltrap.machine.programs._cmd import Cmd, Gen, command

_LETTERS = "KMGTPEZY"
_SCALES = ("none", "auto", "si", "iec", "iec-i")
_ROUNDS = {"up": ROUND_UP, "down": ROUND_DOWN, "from-zero": ROUND_UP, "towards-zero": ROUND_DOWN,
           "nearest": ROUND_HALF_UP}  # fmt: skip
_NUMBER = re.compile(r"(-?\d*\.?\d+)([A-Za-z]*)(.*)", re.DOTALL)
_DIGITS_MAX = 27


class _Wrong(Exception):
    pass


@command(
    "numfmt", short="d:z", bb=False,
    long={"from:": "from", "to:": "to", "from-unit:": "fu", "to-unit:": "tu", "padding:": "p", "suffix:": "s",
          "round:": "r", "grouping": "g", "field:": "field", "delimiter:": "d", "format:": "f", "header::": "h",
          "invalid:": "i", "debug": "debug", "zero-terminated": "z"},
)  # fmt: skip
def numfmt(c: Cmd) -> Gen:
    """Reformat numbers."""
    for name, valid in (("from", _SCALES), ("to", ("none", *_SCALES[2:])), ("r", ("up", *list(_ROUNDS)[1:]))):
        value = c.value(name)
        if value is not None and value not in valid:
            return (yield from bad_choice(c, value, {"r": "--round"}.get(name, f"--{name}"), valid))
    status = 0
    if c.args:
        lines = list(c.args)
    else:
        lines = decode((yield from c.load("-"))).removesuffix("\n").split("\n")
        lines = [] if lines == [""] else lines
    header = int(c.value("h") or 1) if c.has("h") and not c.args and (c.value("h") or "1").isdecimal() else 0
    for number, line in enumerate(lines):
        yield from c.p.tick(3)
        try:
            shown = line if number < header else _line(c, line)
        except _Wrong as problem:
            if c.value("i") in (None, "abort", "fail", "warn"):
                yield from c.flush()
                yield from c.warn(str(problem))
            if c.value("i") in (None, "abort"):
                return 2
            status = 2 if c.value("i") == "fail" else status
            shown = line
        yield from c.say(f"{shown}\n")
    return status


def _line(c: Cmd, line: str) -> str:
    wanted = c.value("field") or "1"
    delimiter = c.value("d")
    parts = line.split(delimiter) if delimiter else re.findall(r"\s*\S+", line)
    out = []
    for number, part in enumerate(parts, 1):
        if not _in(number, wanted):
            out.append(part)
            continue
        body = part.lstrip() if not delimiter else part
        blank = part[: len(part) - len(body)]
        text = _converted(c, body)
        # Without a padding of its own a field keeps the width that it had.
        width = len(part) if len(blank) > 1 and c.value("p") is None else 0
        out.append(text.rjust(width) if width else blank + text)
    return (delimiter or "").join(out) if parts else line


def _in(number: int, wanted: str) -> bool:
    for part in wanted.split(","):
        low, dash, high = part.partition("-")
        first = int(low) if low.isdecimal() else 1
        last = int(high) if high.isdecimal() else (1 << 30 if dash else first)
        if first <= number <= last:
            return True
    return False


def _converted(c: Cmd, word: str) -> str:
    suffix = c.value("s") or ""
    value = _read(c, word.removesuffix(suffix) if suffix else word)
    value = value * int(c.value("fu") or 1) / int(c.value("tu") or 1)
    found = re.fullmatch(r"([^%]*)%('?)(0?)(-?\d*)(?:\.(\d+))?f(.*)", c.value("f") or "")
    places = int(found[5][:2]) if found and found[5] else None
    text = _shown(c, value, places) + suffix
    if found:
        width = int(found[4] or 0) if found[4] not in ("", "-") else 0
        text = text.ljust(-width) if width < 0 else text.rjust(width, "0" if found[3] else " ")
        text = found[1] + text + found[6]
    padding = c.value("p") or ""
    if re.fullmatch(r"-?\d{1,4}", padding):
        text = text.ljust(-int(padding)) if padding.startswith("-") else text.rjust(int(padding))
    return text


def _read(c: Cmd, word: str) -> Decimal:
    found = _NUMBER.fullmatch(word)
    if found is None or len(found[1]) > _DIGITS_MAX:
        raise _Wrong(f"invalid number: {c.lq(word)}")
    value, unit, scale = Decimal(found[1]), found[2], c.value("from") or "none"
    if found[3]:
        raise _Wrong(f"invalid suffix in input {c.lq(word)}: {c.lq(found[3])}")
    if not unit:
        if scale == "iec-i":
            raise _Wrong(f"missing 'i' suffix in input: {c.lq(word)} (e.g Ki/Mi/Gi)")
        return value
    if scale == "none":
        if unit[0] in _LETTERS:
            raise _Wrong(f"rejecting suffix in input: {c.lq(word)} (consider using --from)")
        raise _Wrong(f"invalid suffix in input: {c.lq(word)}")
    binary = scale in ("iec", "iec-i") or (scale == "auto" and unit[1:] == "i")
    if unit[0] not in _LETTERS or unit[1:] not in (
        ("i",) if scale == "iec-i" else ("", "i") if scale == "auto" else ("",)
    ):
        raise _Wrong(f"invalid suffix in input: {c.lq(word)}")
    return value * Decimal(1024 if binary else 1000) ** (_LETTERS.index(unit[0]) + 1)


def _shown(c: Cmd, value: Decimal, places: int | None) -> str:
    scale = c.value("to") or "none"
    way = c.value("r") or "from-zero"
    rounding = _ROUNDS[way]
    if way == "up":
        rounding = ROUND_CEILING
    elif way == "down":
        rounding = ROUND_FLOOR
    if scale == "none":
        exponent, scaled = value.as_tuple().exponent, c.has("from") and value == value.to_integral_value()
        digits = max(0, -exponent) if isinstance(exponent, int) and not scaled else 0
        digits = digits if places is None else places
        return f"{value.quantize(Decimal(1).scaleb(-digits), rounding)}"
    base, power, rest = (1000 if scale == "si" else 1024), 0, value
    while abs(rest) >= base and power < len(_LETTERS):
        rest /= base
        power += 1
    small = power > 0 and abs(rest) < 10
    digits = places if places is not None else 1 if small else 0
    shown = rest.quantize(Decimal(1).scaleb(-digits), rounding)
    if places is None and small and abs(shown) >= 10:
        shown = rest.quantize(Decimal(1), rounding)
    if abs(shown) >= base and power < len(_LETTERS):
        shown, power = (
            (shown / base).quantize(Decimal("0.1") if places is None else Decimal(1).scaleb(-digits)),
            power + 1,
        )
    unit = _LETTERS[power - 1] + ("i" if scale == "iec-i" else "") if power else ""
    return f"{shown}{unit}"
