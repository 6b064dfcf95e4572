"""pgrep, pkill, killall, pidof: processes by name."""

from __future__ import annotations

import re

from urltrap.machine.api import Process, ProcessInfo, Run
from urltrap.machine.errors import SysError
from urltrap.machine.programs._getopt import OptionError, getopt
from urltrap.machine.programs._matching import TooLong, bounded
from urltrap.machine.programs._ps_columns import command
from urltrap.machine.programs._signals import name_list, number_of, take_signal
from urltrap.machine.programs._system import names
from urltrap.machine.programs.registry import program

_HELP = "\nUsage:\n {0} [options] <pattern>\n\nFor more details see {0}(1).\n"
_LONG = {"delimiter": ":", "list-name": "", "list-full": "", "inverse": "", "count": "", "full": "", "ignore-case": "",
         "newest": "", "oldest": "", "parent": ":", "euid": ":", "uid": ":", "exact": "", "terminal": ":",
         "signal": ":",
         "echo": "", "help": "", "version": "", "pidfile": ":", "session": ":", "pgroup": ":", "group": ":",
         "lightweight": ""}  # fmt: skip


@program("pgrep", "pkill")
def pgrep(p: Process) -> Run:
    """Find processes by pattern, and signal them where called pkill."""
    name = p.argv[0].rpartition("/")[2]
    kills = name == "pkill"
    signal, words = take_signal(p.argv[1:]) if kills else (15, list(p.argv[1:]))
    try:
        options, operands = getopt(words, "d:lavwcfg:G:inoO:P:s:t:u:U:xF:LhVer:A", _LONG)
    except OptionError as error:
        yield from p.err(f"{p.argv[0]}: {error}\n{_HELP.format(name)}")
        return 2
    short = {"--full": "f", "--exact": "x", "--euid": "u", "--uid": "U", "--parent": "P", "--list-name": "l",
    "--list-full": "a",
             "--count": "c", "--newest": "n", "--oldest": "o", "--ignore-case": "i", "--inverse": "v",
             "--delimiter": "d",
             "--terminal": "t", "--signal": "S", "--echo": "e"}  # fmt: skip
    given = {short.get(each, each): value for each, value in options}
    if "S" in given:
        signal = number_of(given["S"]) or 15
    if not operands and not given.keys() & set("uUPtgG"):
        yield from p.err(
            f"{p.argv[0]}: no matching criteria specified\nTry `{p.argv[0]} --help' for more information.\n"
        )
        return 2
    if len(operands) > 1:
        yield from p.err(
            f"{p.argv[0]}: only one pattern can be provided\nTry `{p.argv[0]} --help' for more information.\n"
        )
        return 2
    try:
        pattern = re.compile(operands[0][:200] if operands else "", re.I if "i" in given else 0)
    except re.error:
        yield from p.err(f"{p.argv[0]}: regex error: Invalid regular expression\n")
        return 2
    found = [row for row in p.processes() if row.pid != p.pid and _fits(p, row, pattern, given)]
    if found and "n" in given:
        found = [max(found, key=lambda row: (row.started, row.pid))]
    if found and "o" in given:
        found = [min(found, key=lambda row: (row.started, row.pid))]
    if kills:
        return (yield from _signal(p, found, signal, "e" in given))
    if "c" in given:
        yield from p.out(f"{len(found)}\n")
    elif found:
        shown = [f"{row.pid} {command(row)}" if "a" in given else f"{row.pid} "
        f"{row.comm}" if "l" in given else str(row.pid)
                 for row in found]  # fmt: skip
        yield from p.out(given.get("d", "\n").join(shown) + "\n")
    return 0 if found else 1


def _fits(p: Process, row: ProcessInfo, pattern: re.Pattern[str], given: dict[str, str]) -> bool:
    text = " ".join(row.argv)[:4096] if "f" in given and row.argv else row.comm
    try:
        hit = bounded(pattern, "fullmatch" if "x" in given else "search", text) is not None
    except TooLong:
        hit = False
    users = names(p)
    for letter in "uU":
        if letter in given:
            wanted = given[letter].split(",")
            hit = hit and (users.get(row.uid, "") in wanted or str(row.uid) in wanted)
    if "P" in given:
        hit = hit and str(row.ppid) in given["P"].split(",")
    if "t" in given:
        hit = hit and row.tty in given["t"].split(",")
    return hit != ("v" in given)


def _signal(p: Process, found: list[ProcessInfo], signal: int, echo: bool) -> Run:
    done = False
    for row in found:
        try:
            p.kill(row.pid, signal)
        except SysError as error:
            yield from p.err(f"{p.argv[0]}: killing pid {row.pid} failed: {error.words}\n")
            continue
        done = True
        if echo:
            yield from p.out(f"{row.comm} killed (pid {row.pid})\n")
    return 0 if done else 1


@program("killall")
def killall(p: Process) -> Run:
    """Signal processes by their exact names."""
    signal, words = take_signal(p.argv[1:])
    try:
        options, operands = getopt(
            words, "eIgy:o:ilqrs:u:vVwn:Z:",
            {"exact": "", "ignore-case": "", "process-group": "", "interactive": "", "list": "", "quiet": "",
            "regexp": "",
             "signal": ":", "user": ":", "verbose": "", "version": "", "wait": ""},
        )  # fmt: skip
    except OptionError as error:
        yield from p.err(f"{p.argv[0]}: {error}\nUsage: killall [OPTION]... [--] NAME...\n       killall -l, --list\n"
                         "       killall -V, --version\n")  # fmt: skip
        return 1
    given = {name.lstrip("-")[0] if name != "--version" else "V": value for name, value in options}
    if "l" in given:
        yield from p.out(name_list())
        return 0
    if "V" in given:
        yield from p.err("killall (PSmisc) 23.6\n")
        return 0
    if "s" in given:
        wanted = number_of(given["s"])
        if wanted is None:
            yield from p.err(f"{given['s']}: unknown signal; killall -l lists signals.\n")
            return 1
        signal = wanted
    if not operands and "u" not in given:
        yield from p.err(
            "Usage: killall [OPTION]... [--] NAME...\n       killall -l, --list\n       killall -V, "
            "--version\n"
        )
        return 1
    status = 0
    users = names(p)
    for name in operands or [""]:
        base = name.rpartition("/")[2]
        rows = [
            row
            for row in p.processes()
            if row.pid != p.pid
            and (not name or row.comm == base[:15])
            and ("u" not in given or users.get(row.uid) == given["u"])
        ]
        if not rows and "q" not in given:
            yield from p.err(f"{name}: no process found\n")
        done = False
        for row in rows:
            try:
                p.kill(row.pid, signal)
                done = True
                if "v" in given:
                    yield from p.err(f"Killed {row.comm}({row.pid}) with signal {signal}\n")
            except SysError as error:
                yield from p.err(f"{name}({row.pid}): {error.words}\n")
        status = status if done else 1
    return status


@program("pidof", "killall5")
def pidof(p: Process) -> Run:
    """Process ids by program name."""
    found: list[str] = []
    words = [word for word in p.argv[1:] if not word.startswith("-")]
    for word in words:
        base = word.rpartition("/")[2]
        rows = [
            row
            for row in p.processes()
            if row.comm == base[:15] or (row.argv and row.argv[0].rpartition("/")[2] == base)
        ]
        found += [str(row.pid) for row in sorted(rows, key=lambda row: -row.pid) if row.ppid != 2]
    if "-s" in p.argv:
        found = found[:1]
    if found and "-q" not in p.argv:
        yield from p.out(" ".join(found) + "\n")
    return 0 if found else 1
