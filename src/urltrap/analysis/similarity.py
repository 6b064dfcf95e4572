"""How alike two payloads are, by TLSH: a fuzzy hash whose distance is 0 for the same and grows with difference.

Source: Oliver, Cheng and Chen, "TLSH – A Locality Sensitive Hash" (2013); what abuse.ch and VirusTotal index.
"""

from __future__ import annotations

import tlsh  # type: ignore[import-not-found]

NEAR = 40
"""Distance up to which two payloads are variants of one another; the paper's false-positive rate is below 0.2 %."""

_LEAST_BYTES = 256


def fuzzy_hash(data: bytes) -> str:
    """The TLSH of a payload ("T1…"); empty where it is too short or too regular for one."""
    if len(data) < _LEAST_BYTES:
        return ""
    value = str(tlsh.hash(data))
    return value if value not in ("", "TNULL") else ""


def distance(first: str, second: str) -> int:
    """The distance of two hashes that `fuzzy_hash` made; ValueError for anything else."""
    return int(tlsh.diff(first, second))
