"""Assignments: scalars, elements, whole arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from urltrap.machine.shell.ast import ArrayLit, Assign, Word
from urltrap.machine.shell.expansion.fields import expand_string, expand_word
from urltrap.machine.shell.expansion.names import element_index
from urltrap.machine.shell.expansion.transform import trace_quote
from urltrap.machine.shell.variables import ReadOnlyError, Var

if TYPE_CHECKING:
    from urltrap.machine.shell.interpreter.shell import Gen, Shell


def assign_all(sh: Shell, assigns: Sequence[Assign]) -> Gen[list[str]]:
    """Perform assignments in order; their texts for ``set -x``. Raises ExpansionError."""
    traced: list[str] = []
    for item in assigns:
        traced.append((yield from assign_one(sh, item)))
    return traced


def assign_one(sh: Shell, item: Assign) -> Gen[str]:
    """Perform one assignment; its text for ``set -x``."""
    if isinstance(item.value, ArrayLit):
        yield from assign_array(sh, item.name, item.value, append=item.append)
        return f"{item.name}={'+' if item.append else ''}(...)"
    value = "" if item.value is None else (yield from expand_string(sh, item.value, assignment=True))
    if item.index is not None:
        index = yield from expand_string(sh, item.index)
        set_element(sh, item.name, index, value, append=item.append)
        return f"{item.name}[{index}]={_traced(sh, value)}"
    if item.append:
        value = append_value(sh, item.name, value)
    sh.set_var(item.name, value)
    return f"{item.name}={_traced(sh, value)}"


def _traced(sh: Shell, value: str) -> str:
    if "xtrace" not in sh.options:
        return ""
    return trace_quote(value) if value and sh.dialect.name != "dash" else value


def append_value(sh: Shell, name: str, value: str) -> str:
    """The new value of ``name+=value``: numbers are added where the variable is an integer."""
    old = sh.vars.get(name) or ""
    var = sh.vars.find(name)
    if var is not None and var.integer:
        return f"({old or 0})+({value or 0})"
    return old + value


def set_element(sh: Shell, name: str, index: str, value: str, *, append: bool = False) -> None:
    """``name[index]=value``."""
    var = sh.vars.find(name)
    if var is not None:
        value = sh.with_attributes(var, value) if (var.integer or var.case) else value
    key: int | str = index if var is not None and var.array == "A" else element_index(sh, name, index)
    try:
        sh.vars.set_element(name, key, value, append=append)
    except ReadOnlyError:
        raise sh.readonly_error(name) from None


def assign_array(
    sh: Shell,
    name: str,
    literal: ArrayLit,
    *,
    append: bool = False,
    associative: bool = False,
    local: bool = False,
) -> Gen[None]:
    """``name=( … )``."""
    found = sh.vars.find(name)
    is_map = associative or (found is not None and found.array == "A")
    pairs: list[tuple[int | str, str]] = []
    base: dict[int, str] = {}
    if append and found is not None and isinstance(found.value, dict) and not is_map:
        base = {int(key): value for key, value in found.value.items()}
    elif append and found is not None and isinstance(found.value, str):
        base = {0: found.value}
    position = max(base, default=-1) + 1
    flat: list[str] = []
    for index, plus, word in literal.items:
        yield from sh.p.tick(1)
        if index is not None:
            key_text = yield from expand_string(sh, index)
            value = yield from expand_string(sh, word, assignment=True)
            if is_map:
                pairs.append((key_text, value))
                continue
            position = element_index(sh, name, key_text)
            if plus:
                value = base.get(position, "") + value
            pairs.append((position, value))
            position += 1
            continue
        fields: list[str] = []
        yield from _fields(sh, word, fields)
        if is_map:
            flat.extend(fields)
            continue
        for field in fields:
            pairs.append((position, field))
            position += 1
    for number in range(0, len(flat), 2):
        pairs.append((flat[number], flat[number + 1] if number + 1 < len(flat) else ""))
    var = sh.vars.slot(sh.vars.target(name), local=local)
    if var.readonly:
        raise sh.readonly_error(name)
    _store(sh, var, pairs, base, append, is_map)


def _fields(sh: Shell, word: Word, fields: list[str]) -> Gen[None]:
    if word.plain is not None:
        fields.append(word.plain)
    else:
        yield from expand_word(sh, word, fields)


def _store(
    sh: Shell, var: Var, pairs: list[tuple[int | str, str]], base: dict[int, str], append: bool, is_map: bool
) -> None:
    values = [
        (key, sh.with_attributes(var, value) if var.integer or var.case else value) for key, value in pairs
    ]
    sh.vars.account(0, sum(len(value) + 16 for _, value in values))
    if is_map:
        kept: dict[str, str] = dict(var.value) if append and isinstance(var.value, dict) else {}  # type: ignore[arg-type]
        kept.update((str(key), value) for key, value in values)
        var.value, var.array = kept, "A"
    else:
        numbered = dict(base)
        numbered.update((int(key), value) for key, value in values)
        var.value, var.array = numbered, "a"
    sh.vars.changed()
