"""What systemd sets up before a service's program runs: user, folder, environment, and where its words go
(systemd.exec(5)). A step that fails ends the child with a status of its own, before the program was tried."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from urltrap.machine.api import O_APPEND, O_CREAT, O_RDONLY, O_TRUNC, O_WRONLY, Process, Run, decode
from urltrap.machine.errors import SysError
from urltrap.machine.programs._system import account

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"
CHDIR, EXEC, STDIN, STDOUT, USER = 200, 203, 208, 209, 217
"""The statuses of the steps, by the names that systemd gives them."""
STEPS = {CHDIR: "CHDIR", EXEC: "EXEC", STDIN: "STDIN", STDOUT: "STDOUT", USER: "USER"}
_LINE_MAX = 2000


@dataclass(frozen=True, slots=True)
class Setting:
    """The part of [Service] that is about how its program runs."""

    user: str
    folder: str
    stdout: str
    stderr: str
    environment: tuple[str, ...]
    identifier: str


def setting_of(service: Mapping[str, Sequence[str]]) -> Setting:
    """Read a [Service] section."""

    def last(key: str, default: str = "") -> str:
        return (service.get(key) or [default])[-1]

    out = last("StandardOutput", "journal")
    return Setting(
        last("User"), last("WorkingDirectory", "/"), out, last("StandardError", "inherit"),
        tuple(service.get("Environment", ())), last("SyslogIdentifier"),
    )  # fmt: skip


def program(
    p: Process, setting: Setting, argv: list[str], path: str, say: Callable[[str, str], None]
) -> Callable[[Process], Run]:
    """What the forked child does. `say(who, text)` writes to the journal; `path` is empty where there is no program."""

    def entry(child: Process) -> Run:
        child.new_session()
        child.dup2(child.open("/dev/null", O_RDONLY), 0)
        name = setting.identifier or (path or argv[0]).rpartition("/")[2]
        try:
            _outputs(child, setting, f"{name}[{child.pid}]", say)
        except SysError:
            return STDOUT
        env = _environment(p, setting)
        if setting.user:
            fields = account(p, setting.user)
            if fields is None:
                return USER
            env |= {"USER": fields[0], "LOGNAME": fields[0], "HOME": fields[5], "SHELL": fields[6]}
            child.set_user(int(fields[2]))
        folder = setting.folder.removeprefix("-")
        try:
            child.chdir(env.get("HOME", "/root") if folder == "~" else folder)
        except SysError:
            if not setting.folder.startswith("-"):
                return CHDIR
        if not path:
            yield from child.tick()
            return EXEC
        try:
            return (yield from child.exec(argv, path=path, env=env))
        except SysError:
            return EXEC

    return entry


def _environment(p: Process, setting: Setting) -> dict[str, str]:
    digits = "0123456789abcdef"
    env = {"PATH": f"{PATH}:/sbin:/bin", "INVOCATION_ID": "".join(digits[p.random(16)] for _ in range(32))}
    for line in setting.environment:
        try:
            words = shlex.split(line)
        except ValueError:
            words = line.split()
        env |= {name: value for name, mark, value in (word.partition("=") for word in words) if mark}
    return env


def _outputs(child: Process, setting: Setting, who: str, say: Callable[[str, str], None]) -> None:
    out = _output(child, setting.stdout, who, say)
    err = out if setting.stderr == "inherit" else _output(child, setting.stderr, who, say)
    child.dup2(out, 1)
    child.dup2(err, 2)
    for fd in {out, err} - {0, 1, 2}:
        child.close(fd)


def _output(child: Process, where: str, who: str, say: Callable[[str, str], None]) -> int:
    kind, _, path = where.partition(":")
    flags = {"file": 0, "append": O_APPEND, "truncate": O_TRUNC}.get(kind)
    if flags is not None and path.startswith("/"):
        return child.open(path, O_WRONLY | O_CREAT | flags, 0o666)
    if kind in ("null", "tty", "socket", "fd"):
        return child.open("/dev/null", O_WRONLY)
    return child.sink(_Lines(who, say).take)


class _Lines:
    """Whole lines of what a service writes."""

    def __init__(self, who: str, say: Callable[[str, str], None]) -> None:
        self._who, self._say, self._rest = who, say, b""

    def take(self, data: bytes) -> None:
        """Some bytes more; what ends in no newline waits for it, up to a line's length."""
        *lines, rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._say(self._who, decode(line[:_LINE_MAX]))
        self._rest = rest[-_LINE_MAX:]
