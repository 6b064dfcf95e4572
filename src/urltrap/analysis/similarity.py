"""How alike two payloads are, by TLSH: a fuzzy hash whose distance is 0 for the same and grows with difference.

Source: Oliver, Cheng and Chen, "TLSH – A Locality Sensitive Hash" (2013); what abuse.ch and VirusTotal index.
"""

from __future__ import annotations

from tlsh import Tlsh  # type: ignore[import-untyped]

NEAR = 40
"""Distance up to which two payloads are variants of one another; the paper's false-positive rate is below 0.2 %."""

_LEAST_BYTES = 256
_FORM = 1  # "T1" and 70 hexadecimal digits, the form that others index


def fuzzy_hash(data: bytes) -> str:
    """The TLSH of a payload ("T1…"); empty where it is too short or too regular for one."""
    if len(data) < _LEAST_BYTES:
        return ""
    hashed = Tlsh(data)
    hashed.final()
    return str(hashed.hexdigest(_FORM)) if hashed.valid else ""


def distance(first: str, second: str) -> int:
    """The distance of two hashes that `fuzzy_hash` made; ValueError for anything else."""
    return int(_read(first).diff(_read(second)))


def _read(text: str) -> Tlsh:
    hashed = Tlsh()
    if not text.isascii() or not hashed.load(text):
        raise ValueError(f"{text!r} is no TLSH")
    return hashed
