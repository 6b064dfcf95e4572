"""What a URL would tell about somebody besides the attacker, to a third party that is given it."""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

_DECODINGS = 3

_EMAIL = re.compile(
    r"[a-z0-9._%+-]{1,64}@[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){0,5}\.[a-z]{2,24}", re.IGNORECASE
)
_JWT = re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}")
_SERVICE_TOKENS = re.compile(
    r"/bot[0-9]{6,12}:[A-Za-z0-9_-]{30,}"  # Telegram
    r"|/api/webhooks/[0-9]{10,}/[A-Za-z0-9_-]{20,}"  # Discord
    r"|/services/T[A-Z0-9]{6,}/B[A-Z0-9]{6,}/"  # Slack
    r"|\b(?:ghp|gho|ghs|ghu)_[A-Za-z0-9]{30,}|\bgithub_pat_[A-Za-z0-9_]{20,}|\bglpat-[A-Za-z0-9_-]{15,}"
    r"|\bAKIA[A-Z0-9]{16}\b"
)
_CREDENTIAL_NAMES = re.compile(
    r"(?:pass(?:word|wd|phrase)?|pwd|secret|(?:access_?|refresh_?|id_?|bearer_?)?token|auth|authorization|api_?key|access_?key|private_?key|client_?secret"
    r"|session_?(?:id|key)?|sid|phpsessid|jsessionid|jwt|otp|signature|sig|credential)",
    re.IGNORECASE,
)
_VICTIM_NAMES = re.compile(
    r"(?:host_?name|computer(?:_?name)?|machine(?:_?id)?|uname|user_?(?:name)?|login|e_?mail|mail|my_?ip|(?:src|local|"
    r"remote|client|victim)_?ip|ip(?:_?addr(?:ess)?)?|mac(?:_?addr(?:ess)?)?|hwid|uuid|guid|victim|bot_?id|client_?id)",
    re.IGNORECASE,
)


def reveals(url: str) -> str:
    """What secret or whose data stands in a canonical URL, in words; empty where nothing is found.

    Names of parameters count with a value only. What looks made for one victim without saying so is the publication
    gate's business.
    """
    for text in _readings(url):
        parts = urlsplit(text)
        behind = text.partition("://")[2].partition("/")[2]
        if "@" in parts.netloc:
            return "a log-in before its host"
        if _JWT.search(behind) or _SERVICE_TOKENS.search("/" + behind):
            return "a token of an account"
        if _EMAIL.search(behind):
            return "an e-mail address"
        for name, value in _pairs(parts.query) + _pairs(parts.fragment):
            if not value:
                continue
            bare = name.rstrip("]").rpartition("[")[
                2
            ]  # data[pass] is PHP's way to write a name within another
            bare = bare.lower().removeprefix("x-amz-").replace("-", "_")
            if _CREDENTIAL_NAMES.fullmatch(bare):
                return f"a value called {_shown(name)}, as credentials are"
            if _VICTIM_NAMES.fullmatch(bare):
                return f"a value called {_shown(name)}, as what names a victim is"
    return ""


def _pairs(query: str) -> list[tuple[str, str]]:
    found = []
    for pair in re.split(r"[&;]", query)[:200]:
        name, _, value = pair.partition("=")
        found.append((name, value))
    return found


def _readings(text: str) -> list[str]:
    """As written, and as servers on the way would undo it."""
    found = [text]
    for _ in range(_DECODINGS):
        text = unquote(text)
        if text == found[-1]:
            break
        found.append(text)
    return found


def _shown(name: str) -> str:
    return "".join(char for char in name if char.isascii() and (char.isalnum() or char in "_-"))[:30]
