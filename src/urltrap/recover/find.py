"""The two ways that this room has so far: words of shell commands, and URLs standing in any text."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from urltrap.model.sighting import Recovered, Recovery
from urltrap.model.url import UrlError, parse_url
from urltrap.recover import clients
from urltrap.recover.context import Context
from urltrap.recover.flags import flags_of
from urltrap.recover.words import Word, commands

LONGEST_URL = 8192
"""Bytes; no client sends a longer one (servers refuse request lines above 8 KB)."""
MOST_URLS = 1000
"""Distinct URLs of one text; what comes after them is left out."""

_MOST_TRIES = 5000
_DEEPEST = 3
_SCHEMES = rb"(?:https?|ftp|tftp)"
# Bounded, so that a megabyte without an end is cut rather than kept.
_URL = re.compile(rb"(?i)(?<![a-z0-9+.-])" + _SCHEMES + rb"://[^\s\"'<>`|\\^\x00-\x1f\x7f]{1,8200}")
_SCHEMELESS = re.compile(
    rb"(?i)(?:[^@/\s]{1,80}@)?"
    rb"(?:[0-9]{1,3}(?:\.[0-9]{1,3}){3}|\[[0-9a-f:.]{2,45}\]|(?:[a-z0-9_-]{1,63}\.)+[a-z][a-z0-9-]{1,62})"
    rb"(?::[0-9]{1,5})?(?:[/?#].*)?",
    re.DOTALL,
)
_NUMERIC_HOST = re.compile(rb"(?:[^@/\s]{1,80}@)?(?:[0-9.]+|\[[0-9a-fA-F:.]+\])(?::[0-9]+)?(?:[/?#]|\Z)")
_NO_PAYLOAD = re.compile(
    rb"(?i)(?:referer|referrer|user-agent|origin|xmlns(?::\w{1,20})?|schemalocation|doctype)"
    rb"[\"']?\s{0,4}[:=]\s{0,4}[\"']?[^\"'\n]{0,160}\Z|\(\+\Z|<!doctype[^>]{0,120}\Z"
)
_SHELL_END = re.compile(rb"&&|&(?![\w.%-]{1,64}=)|;|\$\(")
_TRAILING = b".,:;!?&*)]}>"


@dataclass(slots=True)
class _Found:
    context: Context
    size: int
    by_url: dict[str, Recovered] = field(default_factory=dict)
    tries: int = 0

    def add(
        self, raw: bytes, span: tuple[int, int], method: Recovery, confidence: int, client: str = ""
    ) -> None:
        """Take a candidate if it is a URL; of equal ones the most certain stays."""
        self.tries += 1
        if self.tries > _MOST_TRIES or not raw or len(raw) > LONGEST_URL:
            return
        try:
            url = parse_url(raw)
        except UrlError:
            return
        if url.scheme not in ("http", "https", "ftp", "tftp") or "$" in url.host or not _plausible(url.host):
            return
        known = self.by_url.get(url.text)
        if known is None and len(self.by_url) >= MOST_URLS:
            return
        if known is None or known.confidence < confidence:
            self.by_url[url.text] = Recovered(
                url=url.text, raw=raw, span=span, method=method, client=client, confidence=confidence,
                flags=flags_of(url, raw, self.context, span[1] >= self.size),
            )  # fmt: skip


def urls(text: bytes, context: Context | None = None) -> list[Recovered]:
    """The distinct URLs of a text in the order in which they stand, each with how it was found and how sure that is.

    Never raises for any bytes; time and memory are linear in the text. `span` is (-1, -1) where the text was nested in
    another word. Flagged URLs are kept for the record and must be neither captured nor published.
    """
    context = context or Context()
    found = _Found(context, len(text))
    if context.language == "shell":
        _shell(text, 0, 0, found)
    else:
        _text(text, 0, 0, text, found, "regex", 60)
    return sorted(found.by_url.values(), key=lambda item: item.span)


def asked(url: bytes, client: str, context: Context | None = None) -> Recovered | None:
    """The URL that a program of the machine asked for; None where it is none that could be fetched."""
    found = _Found(context or Context(), len(url) + 1)
    found.add(url, (0, len(url)), "asked", 100, client)
    return next(iter(found.by_url.values()), None)


def _shell(text: bytes, offset: int, depth: int, found: _Found) -> None:
    for command in commands(text):
        name, arguments = clients.program(command)
        line = clients.asked(name, arguments)
        ignored = {id(word) for word in line.ignored} if line else set()
        client = line.client if line else ""
        if line:
            for word, raw in line.direct:
                if _argument(word, raw, offset, client, found):
                    ignored.add(id(word))
            for word, raw in line.built:
                if b"$" not in raw:
                    found.add(raw, _span(word, offset), "word", 90, client)
        for word in command.words:
            if id(word) not in ignored and b"://" in word.text:
                base = word.start + offset if word.start >= 0 else -1
                certain = 60 if not client or word.target else 70
                method: Recovery = "regex"
                _text(
                    word.text, base, 0 if word.plain else word.end - word.start, text, found, method, certain
                )
        inner = clients.inner_text(name, arguments)
        if inner is not None and depth < _DEEPEST:
            nested = _Found(found.context, -1)
            _shell(inner.text, 0, depth + 1, nested)
            span = _span(inner, offset)
            for item in nested.by_url.values():
                found.add(item.raw, span, item.method, item.confidence, item.client)


def _argument(word: Word, raw: bytes, offset: int, client: str, found: _Found) -> bool:
    """Take an operand of a download program; whether it was a URL with its scheme."""
    if b"://" in raw[:12]:
        match = _URL.match(raw.replace(b" ", b"+"))  # a quoted space is sent as %20
        if match:
            found.add(_unexpanded(raw[: match.end()]), _span(word, offset), "word", 95, client)
        return match is not None
    if _SCHEMELESS.fullmatch(raw):
        numeric = bool(_NUMERIC_HOST.match(raw))
        confidence = 90 if numeric or b"/" in raw else 70
        found.add(_unexpanded(raw), _span(word, offset), "word", confidence, client)
    return False


def _unexpanded(raw: bytes) -> bytes:
    # What a variable stands for is not known here; up to it the URL is known, and `flags_of` sees the `$`.
    place = raw.find(b"$")
    return raw if place < 0 else raw[: place + 1]


def _text(
    text: bytes, base: int, whole: int, context_text: bytes, found: _Found, method: Recovery, confidence: int
) -> None:
    """URLs with a scheme in a text. `whole` > 0: give the whole word (of this length) as span."""
    for match in _URL.finditer(text):
        if found.tries > _MOST_TRIES:
            return
        if _NO_PAYLOAD.search(text, max(0, match.start() - 200), match.start()):
            continue
        raw = match[0]
        if whole or context_text is text:
            end = _SHELL_END.search(raw)
            if end and (context_text is text or end[0] != b";"):
                raw = raw[: end.start()]
        raw = _trimmed(_unexpanded(raw))
        if base < 0:
            span = (-1, -1)
        elif whole:
            span = (base, base + whole)
        else:
            span = (base + match.start(), base + match.start() + len(raw))
        found.add(raw, span, method, confidence)


def _trimmed(raw: bytes) -> bytes:
    """Without the punctuation of the sentence around it; a closing bracket stays where one opens."""
    while raw and raw[-1:] in _TRAILING_SET:
        last = raw[-1:]
        opening = _PAIRS.get(last)
        if opening and raw.count(opening) >= raw.count(last):
            break
        raw = raw[:-1]
    return raw


_TRAILING_SET = {bytes([byte]) for byte in _TRAILING}
_PAIRS = {b")": b"(", b"]": b"[", b"}": b"{"}


def _span(word: Word, offset: int) -> tuple[int, int]:
    return (word.start + offset, word.end + offset) if word.start >= 0 else (-1, -1)


def _plausible(host: str) -> bool:
    return len(host) <= 253 and not host.startswith(".") and ".." not in host
