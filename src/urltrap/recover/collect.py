"""From what was asked for to `Recovered`: canonical, judged for plausibility, each once, the best account kept."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from urltrap.model.sighting import Recovered, Recovery
from urltrap.model.url import Url, UrlError, parse_url
from urltrap.recover.ask import END, GAP, MARK, Ask, has_unknown
from urltrap.recover.clients.table import READERS
from urltrap.recover.context import Context
from urltrap.recover.flags import flags_of

LONGEST_URL = 8192
"""Bytes; no client sends a longer one (servers refuse request lines above 8 KB)."""
MOST_URLS = 1000
"""Distinct URLs of one text; what comes after them is left out."""
MOST_TRIES = 2000
MOST_LOOKS = 8000
"""URLs that a text mentions, the same ones again included."""

_SCHEMELESS = re.compile(
    rb"(?i)(?:[^@/\s]{1,80}@)?"
    rb"(?:[0-9]{1,3}(?:\.[0-9]{1,3}){3}|\[[0-9a-f:.]{2,45}\]|(?:[a-z0-9_-]{1,63}\.)+[a-z][a-z0-9-]{1,62}\.?)"
    rb"(?::[0-9]{1,5})?(?:[/?#].*)?",
    re.DOTALL,
)
_WITH_SCHEME = re.compile(rb"(?i)[a-z][a-z0-9+.-]{1,20}:[/\\]{1,3}")
_UNKNOWN = re.compile(f"{MARK}(.*?)(?:{END}|\\Z)".encode(), re.DOTALL)
_HOST_END = re.compile(rb"[/?#\\]")
_FILE_NAME = re.compile(rb"(?i)[^/:?]+\.(?:txt|php|tar|gz|tgz|zip|bin|exe|html?|jpg|png|log|conf|cfg|json|xml|"
                        rb"x86|arm\d?|mips|mpsl|i[3-6]86|x86_64|elf|deb|rpm|out|tmp|c|h|css|js)")  # fmt: skip
_AROUND = bytes(range(0x21)) + b"\"'\x7f"
_BETTER = {"asked": 4, "program": 3, "word": 2, "regex": 1, "wire": 5}


@dataclass(slots=True)
class Collection:
    """The URLs of one text so far, by kind and canonical form."""

    context: Context
    text: bytes
    items: dict[tuple[str, str], Recovered] = field(default_factory=dict)
    tries: int = 0
    looks: int = 0
    seen: set[tuple[bytes, str, str, int, bool]] = field(default_factory=set)
    forms: dict[tuple[bytes, str], Url | None] = field(default_factory=dict)

    def take(
        self,
        ask: Ask,
        method: Recovery,
        confidence: int,
        *,
        chain: tuple[str, ...] = (),
        conditional: bool = False,
        span: tuple[int, int] | None = None,
    ) -> None:
        """Take what was asked for, where it is a URL; of equal ones the surest account stays."""
        key = (ask.url, ask.client, ask.kind, confidence, conditional)
        if key in self.seen:
            return
        self.seen.add(key)
        self.tries += 1
        raw = _whole(ask.url.strip(_AROUND))
        if self.tries > MOST_TRIES or not raw or len(raw) > LONGEST_URL:
            return
        runtime = has_unknown(raw)
        shown = _UNKNOWN.sub(_braced, raw) if runtime else raw
        if not _WITH_SCHEME.match(raw):
            named = b"://" in raw[:12]
            if named or (ask.kind == "payload" and not self._plausible_without_scheme(shown, ask)):
                return
        if ask.kind != "payload":
            self._other(ask, shown, chain, span)
            return
        url = self._parsed(shown, ask.default_scheme)
        if url is None or "$" in url.host or "{" in url.host or not _plausible(url.host):
            return
        if (
            (method == "word" or ask.client not in READERS)
            and "." not in url.host
            and ":" not in url.host
            and url.host != "localhost"
        ):
            confidence = min(confidence, 50)  # a name without a dot, only read: rather a cut or damaged one
        known = self.items.get(("payload", url.text))
        if known is None and len(self.items) >= MOST_URLS:
            return
        if known is not None and _rank(known) >= (not runtime, confidence, not conditional, _BETTER[method]):
            return
        span = span or self._span(raw)
        flags = flags_of(url, raw, self.context, span[1] >= len(self.text) and method != "asked")
        if runtime and "truncated" not in flags:
            flags.insert(0, "truncated")
        self._keep(
            Recovered(
                url=url.text,
                raw=shown if runtime else raw,
                span=span,
                method=method,
                chain=list(chain),
                client=ask.client,
                confidence=confidence,
                flags=flags,
                conditional=conditional,
                runtime=runtime,
                output=ask.output,
                user_agent=ask.user_agent,
            )
        )

    def _other(self, ask: Ask, raw: bytes, chain: tuple[str, ...], span: tuple[int, int] | None) -> None:
        text = raw.decode("utf-8", "backslashreplace")
        self._keep(
            Recovered(
                url=text,
                raw=raw,
                span=span or self._span(raw.partition(b"://")[2].partition(b":")[0]),
                method="program",
                chain=list(chain),
                client=ask.client,
                confidence=80,
                kind=ask.kind,
            )
        )

    def _keep(self, item: Recovered) -> None:
        key = (item.kind, item.url)
        known = self.items.get(key)
        if known is None and len(self.items) >= MOST_URLS:
            return
        if known is None or _rank(item) > _rank(known):
            self.items[key] = item

    @property
    def full(self) -> bool:
        """Whether so much was taken that going on reading is of no use."""
        return self.tries > MOST_TRIES or self.looks > MOST_LOOKS

    def has(self, url: bytes) -> bool:
        """Whether a URL is there already as a payload."""
        parsed = self._parsed(url, "http")
        return parsed is not None and ("payload", parsed.text) in self.items

    def _parsed(self, raw: bytes, default_scheme: str) -> Url | None:
        """The canonical form; None where there is none. The same bytes come up again and again: each is read once."""
        key = (raw, default_scheme)
        if key in self.forms:
            return self.forms[key]
        try:
            url: Url | None = parse_url(raw, default_scheme=default_scheme)
        except UrlError:
            url = None
        if len(self.forms) < MOST_TRIES:
            self.forms[key] = url
        return url

    def _plausible_without_scheme(self, raw: bytes, ask: Ask) -> bool:
        if ask.from_words:
            return True
        return bool(_SCHEMELESS.fullmatch(raw)) and not _FILE_NAME.fullmatch(raw)

    def _span(self, raw: bytes) -> tuple[int, int]:
        """Where `raw` stands in the text: itself, else its host's place, else nowhere."""
        place = self.text.find(raw) if raw else -1
        if place >= 0:
            return place, place + len(raw)
        authority = _HOST_END.split(raw.partition(b"://")[2] or raw, maxsplit=1)[0].rpartition(b"@")[2]
        place = self.text.find(authority) if len(authority) > 3 else -1
        return (place, place + len(authority)) if place >= 0 else (-1, -1)


def _whole(raw: bytes) -> bytes:
    """Without backslashes in the authority: left over from one level of quoting too many; no client takes them."""
    scheme, separator, rest = raw.partition(b"://")
    if not separator or b"\\" not in rest:
        return raw
    authority, slash, path = rest.partition(b"/")
    return scheme + separator + authority.replace(b"\\", b"") + slash + path


def _braced(match: re.Match[bytes]) -> bytes:
    return b"{" + match[1].replace(GAP.encode(), b" ") + b"}"


def _plausible(host: str) -> bool:
    return len(host) <= 253 and not host.startswith(".") and ".." not in host


def _rank(item: Recovered) -> tuple[bool, int, bool, int]:
    return not item.runtime, item.confidence, not item.conditional, _BETTER[item.method]
