"""uptime, w, who, users, last, lastlog: who was here, and how long the machine runs."""

from __future__ import annotations

from collections.abc import Sequence

from urltrap.machine.api import Connection, Process, Run
from urltrap.machine.errors import SysError
from urltrap.machine.image.logs import BOOT_TIME, DEAD_PROCESS, LOGIN_PROCESS, USER_PROCESS, read_utmp
from urltrap.machine.programs._getopt import OptionError, getopt
from urltrap.machine.programs._system import gnu_usage, is_device, text_of, uptime_words
from urltrap.machine.programs._zone import local
from urltrap.machine.programs.registry import program

_UPTIME_USAGE = """
Usage:
 uptime [options]

Options:
 -p, --pretty   show uptime in pretty format
 -h, --help     display this help and exit
 -s, --since    system up since
 -V, --version  output version information and exit

For more details see uptime(1).
"""
_W_USAGE = """
Usage:
 w [options] [user]

Options:
 -h, --no-header     do not print header
 -u, --no-current    ignore current process username
 -s, --short         short format
 -f, --from          show remote hostname field
 -o, --old-style     old style output
 -i, --ip-addr       display IP address instead of hostname (if possible)

     --help     display this help and exit
 -V, --version  output version information and exit

For more details see w(1).
"""


def logged_in(p: Process) -> list[Connection]:
    """Visitors that have a terminal, as utmp lists them."""
    return [each for each in p.connections if each.tty]


def seconds_up(p: Process) -> float:
    """Seconds since the start."""
    return max(0.01, p.now() - p.boot_time)


def first_line(p: Process) -> str:
    """What uptime prints and w and top begin with (behind "top -")."""
    clock = local(p, p.now()).clock
    averages = text_of(p, "/proc/loadavg").split()[:3]
    users = len(logged_in(p))
    counted = (
        ""
        if is_device(p)
        else f"{users:2d} user{'s' if users != 1 and users else ''}, "
        if users
        else " 0 user, "
    )
    return (
        f" {clock:%H:%M:%S} up {uptime_words(seconds_up(p))}, {counted} load average: {', '.join(averages)}"
    )


@program("uptime")
def uptime(p: Process) -> Run:
    """How long the machine runs."""
    try:
        options, _ = getopt(p.argv[1:], "phsV", {"pretty": "", "help": "", "since": "", "version": ""})
    except OptionError as error:
        yield from p.err(f"{p.argv[0]}: {error}\n{_UPTIME_USAGE}")
        return 1
    for name, _ in options:
        if name in ("h", "--help"):
            yield from p.out(_UPTIME_USAGE)
        elif name in ("V", "--version"):
            yield from p.out(
                f"uptime from procps-ng {'4.0.4' if p.persona.kind == 'debian-13' else '4.0.2'}\n"
            )
        elif name in ("s", "--since"):
            yield from p.out(f"{local(p, p.now() - int(seconds_up(p))).clock:%Y-%m-%d %H:%M:%S}\n")
        else:
            yield from p.out(f"up {_pretty(seconds_up(p))}\n")
        return 0
    yield from p.out(first_line(p) + "\n")
    return 0


def _pretty(seconds: float) -> str:
    minutes = int(seconds // 60)
    parts: list[str] = []
    for size, word in ((525_600, "year"), (10_080, "week"), (1440, "day"), (60, "hour"), (1, "minute")):
        count, minutes = divmod(minutes, size)
        if count or (word == "minute" and not parts):
            parts.append(f"{count} {word}{'s' if count != 1 else ''}")
    return ", ".join(parts)


def _idle(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.2f}s"
    if seconds < 3600:
        return f"{int(seconds // 60)}:{int(seconds % 60):02d} "
    if seconds < 2 * 86_400:
        return f"{int(seconds // 3600)}:{int(seconds % 3600 // 60):02d}m"
    return f"{int(seconds // 86_400)}days"


@program("w")
def w(p: Process) -> Run:
    """Who is logged in and what he does."""
    try:
        options, operands = getopt(
            p.argv[1:], "husfoiV",
            {"no-header": "", "no-current": "", "short": "", "from": "", "old-style": "", "ip-addr": "", "help": "",
             "version": ""},
        )  # fmt: skip
    except OptionError as error:
        yield from p.err(f"{p.argv[0]}: {error}\n{_W_USAGE}")
        return 1
    given = {name for name, _ in options}
    if "--help" in given:
        yield from p.out(_W_USAGE)
        return 0
    if given & {"V", "--version"}:
        yield from p.out("w from procps-ng 4.0.2\n")
        return 0
    short = bool(given & {"s", "--short"})
    if not given & {"h", "--no-header"}:
        yield from p.out(first_line(p) + "\n")
        yield from p.out(
            "USER     TTY      FROM              IDLE WHAT\n"
            if short
            else "USER     TTY      FROM             LOGIN@   IDLE   JCPU   PCPU WHAT\n"
        )
    for each in logged_in(p):
        if operands and each.user not in operands:
            continue
        since = local(p, each.since).clock
        age = p.now() - each.since
        login = f"{since:%H:%M}" if age < 43_200 else f"{since:%a%H}" if age < 604_800 else f"{since:%d%b%y}"
        mine = [row for row in p.processes() if row.tty == each.tty]
        spent = sum(row.cpu_seconds for row in mine)
        newest = max(mine, key=lambda row: row.pid, default=None)
        what = " ".join(newest.argv) if newest is not None else "-bash"
        head = f"{each.user:<8.8} {each.tty:<8.8} {each.client_ip:<16.16}"
        if short:
            yield from p.out(f"{head}{_idle(0):>6} {what}\n")
        else:
            yield from p.out(
                f"{head} {login:<5}  {_idle(0):>6} {_idle(spent + 0.02):>6} {_idle(0):>6} {what}\n"
            )
    return 0


@program("who")
def who(p: Process) -> Run:
    """Who is logged in."""
    try:
        options, operands = getopt(
            p.argv[1:], "abdlmpqrstuwTH",
            dict.fromkeys(["all", "boot", "count", "heading", "login", "mesg", "message", "writable", "users",
            "runlevel",
                           "short", "help", "version", "ips", "lookup"], ""),
        )  # fmt: skip
    except OptionError as error:
        return (yield from gnu_usage(p, error))
    given = {name.lstrip("-")[0] if not name.startswith("--") else name for name, _ in options}
    people = logged_in(p)
    if operands[:1] == ["am"] or "m" in given:
        people = [each for each in people if each == p.connection]
    if given & {"q", "--count"}:
        names = [each.user for each in people]
        yield from p.out(" ".join(names) + f"\n# users={len(names)}\n")
        return 0
    if given & {"H", "--heading"}:
        yield from p.out("NAME     LINE         TIME             COMMENT\n")
    if given & {"b", "--boot", "a", "--all"}:
        started = local(p, p.boot_time).clock
        yield from p.out(f"         system boot  {started:%Y-%m-%d %H:%M}\n")
        if given == {"b"} or given == {"--boot"}:
            return 0
    if given & {"r", "--runlevel"}:
        yield from p.out(f"         run-level 5  {local(p, p.boot_time + 14).clock:%Y-%m-%d %H:%M}\n")
        return 0
    for each in people:
        clock = local(p, each.since).clock
        mark = "+ " if given & {"w", "T", "--mesg", "--message", "--writable", "a", "--all"} else ""
        yield from p.out(f"{each.user:<8} {mark}{each.tty:<12} {clock:%Y-%m-%d %H:%M} ({each.client_ip})\n")
    return 0


@program("users")
def users(p: Process) -> Run:
    """Names of those who are logged in, on one line."""
    found = sorted(each.user for each in logged_in(p))
    if found:
        yield from p.out(" ".join(found) + "\n")
    return 0


@program("last", "lastb")
def last(p: Process) -> Run:
    """Log-ins of the past, newest first, from wtmp (or btmp)."""
    count = None
    chosen: list[str] = []
    bad = p.argv[0].rpartition("/")[2] == "lastb"
    path = "/var/log/btmp" if bad else "/var/log/wtmp"
    try:
        options, operands = getopt(
            _numbers(p.argv[1:]), "n:f:aRxdiFwpst:V", {"limit": ":", "file": ":", "fullnames": "", "fulltimes": "",
            "system": "",
            "nohostname": "", "hostlast": "", "dns": "", "ip": "", "help": "", "version": ""},
        )  # fmt: skip
    except OptionError as error:
        return (yield from gnu_usage(p, error))
    for name, value in options:
        if name in ("n", "--limit") and value.isdigit():
            count = int(value)
        elif name in ("f", "--file"):
            path = value
    chosen = operands
    try:
        data = p.fs.read(path)
    except SysError as error:
        yield from p.err(f"{p.argv[0]}: cannot open {path}: {error.words}\n")
        return 1
    full = any(name in ("F", "--fulltimes") for name, _ in options)
    lines = _history(p, data, [] if bad else logged_in(p), chosen, full, bad)
    for line in lines[:count]:
        yield from p.out(line + "\n")
    records = read_utmp(data)
    began = local(p, records[0][5] if records else p.fs.stat(path).mtime).clock
    kept = "wtmpdb" if p.persona.kind == "debian-13" and path == "/var/log/wtmp" else path.rpartition("/")[2]
    yield from p.out(f"\n{kept} begins {began:%a %b} {began.day:2d} {began:%H:%M:%S %Y}\n")
    return 0


def _numbers(args: Sequence[str]) -> list[str]:
    return [f"-n{word[1:]}" if word[:1] == "-" and word[1:].isdigit() else word for word in args]


def _history(
    p: Process,
    data: bytes,
    present: Sequence[Connection],
    chosen: Sequence[str],
    full: bool = False,
    bad: bool = False,
) -> list[str]:
    def start(when: float) -> str:
        clock = local(p, when).clock
        return f"{clock:%a %b} {clock.day:2d} {clock:{'%H:%M:%S %Y' if full else '%H:%M'}}"

    def end(when: float) -> str:
        return start(when) if full else f"{local(p, when).clock:%H:%M}"

    def row(user: str, line: str, host: str, when: float, rest: str) -> str:
        return f"{user:<8.8} {line:<12.12} {host:<16.16} {start(when)} {rest}"

    out: list[tuple[str, str, str]] = []
    ends: dict[str, float] = {}
    down = 0.0
    for kind, _, line, user, host, when in reversed(read_utmp(data)):
        if kind == DEAD_PROCESS:
            ends[line] = when
        elif bad and kind == LOGIN_PROCESS:
            out.append((user, line, row(user, line, host, when, f"- {end(when)}  (00:00)")))
        elif kind == USER_PROCESS:
            ended = ends.pop(line, 0.0)
            inside = any(each.tty == line and abs(each.since - when) < 2 for each in present)
            left = f"- {end(ended)} {_span(ended - when)}" if ended else "   gone - no logout"
            rest = "  still logged in" if inside else left
            out.append((user, line, row(user, line, host, when, rest)))
        elif kind == BOOT_TIME:
            rest = f"- {end(down)} {_span(down - when)}" if down else "  still running"
            out.append(("reboot", "~", row("reboot", "system boot", host, when, rest)))
            down = when
    return [text for user, line, text in out if not chosen or user in chosen or line in chosen]


def _span(seconds: float) -> str:
    minutes = int(seconds // 60)
    days, minutes = divmod(minutes, 1440)
    text = f"{minutes // 60:02d}:{minutes % 60:02d}"
    return f"({days}+{text})" if days else f" ({text})"


@program("wtmpdb")
def wtmpdb(p: Process) -> Run:
    """Debian 13's keeper of log-ins: by the name last, or told what to do."""
    if p.argv[0].rpartition("/")[2] == "last":
        return (yield from last(p))
    verb = p.argv[1] if len(p.argv) > 1 else ""
    if verb == "last":
        p.argv = ["last", *p.argv[2:]]
        return (yield from last(p))
    if verb == "boottime":
        clock = local(p, p.boot_time).clock
        yield from p.out(f"system boot {clock:%a %b} {clock.day:2d} {clock:%H:%M:%S %Y}\n")
        return 0
    if verb in ("-v", "--version"):
        yield from p.out("wtmpdb 0.73.0\n")
        return 0
    yield from p.err("Usage: wtmpdb [command] [options]\nCommands: last, boot, boottime, rotate, shutdown, import\n\n"
                     "Try 'wtmpdb --help' for more information.\n")  # fmt: skip
    return 1


@program("lastlog", "lastlog2")
def lastlog(p: Process) -> Run:
    """The newest log-in of every account."""
    try:
        options, _ = getopt(
            p.argv[1:], "b:Chr:R:St:u:", {"user": ":", "before": ":", "time": ":", "clear": ""}
        )
    except OptionError as error:
        yield from p.err(f"lastlog: {error}\nUsage: lastlog [options]\n")
        return 1
    wanted = next((value for name, value in options if name in ("u", "--user")), "")
    newest: dict[str, tuple[str, str, float]] = {}
    try:
        for kind, _, line, user, host, when in read_utmp(p.fs.read("/var/log/wtmp")):
            if kind == USER_PROCESS:
                newest[user] = (line, host, when)
    except SysError:
        newest = {}  # without its file lastlog knows of nobody
    for each in logged_in(p):
        newest[each.user] = (each.tty, each.client_ip, each.since)
    names = [line.partition(":")[0] for line in text_of(p, "/etc/passwd").splitlines()]
    if wanted:
        if wanted not in names:
            yield from p.err(f"lastlog: Unknown user or range: {wanted}\n")
            return 1
        names = [wanted]
    yield from p.out("Username         Port     From                                       Latest\n")
    for name in names:
        if name in newest:
            port, host, when = newest[name]
            here = local(p, when)
            zone = f"{here.offset // 3600:+03d}00"
            stamp = f"{here.clock:%a %b} {here.clock.day:2d} {here.clock:%H:%M:%S} {zone} {here.clock:%Y}"
            yield from p.out(f"{name:<16} {port:<8} {host:<42} {stamp}\n")
        else:
            yield from p.out(f"{name:<16}{'':51} **Never logged in**\n")
    return 0
