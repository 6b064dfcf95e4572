"""perl's functions: the table, the ways that they take arguments, and those on strings and numbers."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import GeneratorType
from typing import Any

from urltrap.machine.programs.perl import _eval, _format, _matching, _pack, _places, _warnings
from urltrap.machine.programs.perl._values import (
    Gen,
    Node,
    Scalar,
    Unsupported,
    looks_like_number,
    norm,
    num,
    string,
    to_bytes,
    values,
    whole,
)
from urltrap.machine.programs.perl._vm import Frame, Vm

How = Callable[[Vm, Frame, Node, bool], Gen]
FUNCTIONS: dict[str, How] = {}
Simple = Callable[..., Any]


def function(*names: str) -> Callable[[How], How]:
    """Register what evaluates its node itself."""

    def register(how: How) -> How:
        for each in names:
            FUNCTIONS[each] = how
        return how

    return register


def _finish(value: Any, w: bool) -> Any:
    if w:
        return value if isinstance(value, list) else [value]
    if isinstance(value, list):
        last = value[-1] if value else None
        return last.v if isinstance(last, Scalar) else last
    return value


def unary(*names: str) -> Callable[[Simple], Simple]:
    """Register a function of one value, $_ where none is given: how(vm, value)."""

    def register(how: Simple) -> Simple:
        def run(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
            node = n.b[0] if n.b else Node("$glob", n.line, "main::_")
            value = yield from _eval.ev(vm, f, node)
            if value is None and vm.warnings and n.a in _WARNED:
                yield from _warnings.undefined(vm, f, node, n.a)
            found = how(vm, value)
            if type(found) is GeneratorType:
                found = yield from found
            return _finish(found, w)

        for each in names:
            FUNCTIONS[each] = run
        return how

    return register


def fixed(*names: str) -> Callable[[Simple], Simple]:
    """Register a function whose arguments are single values: how(vm, value, …); it may answer a list."""

    def register(how: Simple) -> Simple:
        def run(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
            args: list[Any] = []
            for each in n.b:
                args.append((yield from _eval.ev(vm, f, each)))
            try:
                found = how(vm, *args)
            except TypeError as problem:
                raise Unsupported(f"{n.a} with {len(args)} arguments") from problem
            if type(found) is GeneratorType:
                found = yield from found
            return _finish(found, w)

        for each in names:
            FUNCTIONS[each] = run
        return how

    return register


def listy(*names: str) -> Callable[[Simple], Simple]:
    """Register a function of a list of values: how(vm, values)."""

    def register(how: Simple) -> Simple:
        def run(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
            args = values((yield from _eval.listed(vm, f, n.b)))
            found = how(vm, args)
            if type(found) is GeneratorType:
                found = yield from found
            return _finish(found, w)

        for each in names:
            FUNCTIONS[each] = run
        return how

    return register


_WARNED = frozenset(
    {"lc", "uc", "lcfirst", "ucfirst", "ord", "chr", "hex", "oct", "int", "abs", "sqrt", "quotemeta"}
)

# strings
_ASCII_LOWER = {code: code + 32 for code in range(65, 91)}
_ASCII_UPPER = {code: code - 32 for code in range(97, 123)}


def lower(text: str) -> str:
    """lc: of bytes only ASCII letters."""
    return text.lower() if any(char > "\u00ff" for char in text) else text.translate(_ASCII_LOWER)


def upper(text: str) -> str:
    """uc."""
    return text.upper() if any(char > "\u00ff" for char in text) else text.translate(_ASCII_UPPER)


unary("lc", "fc")(lambda vm, v: lower(string(v)))
unary("uc")(lambda vm, v: upper(string(v)))
unary("lcfirst")(lambda vm, v: lower(string(v)[:1]) + string(v)[1:])
unary("ucfirst")(lambda vm, v: upper(string(v)[:1]) + string(v)[1:])
unary("length")(lambda vm, v: None if v is None else len(string(v)))
unary("ord")(lambda vm, v: ord(string(v)[0]) if string(v) else 0)
unary("quotemeta")(lambda vm, v: _matching.quoted(vm, v))
FUNCTIONS["split"] = _matching.split
FUNCTIONS["pos"] = _matching.position


@unary("chr")
def _chr(vm: Vm, v: Any) -> str:
    code = whole(v)
    return chr(code) if 0 <= code <= 0x10FFFF else "\ufffd"


@unary("hex")
def _hex(vm: Vm, v: Any) -> Any:
    return _digits(string(v).removeprefix("0x").removeprefix("0X").removeprefix("x"), 16)


@unary("oct")
def _oct(vm: Vm, v: Any) -> Any:
    text = string(v).strip().lower()
    for prefix, base in (("0x", 16), ("x", 16), ("0b", 2), ("b", 2), ("0o", 8), ("o", 8)):
        if text.startswith(prefix):
            return _digits(text[len(prefix) :], base)
    return _digits(text, 8)


def _digits(text: str, base: int) -> Any:
    kept = ""
    for char in text.replace("_", ""):
        if char.lower() not in "0123456789abcdef"[:base]:
            break
        kept += char
    return norm(int(kept[:400], base)) if kept else 0


def _ends(vm: Vm, f: Frame, n: Node) -> Gen:
    nodes = n.b or [Node("$glob", n.line, "main::_")]
    found: list[Scalar] = []
    for each in nodes:
        if each.k in ("$pad", "$glob", "aelem", "helem", "$deref", "sassign"):
            found.append((yield from _places.scalar(vm, f, each)))
        else:
            items = yield from _eval.ev(vm, f, each, True)
            found += [item for item in items if isinstance(item, Scalar)]
    return found


@function("chomp")
def _chomp(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    removed = 0
    separator = vm.sv("main::/").v
    for place in (yield from _ends(vm, f, n)):
        text = place.v
        if text is None and vm.warnings:
            single = len(n.b) < 2 and (not n.b or n.b[0].k[0] == "$")
            yield from _warnings.undefined(
                vm, f, n.b[0] if single and n.b else n, "scalar chomp" if single else "chomp"
            )
        if text is None or separator is None:
            continue
        text = string(text)
        if separator == "":
            cut = len(text) - len(text.rstrip("\n"))
        else:
            cut = len(separator) if text.endswith(string(separator)) else 0
        if cut:
            place.set(text[:-cut])
            removed += cut
    return [removed] if w else removed


@function("chop")
def _chop(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    last = ""
    for place in (yield from _ends(vm, f, n)):
        text = string(place.v)
        last = text[-1:]
        place.set(text[:-1])
    return [last] if w else last


@function("substr")
def _substr(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    text = string((yield from _eval.ev(vm, f, n.b[0])))
    offset = whole((yield from _eval.ev(vm, f, n.b[1])))
    length = (yield from _eval.ev(vm, f, n.b[2])) if len(n.b) > 2 else None
    size = len(text)
    start = offset + size if offset < 0 else offset
    if start > size or (start < 0 and length is None and -offset > size and size == 0):
        if vm.warnings:
            yield from vm.warn(f"substr outside of string{vm.place()}\n")
        return [None] if w else None
    if length is None:
        end = size
    else:
        asked = whole(length)
        end = size + asked if asked < 0 else start + asked
    start = max(start, 0)
    end = max(start, min(end, size))
    piece = text[start:end]
    if len(n.b) > 3:
        made = string((yield from _eval.ev(vm, f, n.b[3])))
        place = yield from _places.scalar(vm, f, n.b[0])
        place.set(text[:start] + made + text[end:])
        return [piece] if w else piece
    if w:
        kept = Scalar(piece)
        return [kept]
    return piece


@fixed("index")
def _index(vm: Vm, text: Any, wanted: Any, at: Any = 0) -> int:
    body = string(text)
    vm.steps += len(body) >> 8
    return body.find(string(wanted), min(max(whole(at), 0), len(body)))


@fixed("rindex")
def _rindex(vm: Vm, text: Any, wanted: Any, at: Any = None) -> int:
    body, part = string(text), string(wanted)
    if at is None:
        return body.rfind(part)
    return body.rfind(part, 0, max(0, whole(at)) + len(part))


@listy("join")
def _join(vm: Vm, args: list[Any]) -> Gen:
    if vm.warnings:
        for each in args[1:]:
            if each is None:
                yield from vm.warn(f"Use of uninitialized value in join or string{vm.place()}\n")
    text = string(args[0] if args else None).join(string(each) for each in args[1:])
    vm.grow(len(text))
    return text


@function("sprintf")
def _sprintf(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    args = values((yield from _eval.listed(vm, f, n.b)))
    text = _format.sprintf(vm, string(args[0] if args else None), args[1:])
    return [text] if w else text


@listy("pack")
def _packed(vm: Vm, args: list[Any]) -> str:
    return _pack.pack(vm, string(args[0] if args else None), args[1:])


@function("unpack")
def _unpacked(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    template = string((yield from _eval.ev(vm, f, n.b[0])))
    text = string((yield from _eval.ev(vm, f, n.b[1])) if len(n.b) > 1 else vm.sv("main::_").v)
    found = _pack.unpack(vm, template, text)
    return found if w else (found[0] if found else None)


@fixed("vec")
def _vec(vm: Vm, text: Any, at: Any, bits: Any) -> int:
    data, size = to_bytes(string(text)), whole(bits)
    if size not in (1, 2, 4, 8, 16, 32, 64):
        raise vm.die("Illegal number of bits in vec")
    first = whole(at) * size
    if size >= 8:
        piece = data[first // 8 : first // 8 + size // 8]
        return int.from_bytes(piece, "big") if len(piece) == size // 8 else 0
    return (data[first // 8] >> first % 8) & (1 << size) - 1 if first // 8 < len(data) else 0


@fixed("crypt")
def _crypt(vm: Vm, password: Any, salt: Any) -> Any:
    return vm.p.crypt(to_bytes(string(password)), string(salt))


# numbers
@unary("int")
def _int(vm: Vm, v: Any) -> Any:
    found = num(v)
    if isinstance(found, float):
        if not math.isfinite(found):
            return found
        return norm(int(found))
    return found


unary("abs")(lambda vm, v: abs(num(v)))
unary("sin")(lambda vm, v: math.sin(num(v)))
unary("cos")(lambda vm, v: math.cos(num(v)))
fixed("atan2")(lambda vm, y, x: math.atan2(num(y), num(x)))


@unary("sqrt")
def _sqrt(vm: Vm, v: Any) -> Any:
    found = num(v)
    if found < 0:
        raise vm.die(f"Can't take sqrt of {string(found)}")
    return math.sqrt(found)


@unary("log")
def _log(vm: Vm, v: Any) -> Any:
    found = num(v)
    if found <= 0:
        raise vm.die(f"Can't take log of {string(found)}")
    return math.log(found)


@unary("exp")
def _exp(vm: Vm, v: Any) -> Any:
    try:
        return math.exp(num(v))
    except OverflowError:
        return math.inf


@fixed("rand")
def _rand(vm: Vm, most: Any = 1) -> float:
    top = num(most) or 1
    if vm.seeded is not None:
        # drand48(3), which perl has of its own.
        vm.seeded = (vm.seeded * 0x5DEECE66D + 0xB) & 0xFFFF_FFFF_FFFF
        return top * (vm.seeded / 0x1_0000_0000_0000)
    return top * (int.from_bytes(vm.p.random_bytes(6), "big") / 0x1_0000_0000_0000)


@fixed("srand")
def _srand(vm: Vm, seed: Any = None) -> Any:
    given = whole(seed) & 0xFFFF_FFFF if seed is not None else int.from_bytes(vm.p.random_bytes(4), "big")
    vm.seeded = given << 16 | 0x330E
    return given or "0 but true"


def is_numeric(value: Any) -> Any:
    """looks_like_number() of Scalar::Util."""
    return 1 if looks_like_number(value) else ""
