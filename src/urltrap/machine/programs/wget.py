# ruff: noqa: E501 - the programs' own texts and tables are longer than a line
"""wget, as GNU Wget 1.21.3 and as BusyBox's applet."""

from __future__ import annotations

import errno
import re
from collections.abc import Generator
from typing import Any

from urltrap.machine.api import O_APPEND, O_CREAT, O_TRUNC, O_WRONLY, Process, Run, decode, encode
from urltrap.machine.errors import SysError
from urltrap.machine.programs._cmd import APPLETS, Cmd, Gen, command, quotes
from urltrap.machine.programs._net import REASONS, Answer, Place, ask, free_name, split_url
from urltrap.machine.programs._paths import join, lstat
from urltrap.machine.programs._wgetlog import body_progress, hundred, length_words, speed_words, stamp
from urltrap.machine.programs._words import words
from urltrap.machine.programs.busybox._wget import busybox_wget

_HINT = "Usage: {0} [OPTION]... [URL]...\n\nTry `{0} --help' for more options.\n"
_VALUES = words(
    "execute:e output-file:o append-output:a input-file:i base:B bind-address: tries:t output-document:O "
    "progress: timeout:T dns-timeout:dt connect-timeout:ct read-timeout:rt wait:w waitretry: limit-rate: "
    "quota:Q directory-prefix:P cut-dirs: http-user:user http-password:password user:user password:password "
    "header:header max-redirect: referer:referer user-agent:U load-cookies: save-cookies: post-data:post "
    "post-file:post-file method:method body-data: body-file: secure-protocol: certificate: private-key: "
    "ca-certificate: ca-directory: ftp-user:user ftp-password:password level:l accept:A reject:R domains:D "
    "include-directories:I exclude-directories:X start-pos: prefer-family: restrict-file-names: "
    "local-encoding: remote-encoding: config: default-page: rejected-log: warc-file: compression: ciphers: "
    "report-speed: input-metalink: "
)
_FLAGS = words(
    "background:b debug:d quiet:q verbose:v no-verbose:nv force-html:F no-clobber:nc continue:c "
    "show-progress:sp timestamping:N no-use-server-timestamps: server-response:S spider:spider no-proxy: "
    "random-wait: no-dns-cache: inet4-only:4 inet6-only:6 no-directories: force-directories:x "
    "no-host-directories: protocol-directories: adjust-extension:E no-cache: no-cookies: keep-session-cookies: "
    "ignore-length: no-http-keep-alive: content-disposition:cd content-on-error:coe trust-server-names:tsn "
    "auth-no-challenge: https-only: no-check-certificate: no-check-certificate=quiet: no-hsts: "
    "no-remove-listing: no-glob: no-passive-ftp: passive-ftp: recursive:r delete-after: convert-links:k "
    "backup-converted:K mirror:m page-requisites:p follow-ftp: relative:L no-parent:np span-hosts:H "
    "retry-connrefused: unlink: xattr: no-config: no-iri: no-netrc: ask-password: use-askpass: "
    "show-progress:sp "
)
_LONG: dict[str, str] = {}
for _word in _VALUES:
    _name, _, _meaning = _word.partition(":")
    _LONG[_name + ":"] = _meaning or _name
for _word in _FLAGS:
    _name, _, _meaning = _word.partition(":")
    _LONG[_name] = _meaning or _name
_LONG |= {"help": "help", "version": "V"}
_SHORT = "46bcdFhkKLmNpqrSvVxEHA:B:D:I:O:P:Q:R:T:U:X:a:e:i:l:n:o:t:w:"

_VERSION = """\
GNU Wget 1.21.3 built on linux-gnu.

-cares +digest -gpgme +https +ipv6 +iri +large-file -metalink +nls 
+ntlm +opie +psl +ssl/gnutls 

Wgetrc: 
    /etc/wgetrc (system)
Locale: 
    /usr/share/locale 
Compile: 
    gcc -DHAVE_CONFIG_H -DSYSTEM_WGETRC="/etc/wgetrc" 
    -DLOCALEDIR="/usr/share/locale" -I. -I../../src -I../lib 
    -I../../lib -Wdate-time -D_FORTIFY_SOURCE=2 
    -I/usr/include/p11-kit-1 -DHAVE_LIBGNUTLS -DNDEBUG -g -O2 
    -ffile-prefix-map=/build/reproducible-path/wget-1.21.3=. 
    -fstack-protector-strong -Wformat -Werror=format-security 
    -DNO_SSLv2 -D_FILE_OFFSET_BITS=64 -g -Wall 
Link: 
    gcc -I/usr/include/p11-kit-1 -DHAVE_LIBGNUTLS -DNDEBUG -g -O2 
    -ffile-prefix-map=/build/reproducible-path/wget-1.21.3=. 
    -fstack-protector-strong -Wformat -Werror=format-security 
    -DNO_SSLv2 -D_FILE_OFFSET_BITS=64 -g -Wall -Wl,-z,relro -Wl,-z,now 
    -lpcre2-8 -luuid -lidn2 -lnettle -lgnutls -lz -lpsl ../lib/libgnu.a 

Copyright (C) 2015 Free Software Foundation, Inc.
License GPLv3+: GNU GPL version 3 or later
<http://www.gnu.org/licenses/gpl.html>.
This is free software: you are free to change and redistribute it.
There is NO WARRANTY, to the extent permitted by law.

Originally written by Hrvoje Niksic <hniksic@xemacs.org>.
Please send bug reports and questions to <bug-wget@gnu.org>.
"""  # noqa: W291 - the program prints these spaces
_MAX_URLS = 50


class _Session:
    """One run of GNU wget."""

    def __init__(self, c: Cmd) -> None:
        self.c = c
        self.p = c.p
        self.left, self.right = quotes(c.p)
        self.log = 2
        short = c.values("n")
        self.quiet = c.has("q")
        self.terse = not self.quiet and (c.has("nv") or any("v" in each for each in short)) and not c.has("v")
        self.no_clobber = c.has("nc") or any("c" in each for each in short)
        self.status = 0
        self.bytes = 0
        self.files = 0
        self.appended = False

    def say(self, text: str, *, terse: bool = False) -> Generator[Any, Any, None]:
        """A line of the log."""
        if self.quiet or (self.terse and not terse):
            return
        yield from self.p.write(self.log, encode(text))

    def worse(self, status: int) -> None:
        """Keep the gravest status: the lowest number but 0, as exits.c does."""
        self.status = status if not self.status else min(self.status, status)

    def named(self, name: str) -> str:
        """A name in the locale's quotes."""
        return f"{self.left}{name}{self.right}"


@command("wget", short=_SHORT, long=_LONG, bad=2, hint=_HINT, bb=False)
def wget(c: Cmd) -> Run:
    """Download."""
    p = c.p
    if c.has("V"):
        yield from p.out(_VERSION)
        return 0
    if c.has("help", "h"):
        yield from p.out(
            "GNU Wget 1.21.3, a non-interactive network retriever.\n"
            + _HINT.split("\n")[0].replace("{0}", c.name)
            + "\n"
        )
        return 0
    if c.has("nv", "q") is False and c.has("sp"):
        c.opts.append(("progress", "bar"))
    session = _Session(c)
    tries = c.value("t")
    if tries is not None and not (tries.isdecimal() or tries in ("inf", "-1")):
        yield from p.err(f"{c.name}: --tries: Invalid number {session.named(tries)}.\n")
        return 2
    timeout = c.value("T")
    if timeout is not None and not re.fullmatch(r"\d+(\.\d*)?|\.\d+|inf(inity)?", timeout):
        yield from p.err(f"{c.name}: --timeout: Invalid time period {session.named(timeout)}\n")
        return 2
    urls = list(c.args)
    source = c.value("i")
    if not urls and source is None:
        yield from p.err(f"{c.name}: missing URL\n" + _HINT.replace("{0}", c.name))
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
            yield from p.err(f"{log_path}: {problem.words}\n")
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


def _all(session: _Session, urls: list[str], source: str | None) -> Run:
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
    if session.files > 1 or (session.files and c.has("r", "m", "p")):
        yield from session.say(
            f"FINISHED --{stamp(p)}--\nTotal wall clock time: 0.{p.random(9)}s\n"
            f"Downloaded: {session.files} files, {hundred(session.bytes)} in 0.{p.random(9)}s (1.{p.random(90) + 10} MB/s)\n"
        )
    return session.status


def _agent(c: Cmd) -> str:
    agent = c.value("U")
    return "Wget/1.21.3" if agent is None else agent


def _one(session: _Session, url: str) -> Gen:
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
    name = _local_name(c, place)
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
    yield from session.say(f"--{stamp(p)}--  {shown}\n")
    if place.scheme == "ftp":
        yield from session.say(f"           => {session.named(document or name)}\n")
    answer = yield from ask(
        p, url, "wget", _agent(c), headers=headers, head=c.has("spider"), user=user, password=password,
        patience=patience or 900.0,
    )  # fmt: skip
    if (yield from _connecting(session, place, answer, shown)):
        yield from _answered(session, place, answer, shown, name)


def _local_name(c: Cmd, place: Place) -> str:
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


def _connecting(session: _Session, place: Place, answer: Answer, shown: str) -> Gen:
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
        yield from session.say(f"{address or 'failed'}\n" if address else "")
        if not address:
            address = host
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


def _answered(session: _Session, place: Place, answer: Answer, shown: str, name: str) -> Gen:
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
            yield from session.say(f"{stamp(p)} ERROR {answer.status}: {answer.reason or '(no description)'}.\n\n" if not session.terse
                                   else f"{stamp(p)} ERROR {answer.status}: {answer.reason}.\n", terse=True)  # fmt: skip
            session.worse(8)
            return
    if c.has("spider"):
        if answer.status >= 400:
            yield from session.say("Remote file does not exist -- broken link!!!\n\n")
            session.worse(8)
            return
        yield from session.say(f"Length: {length_words(answer, place)}\nRemote file exists.\n\n")
        return
    yield from _save(session, place, answer, shown, name)


def _ftp_dialogue(session: _Session, place: Place, answer: Answer) -> Gen:
    folder, _, file = place.path.lstrip("/").rpartition("/")
    login = place.user or session.c.value("user") or "anonymous"
    yield from session.say(
        f"Logging in as {login} ... Logged in!\n==> SYST ... done.    ==> PWD ... done.\n==> TYPE I ... done.  "
    )
    yield from session.say(f"==> CWD (1) /{folder} ... done.\n" if folder else "==> CWD not needed.\n")
    if answer.kind == "missing":
        yield from session.say(
            f"==> SIZE {file} ... done.\n\n==> PASV ... done.    ==> RETR {file} ... \nNo such file {session.named(file)}.\n\n",
            terse=False,
        )
        session.worse(8)
        return False
    yield from session.say(
        f"==> SIZE {file} ... {answer.size}\n==> PASV ... done.    ==> RETR {file} ... done.\n"
    )
    return True


def _save(session: _Session, place: Place, answer: Answer, shown: str, name: str) -> Gen:
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
    yield from session.say(f"Saving to: {session.named('STDOUT' if target == '-' else target)}\n\n")
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
            yield from _folders(session, target)
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
        if answer.header("content-length") or place.scheme == "ftp" or not answer.capture.headers
        else f"{size}"
    )
    if session.terse:
        out = "-" if target == "-" else target
        yield from session.say(f'{stamp(p)} URL:{shown} [{known}] -> "{out}" [1]\n', terse=True)
    else:
        done = "written to stdout" if target == "-" else f"{session.named(target)} saved"
        yield from session.say(f"{stamp(p)} ({speed_words(size, seconds)}) - {done} [{known}]\n\n")
    session.files += 1
    session.bytes += size
    modified = answer.header("last-modified")
    if modified and document is None and not c.has("no-use-server-timestamps"):
        _keep_time(p, target, modified)


def _folders(session: _Session, target: str) -> Gen:
    walked = "/" if target.startswith("/") else ""
    for part in target.split("/")[:-1]:
        if not part:
            continue
        walked = join(walked, part) if walked else part
        if lstat(session.p, walked) is None:
            session.p.fs.mkdir(walked, 0o777 & ~session.p.umask)
    yield from session.p.tick()


def _keep_time(p: Process, path: str, text: str) -> None:
    from email.utils import parsedate_to_datetime

    try:
        moment = parsedate_to_datetime(text).timestamp()
        p.fs.utime(path, p.now(), moment)
    except (ValueError, TypeError, OverflowError, SysError):
        return  # a date that no server should send: the file keeps its own


APPLETS["wget"] = busybox_wget
