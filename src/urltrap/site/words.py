"""Our own codes in words that a person reads, and figures, times and sizes as pages show them."""

from __future__ import annotations

from datetime import datetime

from markupsafe import Markup

VERDICTS = {
    "malicious-confirmed": ("Malicious, confirmed", "A reputation list names this URL or its payload."),
    "malicious-observed": ("Malicious, observed", "An attacker's session fetched a program from it and used it."),
    "suspicious": ("Suspicious", "An attacker wanted it, but what it served does not settle the matter."),
    "benign-context": ("Benign context", "A well-known service that attackers use as everybody does."),
    "unknown": ("Unknown", "Nothing says yet what it is."),
}  # fmt: skip
CLASSES = {
    "dropper": ("Dropper", "asked for a URL"),
    "upload": ("Upload", "sent a file"),
    "interactive": ("Interactive", "gave commands"),
    "login-only": ("Log-in only", "got in and did nothing"),
    "brute-force": ("Brute force", "tried log-ins, none was accepted"),
    "probe": ("Probe", "connected and tried nothing"),
    "flood": ("Flood", "one of a burst of connections"),
}
OUTCOMES = {
    "fetched": "answered",
    "recorded": "not fetched: the door out is shut, it was only written down",
    "withheld": "not sent: the request itself would be an attack",
    "refused-address": "not sent: its address must not be contacted",
    "bad-url": "not sent: this cannot be fetched",
    "dns-failure": "the name does not resolve",
    "connect-failed": "no connection",
    "timed-out": "timed out",
    "too-large": "larger than the limit; its beginning is kept",
    "too-many-redirects": "too many redirects",
    "tls-failed": "TLS failed",
    "protocol-error": "the answer was not of its protocol",
    "not-found": "no such file there",
    "limited": "not yet: a rate limit of ours",
}
FLAGS = {
    "truncated": "it was cut off",
    "private": "its host is not public",
    "own-sensor": "it names this sensor",
    "placeholder": "it is a placeholder",
    "victim-token": "it looks made for one victim",
    "operator": "the operator holds it back",
}
PACKERS = {
    "upx": "UPX",
    "upx-broken": "UPX, its marks broken on purpose",
    "packed": "unknown: one dense lump",
}
UNPACKING = {
    "refused": "UPX refuses it",
    "timed-out": "unpacking took too long",
    "out-of-memory": "unpacking took too much memory",
    "too-large": "what comes out is too large",
    "crashed": "UPX or our look at it crashed",
    "too-deep": "packed too many times",
}
RECOVERIES = {
    "word": "a word of the command",
    "regex": "found in the text",
    "asked": "a program asked for it",
    "program": "came out when the machine ran it",
    "wire": "seen on the wire",
}
CLOSINGS = {
    "client": "the client closed it",
    "server": "the machine closed it",
    "timeout": "timed out",
    "budget": "a limit was met",
    "error": "an error",
    "shutdown": "the sensor was stopped",
    "refused": "refused",
    "protocol-error": "broke the protocol",
    "reset": "the line was cut",
}
KINDS = {
    "elf": "ELF program",
    "pe": "Windows program",
    "script": "script",
    "archive": "archive",
    "html": "web page",
    "text": "text",
    "image": "image",
    "empty": "empty",
    "data": "data",
}
VIAS = {
    "capture": "fetched from a URL",
    "written": "written on the machine",
    "stdin": "sent to standard input",
}

AXES = ("action", "role", "target", "delivery", "hosting", "lifecycle")
"""The six classes of a URL."""
FACETS = {
    "verdict": "Verdict",
    "action": "What it is for",
    "role": "Part in the attack",
    "target": "Made for",
    "delivery": "Asked with",
    "hosting": "Where it lies",
    "lifecycle": "How it is now",
    "kind": "Payload",
    "family": "Family",
    "campaign": "Campaign",
    "host": "Host",
    "provider": "Listed by",
    "sensor": "Sensor",
    "source": "Brought by",
    "asn": "Network AS",
    "sha256": "Payload",
}


def number(value: int | None) -> str:
    """12,345; a dash for what is not known."""
    return "–" if value is None else f"{value:,}"


def counted(value: int, one: str, many: str = "") -> str:
    """1 URL, 2 URLs."""
    return f"{value:,} {one if value == 1 else many or one + 's'}"


def size(value: int | None) -> str:
    """A number of bytes in the unit that suits it."""
    if value is None:
        return "–"
    amount = float(value)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000 or unit == "GB":
            return f"{value:,} B" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    raise AssertionError("unreachable")


def duration(milliseconds: int | None) -> str:
    """A length of time in the unit that suits it."""
    if milliseconds is None:
        return "–"
    seconds = milliseconds / 1000
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"


def offset(moment: datetime, start: datetime) -> str:
    """How long after the start: ``+1.25 s``."""
    milliseconds = max(0, round((moment - start).total_seconds() * 1000))
    return f"+{milliseconds / 1000:.2f} s" if milliseconds < 60_000 else f"+{duration(milliseconds)}"


def ago(moment: datetime, now: datetime) -> str:
    """How long ago, in one unit."""
    seconds = int((now - moment).total_seconds())
    if seconds < 0:
        return "in " + _span(-seconds)
    return "just now" if seconds < 5 else _span(seconds) + " ago"


def _span(seconds: int) -> str:
    for length, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"


def coded(text: str) -> Markup:
    """Our own text with what stands between backticks as code."""
    return Markup("").join(
        Markup("<code>%s</code>" if number % 2 else "%s") % part
        for number, part in enumerate(text.split("`"))
    )
