"""m//, s///, tr///, split, qr//, pos: matching with perl's variables."""

from __future__ import annotations

from typing import Any

from urltrap.machine.programs.perl import _eval, _places, _warnings
from urltrap.machine.programs.perl._patterns import (
    BadPattern,
    TooLong,
    compiled,
    quotemeta,
    search,
    source_of,
)
from urltrap.machine.programs.perl._values import (
    LARGEST,
    Gen,
    Node,
    Pattern,
    Ref,
    Scalar,
    Unsupported,
    string,
    value_of,
    whole,
)
from urltrap.machine.programs.perl._vm import Frame, Vm

_CHECKED = 4096


def _compile(vm: Vm, source: str, flags: str) -> Any:
    vm.steps += 4
    try:
        return compiled(source, "".join(each for each in "imsx" if each in flags))
    except BadPattern as problem:
        raise vm.die(str(problem)) from None


def pattern_of(vm: Vm, f: Frame, n: Node) -> Gen:
    """The host's expression for a node."""
    value = yield from _eval.ev(vm, f, n.a)
    source, own = source_of(value)
    if source == "" and not own and vm.last_pattern is not None and n.a.k == "const":
        return vm.last_pattern
    return _compile(vm, source, n.b + own if own else n.b)


def find(vm: Vm, pattern: Any, text: str, at: int = 0) -> Any:
    """A match, with its cost."""
    vm.steps += 3 + (len(text) - at >> 8)
    try:
        return search(pattern, text, at)
    except TooLong:
        raise Unsupported("an expression that takes too long") from None


def _text_of(vm: Vm, f: Frame, target: Node | None, what: str) -> Gen:
    """The text to look at, and the variable that it is in."""
    if target is None:
        place = vm.sv("main::_")
    elif target.k in (
        "$pad",
        "$glob",
        "aelem",
        "helem",
        "$deref",
        "sassign",
        "list",
        "my",
        "lassign",
        "local",
        "func",
    ):
        if target.k == "func" and target.a != "substr":
            return string((yield from _eval.ev(vm, f, target))), Scalar()
        place = yield from _places.scalar(vm, f, target)
    else:
        value = yield from _eval.ev(vm, f, target)
        # A constant is one place, so that m//g goes on in it.
        place = (
            vm.state.setdefault((id(target), 2), Scalar()) if target.k in ("const", "interp") else Scalar()
        )
        place.v = value
        return string(value), place
    if place.v is None and vm.warnings:
        yield from _warnings.undefined(vm, f, target or Node("$glob", 0, "main::_"), what)
    return string(place.v), place


def match(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    """$x =~ m/…/"""
    text, place = yield from _text_of(vm, f, n.a, "pattern match (m//)")
    pattern = yield from pattern_of(vm, f, n.b)
    vm.last_pattern = pattern
    flags = n.b.b
    positions = vm.state.setdefault((-2, 0), {})
    if "g" not in flags:
        found = find(vm, pattern, text)
        if found is not None:
            vm.match = found
        if not w:
            return 1 if found is not None else ""
        if found is None:
            return []
        return list(found.groups()) if pattern.groups else [1]
    known = positions.get(id(place))
    known = known if known is not None and known[0] is place and known[3] == text else None
    start = known[1] if known is not None else 0
    if not w:
        found = find(vm, pattern, text, start)
        if found is not None and known is not None and found.end() == found.start() == start and known[2]:
            found = find(vm, pattern, text, start + 1) if start < len(text) else None
        if found is None:
            if "c" not in flags:
                positions.pop(id(place), None)
            return ""
        vm.match = found
        if len(positions) > 1000:
            positions.clear()
        positions[id(place)] = (place, found.end(), found.end() == found.start(), text)
        return 1
    items: list[Any] = []
    at = start
    while at <= len(text):
        found = find(vm, pattern, text, at)
        if found is None:
            break
        vm.match = found
        items += found.groups() if pattern.groups else (found.group(0),)
        at = found.end() if found.end() > found.start() else found.end() + 1
        if vm.steps > 400:
            yield from vm.spend()
        vm.grown += 60
        if len(items) > LARGEST // 8:
            raise vm.die("Out of memory!")
    positions.pop(id(place), None)
    return items


def substitute(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    """$x =~ s/…/…/"""
    text, place = yield from _text_of(vm, f, n.a, "substitution (s///)")
    pattern = yield from pattern_of(vm, f, n.b)
    vm.last_pattern = pattern
    flags = n.d
    parts: list[str] = []
    at = last = count = grown = 0
    while at <= len(text):
        found = find(vm, pattern, text, at)
        if found is None:
            break
        vm.match = found
        count += 1
        made = string((yield from _eval.ev(vm, f, n.c)))
        grown += len(made)
        if grown > LARGEST:
            raise vm.die("Out of memory!")
        parts += (text[last : found.start()], made)
        last = found.end()
        at = last if found.end() > found.start() else last + 1
        if "g" not in flags:
            break
        if vm.steps > 400:
            yield from vm.spend()
    if "r" in flags:
        changed = "".join(parts) + text[last:] if count else text
        return [changed] if w else changed
    if count:
        changed = "".join(parts) + text[last:]
        if len(changed) > 512:
            vm.grow(len(changed))
        place.set(changed)
    result = count if count else ""
    return [result] if w else result


def transliterate(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    """$x =~ tr/…/…/"""
    text, place = yield from _text_of(vm, f, n.a, "transliteration (tr///)")
    first, second = n.b
    flags = n.c
    table: dict[int, int | None] = {}
    deletes, squeezes = "d" in flags, "s" in flags
    target = second or ([] if deletes else first)
    wanted = set(first)
    for at, code in enumerate(first):
        if code in table:
            continue
        if at < len(target):
            table[code] = target[at]
        else:
            table[code] = None if deletes else (target[-1] if target else code)
    out: list[str] = []
    count = 0
    before: int | None = None
    complement = "c" in flags
    vm.steps += len(text) >> 3
    for char in text:
        code = ord(char)
        if (code in wanted) is complement:
            out.append(char)
            before = None
            continue
        count += 1
        to = (
            (None if deletes and not second else (second[-1] if second else code))
            if complement
            else table[code]
        )
        if to is None:
            continue
        if squeezes and before == to:
            continue
        before = to
        out.append(chr(to))
    changed = "".join(out)
    if "r" in flags:
        return [changed] if w else changed
    if changed != text:
        place.set(changed)
    return [count] if w else count


def quoted_pattern(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    """qr/…/"""
    value = yield from _eval.ev(vm, f, n.a.a)
    flags = "".join(each for each in "msix" if each in n.a.b)
    source, own = source_of(value)
    if own or (type(value) is Ref and isinstance(value.t, Pattern)):
        flags = "".join(each for each in "msix" if each in flags + own)
    _compile(vm, source, flags)
    made = Ref(Pattern(source, flags))
    return [made] if w else made


def split(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    """split"""
    args = n.b
    first = args[0] if args else Node("const", n.line, " ")
    text_value = (yield from _eval.ev(vm, f, args[1])) if len(args) > 1 else vm.sv("main::_").v
    limit = whole((yield from _eval.ev(vm, f, args[2]))) if len(args) > 2 else 0
    text = string(text_value)
    if first.k == "match" and first.a is None:
        pattern = yield from pattern_of(vm, f, first.b)
        source = first.b.a.a if first.b.a.k == "const" else None
        if source == "^":
            pattern = _compile(vm, "^", "m")
        elif source == "":
            pattern = _compile(vm, "", "")
    else:
        value = yield from _eval.ev(vm, f, first)
        source, own = source_of(value)
        if source == " " and not own:
            pattern = _compile(vm, r"\s+", "")
            text = text.lstrip(" \t\n\r\f\v")
        else:
            pattern = _compile(vm, source, own)
    items = _pieces(vm, pattern, text, limit)
    vm.grown += 60 * len(items)
    if not w:
        return len(items)
    return items


def _pieces(vm: Vm, pattern: Any, text: str, limit: int) -> list[Any]:
    items: list[Any] = []
    if not text:
        return items
    at = last = 0
    while at <= len(text) and (limit <= 0 or len(items) < limit - 1):
        found = find(vm, pattern, text, at)
        if found is None:
            break
        if found.end() == found.start():
            if found.start() >= len(text):
                break
            if found.start() == last:
                at = last + 1
                found = find(vm, pattern, text, at)
                if found is None or (found.start() >= len(text) and found.end() == found.start()):
                    break
        elif found.end() == 0:
            at += 1
            continue
        if not (found.start() == 0 and found.end() == 0):
            items.append(text[last : found.start()])
            items += found.groups()
        last = found.end()
        at = last
        if len(items) > LARGEST // 8:
            raise vm.die("Out of memory!")
    items.append(text[last:])
    if limit == 0:
        while items and (items[-1] is None or items[-1] == ""):
            items.pop()
    return items


def position(vm: Vm, f: Frame, n: Node, w: bool) -> Gen:
    """pos"""
    place = (yield from _places.scalar(vm, f, n.b[0])) if n.b else vm.sv("main::_")
    known = vm.state.setdefault((-2, 0), {}).get(id(place))
    same = known is not None and known[0] is place and known[3] == string(place.v)
    value = known[1] if same else None
    return [value] if w else value


def set_position(vm: Vm, f: Frame, n: Node, value: Any) -> Gen:
    """pos(…) = …"""
    place = (yield from _places.scalar(vm, f, n.b[0])) if n.b else vm.sv("main::_")
    known = vm.state.setdefault((-2, 0), {})
    known.pop(id(place), None)
    if value is not None:
        text = string(place.v)
        known[id(place)] = (place, min(max(whole(value), 0), len(text)), False, text)


def quoted(vm: Vm, value: Any) -> str:
    """quotemeta of a value."""
    return quotemeta(string(value_of(value)))


_eval.extend({"match": match, "subst": substitute, "trans": transliterate, "qr": quoted_pattern})
