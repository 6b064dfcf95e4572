"""getent and chage: entries of the account databases."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from urltrap.machine.api import Process, Run
from urltrap.machine.programs._database import change, row
from urltrap.machine.programs._getopt import OptionError, getopt
from urltrap.machine.programs._system import text_of
from urltrap.machine.programs._when import parse
from urltrap.machine.programs.registry import program
from urltrap.machine.reach import names_of, numeric, resolve

_FILES = {"passwd": "/etc/passwd", "group": "/etc/group", "shadow": "/etc/shadow", "gshadow": "/etc/gshadow",
          "hosts": "/etc/hosts", "services": "/etc/services", "protocols": "/etc/protocols",
          "networks": "/etc/networks",
          "ahosts": "/etc/hosts", "ahostsv4": "/etc/hosts", "ethers": "/etc/ethers", "rpc": "/etc/rpc"}  # fmt: skip


_HINT = "Try `getent --help' or `getent --usage' for more information.\n"


@program("getent")
def getent(p: Process) -> Run:
    """Look entries up in the system's databases."""
    words = [word for word in p.argv[1:] if not word.startswith("-")]
    if not words:
        yield from p.err("getent: wrong number of arguments\n")
        yield from p.out(_HINT)
        return 1
    path = _FILES.get(words[0])
    if path is None:
        yield from p.err(f"Unknown database: {words[0]}\n")
        yield from p.out(_HINT)
        return 1
    colons = path in ("/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow")
    lines = [line for line in text_of(p, path).splitlines() if line.strip() and not line.startswith("#")]
    if not colons:
        lines = [line.partition("#")[0].rstrip() for line in lines]
    if len(words) == 1:
        for line in lines:
            yield from p.out(f"{line}\n" if colons else _entry(words[0], line.split()))
        return 0
    status = 0
    for key in words[1:]:
        if path == "/etc/hosts":
            rows = _hosts(p, words[0], key)
            for row in rows:
                yield from p.out(_entry(words[0], row))
            status = status if rows else 2
            continue
        found = False
        for line in lines:
            fields = line.split(":") if colons else line.split()
            hit = (
                key == fields[0]
                or (colons and len(fields) > 2 and key == fields[2])
                or (not colons and key in fields[1:])
            )
            if hit and not found:
                yield from p.out(f"{line}\n" if colons else _entry(words[0], fields))
                found = True
        status = status if found else 2
    return status


def _hosts(p: Process, database: str, key: str) -> list[list[str]]:
    """The addresses of a host with its names, as the resolver library finds them: IPv6 first, or all for ahosts."""
    if numeric(key):
        named = [[numeric(key), *names_of(p, numeric(key))]]
        return [[numeric(key), key]] if database != "hosts" else named if len(named[0]) > 1 else []
    found = sorted(resolve(p, key), key=lambda address: ":" not in address)
    if database == "ahostsv4":
        found = [each for each in found if ":" not in each]
    rows = [[address, *(names_of(p, address) or [key])] for address in found]
    return rows if database.startswith("ahosts") else rows[:1]


def _entry(database: str, fields: list[str]) -> str:
    """A line of a database without colons; ahosts names each kind of socket."""
    if database.startswith("ahosts"):
        rows = [f"{fields[0]:<15} {kind}\n" for kind in (f"STREAM {fields[1]}", "DGRAM  ", "RAW    ")]
        return "".join(rows)
    if database in ("services", "protocols", "rpc", "networks"):
        return f"{fields[0]:<21} {' '.join(fields[1:])}\n"
    return f"{fields[0]:<15} {' '.join(fields[1:])}\n"


_CHAGE_USAGE = """\
Usage: chage [options] LOGIN

Options:
  -d, --lastday LAST_DAY        set date of last password change to LAST_DAY
  -E, --expiredate EXPIRE_DATE  set account expiration date to EXPIRE_DATE
  -h, --help                    display this help message and exit
  -i, --iso8601                 use YYYY-MM-DD when printing dates
  -I, --inactive INACTIVE       set password inactive after expiration
                                to INACTIVE
  -l, --list                    show account aging information
  -m, --mindays MIN_DAYS        set minimum number of days before password
                                change to MIN_DAYS
  -M, --maxdays MAX_DAYS        set maximum number of days before password
                                change to MAX_DAYS
  -R, --root CHROOT_DIR         directory to chroot into
  -W, --warndays WARN_DAYS      set expiration warning days to WARN_DAYS

"""


_CHAGE_LONG = {"lastday": ":", "expiredate": ":", "help": "", "iso8601": "", "inactive": ":", "list": "",
               "mindays": ":",               "maxdays": ":", "root": ":", "warndays": ":"}  # fmt: skip
_CHAGE_LETTERS = {"--lastday": "d", "--expiredate": "E", "--inactive": "I", "--list": "l", "--mindays": "m",
                  "--maxdays": "M", "--warndays": "W"}  # fmt: skip
_CHAGE_FIELDS = {"d": 2, "m": 3, "M": 4, "W": 5, "I": 6, "E": 7}
"""The field of /etc/shadow that each option sets."""


@program("chage")
def chage(p: Process) -> Run:
    """Show how long a password is valid."""
    try:
        options, words = getopt(p.argv[1:], "d:E:hiI:lm:M:R:W:", _CHAGE_LONG)
    except OptionError as error:
        yield from p.err(f"{p.argv[0]}: {error}\n{_CHAGE_USAGE}")
        return 2
    if len(words) != 1:
        yield from p.err(_CHAGE_USAGE)
        return 2
    given = {_CHAGE_LETTERS.get(name, name): value for name, value in options}
    if p.uid and "l" not in given:
        yield from p.err("chage: Permission denied.\n")
        return 1
    name = words[0]
    fields = row(p, "/etc/shadow", name)
    if fields is None or row(p, "/etc/passwd", name) is None:
        yield from p.err(f"chage: user '{name}' does not exist in /etc/passwd\n")
        return 1
    if "l" not in given:
        for letter, value in given.items():
            if letter not in _CHAGE_FIELDS:
                continue
            number = value if re.fullmatch(r"-?\d+", value) else ""
            if not number and letter in "dE" and (moment := parse(p, value, p.now(), "UTC0")) is not None:
                number = str(int(moment // 86_400))
            if not number:
                yield from p.err(
                    f"chage: invalid {'date' if letter in 'dE' else 'numeric argument'} '{value}'\n"
                )
                return 2
            fields[_CHAGE_FIELDS[letter]] = "" if number == "-1" else number
        change(p, "/etc/shadow", name, lambda old: old.__setitem__(slice(None), fields))
        return 0
    day = int(fields[2]) if len(fields) > 2 and fields[2].isdigit() else 0
    changed = datetime.fromtimestamp(day * 86_400, UTC)
    yield from p.out(
        f"Last password change\t\t\t\t\t: {changed:%b %d, %Y}\nPassword expires\t\t\t\t\t: never\n"
        "Password inactive\t\t\t\t\t: never\nAccount expires\t\t\t\t\t\t: never\n"
        f"Minimum number of days between password change\t\t: {fields[3] or 0}\n"
        f"Maximum number of days between password change\t\t: {fields[4] or -1}\n"
        "Number of days of warning before password expires\t: 7\n"
    )
    return 0
