"""declare, typeset and bash's local."""

from __future__ import annotations

from typing import TYPE_CHECKING

from urltrap.machine.shell.ast import ArrayLit
from urltrap.machine.shell.builtins.registry import builtin
from urltrap.machine.shell.builtins.variables import NAME
from urltrap.machine.shell.errors import ExpansionError
from urltrap.machine.shell.expansion.fields import AssignWord
from urltrap.machine.shell.expansion.parameter import array_items
from urltrap.machine.shell.expansion.transform import declare_quote
from urltrap.machine.shell.interpreter.assign import append_value, assign_array, set_element
from urltrap.machine.shell.unparse import function_text
from urltrap.machine.shell.variables import Var

if TYPE_CHECKING:
    from urltrap.machine.shell.interpreter.shell import Gen, Shell

_USAGE = {
    "declare": "declare: usage: declare [-aAfFgiIlnrtux] [name[=value] ...] or declare -p [-aAfFilnrtux] [name ...]\n",
    "typeset": "typeset: usage: typeset [-aAfFgiIlnrtux] name[=value] ... or typeset -p [-aAfFilnrtux] [name ...]\n",
    "local": "local: usage: local [option] name[=value] ...\n",
}


def array_text(var: Var) -> str:
    """``([0]="a" [1]="b")``."""
    cells = [
        f"[{key if var.array == 'a' else _key(key)}]={declare_quote(value)}"
        for key, value in array_items(var)
    ]
    return "(" + " ".join(cells) + (" )" if var.array == "A" and cells else ")")


def _key(key: str) -> str:
    return key if key.replace("_", "a").isalnum() else declare_quote(key)


def flags_of(var: Var) -> str:
    """The attribute letters, in bash's order."""
    return (
        var.array + ("i" if var.integer else "") + var.case + ("n" if var.nameref else "")
        + ("r" if var.readonly else "") + ("x" if var.exported else "")
    )  # fmt: skip


def declaration(name: str, var: Var) -> str:
    """One line of ``declare -p``."""
    head = f"declare -{flags_of(var) or '-'} {name}"
    if var.value is None:
        return head
    if isinstance(var.value, dict):
        return f"{head}={array_text(var)}"
    return f"{head}={declare_quote(var.value)}"


@builtin("declare", "typeset", "local", dialects="bash")
def declare(sh: Shell, argv: list[str]) -> Gen[int]:
    """Give variables attributes and values, or show them."""
    command = argv[0]
    words = argv[1:]
    if command == "local" and not sh.function_depth:
        yield from sh.complain("can only be used in a function", "local")
        return 1
    on: set[str] = set()
    off: set[str] = set()
    while words and words[0][:1] in "-+" and len(words[0]) > 1 and not isinstance(words[0], AssignWord):
        flag = words.pop(0)
        if flag == "--":
            break
        bad = next((letter for letter in flag[1:] if letter not in "aAfFgiIlnprtux"), None)
        if bad is not None:
            yield from sh.complain(f"{flag[0]}{bad}: invalid option", command)
            yield from sh.p.err(_USAGE[command])
            return 2
        (on if flag[0] == "-" else off).update(flag[1:])
    if "f" in on or "F" in on:
        return (yield from _functions(sh, words, "F" in on))
    if not words:
        return (yield from _list(sh, command, on))
    if "p" in on:
        return (yield from _print(sh, command, words))
    local = command == "local" or (bool(sh.function_depth) and "g" not in on)
    status = 0
    for word in words:
        try:
            status = (yield from _one(sh, command, word, on, off, local)) or status
        except ExpansionError as problem:
            if problem.message.endswith("readonly variable"):
                yield from sh.complain(problem.message, command)
            else:
                yield from sh.complain(problem.message)
            status = 1
    return status


def _one(sh: Shell, command: str, word: str, on: set[str], off: set[str], local: bool) -> Gen[int]:
    assign = getattr(word, "assign", None) if isinstance(word, AssignWord) else None
    left, equals, value = word.partition("=")
    append = equals != "" and left.endswith("+")
    left = left.removesuffix("+") if append else left
    name, bracket, index = left.partition("[")
    if not NAME.match(name):
        yield from sh.complain(f"`{word}': not a valid identifier", command)
        return 1
    outer = sh.vars.find(name)
    var = sh.vars.slot(name if local or "n" in on or "n" in off else sh.vars.target(name), local=local)
    if local and outer is not None and outer is not var and outer.exported:
        var.exported = True  # a local variable of an exported name is exported, too
    if outer is not None and outer.readonly and (equals or "r" in off):
        raise sh.readonly_error(name)
    if append and local and var.value is None and outer is not None and outer is not var:
        var.value = None
    if "a" in on and not isinstance(var.value, dict):
        _make_array(sh, var, "a")
    if "A" in on and not isinstance(var.value, dict):
        _make_array(sh, var, "A")
    for letter, attribute in (("i", "integer"), ("x", "exported"), ("n", "nameref")):
        if letter in on:
            setattr(var, attribute, True)
        if letter in off:
            setattr(var, attribute, False)
    for letter in "lu":
        if letter in on:
            var.case = letter
        if letter in off and var.case == letter:
            var.case = ""
    sh.vars.changed()
    if assign is not None and isinstance(assign.value, ArrayLit):
        yield from assign_array(sh, name, assign.value, append=append, associative="A" in on, local=local)
    elif equals and bracket:
        set_element(sh, name, index.removesuffix("]").strip("\"'"), value, append=append)
    elif equals and "n" in on:
        var.value = value
    elif equals:
        if append:
            value = append_value(sh, name, value)
        value = sh.with_attributes(var, value) if var.integer or var.case else value
        if isinstance(var.value, dict):
            set_element(sh, name, "0", value)
        else:
            sh.vars.account(len(var.value or ""), len(value))
            var.value = value
        sh.vars.dynamic.write(name, value)
    if "r" in on:
        sh.vars.slot(name, local=local).readonly = True
    sh.vars.changed()
    return 0


def _make_array(sh: Shell, var: Var, kind: str) -> None:
    if var.value is None:
        var.array = kind
        var.value = {}
    elif isinstance(var.value, str):
        sh.vars.as_array(var, associative=kind == "A")


def _functions(sh: Shell, words: list[str], names_only: bool) -> Gen[int]:
    status = 0
    for name in words or sorted(sh.functions):
        function = sh.functions.get(name)
        if function is None:
            status = 1
        elif names_only:
            yield from sh.p.out(f"{name}\n" if words else f"declare -f {name}\n")
        else:
            yield from sh.p.out(function_text(function) + "\n")
    return status


def _list(sh: Shell, command: str, on: set[str]) -> Gen[int]:
    wanted = on & set("aAilnrux")
    lines: list[str] = []
    scope = sh.vars.scopes[-1] if command == "local" else None
    for name, var in sh.vars.pairs():
        if scope is not None and name not in scope:
            continue
        if wanted and not wanted <= set(flags_of(var)):
            continue
        if on or (scope is None and "p" in on):
            lines.append(declaration(name, var))
        elif var.value is not None:
            value = var.scalar() or ""
            from urltrap.machine.shell.expansion.transform import set_quote

            lines.append(f"{name}={array_text(var) if isinstance(var.value, dict) else set_quote(value)}")
    if not on and scope is None:
        lines.extend(function_text(sh.functions[name]) for name in sorted(sh.functions))
    if lines:
        yield from sh.p.out("\n".join(lines) + "\n")
    return 0


def _print(sh: Shell, command: str, words: list[str]) -> Gen[int]:
    status = 0
    for name in words:
        found: Var | None = None
        for scope in reversed(sh.vars.scopes):
            if name in scope:
                found = scope[name]
                break
        if found is None:
            if name in sh.vars.dynamic:
                yield from sh.p.out(f'declare -i {name}="{sh.vars.get(name)}"\n')
                continue
            yield from sh.complain(f"{name}: not found", command)
            status = 1
        else:
            yield from sh.p.out(declaration(name, found) + "\n")
    return status
