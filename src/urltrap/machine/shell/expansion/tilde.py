"""Tilde expansion."""

from __future__ import annotations

from typing import TYPE_CHECKING

from urltrap.machine.api import decode
from urltrap.machine.errors import SysError

if TYPE_CHECKING:
    from urltrap.machine.shell.interpreter.shell import Shell


def tilde_prefix(text: str) -> tuple[str, str]:
    """``~name/rest`` as ("name", "/rest")."""
    end = text.find("/")
    if end < 0:
        return text[1:], ""
    return text[1:end], text[end:]


def home_of(sh: Shell, user: str) -> str | None:
    """The home folder of `user` in the machine's /etc/passwd."""
    try:
        data = sh.p.fs.read("/etc/passwd")
    except SysError:
        return None
    for line in decode(data).split("\n"):
        fields = line.split(":")
        if len(fields) >= 6 and fields[0] == user:
            return fields[5]
    return None


def expand_tilde(sh: Shell, prefix: str) -> str | None:
    """What ``~prefix`` stands for; None where it stays as it is."""
    if prefix == "":
        home = sh.vars.get("HOME")
        return home if home is not None else home_of(sh, sh.p.user)
    if prefix == "+" and sh.dialect.bash:
        return sh.vars.get("PWD")
    if prefix == "-" and sh.dialect.bash:
        return sh.vars.get("OLDPWD")
    if not all(char.isalnum() or char in "_.-" for char in prefix):
        return None
    return home_of(sh, prefix)
