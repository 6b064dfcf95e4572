"""Clients of TFTP, FTP, scp, rsync and git, and raw connections.

Options are those of tftp-hpa 5.2, atftp 0.8, BusyBox 1.35 (tftp, ftpget), ncftp 3.2, OpenSSH's scp, git 2.39.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from urltrap.recover.ask import Ask
from urltrap.recover.clients.options import basename, options, text_of

_ATFTP_LONG = frozenset({b"remote-file", b"local-file", b"option", b"tftp-timeout", b"mode"})
_SCP = re.compile(rb"(?:[^@/:\s]+@)?(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):(.+)", re.DOTALL)
_GET = re.compile(
    rb"\A\s*(?:GET|POST|HEAD)[ \t]+([^\s\"']+)(?:[ \t]+HTTP/\d(?:\.\d)?)?(.*)", re.IGNORECASE | re.DOTALL
)
_HOST = re.compile(rb"(?im)^host:[ \t]*([^\s]+)")


def tftp(arguments: Sequence[bytes]) -> Iterator[Ask]:
    """``tftp -g -r REMOTE [-l LOCAL] HOST [PORT]``, ``tftp [-m MODE] HOST [PORT] -c get REMOTE [LOCAL]``,
    Windows' ``tftp -i HOST GET REMOTE``."""
    rest: list[bytes] = []
    remote = local = b""
    getting = putting = False
    for name, value in options(arguments, b"lrbm", _ATFTP_LONG):
        if name == b"":
            rest.append(value)
        elif name in (b"r", b"remote-file"):
            remote = value
        elif name in (b"l", b"local-file"):
            local = value
        elif name in (b"g", b"get"):
            getting = True
        elif name in (b"p", b"put"):
            putting = True
    if not rest or putting:
        return
    host, rest = rest[0], rest[1:]
    port = b""
    if rest and rest[0].isdigit():
        port, rest = b":" + rest[0], rest[1:]
    if rest and rest[0].lower() == b"get":
        wanted, local = (rest[1] if len(rest) > 1 else b""), (rest[2] if len(rest) > 2 else b"")
    elif getting or remote:
        wanted = remote or local
    else:
        return
    if wanted:
        url = b"tftp://" + host + port + b"/" + wanted.lstrip(b"/")
        yield Ask(url, "tftp", text_of(local or basename(wanted)), default_scheme="tftp", from_words=True)


def ftpget(arguments: Sequence[bytes]) -> Iterator[Ask]:
    """BusyBox ``ftpget [-c] [-v] [-u USER] [-p PASS] [-P PORT] HOST [LOCAL] REMOTE``."""
    rest: list[bytes] = []
    port = b""
    for name, value in options(arguments, b"upP", (b"user", b"username", b"password", b"port")):
        if name == b"":
            rest.append(value)
        elif name in (b"P", b"port"):
            port = b":" + value
    if len(rest) >= 2:
        remote = rest[2] if len(rest) > 2 else rest[1]
        url = b"ftp://" + rest[0] + port + b"/" + remote.lstrip(b"/")
        yield Ask(url, "ftpget", text_of(rest[1]), default_scheme="ftp", from_words=True)


def ncftpget(arguments: Sequence[bytes]) -> Iterator[Ask]:
    """``ncftpget [-u USER] [-p PASS] [-P PORT] HOST LOCAL-DIRECTORY REMOTE…`` or ``ncftpget URL``."""
    rest: list[bytes] = []
    port = b""
    for name, value in options(arguments, b"upPjd", ()):
        if name == b"":
            rest.append(value)
        elif name == b"P":
            port = b":" + value
    if len(rest) > 2:
        for remote in rest[2:]:
            url = b"ftp://" + rest[0] + port + b"/" + remote.lstrip(b"/")
            yield Ask(url, "ncftpget", text_of(basename(remote)), default_scheme="ftp", from_words=True)
    elif rest and b"://" in rest[0]:
        yield Ask(rest[0], "ncftpget", text_of(basename(rest[0])), default_scheme="ftp")


def ftp(arguments: Sequence[bytes], script: bytes = b"") -> Iterator[Ask]:
    """``ftp [-n] [HOST [PORT]]`` with the commands that it reads, ``ftp URL``, ``lftp -e "get X" HOST``."""
    host = port = folder = b""
    operands: list[bytes] = []
    for name, value in options(arguments, b"eucpPoT", ()):
        if name == b"":
            operands.append(value)
        elif name in (b"e", b"c"):
            script = value + b"\n" + script
    for word in operands:
        if b"://" in word and basename(word):
            yield Ask(word, "ftp", text_of(basename(word)), default_scheme="ftp")
            return
    if operands:
        host = operands[0]
        if len(operands) > 1 and operands[1].isdigit():
            port = b":" + operands[1]
    for line in re.split(rb"[\n;]", script):
        words = line.split()
        if not words:
            continue
        verb = words[0].lower()
        if verb == b"open" and len(words) > 1:
            host, port = words[1], (b":" + words[2] if len(words) > 2 and words[2].isdigit() else b"")
            if b"://" in host:
                host = host.partition(b"://")[2].rstrip(b"/")
        elif verb in (b"cd", b"cwd") and len(words) > 1:
            folder = words[1] if words[1].startswith(b"/") else folder.rstrip(b"/") + b"/" + words[1]
        elif verb in (b"get", b"recv", b"mget", b"reget", b"pget") and len(words) > 1 and host:
            wanted = words[1:] if verb == b"mget" else words[1:2]
            for remote in wanted:
                path = remote if remote.startswith(b"/") else folder.rstrip(b"/") + b"/" + remote
                local = words[2] if verb != b"mget" and len(words) > 2 else basename(remote)
                url = b"ftp://" + host.rpartition(b"@")[2] + port + b"/" + path.lstrip(b"/")
                yield Ask(url, "ftp", text_of(local), default_scheme="ftp", from_words=True)


def scp(arguments: Sequence[bytes]) -> Iterator[Ask]:
    """``scp [-P PORT] [USER@]HOST:FILE… LOCAL``; sending to a host fetches nothing."""
    rest: list[bytes] = []
    port = b""
    for name, value in options(arguments, b"PiloFcSJ", ()):
        if name == b"":
            rest.append(value)
        elif name == b"P":
            port = b":" + value
    for word in rest[:-1]:
        match = _SCP.fullmatch(word)
        if match and b"://" not in word:
            url = b"scp://" + match[1] + port + b"/" + match[2].lstrip(b"/")
            yield Ask(url, "scp", text_of(rest[-1]), default_scheme="scp", from_words=True)
        elif word[:6] in (b"scp://", b"sftp:/"):
            yield Ask(word, "scp", text_of(rest[-1]), default_scheme="scp")


def sftp(arguments: Sequence[bytes]) -> Iterator[Ask]:
    """``sftp [USER@]HOST:FILE [LOCAL]``."""
    rest = [value for name, value in options(arguments, b"PibBDFoRSsc", ()) if name == b""]
    match = _SCP.fullmatch(rest[0]) if rest else None
    if match and b"://" not in rest[0]:
        url = b"sftp://" + match[1] + b"/" + match[2].lstrip(b"/")
        yield Ask(url, "sftp", text_of(basename(match[2])), from_words=True)


def rsync(arguments: Sequence[bytes]) -> Iterator[Ask]:
    """``rsync rsync://HOST/MODULE/FILE LOCAL``, ``rsync HOST::MODULE/FILE``, ``rsync HOST:FILE`` (over ssh)."""
    rest = [
        value
        for name, value in options(arguments, b"efT", (b"rsh", b"port", b"password-file"))
        if name == b""
    ]
    for word in rest[:-1] if len(rest) > 1 else rest:
        if word.startswith(b"rsync://"):
            yield Ask(word, "rsync", default_scheme="rsync")
        elif b"::" in word and b"/" not in word.partition(b"::")[0]:
            host, _, path = word.partition(b"::")
            url = b"rsync://" + host.rpartition(b"@")[2] + b"/" + path
            yield Ask(url, "rsync", default_scheme="rsync", from_words=True)
        else:
            match = _SCP.fullmatch(word)
            if match and b"://" not in word:
                url = b"scp://" + match[1] + b"/" + match[2].lstrip(b"/")
                yield Ask(url, "rsync", default_scheme="scp", from_words=True)


def git(arguments: Sequence[bytes]) -> Iterator[Ask]:
    """``git clone URL``, and submodule, fetch and pull from one."""
    rest = [
        value
        for name, value in options(arguments, b"Cbcoju", (b"depth", b"branch", b"config"))
        if name == b""
    ]
    if not rest or rest[0] not in (b"clone", b"fetch", b"pull", b"submodule", b"ls-remote"):
        return
    for word in rest[1:]:
        if b"://" in word:
            yield Ask(word, "git", default_scheme="git")
            return
        match = _SCP.fullmatch(word)
        if match and b"@" in word:
            url = b"ssh://" + match[1] + b"/" + match[2].lstrip(b"/")
            yield Ask(url, "git", default_scheme="git", from_words=True)
            return


def installer(client: str) -> _Installer:
    """A package manager: it fetches what is given as a URL; everything else comes from its own archive."""
    return _Installer(client)


class _Installer:
    def __init__(self, client: str) -> None:
        self.client = client

    def __call__(self, arguments: Sequence[bytes]) -> Iterator[Ask]:
        previous = b""
        for word in arguments:
            url = word.partition(b"+")[2] if word.startswith((b"git+", b"hg+")) else word
            url = url.partition(b"@")[2].strip() if b"@ http" in url else url
            indexed = previous in (b"-i", b"--index-url", b"--extra-index-url", b"--trusted-host", b"--proxy")
            if url[:7] in (b"http://", b"https:/", b"ftp://") and not indexed:
                yield Ask(url, self.client)
            previous = word


def request(host: bytes, port: bytes, sent: bytes, client: str) -> Ask | None:
    """What a raw connection is: a download where an HTTP request (or a bare GET) was sent, else a call-back."""
    address = b"[" + host + b"]" if b":" in host and not host.startswith(b"[") else host
    match = _GET.match(sent)
    if match:
        named = _HOST.search(match[2])
        path = match[1]
        if b"://" in path:
            return Ask(path, client)
        if named and not has_port(named[1]):
            address = named[1]
        shown = b":" + port if port != b"80" else b""
        authority = named[1] if named and has_port(named[1]) else address + shown
        return Ask(b"http://" + authority + b"/" + path.lstrip(b"/"), client, from_words=True)
    return Ask(b"tcp://" + address + b":" + port, client, kind="callback", from_words=True)


def has_port(authority: bytes) -> bool:
    """Whether an authority ends in ``:PORT``."""
    return authority.rpartition(b":")[2].isdigit() and b":" in authority


def nc(arguments: Sequence[bytes], sent: bytes = b"") -> Iterator[Ask]:
    """``nc HOST PORT`` with what is piped into it; listening ones call nobody."""
    rest: list[bytes] = []
    for name, value in options(arguments, b"ewqpsciIoTXxgG", (b"exec", b"sh-exec", b"wait")):
        if name == b"":
            rest.append(value)
        elif name in (b"l", b"listen", b"z"):
            return
    if len(rest) >= 2 and rest[1].isdigit():
        found = request(rest[0], rest[1], sent, "nc")
        if found:
            yield found


def socat(arguments: Sequence[bytes], sent: bytes = b"") -> Iterator[Ask]:
    """``socat … TCP:HOST:PORT``."""
    for word in arguments:
        match = re.match(rb"(?i)(?:tcp4?6?|tcp-connect|openssl|ssl|udp):([^:,]+):(\d+)", word)
        if match:
            found = request(match[1], match[2], sent, "socat")
            if found:
                yield found
