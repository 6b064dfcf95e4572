"""sprintf."""

from __future__ import annotations

import math
import re
from typing import Any

from urltrap.machine.programs.perl._values import LARGEST, num, shown, string, whole
from urltrap.machine.programs.perl._vm import Vm

_ONE = re.compile(
    r"%(?:(\d+)\$)?([-+ 0#]*)(v?)(\*|\d+)?(?:\.(\*|-?\d*))?(?:hh|h|ll|l|q|L|V|z|t|j)?([a-zA-Z%])"
)
_MASK = 0xFFFF_FFFF_FFFF_FFFF


def sprintf(vm: Vm, form: str, args: list[Any]) -> str:
    """The text of a format; what it does not know stays as it is."""
    out: list[str] = []
    at = used = size = 0
    while (percent := form.find("%", at)) >= 0:
        out.append(form[at:percent])
        found = _ONE.match(form, percent)
        if found is None:
            out.append("%")
            at = percent + 1
            continue
        at = found.end()
        index, flags, vector, width, precision, letter = found.groups()
        if letter == "%":
            out.append("%")
            continue

        def following() -> Any:
            nonlocal used
            used += 1
            return args[used - 1] if used <= len(args) else None

        if width == "*":
            wide = whole(following())
            if wide < 0:
                flags, wide = flags + "-", -wide
        else:
            wide = int(width or 0)
        exact = None
        if precision is not None:
            exact = max(0, whole(following()) if precision == "*" else int(precision or 0))
        if wide > LARGEST or (exact or 0) > LARGEST:
            raise vm.die("Out of memory!")
        if letter not in "csdiuoxXbBeEfgGFvDUOnp":
            out.append(found[0])
            continue
        value = (args[int(index) - 1] if int(index) <= len(args) else None) if index else following()
        if vector:
            # $^V prints as "v5.36.0" and is the version string that this stands for.
            plain = re.fullmatch(r"v(\d+(?:\.\d+)*)", string(value))
            codes = plain[1].split(".") if plain else [str(ord(each)) for each in string(value)]
            out.append(
                ".".join(
                    _padded(_one(letter, flags, None, each), flags, wide, "0" in flags) for each in codes
                )
            )
        else:
            out.append(_sized(_one(letter, flags, exact, value), letter, flags, wide, exact))
        size += len(out[-1])
        if size > LARGEST:
            raise vm.die("Out of memory!")
    out.append(form[at:])
    text = "".join(out)
    if len(text) > 512:
        vm.grow(len(text))
    return text


def _padded(text: str, flags: str, wide: int, zeros: bool = False) -> str:
    if len(text) >= wide:
        return text
    if "-" in flags:
        return text.ljust(wide)
    if zeros:
        sign = text[:1] if text[:1] in "+- " else ""
        rest = text[len(sign) :]
        prefix = rest[:2] if rest[:2] in ("0x", "0X", "0b", "0B") else ""
        return sign + prefix + rest[len(prefix) :].rjust(wide - len(sign) - len(prefix), "0")
    return text.rjust(wide)


def _sized(text: str, letter: str, flags: str, wide: int, exact: int | None) -> str:
    zeros = "0" in flags and (letter in "eEfgGFsc" or exact is None) and not text.endswith(("Inf", "NaN"))
    return _padded(text, flags, wide, zeros)


def _one(letter: str, flags: str, exact: int | None, value: Any) -> str:
    if letter == "s":
        text = string(value)
        return text if exact is None else text[:exact]
    if letter == "c":
        code = whole(value)
        return chr(code) if 0 <= code <= 0x10FFFF else "\ufffd"
    if letter in "diuDU":
        number = num(value)
        if isinstance(number, float) and not math.isfinite(number):
            return "-1" if letter in "uU" else shown(number) if number == number else "NaN"
        number = int(number)
        if letter in "uU":
            number &= _MASK
        elif number > 0x7FFF_FFFF_FFFF_FFFF and isinstance(num(value), float):
            number = 0x7FFF_FFFF_FFFF_FFFF
        text = str(abs(number)).rjust(exact or 0, "0")
        sign = "-" if number < 0 else "+" if "+" in flags else " " if " " in flags else ""
        return sign + text
    if letter in "oxXbBO":
        number = whole(value) & _MASK
        text = format(number, {"O": "o", "B": "b"}.get(letter, letter)).rjust(exact or 0, "0")
        if "#" in flags and number:
            text = {"x": "0x", "X": "0X", "b": "0b", "B": "0B"}.get(letter, "0") + text
        return text
    number = float(num(value))
    sign = "+" if "+" in flags and not number < 0 else " " if " " in flags and not number < 0 else ""
    if not math.isfinite(number):
        return sign + shown(number)
    places = 6 if exact is None else min(exact, 400)
    text = f"{number:{'#' if '#' in flags else ''}.{places}{letter}}"
    return sign + text
