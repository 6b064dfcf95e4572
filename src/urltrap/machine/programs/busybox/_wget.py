"""BusyBox's wget."""

from __future__ import annotations

import re

from urltrap.machine.api import Process, Run, encode
from urltrap.machine.errors import SysError
from urltrap.machine.programs._cmd import Cmd, Gen
from urltrap.machine.programs._getopt import OptionError, getopt
from urltrap.machine.programs._net import Answer, Place, ask, split_url
from urltrap.machine.programs._paths import join

_LONG = {
    "continue": "c", "quiet": "q", "server-response": "S", "output-document:": "O", "output-file:": "o",
    "directory-prefix:": "P", "proxy:": "Y", "user-agent:": "U", "timeout:": "T", "tries:": "t", "header:": "header",
    "post-data:": "post", "post-file:": "post-file", "spider": "spider", "no-check-certificate": "ncc",
    "passive-ftp": "pf", "no-verbose": "nv", "no-clobber": "nc", "no-host-directories": "nh", "no-parent": "np",
    "help": "help",
}  # fmt: skip


def busybox_wget(p: Process) -> Run:
    """Download, in BusyBox's words."""
    names = {"--" + name.rstrip(":"): value for name, value in _LONG.items()}
    kinds = {name.rstrip(":"): ":" if name.endswith(":") else "" for name in _LONG}
    try:
        found, args = getopt(p.argv[1:], "cqSO:o:P:Y:U:T:t:n:", kinds)
    except OptionError as problem:
        return (yield from Cmd(p, [], [], True).usage(str(problem)))
    c = Cmd(p, [(names.get(name, name), value) for name, value in found], args, True)
    if not args:
        return (yield from c.usage())
    target = c.value("O")
    for url in args[:50]:
        status: int = yield from _one(c, url, target)
        if status:
            return status
    return 0


def _die(c: Cmd, text: str) -> Gen:
    yield from c.p.err(f"{c.name}: {text}\n")
    return 1


def _one(c: Cmd, url: str, target: str | None) -> Gen:
    p = c.p
    scheme, mark, _ = url.partition("://")
    if mark and scheme not in ("http", "https", "ftp", "ftps"):
        return (yield from _die(c, f"not an http or ftp url: {url}"))
    place = split_url(url)
    host = url.partition("://")[2] or url
    authority = re.split("[/?#]", host, maxsplit=1)[0]
    if place == "port" or (authority.count(":") == 1 and authority.endswith(":")):
        return (yield from _die(c, f"bad port '{authority.rpartition(':')[2]}'"))
    if isinstance(place, str):
        return (yield from _die(c, f"bad address '{host}'"))
    headers = [
        (key.strip(), value.strip()) for key, _, value in (each.partition(":") for each in c.values("header"))
    ]
    timeout = c.value("T") or ""
    patience = float(timeout) if timeout.isdecimal() and timeout.isascii() else 900.0
    answer = yield from ask(
        p, url if mark else "http://" + url, "busybox-wget", c.value("U") or "Wget", headers=headers,
        head=c.has("spider"), user=place.user, password=place.password, patience=patience or 900.0,
    )  # fmt: skip
    return (yield from _tell(c, url, place, answer, target))


def _tell(c: Cmd, url: str, place: Place, answer: Answer, target: str | None) -> Gen:
    p = c.p
    quiet = c.has("q")
    if answer.kind in ("dns", "dns-temporary"):
        shown = place.host + (f":{place.shown_port}" if place.shown_port else "")
        return (yield from _die(c, f"bad address '{shown}'"))
    address = answer.address or place.host
    if not quiet:
        shown = place.host + (f":{place.shown_port}" if place.shown_port else "")
        yield from p.err(f"Connecting to {shown} ({address}:{place.port})\n")
    words = {
        "refused": "Connection refused",
        "unreachable": "No route to host",
        "timeout": "Connection timed out",
    }
    if answer.kind in words:
        return (yield from _die(c, f"can't connect to remote host ({address}): {words[answer.kind]}"))
    if answer.kind == "tls":
        return (yield from _die(c, "TLS error from peer (alert code 40): handshake failure"))
    if answer.kind in ("reset", "protocol", "bad-url"):
        return (yield from _die(c, "error getting response"))
    if answer.kind == "redirects":
        return (yield from _die(c, "too many redirections"))
    if answer.kind == "missing":
        return (yield from _die(c, "bad response to RETR: 550 Failed to open file."))
    for hop in answer.capture.hops:
        if not quiet and hop.location and hop.status and 300 <= hop.status < 400:
            found = split_url(hop.location.decode("utf-8", "replace"))
            if not isinstance(found, str):
                yield from p.err(f"Connecting to {found.host} ({address}:{found.port})\n")
    if c.has("S"):
        lines = [f"  HTTP/1.1 {answer.status} {answer.reason}"]
        lines += [
            f"  {key.decode('latin-1')}: {value.decode('latin-1')}" for key, value in answer.capture.headers
        ]
        yield from p.err("\n".join(lines) + "\n  \n")
    if answer.status >= 400:
        return (yield from _die(c, f"server returned error: HTTP/1.1 {answer.status} {answer.reason}"))
    if c.has("spider"):
        if not quiet:
            yield from p.err("remote file exists\n")
        return 0
    name = target or place.file or "index.html"
    if target is None and (prefix := c.value("P")):
        name = join(prefix, name)
    return (yield from _store(c, answer, name, quiet, explicit=target is not None))


def _store(c: Cmd, answer: Answer, name: str, quiet: bool, *, explicit: bool) -> Gen:
    p, body, size = c.p, answer.body, answer.size
    if name == "-":
        if not quiet:
            yield from p.err("writing to stdout\n")
        position = 0
        while body is not None and (piece := body.read(position, 65_536)):
            position += len(piece)
            yield from p.write(1, piece)
    else:
        try:
            if not explicit and not c.has("c"):
                try:
                    p.fs.stat(name)
                except SysError:
                    pass  # free: what it wants
                else:
                    return (yield from _die(c, f"can't open '{name}': File exists"))
            if body is not None:
                p.fs.put(name, body, mode=0o666 & ~p.umask)
            else:
                p.fs.write(name, b"", mode=0o666 & ~p.umask)
            if not quiet:
                yield from p.err(f"saving to '{name}'\n")
        except SysError as problem:
            return (yield from _die(c, f"can't open '{name}': {problem.words}"))
    if not quiet:
        label = name.rpartition("/")[2]
        line = meter(label, size, answer.seconds, p.window()[0])
        yield from p.write(2, encode(("\r" if p.is_tty(2) else "") + line))
        yield from p.err("written to stdout\n" if name == "-" else f"'{name}' saved\n")
    return 0


def meter(label: str, size: int, seconds: float, columns: int) -> str:
    """The finished progress line."""
    width = max(5, columns - 49)
    amount = (
        f"{size:5d} "
        if size < 100_000
        else f"{size / 1024:4.0f}k"
        if size < 100_000_000
        else f"{size / 1_048_576:4.1f}M"
    )
    hours, rest = divmod(int(seconds), 3600)
    clock = f"{hours}:{rest // 60:02d}:{rest % 60:02d}"
    return f"{label[:20]:<20} 100% |{'*' * (width + 1)}| {amount} {clock} ETA\n"
