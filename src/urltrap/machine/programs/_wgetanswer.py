"""What GNU wget tells of the fetcher's answer: the connection, redirects, the server's words."""

from __future__ import annotations

from urltrap.machine.api import decode
from urltrap.machine.programs._cmd import Gen
from urltrap.machine.programs._net import REASONS, Answer, Place, split_url
from urltrap.machine.programs._wgetlog import length_words, stamp
from urltrap.machine.programs._wgetsave import save
from urltrap.machine.programs._wgetsession import Session


def connecting(session: Session, place: Place, answer: Answer, shown: str) -> Gen:
    """The lines up to an open connection; False where it never came to be."""
    c = session.c
    host = place.host
    address = answer.address or ("" if not place.is_address else host)
    if not place.is_address:
        yield from session.say(f"Resolving {host} ({host})... ")
        if answer.kind in ("dns", "dns-temporary"):
            words = (
                "Name or service not known"
                if answer.kind == "dns"
                else "Temporary failure in name resolution"
            )
            yield from session.say(f"failed: {words}.\n")
            yield from session.say(
                f"{c.name}: unable to resolve host address {session.named(host)}\n", terse=True
            )
            session.worse(4)
            return False
        several = answer.kind == "refused" and len(answer.capture.addresses) > 1
        shown_all = ", ".join(answer.capture.addresses) if several else address
        yield from session.say(f"{shown_all}\n" if address else "")
        if not address:
            address = host
        for each in [each for each in answer.capture.addresses if several and each != address]:
            yield from session.say(
                f"Connecting to {host} ({host})|{each}|:{place.port}... failed: Connection refused.\n"
            )
    target = f"{host}:{place.port}" if place.is_address else f"{host} ({host})|{address}|:{place.port}"
    yield from session.say(f"Connecting to {target}... ")
    failures = {"refused": "Connection refused", "unreachable": "No route to host", "timeout": "Connection timed out",
                "dns": "Network is unreachable", "dns-temporary": "Network is unreachable"}  # fmt: skip
    if answer.kind in failures:
        yield from session.say(f"failed: {failures[answer.kind]}.\n")
        if answer.kind == "timeout":
            yield from session.say("Giving up.\n\n" if c.value("t") == "1" else "Retrying.\n\n")
        elif session.terse:
            yield from session.say(f"failed: {failures[answer.kind]}.\n", terse=True)
        session.worse(4)
        return False
    yield from session.say("connected.\n")
    if answer.kind == "tls":
        yield from session.say("Unable to establish SSL connection.\n", terse=True)
        session.worse(4)
        return False
    if answer.kind in ("reset", "protocol", "bad-url") and place.scheme != "ftp":
        yield from session.say("HTTP request sent, awaiting response... ")
        if answer.kind == "reset":
            yield from session.say(
                "Read error (Connection reset by peer) in headers.\nGiving up.\n\n", terse=True
            )
            session.worse(4)
        else:
            yield from session.say("No data received.\nGiving up.\n\n", terse=True)
            session.worse(4)
        return False
    return True


def answered(session: Session, place: Place, answer: Answer, shown: str, name: str) -> Gen:
    """The lines from the request on, and the file saved where the server sent one."""
    c, p = session.c, session.p
    if place.scheme == "ftp":
        if not (yield from _ftp_dialogue(session, place, answer)):
            return
    else:
        url = shown
        for hop in answer.capture.hops:
            if hop.status is None or not 300 <= hop.status < 400 or not hop.location:
                continue
            yield from session.say(
                f"HTTP request sent, awaiting response... {hop.status} {REASONS.get(hop.status, '')}\n"
            )
            url = decode(hop.location)
            yield from session.say(f"Location: {url} [following]\n--{stamp(p)}--  {url}\n")
            next_place = split_url(url)
            if not isinstance(next_place, str) and next_place.host:
                ip = answer.address or next_place.host
                if not next_place.is_address:
                    yield from session.say(f"Resolving {next_place.host} ({next_place.host})... {ip}\n")
                target = f"{next_place.host}:{next_place.port}" if next_place.is_address else (
                    f"{next_place.host} ({next_place.host})|{ip}|:{next_place.port}")  # fmt: skip
                yield from session.say(f"Connecting to {target}... connected.\n")
        if answer.kind == "redirects":
            yield from session.say("20 redirections exceeded.\n", terse=True)
            session.worse(8)
            return
        yield from session.say("HTTP request sent, awaiting response... ")
        if c.has("S") and not session.quiet:
            lines = [f"  HTTP/1.1 {answer.status} {answer.reason}"]
            lines += [f"  {decode(key)}: {decode(value)}" for key, value in answer.capture.headers]
            yield from session.say("\n" + "\n".join(lines) + "\n")
        else:
            yield from session.say(f"{answer.status} {answer.reason}\n")
        if answer.status >= 400 and not c.has("spider"):
            if session.terse:
                yield from session.say(f"{shown}:\n", terse=True)
            end = "\n" if session.terse else "\n\n"
            words = answer.reason or "(no description)"
            yield from session.say(f"{stamp(p)} ERROR {answer.status}: {words}.{end}", terse=True)
            session.worse(8)
            return
    if c.has("spider"):
        if answer.status >= 400:
            yield from session.say("Remote file does not exist -- broken link!!!\n\n")
            session.worse(8)
            return
        yield from session.say(f"Length: {length_words(answer, place)}\nRemote file exists.\n\n")
        return
    yield from save(session, place, answer, shown, name)


def _ftp_dialogue(session: Session, place: Place, answer: Answer) -> Gen:
    folder, _, file = place.path.lstrip("/").rpartition("/")
    login = place.user or session.c.value("user") or "anonymous"
    yield from session.say(
        f"Logging in as {login} ... Logged in!\n==> SYST ... done.    ==> PWD ... done.\n==> TYPE I ... done.  "
    )
    yield from session.say(f"==> CWD (1) /{folder} ... done.\n" if folder else "==> CWD not needed.\n")
    if answer.kind == "missing":
        yield from session.say(
            f"==> SIZE {file} ... done.\n\n==> PASV ... done.    ==> RETR {file} ... \n"
            f"No such file {session.named(file)}.\n\n"
        )
        session.worse(8)
        return False
    yield from session.say(
        f"==> SIZE {file} ... {answer.size}\n==> PASV ... done.    ==> RETR {file} ... done.\n"
    )
    return True
