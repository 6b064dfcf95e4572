"""What the system programs share: reading small files, names of users, sizes for people, uptime in words."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Protocol

from urltrap.machine.api import FileSystem, Process, decode
from urltrap.machine.errors import SysError
from urltrap.machine.programs._getopt import OptionError, getopt


class Reader(Protocol):
    """Who looks at files: a process, or the machine itself."""

    @property
    def fs(self) -> FileSystem: ...


def text_of(p: Reader, path: str) -> str:
    """A file's text; empty where it cannot be read."""
    try:
        return decode(p.fs.read(path))
    except SysError:
        return ""


def names(p: Process) -> dict[int, str]:
    """User names by uid, from /etc/passwd."""
    found: dict[int, str] = {}
    for line in text_of(p, "/etc/passwd").splitlines():
        parts = line.split(":")
        if len(parts) > 2 and parts[2].isdigit():
            found.setdefault(int(parts[2]), parts[0])
    return found


def group_names(p: Process) -> dict[int, str]:
    """Group names by gid, from /etc/group."""
    found: dict[int, str] = {}
    for line in text_of(p, "/etc/group").splitlines():
        parts = line.split(":")
        if len(parts) > 2 and parts[2].isdigit():
            found.setdefault(int(parts[2]), parts[0])
    return found


def account(p: Reader, name: str) -> list[str] | None:
    """The fields of a user's line in /etc/passwd; None where there is no such user."""
    for line in text_of(p, "/etc/passwd").splitlines():
        parts = line.split(":")
        if parts[0] == name and len(parts) >= 7:
            return parts
    return None


def is_device(p: Process) -> bool:
    """True where BusyBox's formats are printed: on a device, and for an applet of a server's busybox."""
    if not p.persona.is_server:
        return True
    row = p.process_row(p.pid)
    return row is not None and row.exe.endswith("/busybox")


def complain(p: Process, text: str) -> Generator[Any, Any, None]:
    """An error line with the program's name."""
    yield from p.err(f"{p.argv[0]}: {text}\n")


def gnu_usage(p: Process, error: OptionError | str) -> Generator[Any, Any, int]:
    """A wrong option or operand, said as GNU programs do; the status is 1."""
    yield from p.err(f"{p.argv[0]}: {error}\nTry '{p.argv[0]} --help' for more information.\n")
    return 1


def option_problem(p: Process, letters: str, long: str = "") -> str:
    """getopt's complaint about the options of a program, with its name and a newline; empty where they are right.

    `letters` as getopt(3); `long` words, with ":" behind those that take a value.
    """
    kinds = {word.rstrip(":"): word[len(word.rstrip(":")) :] for word in (long + " help version").split()}
    try:
        getopt(p.argv[1:], letters, kinds)
    except OptionError as error:
        return f"{p.argv[0]}: {error}\n"
    return ""


def human(value: float, units: str = "BKMGTPE", base: int = 1024) -> str:
    """A size as coreutils' -h shows it: rounded up, one decimal below ten."""
    step = 0
    while value >= base and step < len(units) - 1:
        value /= base
        step += 1
    if step == 0:
        return str(int(value))
    tenths = -int(-value * 10 // 1)
    if tenths < 100:
        return f"{tenths / 10:.1f}{units[step]}"
    whole = -int(-value // 1)
    if whole >= base and step < len(units) - 1:
        return f"1.0{units[step + 1]}"
    return f"{whole}{units[step]}"


def uptime_words(seconds: float) -> str:
    """ "26 days,  3:12" as uptime and w show it."""
    minutes = int(seconds // 60)
    days, minutes = divmod(minutes, 1440)
    hours, minutes = divmod(minutes, 60)
    head = f"{days} day{'s' if days != 1 else ''}, " if days else ""
    return f"{head}{hours:2d}:{minutes:02d}" if hours else f"{head}{minutes} min"
