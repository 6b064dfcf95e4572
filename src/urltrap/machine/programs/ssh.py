"""ssh, sftp and rsync: clients whose connection never comes to be."""

from __future__ import annotations

import re
from collections.abc import Generator
from typing import Any

from urltrap.machine.api import Process, Run, encode
from urltrap.machine.errors import SysError
from urltrap.machine.programs._cmd import Cmd, command
from urltrap.machine.programs._connecting import PATIENCE, port_of, told
from urltrap.machine.programs._paths import base_name, is_dir, join
from urltrap.machine.programs._release import openssl_banner, package_version, upstream_version
from urltrap.machine.programs._sshhome import at_home
from urltrap.machine.reach import WORDS, attempt, is_own, reach, resolve4

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
        upstream, _, revision = package_version(p, "openssh-client").partition(":")[2].rpartition("-")
        upstream = {"10.0p1": "10.0p2"}.get(
            upstream, upstream
        )  # the second release kept the first one's name
        yield from p.err(f"OpenSSH_{upstream} Debian-{revision}, {openssl_banner(p)}\n")
        return 0
    if not c.args:
        yield from p.err(_SSH_USAGE)
        return 255
    destination = c.args[0]
    if match := re.match(r"ssh://([^/]*)", destination):
        destination = match[1]
    host = destination.rpartition("@")[2]
    port = port_of(c.value("p") or "22")
    if port is None:
        yield from p.err(f"Bad port '{c.value('p')}'\n")
        return 255
    told(p, host, port, encode(" ".join(c.args[1:])))
    if len(c.args) == 1 and not c.has("T", "N", "W", "t") and not p.is_tty(0):
        # What ssh itself says ends with a carriage return: it may stand on a terminal in raw mode.
        yield from p.err("Pseudo-terminal will not be allocated because stdin is not a terminal.\r\n")
    address = resolve4(p, host)
    if address and port == 22 and is_own(p, address) and reach(p, address, port) == "open":
        return (yield from at_home(c, host, address, destination.rpartition("@")[0], c.args[1:]))
    return (yield from unreachable(p, host, port))


def unreachable(p: Process, host: str, port: int) -> Generator[Any, Any, int]:
    """Wait as a client does, and say that it could not connect; ssh's exit status. The machine's own sshd is reached,
    but nobody is there who could say yes to its key."""
    address = resolve4(p, host)
    if not address:
        yield from p.sleep(PATIENCE)
        yield from p.err(f"ssh: Could not resolve hostname {host}: Temporary failure in name resolution\r\n")
        return 255
    verdict = attempt(p, address, port)
    if verdict == "open" and is_own(p, address):
        yield from p.err("Host key verification failed.\r\n" if port == 22 else
                         f"kex_exchange_identification: Connection closed by remote host\r\n"
                         f"Connection closed by {address} port {port}\r\n")  # fmt: skip
        return 255
    if verdict == "open":
        verdict = "timeout"  # it answered a web client there: what comes of speaking SSH with it is not known
    if verdict != "refused":
        yield from p.sleep(PATIENCE)
    yield from p.err(f"ssh: connect to host {host} port {port}: {WORDS[verdict]}\r\n")
    return 255


_SFTP_USAGE = """\
usage: sftp [-46AaCfNpqrv] [-B buffer_size] [-b batchfile] [-c cipher]
          [-D sftp_server_command] [-F ssh_config] [-i identity_file]
          [-J destination] [-l limit] [-o ssh_option] [-P port]
          [-R num_requests] [-S program] [-s subsystem | sftp_server]
          [-X sftp_option] destination
"""


@command(
    "sftp",
    short="46AaB:b:Cc:D:F:fi:J:l:No:P:pqrR:S:s:vX:",
    bb=False,
    bad=1,
    hint=_SFTP_USAGE,
)
def sftp(c: Cmd) -> Run:
    """An SFTP client."""
    if not c.args:
        yield from c.p.err(c.hint)
        return 1
    host = c.args[0].rpartition("@")[2].partition(":")[0]
    port = port_of(c.value("P") or "22") or 22
    told(c.p, host, port, encode(c.args[0]))
    yield from unreachable(c.p, host, port)
    yield from c.p.err("Connection closed\r\n")
    return 255


@command(
    "rsync",
    short="46acdghiklnopqrstuvxzAHILPRSWXe:f:T:B:",
    bb=False,
    bad=1,
    hint="",
    long={
        "archive": "a",
        "verbose": "v",
        "delete": "delete",
        "progress": "progress",
        "rsh:": "e",
        "exclude:": "exclude",
        "include:": "include",
        "password-file:": "pf",
        "port:": "port",
        "timeout:": "timeout",
        "version": "V",
        "partial": "partial",
        "compress": "z",
        "bwlimit:": "bw",
    },
)
def rsync(c: Cmd) -> Run:
    """rsync."""
    p = c.p
    if c.has("V"):
        yield from p.out(f"rsync  version {_rsync_version(p)}  protocol version 32\n")
        return 0
    for word in c.args:
        match = re.match(r"rsync://([^/:]+)|(?:[^@/]+@)?([^:/]+)::?", word)
        if match is None:
            continue
        host = match[1] or match[2]
        daemon = word.startswith("rsync://") or "::" in word
        told(p, host, 873 if daemon else 22, encode(word))
        if not daemon:
            yield from unreachable(p, host, 22)
            yield from p.err(
                "rsync: connection unexpectedly closed (0 bytes received so far) [Receiver]\n"
                f"rsync error: unexplained error (code 255) at io.c(231) [Receiver={_rsync_version(p)}]\n"
            )
            return 255
        yield from p.sleep(PATIENCE)
        yield from p.err(
            f"rsync: [Receiver] failed to connect to {host} ({host}): No route to host (113)\n"
            f"rsync error: error in socket IO (code 10) at clientserver.c(139) [Receiver={_rsync_version(p)}]\n"
        )
        return 10
    version = _rsync_version(p)
    if len(c.args) < 2:
        yield from p.err(f"rsync error: syntax or usage error (code 1) at main.c(1886) [client={version}]\n")
        return 1
    return (yield from _between_folders(c, version))


def _rsync_version(p: Process) -> str:
    return upstream_version(p, "rsync", "3.2.7").partition("+")[0]


def _between_folders(c: Cmd, version: str) -> Run:
    """rsync on the machine itself is a copy."""
    p = c.p
    *sources, target = c.args
    recursive = c.has("a", "r")
    for source in sources:
        try:
            stat = p.fs.stat(source)
        except SysError as problem:
            place = join(p.cwd, source) if not source.startswith("/") else source
            yield from p.err(
                f'rsync: [sender] link_stat "{place}" failed: {problem.words} ({problem.errno})\n'
                "rsync error: some files/attrs were not transferred (see previous errors) (code 23) at "
                f"main.c(1394) [sender={version}]\n"
            )
            return 23
        if stat.is_dir and not recursive:
            yield from p.out(f"skipping directory {base_name(source)}\n")
            continue
        words = ["cp", *(["-a"] if c.has("a") else ["-r"] if recursive else []), source, target]
        if stat.is_dir and source.endswith("/"):
            words[-2:] = [source + ".", target]
            if not is_dir(p, target):
                p.fs.mkdir(target, 0o777 & ~p.umask)
        ended = yield from p.wait(p.spawn(words))
        if ended and ended[1]:
            return 23
    return 0
