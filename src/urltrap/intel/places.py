"""Where addresses are, offline, from mmdb files. What no file says stays unknown; it is never 0,0.

Read are the layouts of MaxMind's schema (`country.iso_code`, `autonomous_system_number` …) and the flat one of the
open country files (`country_code`), whatever the file is called.
"""

from __future__ import annotations

import ipaddress
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import maxminddb
import structlog

from urltrap.model.verdict import Place

log = structlog.get_logger("urltrap.intel")


def default_folder() -> Path:
    """Where the set-up puts the files."""
    return Path(sys.prefix) / "share" / "urltrap" / "geo"


class Places:
    """All mmdb files of a folder. `version` changes when a file does; it is empty where there is none."""

    def __init__(self, folder: Path) -> None:
        """Open what is there; a file that cannot be read is logged and left out, a missing folder is no error."""
        self._readers: list[tuple[str, maxminddb.Reader]] = []
        for path in sorted(folder.glob("*.mmdb")):
            try:
                reader = maxminddb.open_database(path)
            except (maxminddb.InvalidDatabaseError, OSError, ValueError) as error:
                log.warning(
                    "places.unreadable", file=path.name, error=str(error), do="install the geo files again"
                )
                continue
            self._readers.append((path.stem, reader))
        self.version = ",".join(f"{name}@{reader.metadata().build_epoch}" for name, reader in self._readers)[
            :64
        ]

    def find(self, address: str) -> Place:
        """The place of an address; an empty one where nothing is known or the text is no address."""
        try:
            parsed = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return Place()
        mapped = getattr(parsed, "ipv4_mapped", None)
        values: dict[str, Any] = {}
        sources: list[str] = []
        for name, reader in self._readers:
            if parsed.version == 6 and reader.metadata().ip_version == 4 and mapped is None:
                continue
            record = reader.get(mapped or parsed)
            if not isinstance(record, Mapping):
                continue
            found = {key: value for key, value in _read(record).items() if key not in values}
            if found:
                values.update(found)
                sources.append(name)
        return Place(**values, sources=sources)

    def close(self) -> None:
        """Close the files."""
        for _, reader in self._readers:
            reader.close()


def _read(record: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    country = record.get("country_code") or _inner(record, "country", "iso_code") or record.get("country")
    if isinstance(country, str) and len(country) == 2 and country.isalpha() and country.isascii():
        found["country"] = country.upper()
    city = _inner(record, "city", "names", "en") or record.get("city")
    if isinstance(city, str) and city:
        found["city"] = city[:120]
    latitude = _inner(record, "location", "latitude", default=record.get("latitude"))
    longitude = _inner(record, "location", "longitude", default=record.get("longitude"))
    if _number(latitude, 90) and _number(longitude, 180) and (latitude, longitude) != (0, 0):
        found["latitude"], found["longitude"] = float(latitude), float(longitude)
    number = record.get("autonomous_system_number")
    if isinstance(number, int) and 0 < number < 1 << 32:
        found["asn"] = number
        name = record.get("autonomous_system_organization")
        found["network"] = name[:250] if isinstance(name, str) else ""
    return found


def _inner(record: Mapping[str, Any], *path: str, default: Any = None) -> Any:
    value: Any = record
    for key in path:
        if not isinstance(value, Mapping) or key not in value:
            return default
        value = value[key]
    return value


def _number(value: Any, most: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and -most <= value <= most
