"""Text browsers and downloaders that are seldom there: they print or save what a URL holds."""

from __future__ import annotations

import re

from urltrap.machine.api import Process, Run
from urltrap.machine.effects import BytesContent
from urltrap.machine.programs._cmd import Cmd, command
from urltrap.machine.programs._net import ask, host_of, split_url
from urltrap.machine.programs._zone import local
from urltrap.machine.programs.registry import program


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
            f"\nLooking up {host_of(urls[0])}\nUnable to locate remote host {host_of(urls[0])}.\n"
            f"Alert!: Unable to connect to remote host.\n\nlynx: Can't access startfile {urls[0]}\n"
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
            else f"{local(p, p.now()).clock:%H:%M:%S} {target} {body.size}\n"
        )
    return status
