"""type, hash, enable, caller."""

from __future__ import annotations

from typing import TYPE_CHECKING

from urltrap.machine.errors import SysError
from urltrap.machine.shell.builtins.registry import builtin, names
from urltrap.machine.shell.interpreter.program import find_program
from urltrap.machine.shell.interpreter.simple import find_builtin
from urltrap.machine.shell.unparse import function_text

if TYPE_CHECKING:
    from urltrap.machine.shell.interpreter.shell import Gen, Shell

KEYWORDS = {
    "bash": frozenset((
        "if", "then", "else", "elif", "fi", "case", "esac", "for", "select", "while", "until", "do", "done", "in",
        "function", "time", "{", "}", "!", "[[", "]]", "coproc",
    )),
    "dash": frozenset(("!", "case", "do", "done", "elif", "else", "esac", "fi", "for", "if", "in", "then", "until",
                       "while", "{", "}")),
    "ash": frozenset(("!", "case", "do", "done", "elif", "else", "esac", "fi", "for", "function", "if", "in", "then",
                      "until", "while", "{", "}")),
}  # fmt: skip
_SPECIAL = frozenset((".", ":", "break", "continue", "eval", "exec", "exit", "export", "readonly", "return", "set",
                      "shift", "times", "trap", "unset"))  # fmt: skip


def _executable(sh: Shell, name: str) -> str | None:
    path = find_program(sh, name)
    if path is None:
        return None
    try:
        stat = sh.p.fs.stat(path)
    except SysError:
        return None
    return path if not stat.is_dir and sh.p.fs.access(path, 1) else None


def describe(sh: Shell, name: str, *, brief: bool = False, command: str = "type") -> Gen[bool]:
    """One line (or a function's text) about what `name` is; False where it is nothing."""
    out = sh.p.out
    bash = sh.dialect.bash
    if name in sh.aliases and (not bash or sh.interactive or "expand_aliases" in sh.shopts):
        value = sh.aliases[name]
        if brief:
            quoted = "'" + value.replace("'", "'\\''") + "'"
            yield from out(f"alias {name}={quoted}\n")
        else:
            yield from out(
                f"{name} is aliased to `{value}'\n" if bash else f"{name} is an alias for {value}\n"
            )
        return True
    if name in KEYWORDS[sh.dialect.name]:
        yield from out(f"{name}\n" if brief else f"{name} is a shell keyword\n")
        return True
    if name in sh.functions:
        if brief:
            yield from out(f"{name}\n")
        elif bash:
            yield from out(f"{name} is a function\n{function_text(sh.functions[name])}\n")
        else:
            yield from out(f"{name} is a {'shell ' if sh.dialect.name == 'dash' else ''}function\n")
        return True
    if find_builtin(sh, name) is not None:
        special = "special " if name in _SPECIAL and not bash else ""
        yield from out(f"{name}\n" if brief else f"{name} is a {special}shell builtin\n")
        return True
    hashed = bash and name in sh.hashed and not brief
    path = _executable(sh, name)
    if path is None:
        if bash and not brief:
            yield from sh.complain(f"{name}: not found", command)
        elif not bash and not brief:
            yield from out(f"{name}: not found\n")
        return False
    if brief:
        yield from out(f"{path}\n")
    elif hashed:
        yield from out(f"{name} is hashed ({path})\n")
    elif bash:
        yield from out(f"{name} is {path}\n")
    elif sh.dialect.name == "dash" and name in sh.hashed:
        yield from out(f"{name} is a tracked alias for {path}\n")
    else:
        yield from out(f"{name} is {path}\n")
    return True


def kind_of(sh: Shell, name: str) -> str:
    """``type -t``: alias, keyword, function, builtin, file or nothing."""
    if name in sh.aliases and (sh.interactive or "expand_aliases" in sh.shopts):
        return "alias"
    if name in KEYWORDS[sh.dialect.name]:
        return "keyword"
    if name in sh.functions:
        return "function"
    if find_builtin(sh, name) is not None:
        return "builtin"
    return "file" if _executable(sh, name) is not None else ""


@builtin("type")
def type_of(sh: Shell, argv: list[str]) -> Gen[int]:
    """Say what names are."""
    words = argv[1:]
    flags = ""
    while sh.dialect.bash and words and words[0].startswith("-") and len(words[0]) > 1:
        flag = words.pop(0)
        if flag == "--":
            break
        bad = next((letter for letter in flag[1:] if letter not in "afptP"), None)
        if bad is not None:
            yield from sh.complain(f"-{bad}: invalid option", "type")
            yield from sh.p.err("type: usage: type [-afptP] name [name ...]\n")
            return 2
        flags += flag[1:]
    status = 0
    for word in words:
        if "t" in flags:
            kind = kind_of(sh, word)
            if kind:
                yield from sh.p.out(kind + "\n")
            else:
                status = 1
        elif "p" in flags or "P" in flags:
            if "P" not in flags and kind_of(sh, word) != "file":
                status = status if kind_of(sh, word) else 1
                continue
            path = _executable(sh, word)
            if path is None:
                status = 1
            else:
                yield from sh.p.out(path + "\n")
        elif "a" in flags:
            status = (yield from _all(sh, word)) or status
        elif not (yield from describe(sh, word)):
            status = 1 if sh.dialect.bash else 127
    return status


def _all(sh: Shell, name: str) -> Gen[int]:
    found = False
    if (
        name in KEYWORDS["bash"]
        or name in sh.functions
        or find_builtin(sh, name) is not None
        or name in sh.aliases
    ):
        found = yield from describe(sh, name)
        if name in sh.functions and find_builtin(sh, name) is not None:
            yield from sh.p.out(f"{name} is a shell builtin\n")
    for folder in sh.getvar("PATH").split(":"):
        path = f"{folder or '.'}/{name}"
        try:
            stat = sh.p.fs.stat(path)
        except SysError:
            continue
        if stat.is_file and sh.p.fs.access(path, 1):
            yield from sh.p.out(f"{name} is {path}\n")
            found = True
    if not found:
        yield from sh.complain(f"{name}: not found", "type")
    return int(not found)


@builtin("hash")
def hash_table(sh: Shell, argv: list[str]) -> Gen[int]:
    """The remembered places of programs."""
    words = argv[1:]
    if words[:1] == ["-r"]:
        sh.hashed.clear()
        words = words[1:]
        if not words:
            return 0
    if words and words[0].startswith("-") and sh.dialect.bash:
        return (yield from _hash_flags(sh, words))
    if not words:
        if not sh.hashed:
            if sh.dialect.bash:
                yield from sh.p.out("hash: hash table empty\n")
            return 0
        if sh.dialect.bash:
            rows = "".join(f"{hits:4d}\t{path}\n" for path, hits in sh.hashed.values())
            yield from sh.p.out("hits\tcommand\n" + rows)
        else:
            yield from sh.p.out("".join(f"{path}\n" for path, _ in sh.hashed.values()))
        return 0
    status = 0
    for word in words:
        path = find_program(sh, word)
        if path is None and find_builtin(sh, word) is None:
            yield from sh.complain(f"{word}: not found", "hash")
            status = 1
        elif path is not None and "/" not in word:
            sh.hashed[word] = (path, 0)
    return status


def _hash_flags(sh: Shell, words: list[str]) -> Gen[int]:
    flag = words[0]
    if flag == "-d" and len(words) > 1:
        for word in words[1:]:
            if sh.hashed.pop(word, None) is None:
                yield from sh.complain(f"{word}: not found", "hash")
                return 1
        return 0
    if flag == "-p" and len(words) > 2:
        sh.hashed[words[2]] = (words[1], 0)
        return 0
    if flag == "-t" and len(words) > 1:
        for word in words[1:]:
            if word not in sh.hashed:
                yield from sh.complain(f"{word}: not found", "hash")
                return 1
            yield from sh.p.out((f"{word}\t" if len(words) > 2 else "") + sh.hashed[word][0] + "\n")
        return 0
    if flag == "-l":
        if not sh.hashed:
            yield from sh.p.out("hash: hash table empty\n")
        yield from sh.p.out(
            "".join(f"builtin hash -p {path} {name}\n" for name, (path, _) in sh.hashed.items())
        )
        return 0
    yield from sh.complain(f"{flag[:2]}: invalid option", "hash")
    yield from sh.p.err("hash: usage: hash [-lr] [-p pathname] [-dt] [name ...]\n")
    return 2


@builtin("enable", dialects="bash")
def enable(sh: Shell, argv: list[str]) -> Gen[int]:
    """List, switch off and switch on builtins."""
    words = argv[1:]
    flags = ""
    while words and words[0].startswith("-") and len(words[0]) > 1:
        flag = words.pop(0)
        bad = next((letter for letter in flag[1:] if letter not in "adnpsf"), None)
        if bad is not None:
            yield from sh.complain(f"-{bad}: invalid option", "enable")
            yield from sh.p.err("enable: usage: enable [-a] [-dnps] [-f filename] [name ...]\n")
            return 2
        flags += flag[1:]
    every = names("bash")
    if not words:
        if "s" in flags:
            every = [name for name in every if name in _SPECIAL or name == "source"]
        rows: list[str] = []
        for name in sorted(every):
            off = name in sh.disabled
            if "a" in flags or off == ("n" in flags):
                rows.append(f"enable -n {name}" if off else f"enable {name}")
        yield from sh.p.out("".join(row + "\n" for row in rows))
        return 0
    status = 0
    for word in words:
        if word not in every:
            yield from sh.complain(f"{word}: not a shell builtin", "enable")
            status = 1
        elif "n" in flags:
            sh.disabled.add(word)
        else:
            sh.disabled.discard(word)
    return status


@builtin("caller", dialects="bash")
def caller(sh: Shell, argv: list[str]) -> Gen[int]:
    """Where the running function was called."""
    if not sh.frames:
        return 1
    frame = sh.frames[-1]
    if len(argv) > 1:
        above = sh.frames[-2].function if len(sh.frames) > 1 else "main"
        yield from sh.p.out(f"{frame.line} {above} {frame.source}\n")
    else:
        yield from sh.p.out(f"{frame.line} {'NULL' if sh.command_string else frame.source}\n")
    return 0
