"""screen: detached sessions run on in the background, attached ones are a shell on the same terminal."""

from __future__ import annotations

from urltrap.machine.api import Process, Run
from urltrap.machine.errors import SysError
from urltrap.machine.programs._getopt import OptionError, getopt
from urltrap.machine.programs._zone import local
from urltrap.machine.programs.registry import program

_FOLDER = "/run/screen"
_HELP = """\
Use: screen [-opts] [cmd [args]]
 or: screen -r [host.tty]

Options:
-4            Resolve hostnames only to IPv4 addresses.
-6            Resolve hostnames only to IPv6 addresses.
-a            Force all capabilities into each window's termcap.
-A -[r|R]     Adapt all windows to the new display width & height.
-c file       Read configuration file instead of '.screenrc'.
-d (-r)       Detach the elsewhere running screen (and reattach here).
-dmS name     Start as daemon: Screen session in detached mode.
-D (-r)       Detach and logout remote (and reattach here).
-ls [match]   List (matching) socket directories.
-m            ignore $STY variable, do create a new screen session.
-r [session]  Reattach to a detached screen process.
-S sockname   Name this session <pid>.sockname instead of <pid>.<tty>.<host>.
-v            Print "Screen version 4.09.00 (GNU) 30-Jan-22".
-wipe [match] Do nothing, just clean up SockDir [on possible matches].
-X            Execute <cmd> as a screen command in the specified session.
"""


def _sessions(p: Process, wanted: str = "") -> list[str]:
    try:
        names = p.fs.listdir(f"{_FOLDER}/S-{p.user}")
    except SysError:
        return []
    alive = {row.pid for row in p.processes()}
    found = [
        name for name in names if name.partition(".")[0].isdigit() and int(name.partition(".")[0]) in alive
    ]
    return [
        name for name in found if not wanted or name == wanted or name.partition(".")[2].startswith(wanted)
    ]


@program("screen")
def screen(p: Process) -> Run:
    """Start, list, or reach a session."""
    words = ["-l" if word in ("-ls", "-list") else word for word in p.argv[1:]]
    words = ["-w" if word == "-wipe" else word for word in words]
    if "--version" in words or "-v" in words:
        newer = p.persona.kind == "debian-13"
        yield from p.out(
            f"Screen version {'4.09.01 (GNU) 20-Aug-23' if newer else '4.09.00 (GNU) 30-Jan-22'}\n"
        )
        return 0
    try:
        options, rest = getopt(words, "+46aAc:dDe:fh:ilLmOp:qQrRsS:t:T:UvwxX", {"help": ""})
    except OptionError:
        yield from p.out(_HELP + "Error: Unknown option " + words[0] + "\n")
        return 1
    given = dict(options)
    if "--help" in given:
        yield from p.out(_HELP)
        return 1
    if "l" in given or "w" in given:
        return (yield from _list(p))
    name = given.get("S", "")
    if "X" in given:
        return (yield from _command(p, name, rest))
    if "m" in given and given.keys() & {"d", "D"}:
        return _start(p, name, rest)
    if given.keys() & {"r", "R", "x"}:
        found = _sessions(p, rest[0] if rest else "")
        if not found and "R" not in given:
            yield from p.out(f"There is no screen to be resumed{f' matching {rest[0]}' if rest else ''}.\n")
            return 1
        rest = [] if found else rest
    if not p.is_tty(0):
        yield from p.out("Must be connected to a terminal.\n")
        return 1
    yield from p.write(1, b"\x1b[?1049h\x1b[H\x1b[J")
    child = p.spawn(
        rest or [p.env.get("SHELL", "/bin/sh")], env={**p.env, "TERM": "screen", "STY": f"{p.pid}.x"}
    )
    ended = yield from p.wait(child)
    yield from p.write(1, b"\x1b[?1049l[screen is terminating]\r\n")
    return ended[1] if ended else 0


def _start(p: Process, name: str, argv: list[str]) -> int:
    """A detached session: its command goes on without terminal."""

    def session(child: Process) -> Run:
        child.new_session()
        null = child.open("/dev/null", 2)
        for fd in (0, 1, 2):
            child.dup2(null, fd)
        try:
            pid = child.spawn(argv or [child.env.get("SHELL", "/bin/sh")])
        except SysError:
            return 1
        yield from child.wait(pid)
        return 0

    pid = p.fork(session, comm="screen")
    tty = "tty"
    label = f"{pid}.{name or f'{tty}.{p.hostname}'}"
    try:
        for folder, mode in ((_FOLDER, 0o777), (f"{_FOLDER}/S-{p.user}", 0o700)):
            if not p.fs.access(folder, 0):
                p.fs.mkdir(folder, mode)
        p.fs.mknod(f"{_FOLDER}/S-{p.user}/{label}", 0o140600)
    except SysError:
        return 1
    return 0


def _list(p: Process) -> Run:
    found = _sessions(p)
    folder = f"{_FOLDER}/S-{p.user}"
    if not found:
        yield from p.out(f"No Sockets found in {folder}.\n\n")
        return 1
    yield from p.out("There is a screen on:\n" if len(found) == 1 else "There are screens on:\n")
    for name in found:
        stat = p.fs.stat(f"{folder}/{name}", follow=False)
        yield from p.out(f"\t{name}\t({local(p, stat.mtime).clock:%m/%d/%y %H:%M:%S})\t(Detached)\n")
    yield from p.out(f"{len(found)} Socket{'s' * (len(found) > 1)} in {folder}.\n")
    return 0


def _command(p: Process, name: str, words: list[str]) -> Run:
    found = _sessions(p, name)
    if not found:
        yield from p.out("No screen session found.\n")
        return 1
    if words[:1] in (["quit"], ["kill"]):
        p.kill(int(found[0].partition(".")[0]), 9)
    return 0
