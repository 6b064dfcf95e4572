"""How GNU wget saves what it got: names, folders, times, and what its log says of it."""

from __future__ import annotations

import errno
import re
from email.utils import parsedate_to_datetime

from urltrap.machine.api import O_APPEND, O_CREAT, O_WRONLY, Process, encode
from urltrap.machine.errors import SysError
from urltrap.machine.programs._cmd import Cmd, Gen
from urltrap.machine.programs._net import Answer, Place, free_name
from urltrap.machine.programs._paths import join, lstat
from urltrap.machine.programs._wgetlog import body_progress, length_words, speed_words, stamp
from urltrap.machine.programs._wgetsession import Session


def local_name(c: Cmd, place: Place) -> str:
    """The file that a URL is saved in where -O names none."""
    name = place.file or "index.html"
    query = place.path.partition("?")[2]
    if query:
        name += "?" + query
    name = re.sub(r"[\x00-\x1f/]", lambda found: f"%{ord(found[0]):02X}", name)[:240]
    if c.has("x", "r", "m", "p"):
        name = (
            f"{place.host}/{place.path.partition('?')[0].lstrip('/').rpartition('/')[0]}".rstrip("/")
            + "/"
            + name
        )
    prefix = c.value("P")
    return name if prefix is None or prefix in (".", "./") else join(prefix, name)


def save(session: Session, place: Place, answer: Answer, shown: str, name: str) -> Gen:
    """Write the body where the options want it, with its progress, and the line that closes it."""
    c, p = session.c, session.p
    document = c.value("O")
    body = answer.body
    size = answer.size
    if document is None and c.has("c") and (there := lstat(p, name)) is not None and there.size >= size:
        yield from session.say("\n    The file is already fully retrieved; nothing to do.\n\n")
        return
    if document is None and not c.has("c", "N"):
        name = free_name(p, name)
    target = document if document is not None else name
    yield from session.say(f"Length: {length_words(answer, place)}\n")
    if document is None:
        yield from _folders(session, target)
    if document is not None or lstat(p, target.rpartition("/")[0] or "/") is not None:
        line = f"Saving to: {session.named('STDOUT' if target == '-' else target)}\n"
        yield from session.say(("" if place.scheme == "ftp" else line) + "\n")
    seconds = answer.seconds
    try:
        if target == "-":
            position = 0
            while body is not None and (piece := body.read(position, 65_536)):
                position += len(piece)
                yield from p.write(1, piece)
        elif document is not None:
            fd = p.open(document, O_WRONLY | O_CREAT | O_APPEND)
            try:
                if session.files == 0 and body is not None and p.fstat(fd).size == 0:
                    p.fs.put(document, body, mode=0o666 & ~p.umask)
                else:
                    position = 0
                    while body is not None and (piece := body.read(position, 65_536)):
                        position += len(piece)
                        yield from p.write(fd, piece)
            finally:
                p.close(fd)
        else:
            if body is not None:
                p.fs.put(target, body, mode=0o666 & ~p.umask)
            else:
                p.fs.write(target, b"", mode=0o666 & ~p.umask)
    except SysError as problem:
        if problem.errno == errno.EPIPE:
            raise
        yield from session.say(
            f"{target}: {problem.words}\n\nCannot write to {session.named(target)} ({problem.words}).\n",
            terse=True,
        )
        session.worse(3)
        return
    if not session.quiet and not session.terse:
        bar = p.is_tty(session.log) and c.value("progress") != "dot"
        yield from p.write(
            session.log, encode(body_progress(answer, target, seconds, p.window()[0] if bar else 0))
        )
    known = (
        f"{size}/{size}"
        if place.scheme != "ftp" and (answer.header("content-length") or not answer.capture.headers)
        else f"{size}"
    )
    if session.terse:
        out = "-" if target == "-" else target
        final = answer.capture.hops[-1].url if answer.capture.hops else shown
        yield from session.say(f'{stamp(p)} URL:{final} [{known}] -> "{out}" [1]\n', terse=True)
    else:
        done = "written to stdout" if target == "-" else f"{session.named(target)} saved"
        yield from session.say(f"{stamp(p)} ({speed_words(size, seconds)}) - {done} [{known}]\n\n")
    session.files += 1
    session.bytes += size
    modified = answer.header("last-modified")
    if modified and document is None and not c.has("no-use-server-timestamps"):
        _keep_time(p, target, modified)


def _folders(session: Session, target: str) -> Gen:
    walked = "/" if target.startswith("/") else ""
    for part in target.split("/")[:-1]:
        if not part:
            continue
        walked = join(walked, part) if walked else part
        if lstat(session.p, walked) is None:
            try:
                session.p.fs.mkdir(walked, 0o777 & ~session.p.umask)
            except SysError as problem:
                yield from session.say(f"{walked}: {problem.words}\n", terse=True)
                return
    yield from session.p.tick()


def _keep_time(p: Process, path: str, text: str) -> None:
    try:
        moment = parsedate_to_datetime(text).timestamp()
        p.fs.utime(path, p.now(), moment)
    except (ValueError, TypeError, OverflowError, SysError):
        return  # a date that no server should send: the file keeps its own
