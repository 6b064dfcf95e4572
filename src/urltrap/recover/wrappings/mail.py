"""Mails: their parts decoded, the URLs of their texts and of what can be clicked in their HTML.

The standard library takes the parts apart (RFC 5322, 2045-2047), as leniently as mail programs do.
"""

from __future__ import annotations

import email
import html
import re
from collections.abc import Iterator
from email.message import Message
from urllib.parse import urljoin

from urltrap.recover.wrappings.plain import plain

_HEADS = re.compile(
    rb"\A(?:From [^\r\n]*\r?\n)?(?:(?:Received|Return-Path|Delivered-To|From|To|Date|Subject|Message-ID|MIME-Version|"
    rb"X-[\w-]+|DKIM-Signature|Authentication-Results|ARC-[\w-]+|Reply-To|Content-Type|Sender)[ \t]*:[^\r\n]*\r?\n)"
    rb"(?:[!-9;-~]+[ \t]*:[^\r\n]*\r?\n|[ \t]+[^\r\n]*\r?\n)*",
    re.IGNORECASE,
)
_NEEDED = re.compile(rb"(?im)^(?:from|to|subject|received|message-id|mime-version|return-path)[ \t]*:")
_LINK = re.compile(
    rb"(?is)<(a|area|form|iframe|frame|embed|object|base|meta|link|button|input|script|img)\b([^>]{0,20000})>"
)
_ATTRIBUTE = re.compile(
    rb"(?is)\b(href|action|formaction|src|data|content)\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s>]+))"
)
_REFRESH = re.compile(rb"(?i)^\s*\d+\s*[;,]\s*url\s*=\s*['\"]?([^'\"]+)")
_SHOWN = frozenset((b"img", b"link", b"script"))
"""What a mail program loads, or not, without a click: named, and below what is captured."""
_FETCHED = (b"http://", b"https://", b"ftp://")
_MOST_PARTS = 100
_LARGEST = 2_000_000


def is_mail(text: bytes) -> bool:
    """Whether a text is a mail with its headers."""
    head = text[:20_000]
    match = _HEADS.match(head)
    return bool(match) and len({name.lower() for name in _NEEDED.findall(match[0] if match else b"")}) >= 3


def links(text: bytes) -> Iterator[tuple[bytes, bool]]:
    """(URL, whether it is clicked or told rather than only loaded) in a mail, redirects' targets included."""
    message = email.message_from_bytes(text[:_LARGEST])
    for number, part in enumerate(message.walk()):
        if number >= _MOST_PARTS:
            return
        if part.is_multipart():
            continue
        kind = part.get_content_type()
        payload = part.get_payload(decode=True)
        if not isinstance(payload, bytes) or part.get_content_maintype() not in (
            "text",
            "message",
            "application",
        ):
            continue
        if kind == "text/html" or payload.lstrip()[:200].lower().startswith((b"<html", b"<!doctype html")):
            yield from clickable(_as_utf8(part, payload))
        elif part.get_content_maintype() != "application":
            for url, _ in plain(_as_utf8(part, payload)):
                yield url, True


def clickable(page: bytes) -> Iterator[tuple[bytes, bool]]:
    """As `links`, of a page of HTML."""
    base = b""
    for match in _LINK.finditer(page):
        tag = match[1].lower()
        for attribute in _ATTRIBUTE.finditer(match[2]):
            name = attribute[1].lower()
            value = _unescaped(attribute[2] or attribute[3] or attribute[4] or b"")
            if name == b"content":
                refresh = _REFRESH.match(value) if tag == b"meta" else None
                if refresh is None:
                    continue
                value = refresh[1].strip()
            elif tag == b"base":
                base = value
                continue
            if base and b":" not in value[:12] and value[:1] != b"#":
                value = urljoin(base.decode("latin-1"), value.decode("latin-1")).encode("latin-1", "replace")
            if value[:8].lower().startswith(_FETCHED):
                for url, _ in plain(value):
                    yield url, tag not in _SHOWN
    for url, _ in plain(_unescaped(re.sub(rb"(?s)<[^>]*>", b" ", page))):
        yield url, True


def _unescaped(value: bytes) -> bytes:
    text = re.sub(rb"[\r\n\t]", b"", value).strip().decode("utf-8", "surrogateescape")
    return html.unescape(text).encode("utf-8", "surrogatepass") if "&" in text else value.strip()


def _as_utf8(part: Message, payload: bytes) -> bytes:
    charset = part.get_content_charset() or "utf-8"
    try:
        return payload.decode(charset, "surrogateescape").encode("utf-8", "surrogateescape")
    except (LookupError, UnicodeError):
        return payload
