"""export, readonly, unset, set, shift, let, local of dash and BusyBox."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from urltrap.machine.shell.arithmetic import evaluate
from urltrap.machine.shell.ast import ArrayLit
from urltrap.machine.shell.builtins.registry import builtin
from urltrap.machine.shell.errors import ExitShell, ExpansionError
from urltrap.machine.shell.expansion.fields import AssignWord
from urltrap.machine.shell.expansion.names import ShellNames
from urltrap.machine.shell.expansion.transform import declare_quote
from urltrap.machine.shell.interpreter.assign import append_value, assign_array, set_element

if TYPE_CHECKING:
    from urltrap.machine.shell.interpreter.shell import Gen, Shell

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_ELEMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)\[(.*)\]\Z", re.DOTALL)


def assign_name(sh: Shell, name: str, value: str) -> None:
    """``name=value`` or ``name[index]=value``, where the name came as text."""
    match = _ELEMENT.match(name)
    if match is not None and sh.dialect.arrays:
        set_element(sh, match[1], match[2].strip("\"'"), value)
    else:
        sh.set_var(name, value)


def assign_argument(sh: Shell, word: str, *, local: bool = False) -> Gen[str]:
    """The assignment in an argument ``name=value`` of export and its kind; the name."""
    assign = getattr(word, "assign", None) if isinstance(word, AssignWord) else None
    if assign is not None and isinstance(assign.value, ArrayLit):
        yield from assign_array(sh, assign.name, assign.value, append=assign.append, local=local)
        return str(assign.name)
    name, _, value = word.partition("=")
    if name.endswith("+") and sh.dialect.bash:
        name = name[:-1]
        value = append_value(sh, name, value)
    assign_name(sh, name, value)
    return name


def _plain_list(sh: Shell, builtin_name: str, test: str) -> Gen[int]:
    """``export -p`` and ``readonly -p``."""
    lines: list[str] = []
    for name, var in sh.vars.pairs():
        if not getattr(var, test):
            continue
        value = var.scalar()
        if sh.dialect.bash:
            from urltrap.machine.shell.builtins.declare import declaration

            lines.append(declaration(name, var))
        elif value is None:
            lines.append(f"{builtin_name} {name}")
        else:
            lines.append(f"{builtin_name} {name}='" + value.replace("'", "'\"'\"'") + "'")
    if lines:
        yield from sh.p.out("\n".join(lines) + "\n")
    return 0


@builtin("export", "readonly")
def export(sh: Shell, argv: list[str]) -> Gen[int]:
    """Mark variables for the environment, or as read-only."""
    command = argv[0]
    attribute = "exported" if command == "export" else "readonly"
    words = argv[1:]
    remove = functions = False
    while words and words[0].startswith("-") and len(words[0]) > 1:
        flag = words.pop(0)
        if flag == "--":
            break
        allowed = (
            ("nfp" if command == "export" else "aAfp")
            if sh.dialect.bash
            else "p" + ("n" if sh.dialect.name == "ash" and command == "export" else "")
        )
        for letter in flag[1:]:
            if letter not in allowed:
                yield from sh.complain(
                    f"-{letter}: invalid option" if sh.dialect.bash else f"Illegal option -{letter}", command
                )
                if not sh.dialect.bash:
                    raise ExitShell(2)
                usage = (
                    "export [-fn] [name[=value] ...] or export -p"
                    if command == "export"
                    else "readonly [-aAf] [name[=value] ...] or readonly -p"
                )
                yield from sh.p.err(f"{command}: usage: {usage}\n")
                return 2
            remove = remove or letter == "n"
            functions = functions or letter == "f"
    if not words:
        return (yield from _plain_list(sh, command, attribute))
    status = 0
    for word in words:
        name = word.partition("=")[0].removesuffix("+")
        if functions:
            if name not in sh.functions:
                yield from sh.complain(f"{name}: not a function", command)
                status = 1
            else:
                sh.exported_functions.add(name)
            continue
        if not NAME.match(name.partition("[")[0]) or (command == "export" and "[" in name):
            if sh.dialect.bash:
                yield from sh.complain(f"`{word}': not a valid identifier", command)
                status = 1
                continue
            yield from sh.complain(f"{name}: bad variable name", command)
            raise ExitShell(2)
        if "=" in word:
            try:
                name = yield from assign_argument(sh, word)
            except ExpansionError as problem:
                yield from sh.complain(problem.message, "" if sh.dialect.bash else command)
                if not sh.dialect.bash:
                    raise ExitShell(2) from None
                status = 1
                continue
        var = sh.vars.slot(name)
        setattr(var, attribute, not remove)
        sh.vars.changed()
    return status


@builtin("unset")
def unset(sh: Shell, argv: list[str]) -> Gen[int]:
    """Forget variables or functions."""
    words = argv[1:]
    functions = variables = False
    while words and words[0].startswith("-") and len(words[0]) > 1:
        flag = words.pop(0)
        if flag == "--":
            break
        for letter in flag[1:]:
            if letter == "f":
                functions = True
            elif letter in "vn":
                variables = True
            else:
                yield from sh.complain(
                    f"-{letter}: invalid option"
                    if sh.dialect.bash
                    else f"{'I' if sh.dialect.name == 'dash' else 'i'}llegal option -{letter}",
                    "unset",
                )
                if sh.dialect.bash:
                    yield from sh.p.err("unset: usage: unset [-f] [-v] [-n] [name ...]\n")
                    return 2
                raise ExitShell(2)
    status = 0
    for word in words:
        if functions:
            sh.functions.pop(word, None)
            continue
        match = _ELEMENT.match(word)
        if match is not None and sh.dialect.arrays:
            yield from _unset_element(sh, match[1], match[2].strip("\"'"))
            continue
        if not NAME.match(word):
            if sh.dialect.bash:
                if variables:
                    yield from sh.complain(f"`{word}': not a valid identifier", "unset")
                    status = 1
                elif word in sh.functions:
                    del sh.functions[word]
                continue
            yield from sh.complain(f"{word}: bad variable name", "unset")
            raise ExitShell(2)
        known = sh.vars.find(word) is not None or word in sh.vars.dynamic
        if not known and not variables and word in sh.functions and sh.dialect.bash:
            del sh.functions[word]
            continue
        if not sh.vars.unset(word):
            if sh.dialect.bash:
                yield from sh.complain(f"{word}: cannot unset: readonly variable", "unset")
                status = 1
                continue
            yield from sh.complain(f"{word}: is read only", "unset")
            raise ExitShell(2)
        if word == "PATH":
            sh.hashed.clear()
    return status


def _unset_element(sh: Shell, name: str, index: str) -> Gen[None]:
    found = sh.vars.find(name)
    if found is None or not isinstance(found.value, dict):
        return
    var = sh.vars.slot(sh.vars.target(name))
    assert isinstance(var.value, dict)  # a copy of what was found
    if index in ("@", "*"):
        var.value.clear()
    elif var.array == "A":
        var.value.pop(index, None)  # type: ignore[call-overload]
    else:
        from urltrap.machine.shell.expansion.names import element_index

        var.value.pop(element_index(sh, name, index), None)  # type: ignore[call-overload]
    yield from sh.p.tick(1)


@builtin("shift")
def shift(sh: Shell, argv: list[str]) -> Gen[int]:
    """Drop positional parameters."""
    count = 1
    if len(argv) > 1:
        if not argv[1].lstrip("-").isdecimal():
            text = (
                f"{argv[1]}: numeric argument required" if sh.dialect.bash else f"Illegal number: {argv[1]}"
            )
            yield from sh.complain(text, "shift")
            if not sh.dialect.bash:
                raise ExitShell(2)
            return 1
        count = int(argv[1][:9])
        if count < 0:
            text = f"{argv[1]}: shift count out of range" if sh.dialect.bash else f"Illegal number: {argv[1]}"
            yield from sh.complain(text, "shift")
            if not sh.dialect.bash:
                raise ExitShell(2)
            return 1
    if count > len(sh.positional):
        if sh.dialect.name == "dash":
            yield from sh.complain("can't shift that many", "shift")
            raise ExitShell(2)
        if "shift_verbose" in sh.shopts:
            yield from sh.complain("shift count out of range", "shift")
        return 1
    del sh.positional[:count]
    return 0


@builtin("let", dialects="bash ash")
def let(sh: Shell, argv: list[str]) -> Gen[int]:
    """Arithmetic on each argument."""
    if len(argv) < 2:
        yield from sh.complain("expression expected", "let")
        return 1
    value = 0
    for word in argv[1:]:
        try:
            value = evaluate(word, ShellNames(sh), sh.dialect.name)
        except ExpansionError as problem:
            if not sh.dialect.bash:
                yield from sh.fail_expansion(problem, "let")
            yield from sh.complain(problem.message, "let")
            return 1
    return int(value == 0)


@builtin("local", dialects="dash ash")
def local(sh: Shell, argv: list[str]) -> Gen[int]:
    """Variables of the running function."""
    if not sh.function_depth:
        yield from sh.complain("not in a function", "local")
        raise ExitShell(2)
    for word in argv[1:]:
        name, equals, value = word.partition("=")
        if not NAME.match(name):
            yield from sh.complain(f"{name}: bad variable name", "local")
            raise ExitShell(2)
        known = name in sh.vars.scopes[-1]
        outer = sh.vars.find(name)
        var = sh.vars.slot(name, local=True)
        var.exported = var.exported or (outer is not None and outer.exported)
        if equals:
            var.value = value
        elif not known and sh.dialect.name == "dash":
            var.value = (
                None if outer is None else outer.scalar()
            )  # dash's local keeps the value, BusyBox' does not
        sh.vars.changed()
    return 0


__all__ = ["NAME", "assign_argument", "assign_name", "declare_quote"]
