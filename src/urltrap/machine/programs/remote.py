# ruff: noqa: E501 - the programs' own texts and tables are longer than a line
"""Clients that would connect elsewhere: nc, telnet, ssh, sftp, rsync, git, dig and kin. Nothing is ever connected.

What is named is told to the journal as a forward that was asked for, or asked of the fetcher where it is a URL.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from typing import Any

from urltrap.machine.api import Process, Run, encode
from urltrap.machine.effects import BytesContent
from urltrap.machine.errors import SysError
from urltrap.machine.programs._cmd import Cmd, bb_usage, command
from urltrap.machine.programs._net import ask, host_of, split_url
from urltrap.machine.programs.registry import program
from urltrap.machine.shell.timeformat import strftime
from urltrap.model.event import ForwardAsked

_IP = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}|[0-9a-fA-F:]*:[0-9a-fA-F:]+")
_PATIENCE = 3.0


def told(p: Process, host: str, port: int, data: bytes = b"") -> None:
    """Journal where a client wanted to connect to."""
    p.fact(
        ForwardAsked,
        direction="direct",
        host=encode(host),
        port=port,
        origin_host=encode(p.argv[0].rpartition("/")[2]),
        first_bytes=data[:4096],
    )


def _port(text: str) -> int | None:
    names = {"http": 80, "https": 443, "ssh": 22, "telnet": 23, "ftp": 21, "smtp": 25, "domain": 53}
    if text in names:
        return names[text]
    return int(text) if text.isdecimal() and text.isascii() and 0 < int(text[:6]) < 65_536 else None


@command(
    "nc",
    "ncat",
    "netcat",
    short="46Cdbhlnp:q:rs:tuvw:x:X:zkUe:c:i:o:T:I:O:P:NDSV:M:m:",
    bb="lp:w:i:f:e:NvunzkL",
    bad=1,
    hint="",
)
def nc(c: Cmd) -> Run:
    """A connection to anywhere, which never comes to be."""
    p = c.p
    if c.has("h", "help"):
        yield from p.err(
            "[v1.10-47]\nconnect to somewhere:\tnc [-options] hostname port[s] [ports] ... \nlisten for inbound:\tnc -l -p port [-options] [hostname] [port]\n"
        )
        return 0
    wait = c.value("w") or ""
    patience = min(float(wait) if wait.isdecimal() else _PATIENCE, _PATIENCE)
    if c.has("l"):
        listen = _port(c.value("p") or (c.args[-1] if c.args else "")) or 0
        told(p, "", listen)
        if c.has("v"):
            yield from p.err(f"listening on [any] {listen} ...\n")
        yield from p.sleep(_PATIENCE * 20)
        return 1
    if not c.args:
        if c.bb:
            return (yield from c.usage())
        yield from p.err("Cmd line: ")
        return 1
    host = c.args[0]
    port = _port(c.args[1].partition("-")[0]) if len(c.args) > 1 else (31_337 if c.bb else None)
    if port is None:
        yield from p.err("no port[s] to connect to\n" if len(c.args) < 2 else f"invalid port {c.args[1]}\n")
        return 1
    data = b""
    if not p.is_tty(0) and not c.has("d", "z"):
        try:
            data = yield from p.read(0, 4096, timeout=0.2)
        except SysError:
            data = b""  # nothing to send
    told(p, host, port, data)
    if not _IP.fullmatch(host):
        yield from p.sleep(patience)
        yield from p.err(
            f"{c.name}: bad address '{host}'\n"
            if c.bb
            else f"{host}: forward host lookup failed: Host name lookup failure\n"
        )
        return 1
    yield from p.sleep(patience)
    if c.bb:
        yield from p.err(
            f"{c.name}: can't connect to remote host ({host}): {'Connection timed out' if c.has('w') else 'No route to host'}\n"
        )
    elif c.has("v") or not c.has("w"):
        yield from p.err(
            f"(UNKNOWN) [{host}] {port} (?) : {'Connection timed out' if c.has('w') else 'No route to host'}\n"
        )
    return 1


@command("telnet", short="468EFKLS:X:acde:fk:l:n:rx7", bb="al:", bad=1, hint="")
def telnet(c: Cmd) -> Run:
    """A Telnet client."""
    p = c.p
    if not c.args:
        if c.bb:
            return (yield from c.usage())
        yield from p.out("telnet> ")
        yield from p.read(0)
        return 0
    host = c.args[0]
    port = _port(c.args[1]) if len(c.args) > 1 else 23
    if port is None:
        yield from p.err(
            f"{c.name}: bad port '{c.args[1]}'\n"
            if c.bb
            else f"{host}/{c.args[1]}: Servname not supported for ai_socktype\n"
        )
        return 1
    told(p, host, port)
    if not _IP.fullmatch(host):
        yield from p.sleep(_PATIENCE)
        yield from p.err(
            f"{c.name}: bad address '{host}'\n"
            if c.bb
            else f"{c.name}: could not resolve {host}/{c.args[1] if len(c.args) > 1 else 'telnet'}: Temporary failure in name resolution\n"
        )
        return 1
    if not c.bb:
        yield from p.out(f"Trying {host}...\n")
    yield from p.sleep(_PATIENCE)
    yield from p.err(
        f"{c.name}: can't connect to remote host ({host}): No route to host\n"
        if c.bb
        else f"{c.name}: Unable to connect to remote host: No route to host\n"
    )
    return 1


_SSH_USAGE = """\
usage: ssh [-46AaCfGgKkMNnqsTtVvXxYy] [-B bind_interface]
           [-b bind_address] [-c cipher_spec] [-D [bind_address:]port]
           [-E log_file] [-e escape_char] [-F configfile] [-I pkcs11]
           [-i identity_file] [-J [user@]host[:port]] [-L address]
           [-l login_name] [-m mac_spec] [-O ctl_cmd] [-o option] [-p port]
           [-Q query_option] [-R address] [-S ctl_path] [-W host:port]
           [-w local_tun[:remote_tun]] destination [command [argument ...]]
"""


@command(
    "ssh",
    "slogin",
    short="+46AaB:b:Cc:D:E:e:F:fGgI:i:J:KkL:l:MNnm:O:o:P:p:Q:qR:S:sTtVvW:w:XxYy",
    bb=False,
    bad=255,
    hint=_SSH_USAGE,
)
def ssh(c: Cmd) -> Run:
    """An SSH client."""
    p = c.p
    if c.has("V"):
        version = (
            "OpenSSH_9.2p1 Debian-2+deb12u7, OpenSSL 3.0.17 1 Jul 2025"
            if p.persona.kind != "debian-13"
            else "OpenSSH_10.0p2 Debian-7, OpenSSL 3.5.1 1 Jul 2025"
        )
        yield from p.err(version + "\n")
        return 0
    if not c.args:
        yield from p.err(_SSH_USAGE)
        return 255
    destination = c.args[0]
    if match := re.match(r"ssh://([^/]*)", destination):
        destination = match[1]
    host = destination.rpartition("@")[2]
    port = _port(c.value("p") or "22")
    if port is None:
        yield from p.err(f"Bad port '{c.value('p')}'\n")
        return 255
    told(p, host, port, encode(" ".join(c.args[1:])))
    return (yield from _unreachable(p, host, port, "ssh"))


def _unreachable(p: Process, host: str, port: int, name: str) -> Generator[Any, Any, int]:
    yield from p.sleep(_PATIENCE)
    if _IP.fullmatch(host):
        yield from p.err(f"ssh: connect to host {host} port {port}: No route to host\n")
    else:
        yield from p.err(f"ssh: Could not resolve hostname {host}: Temporary failure in name resolution\n")
    return 255


@command(
    "sftp",
    short="46AaB:b:Cc:D:F:fi:J:l:No:P:pqrR:S:s:vX:",
    bb=False,
    bad=1,
    hint="usage: sftp [-46AaCfNpqrv] [-B buffer_size] [-b batchfile] [-c cipher] ... destination\n",
)
def sftp(c: Cmd) -> Run:
    """An SFTP client."""
    if not c.args:
        yield from c.p.err(c.hint)
        return 1
    host = c.args[0].rpartition("@")[2].partition(":")[0]
    port = _port(c.value("P") or "22") or 22
    told(c.p, host, port, encode(c.args[0]))
    yield from _unreachable(c.p, host, port, "sftp")
    yield from c.p.err("Connection closed.  \nConnection closed\n")
    return 255


@command("rsync", short="46acdghiklnopqrstuvxzAHILPRSWXe:f:T:B:", bb=False, bad=1, hint="", long={
    "archive": "a", "verbose": "v", "delete": "delete", "progress": "progress", "rsh:": "e", "exclude:": "exclude", "include:": "include",
    "password-file:": "pf", "port:": "port", "timeout:": "timeout", "version": "V", "partial": "partial", "compress": "z", "bwlimit:": "bw"})  # fmt: skip
def rsync(c: Cmd) -> Run:
    """rsync."""
    p = c.p
    if c.has("V"):
        yield from p.out("rsync  version 3.2.7  protocol version 31\n")
        return 0
    for word in c.args:
        match = re.match(r"rsync://([^/:]+)|(?:[^@/]+@)?([^:/]+)::?", word)
        if match is None:
            continue
        host = match[1] or match[2]
        daemon = word.startswith("rsync://") or "::" in word
        told(p, host, 873 if daemon else 22, encode(word))
        if not daemon:
            yield from _unreachable(p, host, 22, "rsync")
            yield from p.err(
                "rsync: connection unexpectedly closed (0 bytes received so far) [Receiver]\nrsync error: unexplained error (code 255) at io.c(231) [Receiver=3.2.7]\n"
            )
            return 255
        yield from p.sleep(_PATIENCE)
        yield from p.err(f"rsync: [Receiver] failed to connect to {host} ({host}): No route to host (113)\n"
                         "rsync error: error in socket IO (code 10) at clientserver.c(139) [Receiver=3.2.7]\n")  # fmt: skip
        return 10
    if len(c.args) < 2:
        yield from p.err("rsync error: syntax or usage error (code 1) at main.c(1809) [client=3.2.7]\n")
        return 1
    return 0


@program("git")
def git(p: Process) -> Run:
    """git: clone, pull and fetch ask for their URL; the rest says that here is no repository."""
    words = [word for word in p.argv[1:] if not word.startswith("-")]
    if "--version" in p.argv or words[:1] == ["version"]:
        yield from p.out("git version 2.39.5\n")
        return 0
    if not words:
        yield from p.out(
            "usage: git [-v | --version] [-h | --help] [-C <path>] [-c <name>=<value>]\n           <command> [<args>]\n"
        )
        return 1
    verb = words[0]
    url = next(
        (word for word in words[1:] if re.match(r"(https?|git|ssh|ftp)://|[\w.-]+@[\w.-]+:", word)), ""
    )
    if verb in ("clone", "fetch", "pull", "remote", "ls-remote", "submodule") and url:
        if verb == "clone":
            name = words[2] if len(words) > 2 else re.sub(r"\.git/?$", "", url.rstrip("/")).rpartition("/")[2]
            yield from p.err(f"Cloning into '{name}'...\n")
        host = host_of(url) or url.rpartition("@")[2].partition(":")[0]
        if url.startswith("http"):
            answer = yield from ask(
                p, url.rstrip("/") + "/info/refs?service=git-upload-pack", "git", "git/2.39.5"
            )
            if answer.kind == "answer":
                yield from p.err(
                    f"fatal: unable to access '{url}/': The requested URL returned error: {answer.status if answer.status >= 400 else 403}\n"
                )
            else:
                yield from p.err(f"fatal: unable to access '{url}/': Could not resolve host: {host}\n" if answer.kind.startswith("dns") else
                                 f"fatal: unable to access '{url}/': Failed to connect to {host} port 443 after 3065 ms: Couldn't connect to server\n")  # fmt: skip
        else:
            told(p, host, 9418 if url.startswith("git:") else 22, encode(url))
            yield from _unreachable(p, host, 22, "git")
            yield from p.err(
                "fatal: Could not read from remote repository.\n\nPlease make sure you have the correct access rights\nand the repository exists.\n"
            )
        return 128
    if verb in ("clone",):
        yield from p.err(
            "fatal: You must specify a repository to clone.\n\nusage: git clone [<options>] [--] <repo> [<dir>]\n"
        )
        return 129
    if verb in ("init", "config"):
        if verb == "init":
            yield from p.out(f"Initialized empty Git repository in {p.cwd.rstrip('/')}/.git/\n")
        return 0
    if verb in (
        "status",
        "log",
        "add",
        "commit",
        "diff",
        "push",
        "checkout",
        "branch",
        "pull",
        "fetch",
        "remote",
        "show",
    ):
        yield from p.err("fatal: not a git repository (or any of the parent directories): .git\n")
        return 128
    yield from p.err(f"git: '{verb}' is not a git command. See 'git --help'.\n")
    return 1


# -- names


@command("nslookup", short="", bb="", bad=1, hint="")
def nslookup(c: Cmd) -> Run:
    """Look a name up: the servers never answer."""
    names = [word for word in c.p.argv[1:] if not word.startswith("-")]
    if not names:
        if c.bb:
            yield from c.p.err(bb_usage(c.p, "nslookup"))
            return 1
        yield from c.p.out("> ")
        yield from c.p.read(0)
        return 0
    yield from c.p.sleep(_PATIENCE)
    yield from c.p.out(";; connection timed out; no servers could be reached\n\n")
    return 1


@program("dig")
def dig(p: Process) -> Run:
    """dig: no servers could be reached."""
    if "-v" in p.argv:
        yield from p.err("DiG 9.18.33-1~deb12u2-Debian\n")
        return 0
    yield from p.sleep(_PATIENCE)
    if "+short" not in p.argv:
        yield from p.out(
            f"\n; <<>> DiG 9.18.33-1~deb12u2-Debian <<>> {' '.join(p.argv[1:])}\n;; global options: +cmd\n"
        )
    yield from p.out(";; no servers could be reached\n")
    return 9


@program("host")
def host(p: Process) -> Run:
    """host: no servers could be reached."""
    if len(p.argv) < 2:
        yield from p.err(
            "Usage: host [-aCdilrTvVw] [-c class] [-N ndots] [-t type] [-W time]\n            [-R number] [-m flag] [-p port] hostname [server]\n"
        )
        return 1
    yield from p.sleep(_PATIENCE)
    yield from p.out(";; connection timed out; no servers could be reached\n\n")
    return 1


# -- downloaders without a file of their own


@command("lynx", "links", "elinks", "w3m", short="", bb=False, hint="")
def lynx(c: Cmd) -> Run:
    """Text browsers: -dump and -source print what a URL holds."""
    return (yield from _browser(c.p))


def _browser(p: Process) -> Run:
    urls = [word for word in p.argv[1:] if not word.startswith("-")]
    if "-version" in p.argv or "--version" in p.argv:
        yield from p.out("Lynx Version 2.9.0dev.12 (22 Dec 2022)\n")
        return 0
    if not urls:
        return 1
    answer = yield from ask(
        p,
        urls[0] if "://" in urls[0] else "http://" + urls[0],
        "lynx",
        "Lynx/2.9.0dev.12 libwww-FM/2.14 SSL-MM/1.4.1 GNUTLS/3.7.8",
    )
    if answer.kind != "answer" or answer.body is None:
        yield from p.err(
            f"\nLooking up {host_of(urls[0])}\nUnable to locate remote host {host_of(urls[0])}.\nAlert!: Unable to connect to remote host.\n\nlynx: Can't access startfile {urls[0]}\n"
        )
        return 1
    yield from p.write(1, answer.body.read(0, 16_000_000))
    return 0


@program("lwp-download", "GET", "fetch", "aria2c", "axel", "http", "lwp-request")
def downloaders(p: Process) -> Run:
    """Downloaders that are seldom there: the file is saved, or printed by GET."""
    name = p.argv[0].rpartition("/")[2]
    urls, output, rest = [], "", list(p.argv[1:])
    while rest:
        word = rest.pop(0)
        if word in ("-o", "-O", "--out", "--output") and rest:
            output = rest.pop(0)
        elif not word.startswith("-"):
            urls.append(word)
    if not urls:
        yield from p.err(f"Usage: {name} [OPTIONS] URL\n")
        return 1
    status = 0
    for url in urls[:20]:
        if not re.match(r"[a-z]+://", url):
            continue
        answer = yield from ask(p, url, name, f"{name}/1.0")
        if answer.kind != "answer" or answer.status >= 400:
            yield from p.err(
                f"{name}: {url}: {answer.reason if answer.kind == 'answer' else 'Network is unreachable'}\n"
            )
            status = 1
            continue
        body = answer.body or BytesContent(b"")
        if name in ("GET", "http", "lwp-request") and not output:
            yield from p.write(1, body.read(0, body.size))
            continue
        place = split_url(url)
        target = output or (place.file if not isinstance(place, str) else "") or "index.html"
        p.fs.put(target, body, mode=0o666 & ~p.umask)
        yield from p.out(
            f"{body.size / 1000:.1f} KB received\n"
            if name == "lwp-download"
            else f"{strftime('%H:%M:%S', p.now())} {target} {body.size}\n"
        )
    return status
