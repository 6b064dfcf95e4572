"""start-stop-daemon, run-parts, logger and mesg: what init scripts and log-in files use."""

from __future__ import annotations

from urltrap.machine.api import Process, ProcessInfo, Run, decode, encode
from urltrap.machine.errors import SysError
from urltrap.machine.programs._getopt import OptionError, getopt
from urltrap.machine.programs._signals import number_of
from urltrap.machine.programs._syslog import log
from urltrap.machine.programs.registry import program

_LONG = {
    "start": "S", "stop": "K", "status": "T", "exec:": "x", "startas:": "a", "pidfile:": "p", "name:": "n",
    "user:": "u", "chuid:": "c", "chdir:": "d", "make-pidfile": "m", "background": "b", "quiet": "q", "oknodo": "o",
    "signal:": "s", "retry:": "R", "test": "t", "verbose": "v", "nicelevel:": "N", "umask:": "k", "no-close": "C",
    "remove-pidfile": "remove", "help": "H", "version": "V", "chroot:": "r",
}  # fmt: skip


@program("start-stop-daemon")
def start_stop_daemon(p: Process) -> Run:
    """Start a program once, or stop it."""
    kinds = {name.rstrip(":"): name[len(name.rstrip(":")) :] for name in _LONG}
    meaning = {name.rstrip(":"): letter for name, letter in _LONG.items()}
    try:
        options, words = getopt(p.argv[1:], "+SKTHVx:a:p:n:u:c:d:mbqos:R:tvN:k:Cr:g:I:P:", kinds)
    except OptionError as error:
        yield from p.err(
            f"start-stop-daemon: {error}\nTry 'start-stop-daemon --help' for more information.\n"
        )
        return 3
    given = {meaning.get(name.lstrip("-"), name.lstrip("-")): value for name, value in options}
    if "V" in given:
        yield from p.out("start-stop-daemon 1.21.22 for Debian\n")
        return 0
    if not given.keys() & {"S", "K", "T"}:
        yield from p.err("start-stop-daemon: need one of --start or --stop or --status\n"
                         "Try 'start-stop-daemon --help' for more information.\n")  # fmt: skip
        return 3
    if not given.keys() & {"x", "P", "p", "u", "n"}:
        yield from p.err(
            "start-stop-daemon: need at least one of --exec, --pid, --ppid, --pidfile, --user or --name\n"
            "Try 'start-stop-daemon --help' for more information.\n"
        )
        return 3
    running = _running(p, given)
    if "K" in given:
        if not running:
            if "q" not in given:
                what = given.get("n") or given.get("x") or "process"
                yield from p.out(f"No {what} found running; none killed.\n")
            return 0 if "o" in given else 1
        for row in running:
            try:
                p.kill(row.pid, number_of(given.get("s", "TERM")) or 15)
            except SysError as error:
                yield from p.err(f"start-stop-daemon: warning: failed to kill {row.pid}: {error.words}\n")
                return 1
        return 0
    if "T" in given:
        return 0 if running else 3
    path = given.get("a") or given.get("x")
    if path is None:
        yield from p.err("start-stop-daemon: --start needs --exec or --startas\n"
                         "Try 'start-stop-daemon --help' for more information.\n")  # fmt: skip
        return 3
    if running:
        if "q" not in given:
            yield from p.out(f"{given.get('x', path)} already running.\n")
        return 0 if "o" in given else 1
    try:
        if "d" in given:
            p.chdir(given["d"])
        p.fs.stat(path)
    except SysError as error:
        yield from p.err(f"start-stop-daemon: unable to stat {path} ({error.words})\n")
        return 2
    if "b" not in given:
        if "m" in given and "p" in given:
            p.fs.write(given["p"], encode(f"{p.pid}\n"))
        return (yield from p.exec([path, *words], path=path))
    null = p.open("/dev/null", 2)

    def daemon(child: Process) -> Run:
        child.new_session()
        for fd in (0, 1, 2):
            child.dup2(null, fd)
        return (yield from child.exec([path, *words], path=path))

    pid = p.fork(daemon)
    if "m" in given and "p" in given:
        p.fs.write(given["p"], encode(f"{pid}\n"))
    return 0


def _running(p: Process, given: dict[str, str]) -> list[ProcessInfo]:
    rows = [row for row in p.processes() if row.pid != p.pid]
    if "p" in given:
        try:
            number = p.fs.read(given["p"], 100).split()
        except SysError:
            return []
        rows = [row for row in rows if number and number[0] == b"%d" % row.pid]
    if "x" in given:
        rows = [row for row in rows if row.exe == given["x"] or row.argv[:1] == [given["x"]]]
    if "n" in given:
        rows = [row for row in rows if row.comm == given["n"]]
    return rows if given.keys() & {"p", "x", "n"} else []


@program("run-parts")
def run_parts(p: Process) -> Run:
    """Run the programs of a folder, by name."""
    words = [word for word in p.argv[1:] if not word.startswith("-")]
    if not words:
        yield from p.err("run-parts: missing operand\nTry `run-parts --help' for more information.\n")
        return 1
    try:
        names = sorted(p.fs.listdir(words[-1]))
    except SysError as error:
        yield from p.err(f"run-parts: failed to open directory {words[-1]}: {error.words}\n")
        return 1
    status = 0
    for name in names:
        path = f"{words[-1].rstrip('/')}/{name}"
        if (
            not name.replace("-", "").replace("_", "").isalnum()
            or p.fs.stat(path).is_dir
            or ("--list" not in p.argv and not p.fs.access(path, 1))
        ):
            continue
        if "--list" in p.argv or "--test" in p.argv:
            yield from p.out(path + "\n")
            continue
        ended = yield from p.wait(p.spawn([path], path=path))
        if ended and ended[1]:
            status = 1
            yield from p.err(f"run-parts: {path} exited with return code {ended[1]}\n")
    return status


_LINES_MAX = 100


@program("logger")
def logger(p: Process) -> Run:
    """Put a line, or each of standard input, into the log."""
    try:
        options, words = getopt(
            p.argv[1:], "+cdef:hiIn:p:P:st:Tu:V", {"tag": ":", "priority": ":", "id": "", "stderr": ""}
        )
    except OptionError as error:
        yield from p.err(f"logger: {error}\nTry 'logger --help' for more information.\n")
        return 1
    given = {name.lstrip("-")[:1]: value for name, value in options}
    lines = [" ".join(words)] if words else decode((yield from p.read_all(0, 1_000_000))).splitlines()
    for line in lines[:_LINES_MAX]:
        log(p, given.get("t") or p.user, line, priority=given.get("p") or "user.notice")
        if "s" in given:
            yield from p.err(f"{given.get('t') or p.user}: {line}\n")
    return 0


@program("mesg")
def mesg(p: Process) -> Run:
    """Whether others may write to the terminal."""
    if not p.is_tty(0) and not p.is_tty(2):
        return 2
    if len(p.argv) == 1:
        yield from p.out("is y\n")
    return 1 if p.argv[1:2] == ["n"] else 0
