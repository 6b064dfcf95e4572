"""HTTP requests, log lines of them, form bodies, JSON and XML: the pieces that a victim's shell would get to run."""

from __future__ import annotations

import html
import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

from urltrap.recover.clients.table import READERS
from urltrap.recover.static.functions import inflate, unbase64

_REQUEST = re.compile(
    rb"\A\s*(?:GET|POST|PUT|HEAD|DELETE|OPTIONS|PATCH|CONNECT|TRACE|PROPFIND|SEARCH|M-SEARCH|TRACK)[ \t]+\S"
)
_LOGGED = re.compile(rb"[\"'(](?:GET|POST|PUT|HEAD|OPTIONS|DELETE|PATCH)[ \t]+[^\r\n]*HTTP/\d|"
                     rb"(?:GET|POST|PUT|HEAD)[ \t]+https?[ \t]+\S+[ \t]+\"/")  # fmt: skip
_LOG_LINE = re.compile(
    rb"[\"'(](?:GET|POST|PUT|HEAD|OPTIONS|DELETE|PATCH)[ \t]+([^\r\n\"]*?)(?:[ \t]+HTTP/\d[\d.]*)?(?:\"|'\)|\Z)|"
    rb"\b(?:GET|POST|PUT|HEAD)[ \t]+https?[ \t]+\S+[ \t]+\"(/[^\"]*)"
)
_LOG_BEGINS = re.compile(rb"\s*(?:[\d.]{7,15}|[0-9a-fA-F:]{3,39}|\[|\d{4}[-/]\d|[A-Z][a-z]{2} +\d|[{<\"(]|-)")
# A shell that sends a request itself is no log of one.
_SAID = re.compile(rb"\b(?:echo|printf|exec|cat)\b[^\n]*\Z")
_TARGET = re.compile(rb"\A\s*/[^\s]*\?|\A\s*/\S*cgi\S*\?")
_NAME = rb"[A-Za-z_][\w.\[\]-]{0,60}"
_FORM = re.compile(
    rb"\A\s*(?:&" + _NAME + rb"=|" + _NAME + rb"=(?:[^\s'\"]*&" + _NAME + rb"=|[^\s'\"]{1,200}\+))"
)
_SHELLSHOCK = re.compile(rb"(?<!\w)\(\)\s*\{[^}]*\}\s*;\s*(.*)", re.DOTALL)
_LOOSE = re.compile(rb"\$\{?IFS\}?(?:\$\d)?|\$\(IFS\)", re.IGNORECASE)
_COMMAND = re.compile(
    rb"(?i)(?:wget|curl|tftp|ftpget|fetch|lwp-download|lynx|busybox|/bin/(?:ba|a|da)?sh|base64|python|perl|php|ruby|"
    rb"powershell|certutil|bitsadmin|\bnc\b|ncat|socat|/dev/tcp|\bsh\b|bash|git\s+clone|scp\s|l?ftp\s|sftp\s|rsync|"
    rb"aria2c|\baxel\b|xxd|openssl|\beval\b|printf|invoke-webrequest|\biwr\b|mshta|regsvr32|tool\s+fetch)"
)
# Names may be split or built: what has a shell's separators or expansions is worth a run, too.
_SHELLY = re.compile(rb"[;|`\n]|\$[({]|&&|\w(?:''|\"\"|\\(?=[a-z]))\w")
_LANGUAGES = (
    ("php", re.compile(rb"(?i)<\?(?:php|=)|\b(?:shell_exec|passthru|base64_decode|file_put_contents|proc_open|"
                       rb"call_user_func\w*|assert|fopen|copy)\s*\(")),
    ("java", re.compile(rb"getRuntime\s*\(|ProcessBuilder|\bjava\.lang\b|\$\{T\(|#\w+='")),
    ("node", re.compile(rb"child_process|process\.mainModule|\brequire\s*\(")),
    ("python", re.compile(rb"__import__\s*\(|\bimport\s+(?:os|subprocess|urllib|requests|base64)\b|"
                          rb"\bos\.(?:system|popen)|\bsubprocess\.|__builtins__|__globals__|__class__")),
    ("ruby", re.compile(rb"<%=?\s*(?:system|`|exec|IO\.popen)|Kernel\.(?:system|exec)")),
)  # fmt: skip
_PRINTABLE = re.compile(rb"[\t\n\r\x20-\x7e]{6,}")
_COUNTED = re.compile(rb"s:\d{1,6}:\\?\"(.{4,4000}?)\\?\";", re.DOTALL)
_SERIAL = re.compile(
    rb"\xac\xed\x00\x05|rO0AB[A-Za-z0-9+/=%]+|H4sIA[A-Za-z0-9+/=%]+|\b[OaC]:\d{1,4}:[\"{]|\x00"
)
_BACKTICKS = re.compile(rb"`([^`]*)`?")
_HEADERS = re.compile(
    rb"\A([^\r\n]*)(?:\r?\n|\Z)((?:[!#$%&'*+.^_`|~\w-]+:[^\n]*(?:\n|\Z))*)(?:\r?\n)?(.*)\Z", re.DOTALL
)
_TAG = re.compile(rb"<[^<>]*>")
_QUOTED = re.compile(rb"'([^']*)'|\"([^\"]*)\"")
_PLUS = re.compile(rb"[A-Za-z0-9/;`]\+")
_ENTITY = re.compile(rb"&(?:amp|quot|lt|gt|apos|#\d+|#x[0-9a-fA-F]+);")
_ARGV = "json command"
_MOST = 200_000
_MOST_PIECES = 60


@dataclass(frozen=True, slots=True)
class Piece:
    """A text for a shell, and where it was: "query cmd", "header user-agent", "body"."""

    text: bytes
    where: str
    language: str = ""
    """Where it is no text for a shell: "php", "python", "java", "node", "ruby"."""


def is_request(text: bytes) -> bool:
    """Whether `text` is an HTTP request, a log line of one, a request target or a form body."""
    head = text[:4000]
    method = _REQUEST.match(head)
    if method:
        return head[method.end() - 1 : method.end()] in (b"/", b"*") or b" HTTP/" in head.partition(b"\n")[0]
    logged = _LOGGED.search(head) if _LOG_BEGINS.match(head) else None
    if (logged and not _SAID.search(head, 0, logged.start())) or _TARGET.match(head):
        return True
    return bool(_FORM.match(head))


def pieces(text: bytes) -> list[Piece]:
    """The shell texts of a request, unwrapped; each once."""
    found: dict[bytes, Piece] = {}
    for where, value in _values(text[:_MOST]):
        for candidate in _decodings(value, where):
            if len(found) >= _MOST_PIECES:
                break
            language = _language(candidate)
            if language:
                found.setdefault(candidate + language.encode(), Piece(candidate, where, language))
                if candidate[:2] == b"<?":
                    continue
            if not _worth_a_run(candidate, where):
                continue
            for piece in (candidate,) if where == _ARGV else _shells(candidate):
                piece = piece.strip()
                if piece and _worth_a_run(piece, where):
                    found.setdefault(piece, Piece(piece, where))
    return list(found.values())


def _worth_a_run(value: bytes, where: str) -> bool:
    if _COMMAND.search(value) or _starts_with_client(value):
        return True
    # A header's separators are its own.
    return not where.startswith("header") and len(value) > 6 and bool(_SHELLY.search(value))


def _starts_with_client(value: bytes) -> bool:
    words = value.split(None, 2)
    return len(words) > 1 and words[0].rpartition(b"/")[2].decode("latin-1") in READERS


def _language(value: bytes) -> str:
    """The language that a value is code of; "" for a shell's, or none."""
    if len(value) < 12:
        return ""
    return next((name for name, pattern in _LANGUAGES if pattern.search(value)), "")


def _values(text: bytes) -> Iterator[tuple[str, bytes]]:
    if not _REQUEST.match(text):
        logged = _LOG_LINE.search(text)
        if logged:
            yield from _target(logged[1] or logged[2] or b"")
            for quoted in re.findall(rb'"([^"]*)"', text[logged.end() :]):
                yield "log", quoted
            return
    match = _HEADERS.match(text) if _REQUEST.match(text) else None
    if match is None:
        yield from _target(text)
        yield from _body(text)
        return
    line, headers, body = match[1], match[2], match[3]
    yield from _target(re.sub(rb"\A\s*[A-Z-]+[ \t]+|[ \t]+HTTP/\d(?:\.\d)?\s*\Z", b"", line))
    for header in headers.splitlines():
        name, _, value = header.partition(b":")
        label = "header " + name.decode("latin-1").strip().lower()
        shock = _SHELLSHOCK.search(value)
        yield label, shock[1] if shock else value.strip()
    if body.strip():
        yield from _body(body)


def _target(target: bytes) -> Iterator[tuple[str, bytes]]:
    path, question, query = target.partition(b"?")
    if not question:
        yield "path", path
        return
    if _COMMAND.search(path) and re.search(rb"[;`|]|\$\(|%60|%3B", path):
        yield "path", path
    yield from _fields(query, "query")


def _fields(query: bytes, kind: str) -> Iterator[tuple[str, bytes]]:
    """``a=b&c=d``; an ampersand that belongs to a command (``&&``, ``& sh``) does not part fields."""
    for field in re.split(rb"(?<!&)&(?=[A-Za-z_][\w.\[\]-]{0,60}=)", query):
        name, equals, value = field.partition(b"=")
        if equals and re.fullmatch(rb"[A-Za-z_][\w.%\[\]-]{0,80}", name):
            yield f"{kind} {name.decode('latin-1')}", value
        else:
            yield kind, field


def _body(body: bytes) -> Iterator[tuple[str, bytes]]:
    stripped = body.strip()
    serial = _SERIAL.search(stripped[:100_000])
    if serial:
        yield from _serialised(stripped, serial)
        if b"\x00" in stripped:
            return
    if stripped[:1] in b"{[" and stripped:
        try:
            yield from _json(json.loads(stripped), "json", 0)
            return
        except (ValueError, RecursionError):
            pass  # cut or damaged: its strings are looked at one by one below
        for match in re.finditer(rb'"((?:[^"\\]|\\.)*)"', stripped):
            yield "json", re.sub(rb"\\(.)", rb"\1", match[1])
        return
    if stripped[:2] in (b"<%", b"<?") and stripped[:5].lower() != b"<?xml":
        yield "body", stripped  # a template or PHP: no mark-up to take away
        return
    if stripped[:1] == b"<" or b"</" in stripped:
        for text in _TAG.split(stripped):
            if text.strip():
                yield (
                    "xml",
                    html.unescape(text.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape"),
                )
        return
    if stripped.startswith(b"--") and b"form-data" in stripped:
        boundary = re.split(rb"[\r\n]", stripped, maxsplit=1)[0].removesuffix(b"--")
        for part in stripped.split(boundary):
            content = re.split(rb"\r?\n\r?\n", part, maxsplit=1)[-1].rstrip(b"\r\n")
            if content not in (b"", b"--"):
                yield "multipart", content
        return
    yield from _fields(stripped, "body")


def _serialised(body: bytes, serial: re.Match[bytes]) -> Iterator[tuple[str, bytes]]:
    """The strings of serialised objects: Java's (also in base64), PHP's, Python's pickles; others as far as they go."""
    if serial[0][:5] in (b"rO0AB", b"H4sIA"):
        inner = unbase64(unquote_to_bytes(serial[0])) or b""
        body = (inflate(inner) or b"") if serial[0][:1] == b"H" else inner
    counted = False
    for match in itertools.islice(_COUNTED.finditer(body), _MOST_PIECES):
        counted = True
        yield "serialised", match[1]
    if not counted:
        for run in itertools.islice(_PRINTABLE.finditer(body), 400):
            if _COMMAND.search(run[0]):
                yield "serialised", run[0]


def _json(value: Any, where: str, depth: int) -> Iterator[tuple[str, bytes]]:
    if depth > 20:
        return
    if isinstance(value, str):
        yield where, value.encode("utf-8", "surrogatepass")
    elif isinstance(value, dict):
        for name, each in value.items():
            yield from _json(each, f"json {str(name)[:40]}", depth + 1)
    elif isinstance(value, list):
        words = [each for each in value if isinstance(each, str)]
        if len(words) == len(value) and len(words) > 1:
            # A command as a list of words (container APIs): as one line, each word quoted.
            yield (
                _ARGV,
                " ".join("'" + word.replace("'", "'\\''") + "'" for word in words).encode("utf-8", "replace"),
            )
            return
        for each in value:
            yield from _json(each, where, depth + 1)


def _decodings(value: bytes, where: str) -> list[bytes]:
    """A value decoded as far as it is encoded: URL-encoding once or twice, entities, the blanks of ``$IFS``.

    Twice where a plus may be a blank or belong to base64 text.
    """
    if where == _ARGV:
        return [value]
    if where.startswith("json") or where == "xml":
        return [_tidied(value)]
    forms = [value]
    if b"+" in value and _PLUS.search(value):
        spaced = value.replace(b"+", b" ")
        forms = [spaced, value] if b"base64" in value else [spaced]
    return list(dict.fromkeys(_tidied(_unquoted_twice(form)) for form in forms))


def _unquoted_twice(value: bytes) -> bytes:
    for _ in range(2):
        if b"%" not in value:
            break
        value = unquote_to_bytes(value)
    return value


def _tidied(value: bytes) -> bytes:
    if b"&" in value and _ENTITY.search(value):
        value = html.unescape(value.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
    if b"IFS" in value:
        value = _LOOSE.sub(b" ", value)
    if b"\\" in value:
        # Browsers and routers take these for slashes.
        value = value.replace(b"http:/\\/", b"http://").replace(b"http:/\\", b"http://").replace(b"\\/", b"/")
        value = value.replace(b'\\""', b'"')
    return value


def _shells(value: bytes) -> Iterator[bytes]:
    """What of a value a shell would be given: the whole, or what an injection breaks out into."""
    shock = _SHELLSHOCK.search(value)
    if shock:
        yield shock[1]
        return
    outer, inner = value, False
    for match in _BACKTICKS.finditer(value):
        if _COMMAND.search(match[1]) or _SHELLY.search(match[1]):
            inner = True
            outer = outer.replace(match[0], b" ")
            yield match[1]
    place = value.find(b"$(")
    if place >= 0:
        end = _closing(value, place + 2)
        nested = value[place + 2 : end]
        if _COMMAND.search(nested) or _SHELLY.search(nested):
            inner = True
            outer = outer.replace(value[place : end + 1], b" ")
            yield nested.rstrip(b")'\"} ") if end == len(value) else nested
    if not inner or _COMMAND.search(outer) or value[:1] in b"$`":
        yield _unquoted(value)
    if not inner:
        for match in _QUOTED.finditer(value):
            piece = match[1] or match[2] or b""
            if b" " in piece and _COMMAND.search(piece):
                yield piece


def _closing(value: bytes, place: int) -> int:
    """Where the bracket closes that is open at `place`; the end where it does not."""
    depth = 1
    for match in re.finditer(rb"[()]", value[place:]):
        depth += 1 if match[0] == b"(" else -1
        if not depth:
            return place + match.start()
    return len(value)


def _unquoted(value: bytes) -> bytes:
    """Without the quotation mark that an injection begins or ends with."""
    value = value.strip().lstrip(b";|&) ")
    for mark in (b"'", b'"'):
        if value.count(mark) % 2:
            value = value[1:] if value.startswith(mark) else value.replace(mark, b" ")
    return value
