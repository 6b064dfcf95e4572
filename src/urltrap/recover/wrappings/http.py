"""HTTP requests, log lines of them, form bodies, JSON and XML: the pieces that a victim's shell would get to run."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

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
_TARGET = re.compile(rb"\A\s*/[^\s]*\?|\A\s*/\S*cgi\S*\?")
_NAME = rb"[A-Za-z_][\w.\[\]-]{0,60}"
_FORM = re.compile(
    rb"\A\s*(?:&" + _NAME + rb"=|" + _NAME + rb"=(?:[^\s'\"]*&" + _NAME + rb"=|[^\s'\"]{1,200}\+))"
)
_SHELLSHOCK = re.compile(rb"\(\)\s*\{[^}]*\}\s*;\s*(.*)", re.DOTALL)
_LOOSE = re.compile(rb"\$\{?IFS\}?(?:\$\d)?|\$\(IFS\)", re.IGNORECASE)
_COMMAND = re.compile(
    rb"(?i)(?:wget|curl|tftp|ftpget|fetch|lwp-download|lynx|busybox|/bin/(?:ba|a|da)?sh|base64|python|perl|php|"
    rb"powershell|certutil|bitsadmin|\bnc\b|ncat|/dev/tcp|\bsh\b|bash|git\s+clone|scp\s)"
)
_BACKTICKS = re.compile(rb"`([^`]*)`?")
_SUBSTITUTION = re.compile(rb"\$\((.*)\)?", re.DOTALL)
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


def is_request(text: bytes) -> bool:
    """Whether `text` is an HTTP request, a log line of one, a request target or a form body."""
    head = text[:4000]
    method = _REQUEST.match(head)
    if method:
        return head[method.end() - 1 : method.end()] in (b"/", b"*") or b" HTTP/" in head.partition(b"\n")[0]
    if (_LOG_BEGINS.match(head) and _LOGGED.search(head)) or _TARGET.match(head):
        return True
    return bool(_FORM.match(head))


def pieces(text: bytes) -> list[Piece]:
    """The shell texts of a request, unwrapped; each once."""
    found: dict[bytes, Piece] = {}
    for where, value in _values(text[:_MOST]):
        for candidate in _decodings(value, where):
            if not _COMMAND.search(candidate):
                continue
            for piece in (candidate,) if where == _ARGV else _shells(candidate):
                piece = piece.strip()
                if piece and _COMMAND.search(piece) and len(found) < _MOST_PIECES:
                    found.setdefault(piece, Piece(piece, where))
    return list(found.values())


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
        for part in re.split(rb"\r?\n?--[^\r\n]*\r?\n?", stripped):
            yield "multipart", re.split(rb"\r?\n\r?\n", part, maxsplit=1)[-1]
        return
    yield from _fields(stripped, "body")


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
    inner = False
    for match in _BACKTICKS.finditer(value):
        if _COMMAND.search(match[1]):
            inner = True
            yield match[1]
    nested = _SUBSTITUTION.search(value)
    if nested and _COMMAND.search(nested[1]):
        inner = True
        yield nested[1].rstrip(b")'\"} ")
    shock = _SHELLSHOCK.search(value)
    if shock:
        yield shock[1]
        return
    if not inner:
        yield _unquoted(value)
        for match in _QUOTED.finditer(value):
            piece = match[1] or match[2] or b""
            if b" " in piece and _COMMAND.search(piece):
                yield piece


def _unquoted(value: bytes) -> bytes:
    """Without the quotation mark that an injection begins or ends with."""
    value = value.strip().lstrip(b";|&) ")
    for mark in (b"'", b'"'):
        if value.count(mark) % 2:
            value = value[1:] if value.startswith(mark) else value.replace(mark, b" ")
    return value
