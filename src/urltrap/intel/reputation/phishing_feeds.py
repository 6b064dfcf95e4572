"""OpenPhish's feed (a URL a line) and PhishTank's CSV of verified phishing that is online."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from urltrap.intel.reputation.columns import read_columns
from urltrap.intel.reputation.dump import Dump, DumpCount, take
from urltrap.intel.reputation.index import Entry
from urltrap.model.url import UrlError, parse_url

_PHISHTANK = [
    "phish_id", "url", "phish_detail_url", "submission_time", "verified", "verification_time", "online", "target",
]  # fmt: skip


def read_openphish(lines: Iterator[str], count: DumpCount, name: str = "") -> Iterator[Entry]:
    """The entries of OpenPhish's feed."""
    return take(lines, count, _line)


def _line(line: str) -> Entry | None:
    # A line of HTML would be read as a host, so that only what names its scheme is a URL here.
    if not line.startswith(("http://", "https://")):
        return None
    try:
        return Entry(parse_url(line.strip()), "", "", "phishing", [], "https://openphish.com/")
    except UrlError:
        return None


def read_phishtank(lines: Iterator[str], count: DumpCount, name: str = "") -> Iterator[Entry]:
    """The entries of PhishTank's CSV; what is not verified is none."""
    return read_columns(lines, count, "url", _PHISHTANK, _row)


def _row(values: dict[str, str]) -> Entry | None:
    if values.get("verified") != "yes":
        return None
    try:
        url = parse_url(values["url"])
    except UrlError:
        return None
    target = values.get("target", "")
    return Entry(
        url,
        values.get("verification_time", "") or values.get("submission_time", ""),
        "online" if values.get("online") == "yes" else "offline",
        "phishing",
        [target] if target not in ("", "Other") else [],
        values.get("phish_detail_url", ""),
    )


def openphish(dump: Path, index: Path) -> Dump:
    """OpenPhish's feed at `dump`, indexed at `index`."""
    return Dump("openphish", [dump], index, read_openphish)


def phishtank(dump: Path, index: Path) -> Dump:
    """PhishTank's CSV at `dump`, indexed at `index`."""
    return Dump("phishtank", [dump], index, read_phishtank)
