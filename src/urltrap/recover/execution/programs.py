"""The programs of the recovery machine that are not the machine's own: they record instead of doing.

Everything that downloads, everything that would make the run useless (rm, kill, reboot), everything that starts
something else, and readers of other languages. Each is registered as ``recover:NAME``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import islice

from urltrap.machine.api import O_CREAT, O_TRUNC, O_WRONLY, Process, Program, Run, encode
from urltrap.machine.errors import SysError
from urltrap.machine.programs import registry
from urltrap.recover.ask import Ask, unknown
from urltrap.recover.clients.table import FED, READERS
from urltrap.recover.execution.command import APPLETS as SHELL_APPLETS
from urltrap.recover.execution.command import BODY, Applet
from urltrap.recover.execution.recorder import Recorder, recorder_of
from urltrap.recover.execution.shell import shell_program
from urltrap.recover.execution.starters import STARTERS, start
from urltrap.recover.static.code import Reading, read_code

_MOST = 200_000
_MOST_OPERANDS = 500
_MOST_SAVED = 1000
_SCRIPT_FLAG = {
    "python": re.compile(r"-[bBdEiIOPqsSuvx]*c"), "perl": re.compile(r"-[acnpsStTuUwWX0]*[eE]"),
    "php": re.compile(r"-r"), "ruby": re.compile(r"-[alnpswW]*e"), "node": re.compile(r"-[ip]*e|-p|--eval|--print"),
    "lua": re.compile(r"-e"),
}  # fmt: skip


_HANDED = {
    "git": re.compile(
        r"(?im)^(?:core\.(?:pager|editor|fsmonitor|sshcommand)|alias\.[\w-]+|pager\.\w+|credential\.helper)[=\n]!?(.+)$"
    ),
    **dict.fromkeys(("nc", "ncat", "netcat"), re.compile(r"(?m)^(?:-\w*[ec]|--(?:sh-)?exec)\n(.+)$")),
    "socat": re.compile(r"(?im)^(?:exec|system|shell):(.+)$"),
    "rsync": re.compile(r"(?m)^(?:-e|--rsh)[\n=](.+)$"),
}


def program_of(applet: Applet) -> Program:
    """An applet as a program of its own process."""
    return lambda p: applet(p, p.argv)


def note_all(recorder: Recorder, asks: Iterable[Ask]) -> list[Ask]:
    """Write down what a reader found; the list of it, which is bounded: no command line names more in earnest."""
    found = list(islice(asks, _MOST_OPERANDS))
    for ask in found:
        recorder.note(ask)
    return found


def client(name: str) -> Applet:
    """A download program: records, then behaves as if the download had worked."""
    reader = READERS[name]
    fed = FED.get(name)

    def run(p: Process, argv: list[str]) -> Run:
        recorder = recorder_of(p)
        arguments = [encode(word) for word in argv[1:]]
        for text in handed_on(name, argv):
            recorder.keep(encode(text), name)
        if fed is not None:
            sent = yield from p.read_all(0, 65_536)
            found = note_all(recorder, fed(arguments, sent))
        else:
            found = note_all(recorder, reader(arguments))
        if name == "wget" and not found:
            yield from _input_file(p, argv, recorder)
        for ask in found:
            if ask.output == "-":
                where = ask.url.decode("utf-8", "replace")[:200]
                yield from p.write(1, encode(unknown(f"{ask.client} {where}")) + b"\n")
            elif ask.output and ask.kind == "payload" and recorder.saved < _MOST_SAVED:
                recorder.saved += 1
                _save(p, ask.output)
        return 0 if found else 1

    return run


def handed_on(name: str, argv: list[str]) -> list[str]:
    """What a network program hands to a shell: ``git -c core.pager=TEXT``, ``nc -e TEXT``, ``socat … EXEC:TEXT``."""
    pattern = _HANDED.get(name)
    if pattern is None:
        return []
    return [match[1] for match in pattern.finditer("\n".join(argv[1:60])) if " " in match[1]]


def _input_file(p: Process, argv: list[str], recorder: Recorder) -> Run:
    """``wget -i FILE`` and ``wget -i -``."""
    words = argv[1:]
    for number, word in enumerate(words):
        if (
            word.startswith("-")
            and word.rstrip("i") != word
            and not word.startswith("--")
            and number + 1 < len(words)
        ):
            source = words[number + 1]
        elif word.startswith("--input-file="):
            source = word.partition("=")[2]
        else:
            continue
        if source == "-":
            data = yield from p.read_all(0, _MOST)
        else:
            try:
                data = p.fs.read(source, _MOST)
            except SysError:
                continue
        for line in data.split():
            recorder.note(Ask(line, "wget"))
    return 0


def _save(p: Process, path: str) -> None:
    try:
        fd = p.open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o755)
    except SysError:
        return  # a folder that this text expects and the machine does not have
    try:
        p.fs.write(path, BODY, mode=0o755)
    except SysError:
        pass  # the same
    finally:
        p.close(fd)


def quiet(p: Process, argv: list[str]) -> Run:
    """Does nothing, successfully."""
    yield from p.tick()
    return 0


def chmod(p: Process, argv: list[str]) -> Run:
    """Makes executable whatever is there: that is what droppers want of it."""
    for word in argv[2:40]:
        try:
            p.fs.chmod(word, 0o755)
        except SysError:
            continue
    yield from p.tick(2)
    return 0


def answers(what: str) -> Applet:
    """A program whose answer only the victim's machine knows."""

    def run(p: Process, argv: list[str]) -> Run:
        arguments = " ".join(argv[1:])
        yield from p.write(1, encode(unknown(f"{what} {arguments}".strip())) + b"\n")
        return 0

    return run


def busybox(p: Process) -> Run:
    """``busybox APPLET …``."""
    if len(p.argv) < 2:
        return 0
    return (yield from _applet(p, p.argv[1:]))


def _applet(p: Process, words: list[str]) -> Run:
    name = words[0].rpartition("/")[2]
    entry = PROGRAMS.get(name) or registry.lookup(name)
    if entry is None:
        yield from p.err(f"{name}: applet not found\n")
        return 127
    p.argv = [name, *words[1:]]
    return (yield from entry(p))


def crontab(p: Process) -> Run:
    """``crontab FILE``, ``… | crontab -``: the table is run later."""
    words = [word for word in p.argv[1:] if not word.startswith("-") or word == "-"]
    if "-l" in p.argv or "-r" in p.argv:
        return 0
    yield from _keep(p, words[-1] if words else "-", "cron")
    return 0


def at(p: Process) -> Run:
    """``at TIME``, ``batch``: standard input is run later."""
    source = "-"
    if "-f" in p.argv[:-1]:
        source = p.argv[p.argv.index("-f") + 1]
    yield from _keep(p, source, "at")
    return 0


def _keep(p: Process, source: str, why: str) -> Run:
    if source == "-":
        data = yield from p.read_all(0, _MOST)
    else:
        try:
            data = p.fs.read(source, _MOST)
        except SysError:
            return 0
    recorder_of(p).keep(data, why)
    return 0


def interpreter(language: str) -> Program:
    """python, perl, php, ruby: what they are given is read, not run."""
    flag = _SCRIPT_FLAG.get(language, _SCRIPT_FLAG["python"])

    def run(p: Process) -> Run:
        if language in ("powershell", "windows"):
            yield from told(p, read_code(encode(" ".join(p.argv)), language))
            return 0
        code, found, words = b"", False, p.argv[1:]
        while words:
            word = words[0]
            if flag.fullmatch(word):
                code, found = code + encode("".join(words[1:2])) + b"\n", True
                del words[:2]
            elif word.startswith("-") and len(word) > 1 and not found:
                del words[0]
            elif found or word == "-":
                break
            else:
                try:
                    code = p.fs.read(words.pop(0), _MOST)
                except SysError:
                    code = b""  # what this text downloads is not here
                found = True
                break
        if not found:
            code = yield from p.read_all(0, _MOST)
        reading = read_code(code, language, [encode(word) for word in words])
        yield from told(p, reading)
        if reading.printed:
            yield from p.write(1, b"\n".join(reading.printed) + b"\n")
        return 0

    return run


def told(p: Process, reading: Reading) -> Run:
    """Note what a reading of another language found; its shell texts are run."""
    recorder = recorder_of(p)
    for ask in reading.asks:
        recorder.note(ask)
    for text in reading.shell[:20]:
        yield from start(p, ["sh", "-c", text.decode("utf-8", "surrogateescape")])
    return 0


def miner(p: Process) -> Run:
    """xmrig and its kind: the pool that they are told."""
    for number, word in enumerate(p.argv[1:], 1):
        following = p.argv[number + 1] if number + 1 < len(p.argv) else ""
        url = (
            following
            if word in ("-o", "--url")
            else word.partition("=")[2]
            if word.startswith("--url=")
            else ""
        )
        if url:
            recorder_of(p).note(
                Ask(encode(url if "://" in url else f"stratum+tcp://{url}"), "xmrig", kind="pool")
            )
    yield from p.tick()
    return 0


_NOTHING = (
    "rm", "rmdir", "kill", "killall", "pkill", "reboot", "halt", "poweroff", "shutdown", "init", "telinit", "wait",
    "suspend", "logout", "fg", "bg", "ulimit", "history", "enable", "caller", "passwd", "chpasswd", "iptables",
    "ip6tables", "ufw", "setenforce", "systemctl", "service", "update-rc.d", "chkconfig", "apk-add",
    "chattr", "lsattr", "sysctl", "modprobe", "insmod", "mount", "umount", "swapoff", "swapon", "shred", "userdel",
    "useradd", "usermod", "groupadd", "adduser", "sleep", "usleep", "clear", "reset", "tput", "stty", "screen-quiet",
    "ldconfig", "sync", "ntpdate", "dhclient", "ifconfig", "route", "ip", "mkfs", "fdisk", "ps", "top",
    "w", "who", "last", "lscpu", "free", "df", "netstat", "ss", "ping", "nslookup", "dig", "host", "dmesg", "lsof",
    "unset-all", "nproc", "uptime", "lspci", "dpkg", "ssh-keygen", "su-quiet", "unzip", "gcc", "make", "cc", "nano",
    "less", "more", "man", "id",
)  # fmt: skip
_UNKNOWN = ("hostname", "whoami", "uname", "arch", "logname", "hostid", "mktemp-name")

APPLETS: dict[str, Applet] = {
    **{name: client(name) for name in READERS},
    **dict.fromkeys(_NOTHING, quiet),
    **{name: answers(name) for name in _UNKNOWN},
    "chmod": chmod,
}
"""Those that the shell runs in its own process."""

PROGRAMS: dict[str, Program] = {
    **{name: program_of(applet) for name, applet in APPLETS.items()},
    **dict.fromkeys(("sh", "bash", "ash", "dash", "zsh", "ksh", "rbash", "hush", "mksh", "csh", "tcsh"), shell_program),
    **STARTERS, "busybox": busybox,
    "toybox": busybox, "crontab": crontab, "at": at, "batch": at,
    **{name: interpreter("python") for name in ("python", "python2", "python3", "python2.7", "pypy", "pypy3")},
    **{name: interpreter(name) for name in ("perl", "php", "ruby", "node", "lua")},
    "nodejs": interpreter("node"), "powershell": interpreter("powershell"), "pwsh": interpreter("powershell"),
    "certutil": interpreter("windows"), "bitsadmin": interpreter("windows"), "mshta": interpreter("windows"),
    "xmrig": miner, "minerd": miner, "cpuminer": miner, "xmr-stak": miner,
}  # fmt: skip
"""All that are not the machine's own, by name."""


def register() -> None:
    """Enter them into the registry, as ``recover:NAME``; a second time changes nothing."""
    SHELL_APPLETS.update(APPLETS)
    for name, entry in PROGRAMS.items():
        registry.program(f"recover:{name}")(entry)
