"""alias and unalias."""

from __future__ import annotations

from typing import TYPE_CHECKING

from urltrap.machine.shell.builtins.registry import builtin

if TYPE_CHECKING:
    from urltrap.machine.shell.interpreter.shell import Gen, Shell


def _shown(sh: Shell, name: str) -> str:
    value = sh.aliases[name]
    if sh.dialect.bash:
        quoted = value.replace("'", "'\\''")
        return f"alias {name}='{quoted}'\n"
    quoted = value.replace("'", "'\"'\"'")
    return f"{name}='{quoted}'\n"


@builtin("alias")
def alias(sh: Shell, argv: list[str]) -> Gen[int]:
    """Define or show aliases."""
    words = [word for word in argv[1:] if word not in ("-p", "--")]
    if not words:
        yield from sh.p.out("".join(_shown(sh, name) for name in sorted(sh.aliases)))
        return 0
    status = 0
    for word in words:
        name, equals, value = word.partition("=")
        if equals and name:
            sh.aliases[name] = value
        elif name in sh.aliases:
            yield from sh.p.out(_shown(sh, name))
        else:
            if sh.dialect.bash:
                yield from sh.complain(f"{word}: not found", "alias")
            else:
                yield from sh.p.err(f"alias: {word} not found\n")
            status = 1
    return status


@builtin("unalias")
def unalias(sh: Shell, argv: list[str]) -> Gen[int]:
    """Forget aliases."""
    words = argv[1:]
    if words[:1] == ["-a"]:
        sh.aliases.clear()
        return 0
    if not words and sh.dialect.bash:
        yield from sh.p.err("unalias: usage: unalias [-a] name [name ...]\n")
        return 2
    status = 0
    for word in words:
        if sh.aliases.pop(word, None) is None:
            if sh.dialect.bash:
                yield from sh.complain(f"{word}: not found", "unalias")
            else:
                yield from sh.p.err(f"unalias: {word} not found\n")
            status = 1
    return status
