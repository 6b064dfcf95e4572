"""Evidence into a confidence: how likely the URL is malicious, by adding up log-odds.

The weights of a URL's spelling, and the prior, are fitted (`fitted`). Those of our own evidence and of listings cannot
be fitted, because no benign URL of the lists has any; they are set so that each kind alone stays believable, and stand
in one table: an exact listing 9, what nobody verified half of that, what is less exact less.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from urltrap.judge.fitted import SHIPPED

SIGNS: dict[str, str] = {
    "address": "its host is a bare address",
    "address-odd-port": "a bare address on an unusual port",
    "odd-port": "its port is unusual",
    "ftp": "it is fetched by FTP or TFTP",
    "plain-http": "a name without TLS",
    "architecture": "its path names a processor or a bot's usual file",
    "program-name": "its path ends like a program",
    "home-page": "it is a site's home page",
    "page": "it is a page of a named site",
    "deep-name": "its host's name has many parts",
    "www": "its host begins with www",
    "free-hosting": "anybody gets names under its domain",
    "hyphen": "its domain has a hyphen",
    "hyphens": "its domain has several hyphens",
    "digits": "its domain has many digits",
    "long-name": "its domain is long",
    "cheap-domain": "its top-level domain is popular with abusers",
    "other-domain": "its top-level domain is not among the most usual",
    "punycode": "its domain is written in another script",
    "lure-in-name": "its domain speaks of log-ins, brands or money",
    "lure-in-path": "its path speaks of log-ins, brands or money",
    "web-file": "its path is that of a web page",
    "deep-path": "its path is deep, as that of pages is",
}
"""Sign of `lexical.signs` in words."""

EVIDENCE: dict[str, float] = {
    "listed.url": 9.0, "listed.path": 7.0, "listed.payload": 8.0, "listed.few": 0.5, "listed.report": 4.5,
    "listed.hint": 1.5, "listed.host": 1.5, "payload.family": 6.0, "payload.antivirus": 5.0, "payload.role": 2.5,
    "payload.elf": 2.5, "payload.pe": 2.2, "payload.script": 1.5, "payload.archive": 0.5, "payload.data": 0.2,
    "payload.text": 0.1, "payload.html": -3.0, "payload.image": -3.0, "payload.known-file": -3.5,
    "payload.empty": -2.0, "payload.none": -0.5, "payload.architectures": 1.5, "payload.packed": 1.0, "asked": 1.4,
    "commanded": 1.1, "run": 2.5, "second-stage": 1.5, "source": 0.5, "context.benign": -6.0, "context.shared": -1.0,
    "context.tool": -2.5, "flooding": -2.5, "held": -1.5, "operator": -5.0,
    "decided.malicious": 12.0, "decided.benign": -12.0, "allowed": -12.0,
}  # fmt: skip
"""Kind of evidence → log-odds."""

SPELLING_ALONE = 59
"""What a name's spelling may give at most: below the lowest confidence that is published by default."""


class Weighed(NamedTuple):
    """One thing that is known, in words, with what it adds to the log-odds."""

    code: str
    text: str
    logit: float


class Given(NamedTuple):
    """A reason of a verdict as `model.verdict.Reason` is one: judging everything makes a dozen for each URL."""

    code: str
    text: str
    weight: int


def percent(logit: float) -> int:
    """Log-odds as 0 to 99: nothing here is certain."""
    return min(99, round(100 / (1 + math.exp(-max(-30.0, min(30.0, logit))))))


def confidence(
    weighed: Sequence[Weighed], most: int = 100, why: str = "", prior: float = SHIPPED.prior
) -> tuple[int, list[Given]]:
    """The confidence, at most `most`, and reasons whose weights, in points, add up to it exactly.

    What we know ourselves and what others say comes before the URL's spelling, what weighs most first. Weights are what
    each reason moved the confidence by, after those before it.
    """
    logit = prior
    shown = percent(logit)
    reasons = [Given("prior", "before anything is known of it", shown)]
    for code, text, moved in sorted(weighed, key=_place):
        logit += moved
        now = percent(logit)
        reasons.append(Given(code, text, now - shown))
        shown = now
    if shown > most:
        reasons.append(Given("limited", why, most - shown))
        shown = most
    return shown, reasons[1:] + reasons[:1]


def _place(item: Weighed) -> tuple[bool, float]:
    return item.code.startswith("url."), -abs(item.logit)
