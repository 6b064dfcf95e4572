"""printf: the builtin of the three shells."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from urltrap.machine.api import decode, encode
from urltrap.machine.errors import BudgetError
from urltrap.machine.programs._zone import local
from urltrap.machine.shell.ansi_c import format_escape, unescape_echo
from urltrap.machine.shell.arithmetic import wrap
from urltrap.machine.shell.builtins.registry import builtin
from urltrap.machine.shell.expansion.transform import printf_quote
from urltrap.machine.shell.timeformat import strftime

if TYPE_CHECKING:
    from urltrap.machine.shell.interpreter.shell import Gen, Shell

_SPEC = re.compile(r"([-+ #0']*)(\*|\d+)?(?:\.(\*|-?\d*))?(?:hh|h|ll|l|L|j|z|t)?(\([^)]*\)T|.)?", re.DOTALL)
_SPECIAL = re.compile(r"[%\\]")
_SPEC_DASH = re.compile(r"([-+ #0']*)(\*|\d+)?(?:\.(\*|-?\d*))?(.)?", re.DOTALL)
_MAX_WIDTH = 1_000_000
_FLOAT = re.compile(
    r"[ \t\n]*[-+]?(?:\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?|inf(?:inity)?|nan)", re.IGNORECASE
)


class _Printer:
    """One call of printf: its arguments, output and complaints."""

    def __init__(self, sh: Shell, arguments: list[str]) -> None:
        self.sh = sh
        self.arguments = arguments
        self.position = 0
        self.out = bytearray()
        self.errors: list[str] = []
        self.stopped = False
        self.failed = False

    def next(self) -> str | None:
        """The next argument, None where there is none left."""
        if self.position >= len(self.arguments):
            return None
        self.position += 1
        return self.arguments[self.position - 1]

    def integer(self, signed: bool = True) -> int:
        """The next argument as a number; complaints are kept."""
        text = self.next()
        if text is None:
            return 0
        stripped = text.strip(" \t\n")
        if stripped[:1] in ("'", '"'):
            rest = encode(stripped[1:])
            if not rest:
                return 0
            try:
                return ord(rest.decode()[0])
            except UnicodeDecodeError:
                return rest[0]
        match = re.match(r"[-+]?(0[xX][0-9a-fA-F]+|[0-9]+)", stripped)
        if match is None:
            if stripped:
                self.bad(text, True)
            return 0
        body = match.group(1)
        value = (
            int(body[2:], 16) if body[:2].lower() == "0x" else
            self._octal(body) if body[0] == "0" and len(body) > 1 else int(body[:400])
        )  # fmt: skip
        if match.group().startswith("-"):
            value = -value
        if match.end() != len(stripped) or (
            body[0] == "0" and any(c in "89" for c in body) and "x" not in body.lower()
        ):
            self.bad(text, False)
            if self.sh.dialect.name == "ash":
                return 0
        most = 0x7FFFFFFFFFFFFFFF if signed else 0xFFFFFFFFFFFFFFFF
        if value > most or value < -0x8000000000000000:
            self.errors.append(f"warning: {text}: Numerical result out of range")
            return max(-0x8000000000000000, min(value, most))
        return value

    def _octal(self, body: str) -> int:
        digits = re.match(r"[0-7]*", body)
        assert digits is not None  # the pattern matches the empty string
        return int(digits.group() or "0", 8)

    def bad(self, text: str, whole: bool) -> None:
        """Complain about an argument that is no number."""
        self.failed = True
        name = self.sh.dialect.name
        if name == "bash":
            self.errors.append(f"{text}: invalid number")
        elif name == "dash":
            self.errors.append(f"{text}: {'expected numeric value' if whole else 'not completely converted'}")
        else:
            self.errors.append(f"invalid number '{text}'")

    def float(self) -> float:
        """The next argument as a floating-point number."""
        text = self.next()
        if text is None:
            return 0.0
        if text[:1] in ("'", '"') and len(text) > 1:
            return float(ord(text[1]))
        match = _FLOAT.match(text)
        if match is None:
            hexadecimal = re.match(r"[ \t]*[-+]?0[xX][0-9a-fA-F.]+(p[-+]?\d+)?", text)
            if hexadecimal is not None and hexadecimal.end() == len(text):
                return float.fromhex(text)
            self.bad(text, True)
            return 0.0
        if match.end() != len(text):
            self.bad(text, False)
        return float(match.group())


def _pad(text: bytes, width: int, left: bool) -> bytes:
    return text.ljust(width) if left else text.rjust(width)


def _format_integer(value: int, flags: str, width: int, precision: int | None, kind: str) -> bytes:
    negative = False
    if kind in "di":
        value = wrap(value)
        negative = value < 0
        digits = str(abs(value))
    else:
        value &= 0xFFFFFFFFFFFFFFFF
        digits = {"u": str(value), "o": f"{value:o}", "x": f"{value:x}", "X": f"{value:X}"}[kind]
    if precision is not None:
        digits = "" if precision == 0 and value == 0 else digits.rjust(precision, "0")
    prefix = ""
    if kind in "di":
        prefix = "-" if negative else "+" if "+" in flags else " " if " " in flags else ""
    elif "#" in flags and value:
        if kind in "xX":
            prefix = "0" + kind
        elif kind == "o" and not digits.startswith("0"):
            digits = "0" + digits
    if "0" in flags and "-" not in flags and precision is None:
        digits = digits.rjust(width - len(prefix), "0")
    return _pad((prefix + digits).encode(), width, "-" in flags)


def _format_float(value: float, flags: str, width: int, precision: int | None, kind: str) -> bytes:
    if kind in "aA":
        text = value.hex() if kind == "a" else value.hex().upper()
    else:
        spec = (
            "%"
            + "".join(c for c in flags if c in "+ #")
            + f".{6 if precision is None else min(precision, 350)}{kind}"
        )
        text = spec % value
    if "0" in flags and "-" not in flags and value == value and value not in (float("inf"), float("-inf")):
        sign = text[0] if text[:1] in "+- " else ""
        text = sign + text[len(sign) :].rjust(width - len(sign), "0")
    return _pad(text.encode(), width, "-" in flags)


def _one_pass(printer: _Printer, template: str) -> str | None:
    """Print the format once; a message where it is wrong."""
    sh = printer.sh
    pos, size = 0, len(template)
    while pos < size:
        special = _SPECIAL.search(template, pos)
        stop = special.start() if special else size
        printer.out += encode(template[pos:stop])
        pos = stop
        if pos >= size:
            break
        if template[pos] == "\\":
            if template.startswith("\\c", pos) and sh.dialect.name == "ash":
                printer.stopped = True
                return None
            data, pos = format_escape(template, pos + 1, hex_escapes=sh.dialect.name != "dash")
            printer.out += data
            continue
        if template.startswith("%%", pos):
            printer.out += b"%"
            pos += 2
            continue
        match = (_SPEC_DASH if sh.dialect.name == "dash" else _SPEC).match(template, pos + 1)
        assert match is not None  # all of its parts are optional
        message = _convert(printer, match)
        if message is not None:
            return message
        if printer.stopped:
            return None
        pos = match.end()
        if len(printer.out) > 4_000_000:
            raise BudgetError("printf output", 4_000_000)
    return None


def _convert(printer: _Printer, match: re.Match[str]) -> str | None:
    sh = printer.sh
    flags = match.group(1) or ""
    width_text, precision_text, kind = match.group(2), match.group(3), match.group(4)
    if width_text == "*":
        width = printer.integer()
        if width < 0:
            flags += "-"
            width = -width
    else:
        width = int(width_text[:9]) if width_text else 0
    precision: int | None = None
    if precision_text is not None:
        if precision_text == "*":
            precision = printer.integer()
            precision = None if precision < 0 else precision
        else:
            precision = int(precision_text[:9]) if precision_text.lstrip("-") else 0
            if precision < 0:
                precision = None
    if width > _MAX_WIDTH or (precision or 0) > _MAX_WIDTH:
        raise BudgetError("printf width", _MAX_WIDTH)
    if kind is None:
        printed = match.group()
        if sh.dialect.bash:
            return f"`%{printed}': missing format character" if printed else "`%': missing format character"
        return (
            f"%{printed}: invalid directive" if sh.dialect.name == "dash" else f"%{printed}: invalid format"
        )
    left = "-" in flags
    if kind == "s":
        data = encode(printer.next() or "")
        printer.out += _pad(data if precision is None else data[:precision], width, left)
    elif kind == "b":
        data, stopped = unescape_echo(printer.next() or "", octal_needs_zero=False,
                                      hex_escapes=sh.dialect.name != "dash")  # fmt: skip
        printer.out += _pad(data if precision is None else data[:precision], width, left)
        printer.stopped = stopped
    elif kind == "c":
        printer.out += _pad(encode((printer.next() or "")[:1]), width, left)
    elif kind == "q" and sh.dialect.bash:
        printer.out += _pad(encode(printf_quote(printer.next() or "")), width, left)
    elif kind in "diouxX":
        printer.out += _format_integer(printer.integer(kind in "di"), flags, width, precision, kind)
    elif kind in "eEfFgGaA":
        printer.out += _format_float(printer.float(), flags, width, precision, kind)
    elif kind.endswith("T") and sh.dialect.bash:
        text = printer.next()
        moment = sh.p.now() if text is None or text == "-1" else (
            sh.seconds_base if text == "-2" else float(int(text)) if text.lstrip("-").isdecimal() else 0.0
        )  # fmt: skip
        at = local(sh.p, moment, sh.getvar("TZ", "") or None)
        printer.out += _pad(encode(strftime(kind[1:-2] or "%X", moment, at.zone, at.offset)), width, left)
    else:
        if sh.dialect.bash:
            return f"`{kind}': invalid format character"
        if sh.dialect.name == "dash":
            return f"%{match.group()}: invalid directive"
        return f"%{match.string[match.start(4) :]}: invalid format"
    return None


@builtin("printf")
def printf(sh: Shell, argv: list[str]) -> Gen[int]:
    """Formatted output; with ``-v`` into a variable."""
    words = argv[1:]
    variable = ""
    if sh.dialect.bash and words[:1] == ["-v"] and len(words) > 1:
        variable, words = words[1], words[2:]
    elif sh.dialect.bash and words and words[0].startswith("-") and len(words[0]) > 1 and words[0] != "--":
        yield from sh.complain(f"{words[0][:2]}: invalid option", "printf")
        yield from sh.p.err("printf: usage: printf [-v var] format [arguments]\n")
        return 2
    elif sh.dialect.name == "dash" and words and words[0].startswith("-") and words[0] not in ("-", "--"):
        yield from sh.complain(f"Illegal option {words[0][:2]}", "printf")
        return 2
    if words[:1] == ["--"]:
        words = words[1:]
    if not words:
        if sh.dialect.bash:
            yield from sh.p.err("printf: usage: printf [-v var] format [arguments]\n")
        elif sh.dialect.name == "dash":
            yield from sh.complain("usage: printf format [arg ...]", "printf")
        else:
            yield from sh.p.err(f"{sh.message_name}: usage: printf FORMAT [ARGUMENT...]\n")
        return 2
    printer = _Printer(sh, [str(word) for word in words[1:]])
    message = None
    while True:
        before = printer.position
        message = _one_pass(printer, str(words[0]))
        yield from sh.p.tick(1 + len(words[0]) // 32)
        if (
            message
            or printer.stopped
            or printer.position >= len(printer.arguments)
            or printer.position == before
        ):
            break
        if len(printer.out) > 4_000_000:
            raise BudgetError("printf output", 4_000_000)
    if variable:
        from urltrap.machine.shell.builtins.variables import assign_name

        assign_name(sh, variable, decode(bytes(printer.out).split(b"\0")[0]))
    elif printer.errors and sh.dialect.bash:
        yield from sh.p.write(1, bytes(printer.out))
    for text in [*printer.errors, *([message] if message else [])]:
        if sh.dialect.name == "ash":
            yield from sh.p.err(f"{sh.message_name}: {text}\n")
        else:
            yield from sh.complain(text, "printf")
    if not variable and not (printer.errors and sh.dialect.bash):
        yield from sh.p.write(1, bytes(printer.out))
    if message:
        return 2 if sh.dialect.name == "dash" else 1
    return int(printer.failed)
