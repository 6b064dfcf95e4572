"""Perl's values: scalars, arrays, hashes, code, globs and references, and how they turn into strings and numbers.

A scalar's value is None (undef), str (one character per byte, or wide ones), int, float, `Ref`, `Glob` or `Dual`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Generator
from typing import Any

Gen = Generator[Any, Any, Any]
LARGEST = 8_000_000
"""Characters or elements of one value; beyond there is no memory on such a machine."""
_NUMBER = re.compile(r"[ \t\n\r\f]*([+-]?(?:\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?))")
_SPECIAL = re.compile(r"\s*([+-]?)(inf(?:inity)?|nan)", re.IGNORECASE)
_WHOLE = re.compile(r"\s*[+-]?\d+\s*")
_ADDRESS = 0x55D0_4A2B_1000


class Node:
    """A node of the syntax tree: its kind, its line, and up to four parts that depend on the kind."""

    __slots__ = ("a", "b", "c", "d", "k", "line")

    def __init__(self, k: str, line: int, a: Any = None, b: Any = None, c: Any = None, d: Any = None) -> None:
        self.k, self.line = k, line
        self.a, self.b, self.c, self.d = a, b, c, d

    def __deepcopy__(self, memo: Any) -> Node:
        return self

    def __repr__(self) -> str:
        return f"{self.k}({', '.join(repr(each) for each in (self.a, self.b, self.c, self.d) if each is not None)})"


class Scalar:
    """A variable that holds one value."""

    __slots__ = ("bless", "v")

    def __init__(self, v: Any = None) -> None:
        self.v = v
        self.bless: str | None = None

    def set(self, v: Any) -> None:
        """Assign."""
        self.v = v


class Magic(Scalar):
    """A variable whose value is asked for, and told, elsewhere."""

    __slots__ = ("get", "put")

    def __init__(self, get: Any, put: Any = None) -> None:
        self.get, self.put = get, put
        self.bless = None

    @property
    def v(self) -> Any:
        """What it is now."""
        return self.get()

    @v.setter
    def v(self, value: Any) -> None:
        if self.put is None:
            raise PerlDie("Modification of a read-only value attempted", located=False)
        self.put(value)

    def set(self, v: Any) -> None:
        """Assign."""
        self.v = v

    def __deepcopy__(self, memo: Any) -> Magic:
        import copy

        return Magic(copy.deepcopy(self.get, memo), copy.deepcopy(self.put, memo))


class Array:
    """An array: its elements are `Scalar`."""

    __slots__ = ("a", "bless")

    def __init__(self, a: list[Scalar] | None = None) -> None:
        self.a: list[Scalar] = a if a is not None else []
        self.bless: str | None = None

    def at(self, index: int) -> Scalar:
        """The element, made where there is none; IndexError's words of perl where it cannot be."""
        found = self.a
        if index < 0:
            index += len(found)
            if index < 0:
                raise PerlDie(f"Modification of non-creatable array value attempted, subscript {index - len(found)}",
                              located=False)  # fmt: skip
        if index >= len(found):
            if index > LARGEST // 8:
                raise PerlDie("Out of memory during array extend", located=False)
            found.extend([Scalar() for _ in range(index + 1 - len(found))])
        return found[index]

    def get(self, index: int) -> Any:
        """The value of an element; None where there is none."""
        try:
            return self.a[index].v
        except IndexError:
            return None


class Hash:
    """A hash: its values are `Scalar`. `place` is how far `each` came."""

    __slots__ = ("bless", "h", "magic", "place")

    def __init__(self, h: dict[str, Scalar] | None = None) -> None:
        self.h: dict[str, Scalar] = h if h is not None else {}
        self.place: list[str] | None = None
        self.bless: str | None = None
        self.magic: Any = None

    def at(self, key: str) -> Scalar:
        """The element, made where there is none."""
        found = self.h.get(key)
        if found is None:
            found = self.h[key] = Scalar()
        return found


class Code:
    """A sub: of the program (`body`, what it captured) or of ours (`native`)."""

    __slots__ = ("bless", "body", "captured", "name", "native", "package", "prototype", "size")

    def __init__(self, name: str, package: str, body: Any = None, native: Any = None) -> None:
        self.name, self.package, self.body, self.native = name, package, body, native
        self.captured: list[tuple[int, Any]] = []
        self.size = 0
        self.bless: str | None = None
        self.prototype: str | None = None

    def __deepcopy__(self, memo: Any) -> Any:
        if self.native is not None:
            return self
        import copy

        made = Code(self.name, self.package, self.body)
        memo[id(self)] = made
        made.size, made.bless, made.prototype = self.size, self.bless, self.prototype
        made.captured = copy.deepcopy(self.captured, memo)
        return made


class Glob:
    """A name of the symbol table as a value, with what is opened under it."""

    __slots__ = ("bless", "dir", "io", "name", "slots")

    def __init__(self, name: str) -> None:
        self.name = name
        self.io: Any = None
        self.dir: Any = None
        self.bless: str | None = None
        self.slots: Hash | None = None


class Ref:
    """A reference."""

    __slots__ = ("t",)

    def __init__(self, t: Any) -> None:
        self.t = t


class Dual:
    """A value with a number and a text of its own, as $! is."""

    __slots__ = ("n", "s")

    def __init__(self, n: int, s: str) -> None:
        self.n, self.s = n, s


class Pattern:
    """What qr// makes (blessed into Regexp): its source with flags."""

    __slots__ = ("bless", "flags", "source")

    def __init__(self, source: str, flags: str) -> None:
        self.source, self.flags = source, flags
        self.bless: str | None = "Regexp"


class PerlDie(Exception):
    """die: its value. Text that does not end in a newline gets its place where `located` is not yet true."""

    def __init__(self, value: Any, located: bool = True) -> None:
        super().__init__(value)
        self.value = value
        self.located = located


class Unsupported(Exception):
    """Something that this interpreter does not have: it ends as a crash and is counted."""


class Leave(Exception):
    """exit."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Jump(Exception):
    """next, last, redo: which, and the label ("" for the innermost loop)."""

    def __init__(self, how: str, label: str) -> None:
        super().__init__(how, label)
        self.how, self.label = how, label


class Return(Exception):
    """return."""

    def __init__(self, value: Any) -> None:
        super().__init__()
        self.value = value


class Enter:
    """Asks whoever drives to run this first and to answer with what it returns: a call that must not nest."""

    __slots__ = ("body",)

    def __init__(self, body: Gen) -> None:
        self.body = body


def norm(number: int) -> int | float:
    """A whole number as perl keeps it: 64 bits, else a float."""
    if -0x8000_0000_0000_0000 <= number <= 0xFFFF_FFFF_FFFF_FFFF:
        return number
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def num(v: Any) -> int | float:
    """The number that a value stands for."""
    kind = type(v)
    if kind is int or kind is float:
        return v  # type: ignore[no-any-return]
    if v is None:
        return 0
    if kind is str:
        found = _NUMBER.match(v[:400])
        if found is None:
            if special := _SPECIAL.match(v[:40]):
                value = math.nan if special[2].lower() == "nan" else math.inf
                return -value if special[1] == "-" else value
            return 0
        text = found[1]
        if text.lstrip("+-").isdecimal():
            return norm(int(text))
        value = float(text)
        return value
    if kind is Dual:
        return v.n  # type: ignore[no-any-return]
    if kind is Ref:
        return address(v.t)
    if kind is bool:
        return int(v)
    return 0


def looks_like_number(v: Any) -> bool:
    """Scalar::Util's."""
    if isinstance(v, (int, float)):
        return True
    if not isinstance(v, str):
        return isinstance(v, Dual)
    found = _NUMBER.match(v)
    return (found is not None and not v[found.end() :].strip()) or _SPECIAL.fullmatch(v.strip()) is not None


def whole(v: Any) -> int:
    """The number cut to a whole one."""
    found = num(v)
    if type(found) is int:
        return found
    if math.isnan(found):
        return 0
    if math.isinf(found):
        return 0xFFFF_FFFF_FFFF_FFFF if found > 0 else -0x8000_0000_0000_0000
    return int(found)


def shown(number: float) -> str:
    """A float as perl prints it (%.15g)."""
    if number != number:
        return "NaN"
    if math.isinf(number):
        return "Inf" if number > 0 else "-Inf"
    if number == int(number) and abs(number) < 1e15:
        return str(int(number))
    text = f"{number:.15g}"
    if "e" in text:
        mantissa, _, exponent = text.partition("e")
        return f"{mantissa}e{exponent[0]}{exponent[1:].zfill(2)}"
    return text


def string(v: Any) -> str:
    """The string that a value stands for."""
    kind = type(v)
    if kind is str:
        return v  # type: ignore[no-any-return]
    if kind is int:
        return str(v)
    if v is None:
        return ""
    if kind is float:
        return shown(v)
    if kind is Ref:
        return ref_text(v)
    if kind is Dual:
        return v.s  # type: ignore[no-any-return]
    if kind is Glob:
        return "*" + v.name  # type: ignore[no-any-return]
    return str(v)


def truth(v: Any) -> bool:
    """Whether a value is true."""
    if v is None:
        return False
    kind = type(v)
    if kind is str:
        return bool(v != "" and v != "0")
    if kind is int or kind is float:
        return bool(v != 0)
    if kind is Dual:
        return bool(v.s not in ("", "0") or v.n != 0)
    return True


_KINDS = {
    Scalar: "SCALAR",
    Array: "ARRAY",
    Hash: "HASH",
    Code: "CODE",
    Glob: "GLOB",
    Pattern: "Regexp",
    Magic: "SCALAR",
}


def address(target: Any) -> int:
    """The address that a thing is shown with: from its place in this program's memory, not from the host's."""
    return _ADDRESS + (id(target) // 8 * 0x18 & 0xFFF_FFF8)


def kind_of(target: Any) -> str:
    """SCALAR, ARRAY, HASH, CODE, GLOB, REF."""
    if isinstance(target, Scalar) and type(target.v) is Ref:
        return "REF"
    return _KINDS.get(type(target), "SCALAR")


def ref_text(v: Ref) -> str:
    """A reference as a string."""
    target = v.t
    if type(target) is Pattern and target.bless == "Regexp":
        return pattern_text(target)
    kind = "SCALAR" if type(target) is Pattern else kind_of(target)
    text = f"{kind}(0x{address(target):x})"
    return f"{target.bless}={text}" if target.bless else text


def pattern_text(found: Pattern) -> str:
    """(?^i:…)."""
    return f"(?^{found.flags}:{found.source})"


def value_of(item: Any) -> Any:
    """An item of a list, which may be a variable, as its value."""
    return item.v if isinstance(item, Scalar) else item


def values(items: list[Any]) -> list[Any]:
    """The values of a list's items."""
    return [each.v if isinstance(each, Scalar) else each for each in items]


def fresh(items: list[Any]) -> list[Scalar]:
    """New variables with the values of a list's items."""
    return [Scalar(each.v if isinstance(each, Scalar) else each) for each in items]


def to_bytes(text: str) -> bytes:
    """A string as it is written without a layer: wide characters as UTF-8."""
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def hash_of(items: list[Any]) -> dict[str, Scalar]:
    """The elements that a list of keys and values makes."""
    made: dict[str, Scalar] = {}
    found = values(items)
    for at in range(0, len(found), 2):
        made[string(found[at])] = Scalar(found[at + 1] if at + 1 < len(found) else None)
    return made
