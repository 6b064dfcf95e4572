"""crontab: the table of a user, kept in the spool as cron reads it, and changed in the editor of his choice."""

from __future__ import annotations

import re
import string
from collections.abc import Generator
from textwrap import indent
from typing import Any

from urltrap.machine.api import Process, Run
from urltrap.machine.errors import SysError
from urltrap.machine.programs._getopt import OptionError, getopt
from urltrap.machine.programs._paths import read_answer
from urltrap.machine.programs._syslog import log
from urltrap.machine.programs._system import account, group_names, is_device, names
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
_TEMPLATE = indent("""\
Edit this file to introduce tasks to be run by cron.

Each task to run has to be defined through a single line
indicating with different fields when the task will be run
and what command to run for the task

To define the time you can provide concrete values for
minute (m), hour (h), day of month (dom), month (mon),
and day of week (dow) or use '*' in these fields (for 'any').

Notice that tasks will be started based on the cron's system
daemon's notion of time and timezones.

Output of the crontab jobs (including errors) is sent through
email to the user the crontab file belongs to (unless redirected).

For example, you can run a backup of all your user accounts
at 5 a.m every week with:
0 5 * * 1 tar -zcf /var/backups/home.tgz /home/

For more information see the manual pages of crontab(5) and cron(8)

m h  dom mon dow   command
""", "# ", lambda line: True)  # fmt: skip
"""What Debian's crontab gives to the editor where there is no table yet."""
_MONTHS = {name: number for number, name in enumerate(
    (b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec"), 1)}  # fmt: skip
_DAYS = {name: number for number, name in enumerate(
    (b"sun", b"mon", b"tue", b"wed", b"thu", b"fri", b"sat"))}  # fmt: skip
_FIELDS: tuple[tuple[str, int, int, dict[bytes, int]], ...] = (
    ("minute", 0, 59, {}), ("hour", 0, 23, {}), ("day-of-month", 1, 31, {}), ("month", 1, 12, _MONTHS),
    ("day-of-week", 0, 7, _DAYS),
)  # fmt: skip
_SPECIAL = (
    b"@reboot",
    b"@yearly",
    b"@annually",
    b"@monthly",
    b"@weekly",
    b"@daily",
    b"@midnight",
    b"@hourly",
)
_SETTING = re.compile(rb"^[A-Za-z_][A-Za-z0-9_]*\s*=")
_RANGE = re.compile(rb"(?:\*|([0-9a-z]+)(?:-([0-9a-z]+))?)(?:/([0-9]+))?", re.IGNORECASE)
_MAX = 1_000_000
_LETTERS = string.ascii_letters + string.digits
_ASKED_AT_MOST = 100


def _in_range(text: bytes, low: int, high: int, names: dict[bytes, int]) -> bool:
    """True where cron takes this list of ranges."""
    for part in text.split(b","):
        match = _RANGE.fullmatch(part)
        if match is None or (match[3] is not None and not int(match[3][:9])):
            return False
        for word in match.group(1, 2):
            if word is None:
                continue
            number = int(word[:9]) if word.isdigit() else names.get(word.lower(), -1)
            if not low <= number <= high:
                return False
    return True


def _first_error(data: bytes) -> tuple[int, str] | None:
    """Number and fault of the first line that cron would not take: from 0, but a word that ends its line is one later,
    as the end of the line was read by then."""
    for number, line in enumerate(data.split(b"\n")):
        words = line.split()
        if not words or words[0].startswith(b"#") or _SETTING.match(line.strip()):
            continue
        if words[0].startswith(b"@"):
            if words[0] not in _SPECIAL:
                return number, "bad time specifier"
            continue
        for place, (name, low, high, words_for) in enumerate(_FIELDS):
            if place >= len(words) or not _in_range(words[place], low, high, words_for):
                return number + (place >= len(words) - 1), f"bad {name}"
        if len(words) < 6:
            return number + 1, "bad command"
    return None


@program("crontab")
def crontab(p: Process) -> Run:
    """List, replace, edit or remove the table."""
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
    wanted = [name for name in "ler" if name in given]
    if len(wanted) > 1 and not is_device(p):
        yield from p.err(f"crontab: usage error: only one operation permitted\n{_USAGE}")
        return 1
    path = f"{'/etc/crontabs' if is_device(p) else '/var/spool/cron/crontabs'}/{user}"
    if "l" in given:
        return (yield from _list(p, path, user))
    if "r" in given:
        return (yield from _remove(p, path, user, "i" in given))
    if "e" in given:
        return (yield from (_edit_on_device(p, path, user) if is_device(p) else _edit(p, path, user)))
    return (yield from _replace(p, path, operands, "n" in given))


def _list(p: Process, path: str, user: str) -> Run:
    try:
        if not is_device(p):
            _told(p, "LIST", path)
        yield from p.write(1, p.fs.read(path))
    except SysError:
        missing = f"crontab: can't open '{user}': No such file or directory\n"
        yield from p.err(missing if is_device(p) else f"no crontab for {user}\n")
        return 1
    return 0


def _remove(p: Process, path: str, user: str, ask: bool) -> Run:
    if ask and not is_device(p):
        yield from p.out(f"crontab: really delete {user}'s crontab? (y/n) ")
        if (yield from read_answer(p))[:1].lower() != b"y":
            return 0
    try:
        p.fs.unlink(path)
    except SysError:
        if is_device(p):
            return 0
        yield from p.err(f"no crontab for {user}\n")
        return 1
    return 0


def _exists(p: Process, path: str) -> bool:
    try:
        p.fs.stat(path)
    except SysError:
        return False
    return True


def _install(p: Process, path: str, data: bytes, shown: str) -> Generator[Any, Any, str]:
    """Put a table into the spool; what is wrong with it, "" where nothing is."""
    if not is_device(p):
        if data and not data.endswith(b"\n"):
            return "new crontab file is missing newline before EOF, can't install."
        fault = _first_error(data)
        if fault is not None:
            yield from p.err(f'"{shown}":{fault[0]}: {fault[1]}\n')
            return "errors in crontab file, can't install."
    spool = path.rpartition("/")[0]
    if not _exists(p, spool):
        p.fs.mkdir(spool, 0o1730)
    p.fs.write(path, data, mode=0o600)
    group = next((number for number, name in group_names(p).items() if name == "crontab"), None)
    if group is not None:
        p.fs.chown(path, -1, group)
    _told(p, "REPLACE", path)
    return ""


def _told(p: Process, what: str, path: str) -> None:
    log(p, "crontab", f"({p.user}) {what} ({path.rpartition('/')[2]})", priority="cron.info")


def _replace(p: Process, path: str, operands: list[str], dry: bool) -> Run:
    source = operands[0] if operands else "-"
    if source == "-":
        data = yield from p.read_all(0, _MAX)
    else:
        try:
            data = p.fs.read(source, _MAX)
        except SysError as error:
            yield from p.err(f"{source}: {error.words}\n")
            return 1
    if dry and not is_device(p):
        if (fault := _first_error(data)) is not None:
            yield from p.err(f'"{source}":{fault[0]}: {fault[1]}\nerrors in crontab file, can\'t install.\n')
            return 1
        yield from p.err("The syntax of the crontab file was successfully checked.\n")
        return 0
    wrong = yield from _install(p, path, data, source)
    if wrong:
        yield from p.err(wrong + "\n")
        return 1
    return 0


def _edit(p: Process, path: str, user: str) -> Run:
    """-e of Debian's cron: a copy in a folder of its own goes through ``sh -c "$VISUAL FILE"``."""
    try:
        data = p.fs.read(path, _MAX)
    except SysError:
        yield from p.err(f"no crontab for {user} - using an empty one\n")
        data = _TEMPLATE.encode()
    folder = "/tmp/crontab." + "".join(_LETTERS[p.random(len(_LETTERS))] for _ in range(6))
    copy = f"{folder}/crontab"
    p.fs.mkdir(folder, 0o700)
    p.fs.write(copy, data, mode=0o600)
    editor = p.env.get("VISUAL") or p.env.get("EDITOR") or "/usr/bin/sensible-editor"
    for _ in range(_ASKED_AT_MOST):
        before = int(p.fs.stat(copy).mtime)
        child = p.spawn(["/bin/sh", "-c", f"{editor} {copy}"])
        ended = yield from p.wait(child)
        status = ended[1] if ended else 0
        if status:
            _clear(p, folder, copy)
            yield from p.err(f'crontab: "{editor}" exited with status {status}\n')
            return 1
        # As cron does: what was changed within the second is not seen to have changed.
        if int(p.fs.stat(copy).mtime) == before:
            _clear(p, folder, copy)
            yield from p.err("No modification made\n")
            return 0
        yield from p.err("crontab: installing new crontab\n")
        wrong = yield from _install(p, path, p.fs.read(copy, _MAX), copy)
        if not wrong:
            _clear(p, folder, copy)
            return 0
        yield from p.err(wrong + "\n")
        if not (yield from _again(p)):
            break
    yield from p.err(f"crontab: edits left in {copy}\n")
    return 1


def _again(p: Process) -> Generator[Any, Any, bool]:
    for _ in range(_ASKED_AT_MOST):
        yield from p.out("Do you want to retry the same edit? (y/n) ")
        answer = yield from read_answer(p)
        if answer[:1].lower() == b"y":
            return True
        if not answer or answer[:1].lower() == b"n":
            return False
        yield from p.err("Enter Y or N\n")
    return False


def _clear(p: Process, folder: str, copy: str) -> None:
    for path, remove in ((copy, p.fs.unlink), (folder, p.fs.rmdir)):
        if _exists(p, path):
            remove(path)


def _edit_on_device(p: Process, path: str, user: str) -> Run:
    """-e of BusyBox: the editor gets a copy beside the table, which then takes its place."""
    spool = path.rpartition("/")[0]
    if not _exists(p, spool):
        yield from p.err(f"crontab: can't change directory to '{spool}': No such file or directory\n")
        return 1
    copy = f"{spool}/{user}.{p.pid}"
    p.fs.write(copy, p.fs.read(path, _MAX) if _exists(p, path) else b"", mode=0o600)
    editor = p.env.get("VISUAL") or p.env.get("EDITOR") or "vi"
    try:
        child = p.spawn([editor, copy])
    except SysError as error:
        yield from p.err(f"crontab: can't execute '{editor}': {error.words}\n")
        p.fs.unlink(copy)
        return 1
    yield from p.wait(child)
    p.fs.rename(copy, path)
    return 0
