"""Parameters: ``$1 $@ $? $x`` and everything that ``${…}`` can do to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from urltrap.machine.shell.arithmetic import evaluate
from urltrap.machine.shell.ast import Param, Word
from urltrap.machine.shell.errors import ExpansionError
from urltrap.machine.shell.expansion.names import ShellNames, element_index
from urltrap.machine.shell.expansion.transform import transform, whole
from urltrap.machine.shell.glob import compile_pattern, remove_prefix, remove_suffix, replace, unquote_pattern
from urltrap.machine.shell.variables import Var

if TYPE_CHECKING:
    from urltrap.machine.shell.interpreter.shell import Gen, Shell


_SPECIAL_ARRAYS = frozenset(("PIPESTATUS", "FUNCNAME", "BASH_SOURCE", "BASH_LINENO", "GROUPS", "DIRSTACK"))


def lookup(sh: Shell, name: str) -> str | None:
    """The value of one parameter (not ``@`` or ``*``); None where unset."""
    first = name[0]
    if first.isalpha() or first == "_":
        if name == "_" and not sh.in_trap and sh.dialect.bash:
            return sh.last_argument
        value = sh.vars.get(name)
        if value is None and name in _SPECIAL_ARRAYS and sh.dialect.bash:
            special = _special_array(sh, name)
            return special[0] if special else None
        return value
    if first.isdecimal():
        number = int(name[:9])
        if number == 0:
            return sh.arg0
        return sh.positional[number - 1] if number <= len(sh.positional) else None
    if first == "?":
        return str(sh.status)
    if first == "#":
        return str(len(sh.positional))
    if first == "$":
        return str(sh.shell_pid)
    if first == "!":
        return None if sh.last_background is None else str(sh.last_background)
    if first == "-":
        return sh.flags
    return None


def check_unset(sh: Shell, name: str) -> None:
    """Raise where ``set -u`` forbids that `name` is unset."""
    if "nounset" in sh.options:
        text = f"{name}: unbound variable" if sh.dialect.bash else f"{name}: parameter not set"
        if sh.dialect.bash and name.isdecimal():
            text = f"${text}"
        raise ExpansionError(text, fatal_status=127 if sh.dialect.bash else 2)


def _is_many(param: Param) -> bool:
    if param.index is not None:
        return param.index.raw in ("@", "*")
    return param.name in ("@", "*")


def _star(param: Param) -> bool:
    return param.name == "*" or (param.index is not None and param.index.raw == "*")


def array_items(var: Var | None) -> list[tuple[str, str]]:
    """(key, value) of an array in order; a scalar is element 0."""
    if var is None or var.value is None:
        return []
    if isinstance(var.value, str):
        return [("0", var.value)]
    if var.array == "A":
        return [(str(key), value) for key, value in var.value.items()]
    return [(str(key), value) for key, value in sorted(var.value.items())]


def _special_array(sh: Shell, name: str) -> list[str] | None:
    if name == "PIPESTATUS":
        return [str(status) for status in sh.pipe_status]
    if name == "FUNCNAME":
        names = [frame.function or "source" for frame in reversed(sh.frames)]
        return [*names, "main"] if names and not sh.command_string else names
    if name == "BASH_SOURCE":
        return [frame.source for frame in reversed(sh.frames)] + ([sh.arg0] if not sh.command_string else [])
    if name == "BASH_LINENO":
        return [str(frame.line) for frame in reversed(sh.frames)] + ["0"]
    if name == "GROUPS":
        return [str(group) for group in (sh.p.groups or [sh.p.gid])]
    if name == "DIRSTACK":
        return [sh.p.cwd, *sh.dirs]
    return None


def _values(sh: Shell, param: Param) -> list[str]:
    if param.index is None:
        return list(sh.positional)
    special = _special_array(sh, param.name)
    if special is not None:
        return special
    if param.name in sh.vars.dynamic:
        return [sh.vars.get(param.name) or ""]
    return [value for _, value in array_items(sh.vars.find(param.name))]


def _element(sh: Shell, param: Param, index: str) -> str | None:
    special = _special_array(sh, param.name)
    if special is not None:
        number = evaluate(index, ShellNames(sh), sh.dialect.name)
        return special[number] if -len(special) <= number < len(special) else None
    var = sh.vars.find(param.name)
    if var is None:
        if param.name in sh.vars.dynamic and evaluate(index, ShellNames(sh), sh.dialect.name) == 0:
            return sh.vars.get(param.name)
        return None
    if var.array == "A":
        return var.value.get(index) if isinstance(var.value, dict) else None  # type: ignore[call-overload]
    number = element_index(sh, param.name, index)
    if isinstance(var.value, dict):
        return var.value.get(number)  # type: ignore[call-overload]
    return var.value if number == 0 else None


def expand_parameter(sh: Shell, param: Param, quoted: bool) -> Gen[str | list[str] | Word]:
    """The result of ``${…}``: a string, a list (``$@``), or the word of ``${x:-word}`` still to be expanded."""
    from urltrap.machine.shell.expansion.fields import expand_string

    if param.bad:
        raise bad_substitution(sh, param.bad)
    op = param.op
    if op == "names" and param.arg is not None:
        found = [name for name in sh.vars.names() if name.startswith(param.name)]
        return sh.ifs[:1].join(found) if param.arg.raw == "*" and quoted else found
    if op == "keys":
        keys = [key for key, _ in array_items(sh.vars.find(param.name))]
        return sh.ifs[:1].join(keys) if _star(param) and quoted else keys
    if param.indirect:
        if param.index is None and not param.op and (name := sh.vars.target(param.name)) != param.name:
            return name  # of a nameref it is the name that it stands for
        param = yield from _follow(sh, param)
    index = ""
    many = _is_many(param)
    if param.index is not None and not many:
        index = yield from expand_string(sh, param.index)
    if op == "len":
        return (yield from _length(sh, param, many, index))
    values: list[str] | None = None
    value: str | None = None
    if many:
        values = _values(sh, param)
    elif param.index is not None:
        value = _element(sh, param, index)
    else:
        value = lookup(sh, param.name)
    if op in (":-", "-", ":=", "=", ":?", "?", ":+", "+"):
        return (yield from _conditional(sh, param, quoted, value, values, index))
    if values is None and value is None:
        check_unset(sh, param.name + (f"[{index}]" if param.index is not None else ""))
        if op and not op.startswith("@"):
            return ""
        return "" if not op else transform(sh, param, None, op)
    if op == ":":
        return (yield from _substring(sh, param, quoted, value, values))
    if values is not None:
        made = yield from _map(sh, param, values)
        return _many_result(sh, param, made, quoted)
    assert value is not None  # None was answered above
    if not op:
        return value
    return (yield from _map(sh, param, [value]))[0]


def _many_result(sh: Shell, param: Param, values: list[str], quoted: bool) -> str | list[str]:
    if quoted and _star(param):
        return sh.ifs[:1].join(values)
    return values


def bad_substitution(sh: Shell, text: str) -> ExpansionError:
    """The message for a ``${…}`` that means nothing."""
    if sh.dialect.bash:
        return ExpansionError(f"{text}: bad substitution")
    words = "Bad substitution" if sh.dialect.name == "dash" else "syntax error: bad substitution"
    return ExpansionError(words, fatal_status=2)


def _follow(sh: Shell, param: Param) -> Gen[Param]:
    """``${!name…}``: the parameter that the value of `name` names."""
    from urltrap.machine.shell.expansion.fields import expand_string

    if param.index is not None:
        name = _element(sh, param, (yield from expand_string(sh, param.index)))
    else:
        name = lookup(sh, param.name)
    if name is None:
        if "nounset" in sh.options:
            check_unset(sh, param.name)
        raise ExpansionError(f"{param.name}: invalid indirect expansion")
    base, bracket, rest = name.partition("[")
    if not (base and (base.replace("_", "a").isalnum() or base in ("@", "*", "#", "?", "$", "!", "-"))):
        raise ExpansionError(f"{name}: invalid variable name")
    index = Word((), rest[:-1], rest[:-1], rest[:-1]) if bracket and rest.endswith("]") else None
    return Param(base, param.op, param.arg, param.arg2, index)


def _length(sh: Shell, param: Param, many: bool, index: str) -> Gen[str]:
    if many:
        return str(len(_values(sh, param)))
    value = _element(sh, param, index) if param.index is not None else lookup(sh, param.name)
    if value is None:
        if param.index is None:
            check_unset(sh, param.name)
        return "0"
    yield from sh.p.tick(0)
    return str(len(value))


def _conditional(
    sh: Shell, param: Param, quoted: bool, value: str | None, values: list[str] | None, index: str
) -> Gen[str | list[str] | Word]:
    from urltrap.machine.shell.expansion.fields import expand_string

    op, arg = param.op, param.arg
    assert arg is not None  # the parser always gives a word with these
    colon = op.startswith(":")
    if values is not None:
        present = bool(values) and not (colon and len(values) == 1 and not values[0])
        if colon and len(values) > 1 and not any(values) and not param.index:
            present = present and True
    else:
        present = value is not None and not (colon and not value)
    kind = op[-1]
    if kind == "+":
        return arg if present else Word((), "", "", "")
    if present:
        return _many_result(sh, param, values, quoted) if values is not None else value or ""
    if kind == "-":
        return arg
    text = yield from expand_string(sh, arg)
    shown = param.name + (f"[{index}]" if param.index is not None else "")
    if kind == "=":
        if not (param.name[0].isalpha() or param.name[0] == "_"):
            if sh.dialect.bash:
                raise ExpansionError(f"${param.name}: cannot assign in this way")
            raise ExpansionError(f"{param.name}: bad variable name", fatal_status=2)
        if param.index is not None:
            ShellNames(sh).set_name(param.name, index, text)
        else:
            sh.set_var(param.name, text)
        return text
    both = "parameter null or not set" if sh.dialect.name != "ash" else "parameter not set or null"
    default = both if colon else "parameter not set"
    raise ExpansionError(f"{shown}: {text or default}", fatal_status=127 if sh.dialect.bash else 2)


def _substring(
    sh: Shell, param: Param, quoted: bool, value: str | None, values: list[str] | None
) -> Gen[str | list[str]]:
    from urltrap.machine.shell.expansion.fields import expand_string

    assert param.arg is not None  # the parser always gives an offset
    offset_text = yield from expand_string(sh, param.arg)
    offset = evaluate(offset_text, ShellNames(sh), sh.dialect.name)
    length: int | None = None
    length_text = ""
    if param.arg2 is not None:
        length_text = yield from expand_string(sh, param.arg2)
        length = evaluate(length_text, ShellNames(sh), sh.dialect.name)
    if values is not None:
        items = values
        if param.index is None:
            items = (
                [sh.arg0, *values] if offset == 0 or (offset < 0 and -offset > len(values)) else ["", *values]
            )
            if offset < 0:
                offset = len(values) + 1 + offset
        else:
            return _many_result(
                sh, param, _slice_array(sh, param, items, offset, length, length_text), quoted
            )
        if offset < 0:
            return _many_result(sh, param, [], quoted)
        if length is not None and length < 0:
            raise ExpansionError(f"{length_text}: substring expression < 0")
        picked = items[offset:] if length is None else items[offset : offset + length]
        return _many_result(sh, param, picked, quoted)
    assert value is not None  # unset was answered before
    size = len(value)
    if offset < 0:
        offset += size
        if offset < 0:
            return ""
    if offset > size:
        return ""
    if length is None:
        return value[offset:]
    if length < 0:
        end = size + length
        if end < offset:
            if not sh.dialect.bash:
                return value[offset:]
            raise ExpansionError(f"{length_text}: substring expression < 0")
        return value[offset:end]
    return value[offset : offset + length]


def _slice_array(
    sh: Shell, param: Param, items: list[str], offset: int, length: int | None, length_text: str
) -> list[str]:
    """``${a[@]:offset:length}``: the offset is an index, the length counts elements."""
    if length is not None and length < 0:
        raise ExpansionError(f"{length_text}: substring expression < 0")
    var = sh.vars.find(param.name)
    if var is not None and var.array == "a" and isinstance(var.value, dict):
        keys = sorted(int(key) for key in var.value)
        if offset < 0:
            offset += (keys[-1] + 1) if keys else 0
        picked = [] if offset < 0 else [item for key, item in zip(keys, items, strict=True) if key >= offset]
    else:
        offset = offset + len(items) if offset < 0 else offset
        picked = (
            []
            if offset < 0
            else items[max(0, offset - 1) if var is not None and var.array == "A" else offset :]
        )
    return picked if length is None else picked[:length]


def _map(sh: Shell, param: Param, values: list[str]) -> Gen[list[str]]:
    """Apply a pattern, case or @ operator to each value."""
    from urltrap.machine.shell.expansion.fields import expand_pattern, expand_string

    op = param.op
    if not op:
        return values
    yield from sh.p.tick(1 + sum(map(len, values)) // 256)
    if (
        op in ("@A", "@K", "@k")
        and _is_many(param)
        and (var := sh.vars.find(param.name)) is not None
        and var.array
    ):
        return whole(param.name, var, op)
    if op.startswith("@"):
        return [transform(sh, param, value, op) for value in values]
    assert param.arg is not None  # the parser always gives a pattern
    pattern = yield from expand_pattern(sh, param.arg)
    ext = sh.extglob
    if op in ("#", "##"):
        return [remove_prefix(value, pattern, op == "##", ext) for value in values]
    if op in ("%", "%%"):
        return [remove_suffix(value, pattern, op == "%%", ext) for value in values]
    if op in ("/", "//", "/#", "/%"):
        new = (yield from expand_string(sh, param.arg2)) if param.arg2 is not None else ""
        return [replace(value, pattern, new, op, ext) for value in values]
    return [_case(value, pattern, op, ext) for value in values]


def _case(value: str, pattern: str, op: str, ext: bool) -> str:
    change = str.upper if op[0] == "^" else str.lower
    if not pattern or pattern == "?":
        return change(value) if len(op) == 2 else change(value[:1]) + value[1:]
    compiled = compile_pattern(pattern, ext)
    if len(op) == 1:
        return change(value[:1]) + value[1:] if value and compiled.matches(value[0]) else value
    return "".join(change(char) if compiled.matches(char) else char for char in value)


__all__ = ["array_items", "bad_substitution", "check_unset", "expand_parameter", "lookup", "unquote_pattern"]
