"""crontab: the table of a user, kept in the spool as cron reads it."""

from __future__ import annotations

import re

from urltrap.machine.api import Process, Run
from urltrap.machine.errors import SysError
from urltrap.machine.programs._getopt import OptionError, getopt
from urltrap.machine.programs._system import account, is_device, names
from urltrap.machine.programs.registry import program

_USAGE = """\
usage:\tcrontab [-u user] [-n] file
\tcrontab [ -u user ] [ -i ] { -e | -l | -r }

\t-h\t(displays this help message)

\tfile\t(default operation is replace, per 1003.2)
\t-n\t(dry run: checks the syntax, then bails out)
\t-u user\t(choose the user whose crontab is touched)

\t-e\t(edit user's crontab)
\t-l\t(list user's crontab)
\t-r\t(delete user's crontab)

\t-i\t(prompt before deleting user's crontab)
"""
_NUMBERS = re.compile(rb"^(\*|[0-9]+(-[0-9]+)?)(/[0-9]+)?(,(\*|[0-9]+(-[0-9]+)?)(/[0-9]+)?)*$")
_MONTHS = rb"[0-9]+|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
_DAYS = rb"[0-9]+|sun|mon|tue|wed|thu|fri|sat"


def _named(names: bytes) -> re.Pattern[bytes]:
    one = rb"(\*|(" + names + rb")(-(" + names + rb"))?)(/[0-9]+)?"
    return re.compile(rb"^" + one + rb"(," + one + rb")*$", re.I)


_SETTING = re.compile(rb"^[A-Za-z_][A-Za-z0-9_]*\s*=")
_FIELDS = (("minute", _NUMBERS), ("hour", _NUMBERS), ("day-of-month", _NUMBERS), ("month", _named(_MONTHS)),
           ("day-of-week", _named(_DAYS)))  # fmt: skip


def _first_error(data: bytes) -> tuple[int, str] | None:
    """Number and fault of the first line that cron would not take."""
    for number, line in enumerate(data.split(b"\n"), 1):
        words = line.split()
        if not words or words[0].startswith(b"#") or _SETTING.match(line.strip()):
            continue
        if words[0].startswith(b"@"):
            if words[0] not in (
                b"@reboot",
                b"@yearly",
                b"@annually",
                b"@monthly",
                b"@weekly",
                b"@daily",
                b"@midnight",
                b"@hourly",
            ):
                return number - 1, "bad time specifier"
            words = [b"*"] * 5 + words[1:]
        for place, (name, shape) in enumerate(_FIELDS):
            if place >= len(words) or not shape.match(words[place]):
                return number - 1, f"bad {name}"
        if len(words) < 6:
            return number - 1, "bad command"
    return None


@program("crontab")
def crontab(p: Process) -> Run:
    """List, replace or remove the table."""
    try:
        options, operands = getopt(p.argv[1:], "u:lerinh")
    except OptionError as error:
        yield from p.err(f"crontab: {error}\ncrontab: usage error: unrecognized option\n{_USAGE}")
        return 1
    given = dict(options)
    if "h" in given:
        yield from p.out(_USAGE)
        return 0
    user = given.get("u", names(p).get(p.uid, "root"))
    if account(p, user) is None:
        yield from p.err(f"crontab:  user `{user}' unknown\n")
        return 1
    if p.uid and "u" in given and user != names(p).get(p.uid):
        yield from p.err("must be privileged to use -u\n")
        return 1
    spool = "/etc/crontabs" if is_device(p) else "/var/spool/cron/crontabs"
    path = f"{spool}/{user}"
    if "l" in given:
        try:
            yield from p.write(1, p.fs.read(path))
        except SysError:
            yield from p.err(
                f"no crontab for {user}\n"
                if not is_device(p)
                else f"crontab: can't open '{user}': No such file or directory\n"
            )
            return 1
        return 0
    if "r" in given:
        try:
            p.fs.unlink(path)
        except SysError:
            yield from p.err(f"no crontab for {user}\n")
            return 1
        return 0
    if "e" in given:
        yield from p.err(f"no crontab for {user} - using an empty one\n" if not _exists(p, path) else "")
        yield from p.err("No modification made\n")
        return 0
    return (yield from _replace(p, path, user, operands))


def _exists(p: Process, path: str) -> bool:
    try:
        p.fs.stat(path)
    except SysError:
        return False
    return True


def _replace(p: Process, path: str, user: str, operands: list[str]) -> Run:
    source = operands[0] if operands else "-"
    if not operands and p.is_tty(0) and not is_device(p):
        source = "-"
    if source == "-":
        data = yield from p.read_all(0, 1_000_000)
    else:
        try:
            data = p.fs.read(source, 1_000_000)
        except SysError as error:
            yield from p.err(f"{source}: {error.words}\n")
            return 1
    fault = _first_error(data)
    if fault is not None and not is_device(p):
        yield from p.err(f'"{source}":{fault[0]}: {fault[1]}\nerrors in crontab file, can\'t install.\n')
        return 1
    if data and not data.endswith(b"\n") and not is_device(p):
        yield from p.err("new crontab file is missing newline before EOF, can't install.\n")
        return 1
    spool = path.rpartition("/")[0]
    if not _exists(p, spool):
        p.fs.mkdir(spool, 0o1730)
    p.fs.write(path, data, mode=0o600)
    return 0
