"""Evidence into a confidence: how likely the URL is malicious, by adding up log-odds.

The weights of a URL's spelling, and the prior, were fitted by logistic regression (ridge 1) on URLs of attackers'
commands and on benign ones of popular sites and documentations that no dump lists: half of the days before June 2021
and half of the undated hosts. The other days, and all later ones, are held back for the test; `bench/judge.py --fit`
prints the weights again. Those of our own evidence and of listings cannot be fitted, because no benign URL of the lists
has any; they are set so that each kind alone stays believable, and stand in one table.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from urltrap.model.verdict import Reason

PRIOR = -0.68
"""Log-odds of a URL of which nothing is known."""

SIGNS: dict[str, tuple[float, str]] = {
    "address": (4.94, "its host is a bare address"),
    "address-odd-port": (0.15, "a bare address on an unusual port"),
    "odd-port": (0.45, "its port is unusual"),
    "ftp": (2.03, "it is fetched by FTP or TFTP"),
    "plain-http": (1.42, "a name without TLS"),
    "architecture": (1.0, "its path names a processor or a bot's usual file"),
    "program-name": (1.32, "its path ends like a program"),
    "home-page": (-4.8, "it is a site's home page"),
    "page": (-0.15, "it is a page of a named site"),
    "deep-name": (-0.53, "its host's name has many parts"),
    "www": (-2.15, "its host begins with www"),
    "free-hosting": (-0.08, "anybody gets names under its domain"),
    "hyphen": (0.06, "its domain has a hyphen"),
    "hyphens": (-0.03, "its domain has several hyphens"),
    "digits": (0.59, "its domain has many digits"),
    "long-name": (1.34, "its domain is long"),
    "cheap-domain": (1.27, "its top-level domain is popular with abusers"),
    "other-domain": (0.57, "its top-level domain is not among the most usual"),
    "punycode": (0.0, "its domain is written in another script"),
    "lure-in-name": (-0.01, "its domain speaks of log-ins, brands or money"),
    "lure-in-path": (0.14, "its path speaks of log-ins, brands or money"),
    "web-file": (-1.32, "its path is that of a web page"),
    "deep-path": (-1.43, "its path is deep, as that of pages is"),
}
"""Sign of `lexical.signs` → (log-odds, words)."""

EVIDENCE: dict[str, float] = {
    "listed.url": 9.0, "listed.path": 7.0, "listed.payload": 8.0, "listed.few": 0.5,
    "listed.report": 6.0, "listed.hint": 1.5, "listed.host": 1.5,
    "payload.family": 6.0, "payload.antivirus": 5.0, "payload.role": 2.5, "payload.elf": 2.5, "payload.pe": 2.2,
    "payload.script": 1.5, "payload.archive": 0.5, "payload.data": 0.2, "payload.text": 0.1, "payload.html": -3.0,
    "payload.image": -3.0, "payload.empty": -2.0, "payload.none": -0.5, "payload.architectures": 1.5,
    "payload.packed": 1.0, "asked": 1.4, "commanded": 1.1, "run": 2.5, "second-stage": 1.5, "source": 0.5,
    "context.benign": -6.0, "context.shared": -1.0, "context.tool": -2.5, "flooding": -2.5, "held": -1.5,
    "operator": -5.0,
}  # fmt: skip
"""Kind of evidence → log-odds."""

SPELLING_ALONE = 59
"""What a name's spelling may give at most: below the lowest confidence that is published by default."""


@dataclass(frozen=True, slots=True)
class Weighed:
    """One thing that is known, in words, with what it adds to the log-odds."""

    code: str
    text: str
    logit: float


def percent(logit: float) -> int:
    """Log-odds as 0 to 99: nothing here is certain."""
    return min(99, round(100 / (1 + math.exp(-max(-30.0, min(30.0, logit))))))


def confidence(weighed: Sequence[Weighed], most: int = 100, why: str = "") -> tuple[int, list[Reason]]:
    """The confidence, at most `most`, and reasons whose weights, in points, add up to it exactly.

    What we know ourselves and what others say comes before the URL's spelling, what weighs most first. Weights are what
    each reason moved the confidence by, after those before it.
    """
    logit = PRIOR
    shown = percent(logit)
    reasons = [Reason(code="prior", text="before anything is known of it", weight=shown)]
    for item in sorted(weighed, key=lambda item: (item.code.startswith("url."), -abs(item.logit))):
        logit += item.logit
        now = percent(logit)
        reasons.append(Reason(code=item.code, text=item.text, weight=now - shown))
        shown = now
    if shown > most:
        reasons.append(Reason(code="limited", text=why, weight=most - shown))
        shown = most
    return shown, reasons[1:] + reasons[:1]
