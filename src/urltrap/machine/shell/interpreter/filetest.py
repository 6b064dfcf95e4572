"""The file tests that ``test``, ``[`` and ``[[`` share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from urltrap.machine.api import S_IFBLK, S_IFCHR, S_IFIFO, S_IFMT, S_IFSOCK
from urltrap.machine.errors import SysError

if TYPE_CHECKING:
    from urltrap.machine.shell.interpreter.shell import Shell

FILE_TESTS = frozenset("bcdefghkLprsSuwxGNO")


def unary_test(sh: Shell, op: str, operand: str) -> bool:
    """``-f file``, ``-z text`` and all other tests of one operand."""
    letter = op[1]
    if letter == "n":
        return operand != ""
    if letter == "z":
        return operand == ""
    if letter == "t":
        return (
            operand.strip().isdecimal()
            and int(operand.strip()[:6]) in sh.p.fds
            and sh.p.is_tty(int(operand[:6]))
        )
    if letter == "v":
        name, bracket, rest = operand.partition("[")
        if bracket:
            from urltrap.machine.shell.expansion.names import ShellNames

            return ShellNames(sh).get_name(name, rest.rstrip("]")) is not None
        return sh.vars.get(operand) is not None
    if letter == "o":
        return operand in sh.options
    if letter == "R":
        var = sh.vars.scopes[0].get(operand)
        return var is not None and var.nameref
    if letter == "a":
        letter = "e"
    try:
        stat = sh.p.fs.stat(operand, follow=letter not in "hL") if operand else None
    except SysError:
        return False
    if stat is None:
        return False
    kind = stat.mode & S_IFMT
    if letter == "e":
        return True
    if letter == "f":
        return stat.is_file
    if letter == "d":
        return stat.is_dir
    if letter in "hL":
        return stat.is_link
    if letter == "s":
        return stat.size > 0
    if letter in "rwx":
        return sh.p.fs.access(operand, {"r": 4, "w": 2, "x": 1}[letter])
    kinds = {"b": S_IFBLK, "c": S_IFCHR, "p": S_IFIFO, "S": S_IFSOCK}
    if letter in kinds:
        return kind == kinds[letter]
    if letter == "u":
        return bool(stat.mode & 0o4000)
    if letter == "g":
        return bool(stat.mode & 0o2000)
    if letter == "k":
        return bool(stat.mode & 0o1000)
    if letter == "O":
        return stat.uid == sh.p.uid
    if letter == "G":
        return stat.gid == sh.p.gid
    return stat.mtime > stat.atime  # N: changed since it was last read


def compare_files(sh: Shell, op: str, left: str, right: str) -> bool:
    """``-nt``, ``-ot``, ``-ef``."""

    def find(path: str) -> tuple[float, int, int] | None:
        try:
            stat = sh.p.fs.stat(path)
        except SysError:
            return None
        return stat.mtime, stat.device, stat.inode

    first, second = find(left), find(right)
    if op == "-ef":
        return first is not None and second is not None and first[1:] == second[1:]
    if op == "-ot":
        first, second = second, first
    if first is None:
        return False
    return second is None or first[0] > second[0]
