"""wget, as GNU Wget 1.21.3 and as BusyBox's applet."""

from __future__ import annotations

import re

from urltrap.machine.api import O_APPEND, O_CREAT, O_TRUNC, O_WRONLY, Process, Run, decode
from urltrap.machine.errors import SysError
from urltrap.machine.programs._cmd import APPLETS, Cmd, Gen, command
from urltrap.machine.programs._net import ask, free_name, split_url
from urltrap.machine.programs._paths import lstat
from urltrap.machine.programs._wgetanswer import answered, connecting
from urltrap.machine.programs._wgetlog import hundred, stamp
from urltrap.machine.programs._wgetopts import HINT, LONG, SHORT, version_text, wget_version
from urltrap.machine.programs._wgetsave import local_name
from urltrap.machine.programs._wgetsession import Session
from urltrap.machine.programs.busybox._wget import busybox_wget

_MAX_URLS = 50


@command("wget", short=SHORT, long=LONG, bad=2, hint=HINT, bb=False)
def wget(c: Cmd) -> Run:
    """Download."""
    p = c.p
    if c.has("V"):
        yield from p.out(version_text(p))
        return 0
    if c.has("help", "h"):
        yield from p.out(
            f"GNU Wget {wget_version(p)}, a non-interactive network retriever.\n"
            + HINT.split("\n")[0].replace("{0}", c.name)
            + "\n"
        )
        return 0
    if c.has("nv", "q") is False and c.has("sp"):
        c.opts.append(("progress", "bar"))
    session = Session(c)
    timeout = c.value("T")
    if timeout is not None and not re.fullmatch(r"\d+(\.\d*)?|\.\d+|inf(inity)?", timeout):
        yield from p.err(f"{c.name}: --timeout: Invalid time period {session.named(timeout)}\n")
        return 2
    urls = list(c.args)
    source = c.value("i")
    if not urls and source is None:
        yield from p.err(f"{c.name}: missing URL\n" + HINT.replace("{0}", c.name))
        return 1
    if c.has("N") and c.value("O") is not None and not session.quiet:
        yield from p.err(
            "WARNING: timestamping does nothing in combination with -O. See the manual\nfor details.\n\n"
        )
    log_path = c.value("o") or c.value("a")
    if c.has("b") and log_path is None and not session.quiet:
        log_path = free_name(p, "wget-log")
    if log_path is not None and log_path != "-":
        append = c.value("a") is not None and c.value("o") is None
        try:
            session.log = p.open(log_path, O_WRONLY | O_CREAT | (O_APPEND if append else O_TRUNC))
        except SysError as problem:
            yield from p.err(f"{c.name}: {log_path}: {problem.words}\n")
            return 1
    elif log_path == "-":
        session.log = 1
    if c.has("b"):

        def behind(child: Process) -> Run:
            session.p = child
            c.p = child
            return (yield from _all(session, urls, source))

        pid = p.fork(behind, comm="wget")
        yield from p.out(f"Continuing in background, pid {pid}.\n")
        if log_path is not None and not c.value("o") and not c.value("a"):
            yield from p.out(f"Output will be written to {session.named(log_path)}.\n")
        return 0
    return (yield from _all(session, urls, source))


def _all(session: Session, urls: list[str], source: str | None) -> Run:
    c, p = session.c, session.p
    if source is not None:
        try:
            text = decode((yield from c.load(source)))
        except SysError as problem:
            yield from session.say(f"{source}: {problem.words}\nNo URLs found in {source}.\n", terse=True)
            text = ""
        else:
            found = (
                re.findall(r"(?:href|src)\s*=\s*[\"']?([^\"'> ]+)", text) if c.has("F") else text.split("\n")
            )
            found = [each.strip() for each in found if each.strip()]
            if not found:
                yield from session.say(f"No URLs found in {source}.\n", terse=True)
            urls = urls + found
    document = c.value("O")
    if (
        document is not None
        and document != "-"
        and not (c.has("nc") or (session.no_clobber and lstat(p, document)))
    ):
        try:
            p.close(p.open(document, O_WRONLY | O_CREAT | (O_APPEND if c.has("c") else O_TRUNC)))
        except SysError as problem:
            yield from session.say(f"{document}: {problem.words}\n", terse=True)
            return 1
    for url in urls[:_MAX_URLS]:
        yield from _one(session, url)
    if c.has("r", "m", "p") or len(c.args) > 1 or (source is not None and session.bytes):
        yield from session.say(
            f"FINISHED --{stamp(p)}--\nTotal wall clock time: 0.{p.random(9)}s\n"
            f"Downloaded: {session.files} files, {hundred(session.bytes)} in 0.{p.random(9)}s "
            f"(1.{p.random(90) + 10} MB/s)\n",
            terse=True,
        )
    return session.status


def _agent(c: Cmd) -> str:
    agent = c.value("U")
    return f"Wget/{wget_version(c.p)}" if agent is None else agent


def _one(session: Session, url: str) -> Gen:
    c, p = session.c, session.p
    if not re.match(r"(?i)(https?|ftps?)://", url):
        if match := re.match(r"([A-Za-z][A-Za-z0-9+.-]*)://", url):
            yield from session.say(f"{url}: Unsupported scheme {session.named(match[1])}.\n", terse=True)
            session.worse(1)
            return
        host, colon, rest = url.partition(":")
        ftp_style = colon and not rest[:1].isdigit() and "/" not in host
        url = f"ftp://{host}/{rest}" if ftp_style else "http://" + url
    place = split_url(url)
    if isinstance(place, str):
        words = "Invalid host name" if place == "host" else "Bad port number"
        yield from session.say(f"{url}: {words}.\n", terse=True)
        session.worse(1)
        return
    shown = f"{place.scheme}://{place.host}{':' + place.shown_port if place.shown_port else ''}{place.path}"
    document = c.value("O")
    name = local_name(c, place)
    if session.no_clobber and document is None and lstat(p, name) is not None:
        yield from session.say(f"File {session.named(name)} already there; not retrieving.\n\n", terse=True)
        return
    if c.has("spider"):
        yield from session.say("Spider mode enabled. Check if remote file exists.\n")
    patience = min(
        [
            float(each)
            for each in (c.value("T"), c.value("ct"))
            if each and re.fullmatch(r"[\d.]+", each) and each != "."
        ]
        or [900.0]
    )
    headers = [
        (key.strip(), value.strip()) for key, _, value in (each.partition(":") for each in c.values("header"))
    ]
    user, password = c.value("user") or place.user, c.value("password") or place.password
    login = f"{place.user}:*password*@" if place.password else f"{place.user}@" if place.user else ""
    yield from session.say(f"--{stamp(p)}--  {shown.replace('://', f'://{login}', 1)}\n")
    if place.scheme == "ftp":
        yield from session.say(f"           => {session.named(document or name)}\n")
    answer = yield from ask(
        p, url, "wget", _agent(c), headers=headers, head=c.has("spider"), user=user, password=password,
        patience=patience or 900.0,
    )  # fmt: skip
    if (yield from connecting(session, place, answer, shown)):
        yield from answered(session, place, answer, shown, name)


APPLETS["wget"] = busybox_wget
