"""Programs that start another one: wrappers, repeaters, multiplexers, containers, remote shells.

Each is read as its manual page says, only as far as is needed to find the command behind its options; what would run
elsewhere (``ssh HOST COMMAND``, ``docker exec NAME COMMAND``) runs here, where it is recorded.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable

from urltrap.machine.api import Process, Program, Run
from urltrap.machine.errors import SysError
from urltrap.recover.ask import unknown

_MOST = 200_000
_MOST_ITEMS = 200
_DURATION = re.compile(r"[0-9.]+[smhd]?")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
_SPAWNED = re.compile(r"(?:^|[;\n{])\s*(?:spawn|exec|system)\s+([^;\n}]+)")
_GDB = re.compile(r"(?:shell\s+|!\s*)(\S.*)", re.DOTALL)
_STARTUP = re.compile(r"(?i)rc_|script|start|cmd|command|cron|wan_?up|firewall")
_COMMANDS = re.compile(r"(?i)(?:Proxy|Local|Remote)Command[= ]\s*(\S.*)", re.DOTALL)
_VIM = re.compile(r"!\s*(\S.*)", re.DOTALL)


def become(p: Process, words: list[str], env: dict[str, str] | None = None) -> Run:
    """Be another program from now on."""
    try:
        return (yield from p.exec(words, env=env))
    except SysError:
        return 127


def start(p: Process, words: list[str]) -> Run:
    """Run another program and wait for it."""
    try:
        pid = p.spawn(words)
    except SysError:
        return 127
    ended = yield from p.wait(pid)
    return ended[1] if ended else 0


def as_text(p: Process, words: Iterable[str]) -> Run:
    """Be a shell that is given words as its text."""
    text = " ".join(words)
    return (yield from become(p, ["sh", "-c", text])) if text.strip() else 0


def prefix(*with_value: str, operands: int = 0) -> Program:
    """A program that starts another: ``nohup``, ``timeout 10``, ``sudo -u root``. Options in `with_value` take one."""

    def run(p: Process) -> Run:
        words = p.argv[1:]
        env: dict[str, str] = {}
        left = operands
        while words:
            word = words[0]
            if word == "--":
                del words[0]
                break
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
        return (yield from become(p, words, {**p.env, **env}))

    return run


def env(p: Process) -> Run:
    """``env [-i] [-u NAME] [NAME=VALUE] COMMAND``, ``env -S TEXT``: as a ``#!`` line has it."""
    words = p.argv[1:]
    for number, word in enumerate(words):
        text = (
            word[2:]
            if word[:2] == "-S"
            else word.partition("=")[2]
            if word[:14] == "--split-string"
            else None
        )
        if text is not None:
            return (yield from as_text(p, [text, *words[number + 1 :]]))
        if word[:1] != "-":
            break
    p.argv = [p.argv[0], *(word for word in words if word != "-")]
    return (yield from _env(p))


def flock(p: Process) -> Run:
    """``flock [-n] FILE COMMAND``, ``flock FILE -c TEXT``."""
    words = _behind(p.argv[1:], ("--timeout", "--wait", "--conflict-exit-code"), "wE")[1:]
    if words[:1] in (["-c"], ["--command"]):
        return (yield from as_text(p, words[1:2]))
    return (yield from become(p, words)) if words else 0


def gdb(p: Process) -> Run:
    """``gdb -ex 'shell TEXT'``, ``-ex '!TEXT'``."""
    for word in p.argv[1:]:
        if match := _GDB.match(word):
            yield from start(p, ["sh", "-c", match[1]])
    return 0


def ed(p: Process) -> Run:
    """``ed``: lines that begin with ``!`` go to a shell."""
    text = (yield from p.read_all(0, _MOST)).decode("utf-8", "surrogateescape")
    for line in [line for line in text.splitlines() if line[:1] == "!"][:_MOST_ITEMS]:
        yield from start(p, ["sh", "-c", line[1:]])
    return 0


def nvram(p: Process) -> Run:
    """``nvram set rc_startup=TEXT``: what a router's firmware runs when it starts."""
    name, _, text = (p.argv[2] if p.argv[1:2] == ["set"] and len(p.argv) > 2 else "").partition("=")
    if text and _STARTUP.search(name):
        yield from start(p, ["sh", "-c", text])
    return 0


def _behind(words: list[str], with_value: Iterable[str], letters: str = "") -> list[str]:
    """The operands behind the options; `letters` take a value where they end a group (``-dmS NAME``)."""
    words = list(words)
    while words:
        word = words[0]
        if word == "--":
            return words[1:]
        if not word.startswith("-") or len(word) < 2:
            break
        valued = word in with_value or (not word.startswith("--") and word[-1] in letters)
        del words[: 2 if valued else 1]
    return words


def su(p: Process) -> Run:
    """``su [-] [USER] -c TEXT``; ``script -c TEXT``, ``runuser -u USER -- COMMAND``."""
    words = p.argv[1:]
    for number, word in enumerate(words):
        if number + 1 < len(words) and (word == "--command" or re.fullmatch(r"-[a-zA-Z]*c", word)):
            return (yield from become(p, ["sh", "-c", words[number + 1]]))
        if word.startswith("--command="):
            return (yield from become(p, ["sh", "-c", word.partition("=")[2]]))
        if word == "--" and number + 1 < len(words):
            return (yield from become(p, words[number + 1 :]))
    if p.argv[0].rpartition("/")[2] == "runuser":
        return (yield from become(p, rest)) if (rest := _behind(words, ("-u", "-g", "-s"))) else 0
    return 0


def watch(p: Process) -> Run:
    """``watch [-n SECONDS] COMMAND``: its words are a text for the shell."""
    return (yield from as_text(p, _behind(p.argv[1:], ("-n", "--interval", "-q"), "n")))


def ssh(p: Process) -> Run:
    """``ssh [OPTIONS] [USER@]HOST COMMAND``: what would run there; without a command what is piped into it."""
    for word in p.argv[1:]:
        if match := _COMMANDS.match(word.removeprefix("-o")):
            yield from start(p, ["sh", "-c", match[1]])
    words = _behind(p.argv[1:], (), "bcDEeFIiJLlmOopQRSWw")
    if len(words) > 1:
        return (yield from as_text(p, words[1:]))
    return (yield from become(p, ["sh"])) if words else 0


def screen(p: Process) -> Run:
    """``screen -dmS NAME COMMAND``, ``screen -S NAME -X stuff TEXT``."""
    words = _behind(p.argv[1:], (), "SctehpsT")
    if words[:1] == ["stuff"]:
        return (yield from as_text(p, [re.sub(r"\\[nr]|\^M|\\015", "\n", word) for word in words[1:]]))
    return (yield from become(p, words)) if words else 0


def tmux(p: Process) -> Run:
    """``tmux new -d -s NAME TEXT``, ``tmux send-keys -t NAME TEXT Enter``."""
    words = _behind(p.argv[1:], (), "LSfc")
    if not words:
        return 0
    rest = _behind(words[1:], (), "sntcxyFeT")
    if words[0] in ("send-keys", "send"):
        rest = [word for word in rest if word not in ("Enter", "C-m", "KPEnter")]
    elif words[0] not in ("new-session", "new", "new-window", "neww", "split-window", "splitw", "run-shell", "run",
                          "respawn-pane", "if-shell", "if"):  # fmt: skip
        return 0
    return (yield from as_text(p, rest))


_CONTAINER_VALUES = (
    "-v", "-e", "-p", "-w", "-u", "-h", "-l", "-m", "-c", "-n", "--name", "--network", "--net", "--volume", "--env",
    "--user", "--workdir", "--restart", "--mount", "--memory", "--cpus", "--pid", "--ipc", "--uts", "--hostname",
    "--label", "--publish", "--cap-add", "--device", "--security-opt", "--namespace", "--container", "--image",
    "--runtime", "--userns", "--env-file", "--log-driver", "--log-opt", "--ulimit", "--shm-size", "-H", "--host",
)  # fmt: skip


def container(p: Process) -> Run:
    """``docker run IMAGE COMMAND``, ``docker exec NAME COMMAND``, ``kubectl exec POD -- COMMAND``."""
    words = _behind(p.argv[1:], _CONTAINER_VALUES)
    if words[:1] == ["container"] or words[:1] == ["compose"]:
        words = words[1:]
    if words[:1] not in (["run"], ["exec"], ["create"], ["debug"]):
        return 0
    entry = [words[at + 1] for at, word in enumerate(words[:-1]) if word == "--entrypoint"]
    entry += [word.partition("=")[2] for word in words if word.startswith("--entrypoint=")]
    rest = _behind(words[1:], (*_CONTAINER_VALUES, "--entrypoint"))
    command = [*entry[:1], *(rest[2:] if rest[1:2] == ["--"] else rest[1:])]
    return (yield from become(p, command)) if command else 0


def adb(p: Process) -> Run:
    """``adb [-s DEVICE] shell TEXT``."""
    words = _behind(p.argv[1:], (), "sHPtL")
    return (yield from as_text(p, words[1:])) if words[:1] == ["shell"] else 0


def daemon(p: Process) -> Run:
    """``start-stop-daemon --start --exec PROGRAM -- ARGUMENTS``."""
    words = p.argv[1:]
    found = ""
    for number, word in enumerate(words[:-1]):
        if word in ("-x", "--exec", "-a", "--startas"):
            found = words[number + 1]
    for word in words:
        if word.startswith(("--exec=", "--startas=")):
            found = word.partition("=")[2]
    behind = words[words.index("--") + 1 :] if "--" in words else []
    return (yield from become(p, [found, *behind])) if found else 0


def expect(p: Process) -> Run:
    """``expect -c 'spawn COMMAND'``: what it spawns."""
    text = "\n".join(p.argv[1:])
    if "-c" not in p.argv:
        text = (yield from p.read_all(0, _MOST)).decode("utf-8", "surrogateescape")
    for match in list(_SPAWNED.finditer(text))[:_MOST_ITEMS]:
        yield from start(p, ["sh", "-c", match[1]])
    return 0


def editor(p: Process) -> Run:
    """``vim -c ':!COMMAND'``: what the editor hands to a shell."""
    for word in p.argv[1:]:
        match = _VIM.search(word)
        if match and (word.startswith((":", "+", "!"))):
            yield from start(p, ["sh", "-c", match[1]])
    return 0


def tar(p: Process) -> Run:
    """``tar --checkpoint-action=exec=COMMAND``, ``--to-command=``, ``-I COMMAND``: what it starts."""
    words = p.argv[1:]
    for number, word in enumerate(words):
        name, _, value = word.partition("=")
        if name == "--checkpoint-action" and value.startswith("exec="):
            yield from start(p, ["sh", "-c", value.removeprefix("exec=")])
        elif name in ("--to-command", "--use-compress-program", "--rsh-command") and value:
            yield from start(p, ["sh", "-c", value])
        elif word == "-I" and number + 1 < len(words):
            yield from start(p, ["sh", "-c", words[number + 1]])
    return 0


def xargs(p: Process) -> Run:
    """``xargs [-0] [-I X] [-n N] [-a FILE] COMMAND``: with what is read, all at once or one by one."""
    words = p.argv[1:]
    replace, many, separator, source = "", 0, "", ""
    while words and words[0].startswith("-") and len(words[0]) > 1:
        word = words.pop(0)
        if word == "--":
            break
        if word.startswith("--"):
            name, _, value = word[2:].partition("=")
            if name == "null":
                separator = "\0"
            elif name == "replace":
                replace = value or "{}"
            elif name in ("max-args", "max-lines"):
                many = _number(value or (words.pop(0) if words else "1"))
            elif name == "delimiter":
                separator = _separator(value or (words.pop(0) if words else "\\n"))
            elif name == "arg-file":
                source = value or (words.pop(0) if words else "")
            elif name in ("max-procs", "max-chars", "process-slot-var") and not value and words:
                words.pop(0)
            continue
        place = 1
        while place < len(word):
            letter, rest = word[place], word[place + 1 :]
            place += 1
            if letter == "0":
                separator = "\0"
            elif letter in "il":
                replace, many = (rest or "{}", many) if letter == "i" else (replace, _number(rest or "1"))
                break
            elif letter in "InLPsdaE":
                value = rest or (words.pop(0) if words else "")
                if letter == "I":
                    replace = value or "{}"
                elif letter in "nL":
                    many = _number(value)
                elif letter == "d":
                    separator = _separator(value)
                elif letter == "a":
                    source = value
                break
    try:
        read = p.fs.read(source, _MOST) if source else (yield from p.read_all(0, _MOST))
    except SysError:
        return 1
    data = read.decode("utf-8", "surrogateescape")
    if separator:
        items = [item for item in data.split(separator) if item]
    elif replace:
        items = [line.strip() for line in data.splitlines() if line.strip()]
    else:
        items = _unquoted(data)
    return (yield from _each(p, words or ["echo"], items, replace, many))


def _each(p: Process, words: list[str], items: list[str], replace: str, many: int) -> Run:
    if replace:
        for item in items[:_MOST_ITEMS]:
            yield from start(p, [word.replace(replace, item) for word in words])
    elif many:
        for begin in range(0, min(len(items), _MOST_ITEMS), many):
            yield from start(p, words + items[begin : begin + many])
    elif items:
        return (yield from start(p, words + items[:2000]))
    return 0


def _number(value: str) -> int:
    return max(1, int(value)) if value.isdecimal() and len(value) < 6 else 1


def _separator(value: str) -> str:
    return {"\\n": "\n", "\\t": "\t", "\\0": "\0", "\\r": "\r"}.get(value, value[:1] or "\n")


def _unquoted(data: str) -> list[str]:
    return [
        re.sub(r"['\"]|\\(.)", r"\1", item)
        for item in re.findall(r"(?:'[^']*'|\"[^\"]*\"|\\.|[^\s'\"])+", data)
    ]


def parallel(p: Process) -> Run:
    """``parallel COMMAND ::: ITEMS``, or one line of input after the other; without a command each is one itself."""
    words = _behind(p.argv[1:], ("--jobs", "--delay", "--timeout", "--joblog", "--colsep"), "jSaNn")
    given: list[str] = []
    if ":::" in words:
        at = words.index(":::")
        words, given = words[:at], [word for word in words[at + 1 :] if word != ":::"]
    else:
        data = (yield from p.read_all(0, _MOST)).decode("utf-8", "surrogateescape")
        given = [line for line in data.splitlines() if line.strip()]
    for item in given[:_MOST_ITEMS]:
        if not words:
            yield from start(p, ["sh", "-c", item])
        elif any("{}" in word for word in words):
            yield from start(p, ["sh", "-c", " ".join(word.replace("{}", item) for word in words)])
        elif " " in words[0]:
            # Its words are a text for a shell, to which the item comes as one word.
            yield from start(p, ["sh", "-c", " ".join([*words, shlex.quote(item)])])
        else:
            yield from start(p, [*words, item])
    return 0


def find(p: Process) -> Run:
    """``find … -exec COMMAND {} ;``: run once for something that was found."""
    words = p.argv[1:]
    number = 0
    while number < len(words):
        if words[number] in ("-exec", "-execdir", "-ok", "-okdir"):
            end = number + 1
            while end < len(words) and words[end] not in (";", "+"):
                end += 1
            command = [word.replace("{}", unknown("a file")) for word in words[number + 1 : end]]
            if command:
                yield from start(p, command)
            number = end
        number += 1
    return 0


_env = prefix("-u", "--unset", "-C", "--chdir")

STARTERS: dict[str, Program] = {
    "env": env, "gdb": gdb, "ed": ed, "nvram": nvram, "flock": flock,
    **dict.fromkeys(("nohup", "setsid"), prefix()),
    "unshare": prefix("-S", "-G", "-R", "-w", "--root", "--wd", "--setuid", "--setgid"),
    **dict.fromkeys(("time", "doas", "unbuffer", "proxychains", "proxychains4", "torsocks",
                     "torify", "command", "builtin", "linux32", "linux64", "catchsegv", "faketime", "coproc", "pkexec",
                     "disown", "daemonize", "firejail", "fakeroot", "eatmydata", "dbus-run-session", "xvfb-run"),
                    prefix("-u", "-f", "--user", "-S", "-C")),
    "sudo": prefix("-u", "-g", "-h", "-p", "-C", "-r", "-t", "-U", "--user", "--group"),
    **dict.fromkeys(("timeout", "nice", "ionice", "chrt", "taskset", "stdbuf", "cpulimit", "setpriv",
                     "nsenter", "strace", "ltrace"),
                    prefix("-k", "-s", "-n", "-c", "-p", "-i", "-o", "-e", "-l", "-t", "-m", "--signal")),
    "systemd-run": prefix("-p", "-u", "--unit", "--on-active", "--on-calendar", "--slice", "-M", "-E", "--property"),
    "sshpass": prefix("-p", "-f", "-d", "-P"),
    **dict.fromkeys(("chroot", "gosu", "su-exec", "setuidgid"), prefix(operands=1)),
    "start-stop-daemon": daemon,
    **dict.fromkeys(("su", "script", "runuser", "sg"), su), "watch": watch, "xargs": xargs, "parallel": parallel,
    "find": find, "ssh": ssh, "dbclient": ssh, "plink": ssh, "screen": screen, "tmux": tmux,
    **dict.fromkeys(("docker", "podman", "nerdctl", "kubectl", "crictl", "lxc", "lxc-attach"), container),
    "adb": adb, "expect": expect, "tar": tar, **dict.fromkeys(("vi", "vim", "nvim", "ex"), editor),
}  # fmt: skip
"""By name."""
