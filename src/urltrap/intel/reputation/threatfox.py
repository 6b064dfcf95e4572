"""ThreatFox' CSV dump: URLs, hosts and hashes with families. Source: threatfox.abuse.ch/export."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from urltrap.intel.reputation.columns import read_columns
from urltrap.intel.reputation.dump import Dump, DumpCount
from urltrap.intel.reputation.index import Entry
from urltrap.model.url import UrlError, parse_url

_COLUMNS = [
    "first_seen_utc", "ioc_id", "ioc_value", "ioc_type", "threat_type", "fk_malware", "malware_alias",
    "malware_printable", "last_seen_utc", "confidence_level", "reference", "tags", "anonymous", "reporter",
]  # fmt: skip


def read_dump(lines: Iterator[str], count: DumpCount, name: str = "") -> Iterator[Entry]:
    """The entries of a dump."""
    return read_columns(lines, count, "ioc_value", _COLUMNS, _entry)


def _entry(values: dict[str, str]) -> Entry | None:
    value, kind = values["ioc_value"], values.get("ioc_type", "")
    digest = value.lower() if kind == "sha256_hash" and len(value) == 64 else ""
    url = None
    if not digest:
        if kind.endswith("_hash"):
            return None
        try:
            url = parse_url(value)
        except UrlError:
            return None
    return Entry(
        url=url,
        host_only=kind != "url",
        sha256=digest,
        added=values.get("first_seen_utc", ""),
        status="",
        threat=values.get("threat_type", ""),
        tags=[
            tag.strip()
            for tag in (values.get("malware_printable", ""), *values.get("tags", "").split(","))
            if tag.strip() not in ("", "None", "Unknown malware")
        ],
        reference=f"https://threatfox.abuse.ch/ioc/{values.get('ioc_id', '').strip()}/",
    )


def threatfox(dump: Path, index: Path) -> Dump:
    """The dump file at `dump`, indexed at `index`."""
    return Dump("threatfox", [dump], index, read_dump, hashes=True)
