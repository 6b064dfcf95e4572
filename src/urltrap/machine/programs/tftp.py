"""tftp (tftp-hpa and BusyBox), ftpget, ftpput and a plain ftp client."""

from __future__ import annotations

import re
from collections.abc import Generator
from typing import Any

from urltrap.machine.api import Process, Run, decode
from urltrap.machine.effects import BytesContent
from urltrap.machine.errors import SysError
from urltrap.machine.programs._cmd import APPLETS, Cmd, Gen, command
from urltrap.machine.programs._getopt import OptionError, getopt
from urltrap.machine.programs._net import Answer, ask
from urltrap.machine.programs.registry import program


def _save(p: Process, answer: Answer, path: str) -> None:
    p.fs.put(path, answer.body or BytesContent(b""), mode=0o666 & ~p.umask)


def _url(scheme: str, host: str, port: str, remote: str) -> str:
    shown = f"[{host}]" if ":" in host else host
    default = {"tftp": "69", "ftp": "21"}[scheme]
    return f"{scheme}://{shown}{'' if port in ('', default) else ':' + port}/{remote.lstrip('/')}"


# -- BusyBox


def busybox_tftp(p: Process) -> Run:
    """tftp of BusyBox: -g or -p, -l LOCAL, -r REMOTE, HOST [PORT]."""
    c = Cmd(p, [], [], True)
    try:
        c.opts, c.args = getopt(p.argv[1:], "gpl:r:b:c:")
    except OptionError as problem:
        return (yield from c.usage(str(problem)))
    local, remote = c.value("l"), c.value("r")
    host = c.args[0] if c.args else ""
    if remote is None and (old := c.value("c")) is not None and c.args:  # loaders mix tftp-hpa's syntax in
        remote = c.args[1] if len(c.args) > 1 else old
    if c.has("g", "p") is False or not host or (local is None and remote is None):
        return (yield from c.usage())
    if remote is None:
        remote = local or ""
    if local is None:
        local = remote.rpartition("/")[2]
    if c.has("p"):
        yield from p.sleep(3.0)
        yield from p.err("tftp: timeout\n")
        return 1
    answer = yield from ask(
        p, _url("tftp", host, c.args[1] if len(c.args) > 1 else "", remote), "busybox-tftp"
    )
    if answer.kind in ("dns", "dns-temporary"):
        yield from p.err(f"tftp: bad address '{host}'\n")
        return 1
    if answer.kind == "missing":
        yield from p.err("tftp: server error: (1) File not found\n")
        return 1
    if answer.kind != "answer":
        yield from p.err("tftp: timeout\n")
        return 1
    return (yield from _into(p, answer, local, "tftp"))


def _into(p: Process, answer: Answer, local: str, name: str) -> Run:
    if local == "-":
        position = 0
        while answer.body is not None and (piece := answer.body.read(position, 65_536)):
            position += len(piece)
            yield from p.write(1, piece)
        return 0
    try:
        _save(p, answer, local)
    except SysError as problem:
        yield from p.err(f"{name}: can't open '{local}': {problem.words}\n")
        return 1
    return 0


APPLETS["tftp"] = busybox_tftp


@program("tftp")
def tftp(p: Process) -> Run:
    """tftp of tftp-hpa: ``tftp HOST -c get FILE``, or an interactive client. BusyBox's letters are understood too."""
    words = p.argv[1:]
    if any(word in ("-g", "-p", "-l", "-r") or re.match(r"-[gp]?[lr]$|-g[lr]", word) for word in words):
        return (yield from _hpa_wrong(p, words))
    host, port, command_words = "", "", []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word == "-c":
            command_words = rest
            break
        if word == "-m" and rest:
            rest.pop(0)
        elif word == "-V":
            yield from p.out("tftp-hpa 5.2, with readline\n")
            return 0
        elif word.startswith("-") and len(word) > 1:
            if word not in ("-4", "-6", "-l", "-v"):
                yield from p.err(
                    f"Usage: {p.argv[0]} [-4][-6][-v][-V][-l][-m mode] [-R port:port] [host [port]] [-c command]\n"
                )
                return 64
        elif not host:
            host = word
        else:
            port = word
    if command_words:
        return (yield from _hpa_command(p, host, port, command_words))
    return (yield from _hpa_lines(p, host, port))


def _hpa_wrong(p: Process, words: list[str]) -> Run:
    """BusyBox's syntax at tftp-hpa: an error there; what was meant is still asked for, so that its URL is known."""
    try:
        opts, args = getopt(words, "gpl:r:b:")
    except OptionError:
        opts, args = [], []
    values = dict(opts)
    remote = values.get("r") or values.get("l")
    if args and remote and "p" not in values:
        yield from ask(
            p, _url("tftp", args[0], args[1] if len(args) > 1 else "", remote), "tftp", patience=0.1
        )
    yield from p.err(
        f"{p.argv[0]}: invalid option -- 'g'\n"
        f"Usage: {p.argv[0]} [-4][-6][-v][-V][-l][-m mode] [-R port:port] [host [port]] [-c command]\n"
    )
    return 64


def _hpa_command(p: Process, host: str, port: str, words: list[str]) -> Run:
    verb = words[0].lower() if words else ""
    if verb not in (
        "get",
        "put",
        "mode",
        "quit",
        "binary",
        "ascii",
        "connect",
        "status",
        "verbose",
        "timeout",
    ):
        yield from p.err("?Invalid command\n")
        return 1
    if verb != "get" or len(words) < 2:
        if verb == "put":
            yield from p.sleep(3.0)
            yield from p.out("Transfer timed out.\n\n")
            return 1
        return 0
    remote = words[1]
    if ":" in remote:
        host, _, remote = remote.partition(":")
    local = words[2] if len(words) > 2 else remote.rpartition("/")[2]
    if not host:
        yield from p.err("No target machine specified.\n")
        return 1
    answer = yield from ask(p, _url("tftp", host, port, remote), "tftp")
    if answer.kind in ("dns", "dns-temporary"):
        yield from p.err(f"{host}: unknown host\n")
        return 1
    if answer.kind == "missing":
        yield from p.out("Error code 1: File not found\n")
        return 1
    if answer.kind != "answer":
        yield from p.out("Transfer timed out.\n\n")
        return 1
    try:
        _save(p, answer, local)
    except SysError as problem:
        yield from p.err(f"{p.argv[0]}: {local}: {problem.words}\n")
        return 1
    return 0


def _read_line(p: Process) -> Generator[Any, Any, str | None]:
    line = bytearray()
    while len(line) < 4000:
        char = yield from p.read(0, 1)
        if not char:
            return decode(bytes(line)) if line else None
        if char == b"\n":
            break
        line += char
    return decode(bytes(line))


def _hpa_lines(p: Process, host: str, port: str) -> Run:
    while True:
        yield from p.out("tftp> ")
        line = yield from _read_line(p)
        if line is None or line.strip() in ("quit", "q"):
            return 0
        words = line.split()
        if not words:
            continue
        if words[0] == "connect" and len(words) > 1:
            host, port = words[1], words[2] if len(words) > 2 else port
            continue
        yield from _hpa_command(p, host, port, words)


# -- ftpget, ftpput


@command("ftpget", short="cvu:p:P:", bb="cvu:p:P:", long={"continue": "c", "verbose": "v", "username:": "u",
                                                          "password:": "p", "port:": "P"})  # fmt: skip
def ftpget(c: Cmd) -> Run:
    """BusyBox's ftpget HOST [LOCAL] REMOTE."""
    c.bb = True
    if len(c.args) < 2:
        return (yield from c.usage())
    host, local, remote = c.args[0], c.args[1], c.args[-1]
    if local != "-" and len(c.args) == 2:
        local = remote
    status: int = yield from _ftp_fetch(c, host, local, remote)
    return status


def _ftp_fetch(c: Cmd, host: str, local: str, remote: str) -> Gen:
    p = c.p
    answer = yield from ask(
        p,
        _url("ftp", host, c.value("P") or "", remote),
        "busybox-ftpget",
        user=c.value("u") or "",
        password=c.value("p") or "",
    )
    if answer.kind in ("dns", "dns-temporary"):
        yield from p.err(f"{c.name}: bad address '{host}'\n")
        return 1
    address = answer.address or host
    words = {
        "refused": "Connection refused",
        "unreachable": "No route to host",
        "timeout": "Connection timed out",
    }
    if answer.kind in words:
        yield from p.err(f"{c.name}: can't connect to remote host ({address}): {words[answer.kind]}\n")
        return 1
    if answer.kind != "answer":
        text = (
            "unexpected server response to RETR: 550 Failed to open file."
            if answer.kind == "missing"
            else "connection closed"
        )
        yield from p.err(f"{c.name}: {text}\n")
        return 1
    return (yield from _into(p, answer, local, c.name))


@command(
    "ftpput",
    short="vu:p:P:",
    bb="vu:p:P:",
    long={"verbose": "v", "username:": "u", "password:": "p", "port:": "P"},
)
def ftpput(c: Cmd) -> Run:
    """BusyBox's ftpput: nothing is ever sent."""
    c.bb = True
    if len(c.args) < 2:
        return (yield from c.usage())
    local = c.args[-1]
    if local != "-":
        try:
            c.p.fs.stat(local)
        except SysError as problem:
            yield from c.p.err(f"{c.name}: can't open '{local}': {problem.words}\n")
            return 1
    yield from c.p.sleep(3.0)
    yield from c.p.err(f"{c.name}: can't connect to remote host ({c.args[0]}): No route to host\n")
    return 1


# -- ftp


@command(
    "ftp",
    "lftp",
    "ncftpget",
    short="46Aadeginptvu:p:P:o:c:f:",
    bb=False,
    hint="usage: {0} [-46pinegvtd] [hostname]\n",
)
def ftp(c: Cmd) -> Run:
    """An ftp client: URLs and get commands are asked for, everything else waits and fails."""
    p = c.p
    for word in c.args:
        if re.match(r"(ftp|https?)://", word):
            answer = yield from ask(p, word, "ftp")
            name = word.rpartition("/")[2]
            if answer.kind == "answer" and name:
                _save(p, answer, c.value("o") or name)
                return 0
            yield from p.err(f"{c.name}: {word}: no route to host\n")
            return 1
    host = c.args[0] if c.args else ""
    user, password, directory = c.value("u") or "", "", ""
    script = c.value("e") or c.value("c") or ""
    queue = [each.strip() for each in script.split(";") if each.strip()]
    tty = p.is_tty(0)
    if host and tty:
        yield from p.sleep(3.0)
        yield from p.out(f"ftp: connect to {host}: No route to host\n")
        host = ""
    while True:
        if queue:
            line: str | None = queue.pop(0)
        else:
            if tty:
                yield from p.out("ftp> ")
            line = yield from _read_line(p)
        if line is None:
            return 0
        words = line.split()
        if not words:
            continue
        verb = words[0].lower()
        if verb in ("quit", "bye", "exit", "!"):
            return 0
        if verb == "open" and len(words) > 1:
            host = words[1]
        elif verb == "user" and len(words) > 1:
            user, password = words[1], words[2] if len(words) > 2 else ""
        elif verb == "cd" and len(words) > 1:
            directory = words[1] if words[1].startswith("/") else f"{directory.rstrip('/')}/{words[1]}"
        elif verb in ("get", "mget", "recv", "pget") and len(words) > 1 and host:
            remote = words[1] if words[1].startswith("/") else f"{directory.rstrip('/')}/{words[1]}"
            answer = yield from ask(p, _url("ftp", host, "", remote), "ftp", user=user, password=password)
            local = words[2] if len(words) > 2 else words[1].rpartition("/")[2]
            if answer.kind == "answer":
                _save(p, answer, local)
            else:
                yield from p.out("Not connected.\n")
        elif verb in (
            "binary",
            "ascii",
            "prompt",
            "passive",
            "hash",
            "verbose",
            "lcd",
            "type",
            "epsv4",
            "epsv",
        ):
            continue
        elif verb in (
            "get",
            "mget",
            "recv",
            "put",
            "ls",
            "dir",
            "pwd",
            "mput",
            "send",
            "delete",
            "mkdir",
            "cd",
        ):
            yield from p.out("Not connected.\n")
        else:
            yield from p.out("?Invalid command.\n")
