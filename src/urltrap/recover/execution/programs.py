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
from urltrap.recover.static.code import Reading, read_code

_MOST = 200_000
_MOST_OPERANDS = 500
_MOST_SAVED = 1000
_DURATION = re.compile(r"[0-9.]+[smhd]?")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
_SCRIPT_FLAG = {"python": "c", "perl": "eE", "php": "r", "ruby": "e", "node": "e", "lua": "e"}


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


def prefix(*with_value: str, operands: int = 0) -> Program:
    """A program that starts another: ``nohup``, ``timeout 10``, ``sudo -u root``. Options in `with_value` take one."""

    def run(p: Process) -> Run:
        words = p.argv[1:]
        env: dict[str, str] = {}
        left = operands
        while words:
            word = words[0]
            if word in with_value:
                del words[:2]
            elif word.startswith("-") and len(word) > 1:
                del words[0]
            elif _ASSIGNMENT.match(word):
                name, _, env[name] = word.partition("=")
                del words[0]
            elif _DURATION.fullmatch(word) or left:
                left -= not _DURATION.fullmatch(word)
                del words[0]
            else:
                break
        if not words:
            return 0
        return (yield from _become(p, words, {**p.env, **env}))

    return run


def _become(p: Process, words: list[str], env: dict[str, str] | None = None) -> Run:
    try:
        return (yield from p.exec(words, env=env))
    except SysError:
        return 127


def _start(p: Process, words: list[str]) -> Run:
    try:
        pid = p.spawn(words)
    except SysError:
        return 127
    ended = yield from p.wait(pid)
    return ended[1] if ended else 0


def su(p: Process) -> Run:
    """``su [-] [USER] -c TEXT``; ``script -c TEXT``, ``runuser``."""
    words = p.argv[1:]
    for number, word in enumerate(words[:-1]):
        if word in ("-c", "--command") or re.fullmatch(r"-[a-zA-Z]*c", word):
            return (yield from _become(p, ["sh", "-c", words[number + 1]]))
    return 0


def watch(p: Process) -> Run:
    """``watch [-n SECONDS] COMMAND``: its words are a text for the shell."""
    words = p.argv[1:]
    while words and words[0].startswith("-"):
        del words[: 2 if words[0] in ("-n", "--interval") else 1]
    return (yield from _become(p, ["sh", "-c", " ".join(words)])) if words else 0


def xargs(p: Process) -> Run:
    """``xargs [-I X] [-n N] COMMAND``: with what is read, all at once or one by one."""
    words = p.argv[1:]
    replace, many, separator = "", 0, None
    while words and words[0].startswith("-") and len(words[0]) > 1:
        word = words.pop(0)
        if word[:2] in ("-I", "-i"):
            replace = word[2:] or (words.pop(0) if word[:2] == "-I" and words else "{}")
        elif word[:2] in ("-n", "-L"):
            value = word[2:] or (words.pop(0) if words else "1")
            many = int(value) if value.isdecimal() else 1
        elif word[:2] == "-d":
            value = word[2:] or (words.pop(0) if words else "\\n")
            separator = value.encode().decode("unicode_escape", "replace")
        elif word in ("-P", "-s", "-a", "-E") and words:
            words.pop(0)
    data = (yield from p.read_all(0, _MOST)).decode("utf-8", "surrogateescape")
    items = (
        [item for item in data.split(separator) if item]
        if separator
        else [line for line in data.splitlines() if line.strip()]
        if replace
        else _unquoted(data)
    )
    words = words or ["echo"]
    if replace:
        for item in items[:200]:
            yield from _start(p, [word.replace(replace, item.strip()) for word in words])
    elif many:
        for start in range(0, min(len(items), 200), many):
            yield from _start(p, words + items[start : start + many])
    elif items:
        return (yield from _start(p, words + items[:2000]))
    return 0


def _unquoted(data: str) -> list[str]:
    return [
        re.sub(r"['\"]|\\(.)", r"\1", item)
        for item in re.findall(r"(?:'[^']*'|\"[^\"]*\"|\\.|[^\s'\"])+", data)
    ]


def find(p: Process) -> Run:
    """``find … -exec COMMAND {} ;``: run once for something that was found."""
    words = p.argv[1:]
    number = 0
    while number < len(words):
        if words[number] in ("-exec", "-execdir", "-ok"):
            end = number + 1
            while end < len(words) and words[end] not in (";", "+"):
                end += 1
            command = [word.replace("{}", unknown("a file")) for word in words[number + 1 : end]]
            if command:
                yield from _start(p, command)
            number = end
        number += 1
    return 0


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
    flag = _SCRIPT_FLAG.get(language, "c")

    def run(p: Process) -> Run:
        code, arguments = b"", p.argv[1:]
        found = False
        if language in ("powershell", "windows"):
            yield from told(p, read_code(encode(" ".join(p.argv)), language))
            return 0
        for number, word in enumerate(arguments):
            if word.startswith("-") and not word.startswith("--") and word[-1:] in flag and len(word) > 1:
                code, found = encode("\n".join(arguments[number + 1 : number + 2])), True
                rest = arguments[number + 2 :]
                break
            if not word.startswith("-"):
                try:
                    code, found = p.fs.read(word, _MOST), True
                except SysError:
                    found = True
                rest = []
                break
        if not found:
            code, rest = (yield from p.read_all(0, _MOST)), []
        reading = read_code(code, language, [encode(word) for word in rest])
        yield from told(p, reading)
        return 0

    return run


def told(p: Process, reading: Reading) -> Run:
    """Note what a reading of another language found; its shell texts are run."""
    recorder = recorder_of(p)
    for ask in reading.asks:
        recorder.note(ask)
    for text in reading.shell[:20]:
        yield from _start(p, ["sh", "-c", text.decode("utf-8", "surrogateescape")])
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
    "ldconfig", "sync", "ntpdate", "dhclient", "ifconfig", "route", "ip", "mkfs", "fdisk", "docker", "ps", "top",
    "w", "who", "last", "lscpu", "free", "df", "netstat", "ss", "ping", "nslookup", "dig", "host", "dmesg", "lsof",
    "unset-all", "nproc", "uptime", "lspci", "dpkg", "ssh-keygen", "su-quiet", "tar", "unzip", "gcc", "make", "cc",
    "ssh", "sshpass", "expect", "vi", "vim", "nano", "less", "more", "man", "id",
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
    **dict.fromkeys(("nohup", "time", "setsid", "env", "doas", "unbuffer", "proxychains", "proxychains4", "torsocks",
                     "command", "builtin", "linux32", "linux64", "catchsegv", "faketime"), prefix("-u", "-f")),
    **dict.fromkeys(("sudo",), prefix("-u", "-g", "-h", "-p", "-C", "-r", "-t", "-U")),
    **dict.fromkeys(("timeout", "nice", "ionice", "chrt", "taskset", "stdbuf", "cpulimit", "setpriv", "unshare",
                     "nsenter", "strace", "ltrace"),
                    prefix("-k", "-s", "-n", "-c", "-p", "-i", "-o", "-e", "-l", "-t", "-m", "--signal")),
    "chroot": prefix(operands=1), "flock": prefix("-w", "-E", operands=1), "start-stop-daemon": program_of(quiet),
    "su": su, "script": su, "runuser": su, "watch": watch, "xargs": xargs, "find": find, "busybox": busybox,
    "toybox": busybox, "crontab": crontab, "at": at, "batch": at,
    **{name: interpreter("python") for name in ("python", "python2", "python3", "python2.7", "pypy", "pypy3")},
    **{name: interpreter(name) for name in ("perl", "php", "ruby", "node", "lua")},
    "nodejs": interpreter("node"), "powershell": interpreter("powershell"), "pwsh": interpreter("powershell"),
    "certutil": interpreter("windows"), "bitsadmin": interpreter("windows"), "mshta": interpreter("windows"),
    "xmrig": miner, "minerd": miner, "cpuminer": miner, "xmr-stak": miner, "screen": su, "tmux": su,
}  # fmt: skip
"""All that are not the machine's own, by name."""


def register() -> None:
    """Enter them into the registry, as ``recover:NAME``; a second time changes nothing."""
    SHELL_APPLETS.update(APPLETS)
    for name, entry in PROGRAMS.items():
        registry.program(f"recover:{name}")(entry)
