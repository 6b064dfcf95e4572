"""Recover: run the text, take apart what it is wrapped in, read the rest; one account of each URL."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Literal

from urltrap.model.sighting import Recovered
from urltrap.recover import words
from urltrap.recover.architectures import KERNELS, asks_for_processor, filled, named
from urltrap.recover.ask import MARK, Ask
from urltrap.recover.binary.read import read_binary
from urltrap.recover.budget import MOST_MARKS, MOST_WORDS, affordable
from urltrap.recover.clients.options import basename
from urltrap.recover.clients.table import READERS
from urltrap.recover.collect import LONGEST_URL, MOST_URLS, Collection
from urltrap.recover.context import Context
from urltrap.recover.execution.run import run
from urltrap.recover.later import commands_of
from urltrap.recover.static.code import read_code
from urltrap.recover.static.text import URL, mentions, trimmed
from urltrap.recover.wrappings.http import is_request, pieces
from urltrap.recover.wrappings.jndi import lookups
from urltrap.recover.wrappings.mail import is_mail, links
from urltrap.recover.wrappings.plain import plain
from urltrap.recover.wrappings.routers import mikrotik, windows

__all__ = ["LONGEST_URL", "MOST_URLS", "Recovery", "asked", "read", "urls"]

MOST_RUNS = 16
"""Texts of one text that are run: itself, what is wrapped in it, what it leaves to be run later."""
STEPS, LESS = 40_000, 8000
"""Interpreter steps of the first run of a text, and of the others. A step is about a microsecond."""
_MOST_VARIANTS = 8
_MOST_LATER = 24
_DEEPEST = 4

_NO_PAYLOAD = re.compile(
    rb"(?i)(?:referer|referrer|user-agent|origin|xmlns(?::\w{1,20})?|schemalocation|doctype)"
    rb"[\"']?\s{0,4}[:=]\s{0,4}[\"']?[^\"'\n]{0,160}\Z|\(\+\Z|<!doctype[^>]{0,120}\Z"
)
_SHELL_END = re.compile(rb"&&|&(?![\w.%-]{1,64}=)|;|\$\(")
_POOL = re.compile(rb"(?i)\bstratum2?\+(?:tcp|ssl|tls)://[^\s\"'|;<>,]{3,200}")
_SHEBANG = re.compile(
    rb"\A\s*(?:\xef\xbb\xbf)?#!\s*\S*?(?:env\s+)?(python|perl|php|ruby|node)[\d.]*\b|\A\s*<\?php\b"
)
_SEGMENT = re.compile(rb"[;\n]+")
_WHOLE = re.compile(rb"(?i)(?:https?|ftp)://[^\s\"'<>`|\\^$;&(){}\x00-\x1f\x7f]{4,4000}")
_INNER = re.compile(rb"(?s)\b(?:ba|da|a)?sh\s+-\w*c\s+(['\"])(.*?)\1")
_INNER_SHELL = re.compile(rb"sh\s+-\w*c\s")
_CALLS = (b"getstore", b"getprint", b"urlopen", b"urlretrieve", b"file_get_contents", b"requests.get", b"wget.download",
          b"downloadfile", b"downloadstring", b"curl_init", b"open-uri", b"lwp::simple", b"urllib")  # fmt: skip
_CALLED = re.compile(
    rb"(?i)\b(getstore|getprint|urlopen|urlretrieve|file_get_contents|requests\.get|wget\.download|downloadfile|"
    rb"downloadstring|curl_init|open-uri|lwp::simple::get|urllib2?\.request)[\s(\"'\\]{1,6}"
    rb"((?:https?|ftp)://[^\s\"'<>`|\\^\x00-\x1f\x7f]{4,4000})"
)
_COMMENT = re.compile(rb"(?m)^[ \t]*#(?!!).*$")
_SAYING = frozenset((b"echo", b"printf", b"grep", b"find", b"sed", b"awk", b"git"))
_LOST = frozenset(("wget", "curl", "fetch", "lwp-download", "lynx"))
_NOT_FETCHED = frozenset(
    (
        b"-e",
        b"--referer",
        b"-x",
        b"--proxy",
        b"-h",
        b"-a",
        b"-u",
        b"-d",
        b"--data",
        b"--header",
        b"--user-agent",
        b"referer:",
    )
)
_CRON = re.compile(rb"(?m)\A\s*(?:[\d*,/-]+[ \t]+){4}[\d*,/-]+[ \t]+\S")


@dataclass(slots=True)
class Recovery:
    """Everything that a text gave: `found` in the order of the text, all kinds; `notes` on what was left out."""

    found: list[Recovered] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    runs: int = 0


def urls(text: bytes, context: Context | None = None) -> list[Recovered]:
    """The distinct payload URLs of a text in the order in which they stand, each with how it was found.

    Never raises for any bytes. `span` is (-1, -1) where the URL stands nowhere in the text as it is (decoded, put
    together). Flagged URLs are kept for the record and must be neither captured nor published.
    """
    return [item for item in read(text, context).found if item.kind == "payload"]


def asked(
    url: bytes, client: str, context: Context | None = None, *, method: Literal["asked", "wire"] = "asked"
) -> Recovered | None:
    """The URL that a program asked for, of the emulated machine or, by `method` "wire", in a box; None where it is none
    that could be fetched."""
    collection = Collection(context or Context(), url)
    collection.take(Ask(url, client), method, 100, span=(0, len(url)))
    return next(iter(collection.items.values()), None)


def read(text: bytes, context: Context | None = None) -> Recovery:
    """As `urls`, with call-backs, pools and mentions as kinds of their own, and notes."""
    context = context or Context()
    collection = Collection(context, text)
    recovery = Recovery()
    if is_mail(text):
        _mail(collection, text)
    elif context.language == "shell":
        _shell(collection, recovery, text)
    else:
        for url, start in plain(text):
            collection.looks += 1
            if collection.full:
                break
            if not collection.has(url) and not _NO_PAYLOAD.search(text, max(0, start - 200), start):
                span = (start, start + len(url)) if text.startswith(url, start) else (start, start + 1)
                collection.take(Ask(url, ""), "regex", 60, span=span)
    recovery.found = sorted(collection.items.values(), key=lambda item: item.span)
    recovery.notes = list(dict.fromkeys(recovery.notes))
    return recovery


def _mail(collection: Collection, text: bytes) -> None:
    for url, told in links(text):
        collection.looks += 1
        if collection.full:
            return
        collection.take(Ask(url, ""), "regex", 60 if told else 40, chain=("mail",))


def _shell(collection: Collection, recovery: Recovery, text: bytes) -> None:
    if text[:4] == b"\x7fELF":
        _binary(collection, text, "file")
        return
    if MARK.encode() in text:
        text = text.replace(MARK.encode(), b"?")
    for lookup in lookups(text):
        collection.take(Ask(lookup.url, "jndi"), "program", 90, chain=("jndi",))
        if lookup.command:
            _run(collection, recovery, lookup.command, ("jndi", "base64"))
            _foreign(collection, recovery, lookup.command, ("jndi", "base64"))
    language = _SHEBANG.match(text)
    if is_request(text):
        for piece in pieces(text):
            how = ("http", piece.where)
            if piece.language:
                _code(collection, recovery, piece.text, piece.language, (*how, piece.language))
                continue
            _run(collection, recovery, piece.text, how)
            _words(collection, piece.text)
            _foreign(collection, recovery, piece.text, how)
        _mentions(collection, text, 0, len(text))
    elif language:
        name = (language[1] or b"php").decode()
        _code(collection, recovery, text, name, (name,))
    else:
        runs = commands_of(text, "cron") if _CRON.match(text) else text
        _run(collection, recovery, runs, ("cron",) if runs is not text else ())
        _words(collection, text)
        _foreign(collection, recovery, text, ())
    lowered = text.lower()
    for match in _POOL.finditer(text) if mentions(lowered, b"stratum") else ():
        collection.take(Ask(match[0], "miner", kind="pool"), "regex", 80, span=match.span())


def _foreign(collection: Collection, recovery: Recovery, text: bytes, chain: tuple[str, ...]) -> None:
    """Command lines of systems that have no Unix shell."""
    lowered = text.lower()
    for ask in mikrotik(text) if mentions(lowered, b"fetch") else ():
        collection.take(ask, "word", 85, chain=(*chain, "mikrotik"))
    if windows(lowered):
        _code(collection, recovery, text, "windows", (*chain, "windows"))


def _code(
    collection: Collection, recovery: Recovery, text: bytes, language: str, chain: tuple[str, ...]
) -> None:
    reading = read_code(text, language)
    for ask in reading.asks:
        collection.take(ask, "word", 75, chain=(*chain, language))
    for command in reading.shell[:20]:
        _run(collection, recovery, command, chain)
        if language != "windows":
            _foreign(collection, recovery, command, chain)


def _run(
    collection: Collection, recovery: Recovery, text: bytes, chain: tuple[str, ...], depth: int = 0
) -> None:
    """Run a text, its branches, and what it left to be run later."""
    if recovery.runs >= MOST_RUNS:
        recovery.notes.append(f"more than {MOST_RUNS} texts in it: the others were not run")
        return
    recovery.runs += 1
    whole = text
    text = affordable(text, MOST_MARKS if depth == 0 else MOST_MARKS // 4)
    if len(text) < len(whole):
        recovery.notes.append(f"{len(whole)} bytes: the first {len(text)} were run, the others only read")
    ran = run(text, 0, chain, STEPS if recovery.runs == 1 else LESS)
    recovery.notes += ran.notes
    for each in ran.asked:
        _take(collection, each.ask, each.chain, each.conditional)
    if ran.branches > 1:
        for variant in range(1, min(ran.branches, _MOST_VARIANTS) + 1):
            if ran.notes:
                break  # the budget is spent: what the other branches would give is left out
            again = run(text, variant, chain, LESS)
            recovery.notes += again.notes
            ran.notes += again.notes
            for each in again.asked:
                _take(collection, each.ask, each.chain, True)
    for inner, how in ran.texts:
        _foreign(collection, recovery, inner, how)
    for path, data in ran.binaries:
        _binary(collection, data, path)
    if depth < _DEEPEST:
        for later, why in ran.later[:_MOST_LATER]:
            inner = commands_of(later, why)
            if inner.strip() and inner != text:
                _run(collection, recovery, inner, (*chain, why), depth + 1)


def _take(collection: Collection, ask: Ask, chain: tuple[str, ...], conditional: bool) -> None:
    collection.take(ask, "program", 95, chain=chain, conditional=conditional)
    if asks_for_processor(ask.url):
        # One of these is the victim's: those that the text names itself, or, only as guesses, the usual ones.
        known = named(collection.text)
        for processor in known or [name.encode() for name in KERNELS]:
            url = filled(ask.url, processor)
            sure = 80 if known else 40
            collection.take(replace(ask, url=url), "program", sure, chain=(*chain, "uname"), conditional=True)


def _binary(collection: Collection, data: bytes, path: str) -> None:
    for ask in read_binary(data):
        collection.take(ask, "program", 85, chain=("elf", basename(path.encode()).decode("utf-8", "replace")))


def _words(collection: Collection, text: bytes) -> None:
    """What cannot run is read: command lines by their words, wherever one begins."""
    whole = text
    text = affordable(text, MOST_WORDS)
    if len(text) < len(whole):
        _mentions(collection, whole, len(text), len(whole))
    for command in words.commands(text):
        if collection.full:
            return
        # A word that goes on with something unknown must not pass for a whole one.
        argv = [word.text + b"$" * word.expands for word in command.words if not word.target]
        if not _argv(collection, argv):
            for word in command.words:
                if word.start >= 0 and b"://" in word.text:
                    _mentions(collection, text, word.start, word.end)
    said = _COMMENT.sub(b"", text) if b"#" in text else text
    for segment in _SEGMENT.split(said):
        tokens = segment.split()
        if not tokens or tokens[0].lower() in _SAYING:
            continue
        client = ""
        for number, token in enumerate(tokens):
            name = basename(token).lower().decode("latin-1")
            if name[:1] == "$" and name[1:] in _LOST:
                # ``$(curl …)`` in a log that drops parentheses.
                for ask in READERS[name[1:]](tokens[number + 1 :]):
                    if b"$" not in ask.url:
                        collection.take(ask, "word", 65)
                break
            if name in _LOST:
                client = name
            elif client and _WHOLE.fullmatch(token) and tokens[number - 1].lower() not in _NOT_FETCHED:
                # Where a log lost quotes or ends of lines: the client before it is what it was meant for.
                collection.take(Ask(token, client), "word", 65)
    if _INNER_SHELL.search(text):
        for quoted in _INNER.finditer(text):
            _words(collection, quoted[2])
    for called in _CALLED.finditer(said) if mentions(said.lower(), *_CALLS) else ():
        collection.take(Ask(trimmed(called[2]), called[1].decode("latin-1")), "word", 65)


def _argv(collection: Collection, argv: list[bytes]) -> bool:
    """Read a command line of a download program; False where it is none."""
    for index, word in enumerate(argv[:4]):
        name = basename(word).lower().decode("latin-1")
        reader = READERS.get(name)
        if reader is None:
            if name in _THROUGH or word.startswith(b"-") or b"=" in word:
                continue
            return False
        for ask in reader(argv[index + 1 :]):
            if b"$" not in ask.url and b"`" not in ask.url and ask.kind == "payload":
                collection.take(ask, "word", 70)
        return True
    return False


_THROUGH = frozenset((
    "busybox", "sudo", "nohup", "exec", "time", "command", "env", "setsid", "then", "do", "else", "if", "elif", "while",
    "until", "!", "{", "nice", "ionice", "xargs", "doas", "timeout", "watch", "&", ">", "$", ":",
))  # fmt: skip


def _mentions(collection: Collection, text: bytes, start: int, end: int) -> None:
    """URLs that only stand there: kept, and below what is captured."""
    if text.find(b"://", start, end) < 0:
        return
    for match in URL.finditer(text, start, end):
        collection.looks += 1
        if collection.full:
            return
        raw = trimmed(_unexpanded(_cut(match[0])))
        if not collection.has(raw) and not _NO_PAYLOAD.search(
            text, max(0, match.start() - 200), match.start()
        ):
            collection.take(Ask(raw, ""), "regex", 50, span=(match.start(), match.start() + len(raw)))


def _cut(raw: bytes) -> bytes:
    end = _SHELL_END.search(raw)
    return raw[: end.start()] if end else raw


def _unexpanded(raw: bytes) -> bytes:
    # What a variable stands for is not known here; up to it the URL is known, and `flags_of` sees the `$`.
    place = raw.find(b"$")
    return raw if place < 0 else raw[: place + 1]
