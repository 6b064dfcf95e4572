"""What Tab can complete: command names and paths."""

from __future__ import annotations

from typing import TYPE_CHECKING

from urltrap.machine.errors import SysError
from urltrap.machine.shell.builtins.registry import names

if TYPE_CHECKING:
    from urltrap.machine.shell.interpreter.shell import Shell


def complete_command(sh: Shell, prefix: str) -> list[str]:
    """Builtins, functions, aliases and programs in PATH that begin with `prefix`, sorted, each once."""
    found = {name for name in names(sh.dialect.name) if name.startswith(prefix)}
    found.update(name for name in sh.functions if name.startswith(prefix))
    found.update(name for name in sh.aliases if name.startswith(prefix))
    for folder in sh.getvar("PATH").split(":"):
        try:
            entries = sh.p.fs.listdir(folder or ".")
        except SysError:
            continue
        found.update(
            name for name in entries if name.startswith(prefix) and sh.p.fs.access(f"{folder}/{name}", 1)
        )
    return sorted(found)


def complete_path(sh: Shell, prefix: str) -> list[str]:
    """Paths that begin with `prefix`; folders end in a slash."""
    from urltrap.machine.shell.expansion.tilde import expand_tilde, tilde_prefix

    shown, slash, last = prefix.rpartition("/")
    folder = shown + slash
    real = folder
    if folder.startswith("~"):
        user, rest = tilde_prefix(folder)
        home = expand_tilde(sh, user)
        real = folder if home is None else home + rest
    try:
        entries = sh.p.fs.listdir(real or ".")
    except SysError:
        return []
    found: list[str] = []
    for name in sorted(entries):
        if not name.startswith(last) or (name.startswith(".") and not last.startswith(".")):
            continue
        try:
            is_dir = sh.p.fs.stat(real + name).is_dir
        except SysError:
            is_dir = False
        found.append(folder + name + ("/" if is_dir else ""))
    return found
