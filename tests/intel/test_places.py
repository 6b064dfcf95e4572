from __future__ import annotations

from pathlib import Path

import pytest

from urltrap.intel import places as places_module
from urltrap.intel.places import Places, default_folder
from urltrap.model.verdict import Place


class FakeReader:
    def __init__(self, records: dict[str, object], version: int = 6) -> None:
        self.records, self.version = records, version

    def metadata(self):  # type: ignore[no-untyped-def]
        class Metadata:
            build_epoch, ip_version = 7, self.version

        return Metadata

    def get(self, address: object) -> object:
        return self.records.get(str(address))

    def close(self) -> None:
        self.records = {}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    readers = {
        "asn": FakeReader(
            {"192.0.2.1": {"autonomous_system_number": 64500, "autonomous_system_organization": "N" * 300}}
        ),
        "city": FakeReader(
            {
                "192.0.2.1": {
                    "country": {"iso_code": "de"},
                    "city": {"names": {"en": "Berlin"}},
                    "location": {"latitude": 52.5, "longitude": 13.4},
                },
                "192.0.2.2": {"country_code": "FR", "latitude": 0, "longitude": 0, "city": "Lyon"},
                "192.0.2.3": {"country_code": "??", "latitude": 95.0, "longitude": "x", "city": 7},
                "192.0.2.4": "no record",
            }
        ),
        "country": FakeReader(
            {"192.0.2.1": {"country_code": "NL"}, "192.0.2.9": {"country_code": "SE"}}, version=4
        ),
    }
    for name in readers:
        (tmp_path / f"{name}.mmdb").touch()
    monkeypatch.setattr(places_module.maxminddb, "open_database", lambda path: readers[path.stem])
    return tmp_path


def test_each_fact_comes_from_the_first_file_that_has_it(folder: Path) -> None:
    place = Places(folder).find("192.0.2.1")
    assert (place.country, place.city, place.latitude, place.longitude) == ("DE", "Berlin", 52.5, 13.4)
    assert place.asn == 64500 and len(place.network) == 250
    assert place.sources == ["asn", "city"]


def test_unknown_stays_unknown_and_is_never_zero_zero(folder: Path) -> None:
    places = Places(folder)
    assert places.find("192.0.2.2") == Place(country="FR", city="Lyon", sources=["city"])
    for address in ("192.0.2.3", "192.0.2.4", "192.0.2.77", "not an address", "", "2001:db8::1"):
        assert places.find(address) == Place()


def test_an_address_mapped_into_ipv6_is_found_as_what_it_is(folder: Path) -> None:
    assert Places(folder).find("::ffff:192.0.2.9").country == "SE"


def test_without_files_there_are_no_places_and_no_error(tmp_path: Path) -> None:
    places = Places(tmp_path / "nowhere")
    assert places.version == "" and places.find("192.0.2.1") == Place()


def test_a_damaged_file_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "country.mmdb").write_bytes(b"no database")
    assert Places(tmp_path).version == ""


def test_the_installed_files_know_a_country_and_a_network() -> None:
    places = Places(default_folder())
    if not places.version:
        pytest.skip("the geo files are not installed (make geo)")
    place = places.find("8.8.8.8")
    assert place.country == "US" and place.asn == 15169 and place.network
    assert places.find("127.0.0.1").country == ""
    assert places.find("2001:4860:4860::8888").asn == 15169
    places.close()


def test_city_and_country_of_an_address_are_of_one_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    readers = {
        "city-ipv4": FakeReader(
            {"192.0.2.1": {"country_code": "DE", "city": "Berlin", "latitude": 52.5, "longitude": 13.4}},
            version=4,
        ),
        "city-ipv6": FakeReader(
            {"2001:db8::1": {"country_code": "FR", "city": "", "latitude": 0, "longitude": 0}}
        ),
        "country": FakeReader(
            {address: {"country_code": "NL"} for address in ("192.0.2.1", "192.0.2.2", "2001:db8::1")}
        ),
    }
    for name in readers:
        (tmp_path / f"{name}.mmdb").touch()
    monkeypatch.setattr(places_module.maxminddb, "open_database", lambda path: readers[path.stem])
    places = Places(tmp_path)
    found = places.find("192.0.2.1")
    assert (found.country, found.city, found.sources) == ("DE", "Berlin", ["city-ipv4"])
    found = places.find("192.0.2.2")
    assert (found.country, found.city, found.latitude, found.sources) == ("NL", "", None, ["country"])
    found = places.find("2001:db8::1")
    assert (found.country, found.city, found.latitude) == ("FR", "", None), "unknown stays unknown"


@pytest.mark.skipif(not (default_folder() / "city-ipv4.mmdb").exists(), reason="installed without cities")
def test_the_installed_city_files_place_addresses_of_both_families() -> None:
    places = Places(default_folder())
    for address, country in (("8.8.8.8", "US"), ("2001:4860:4860::8888", None)):
        place = places.find(address)
        assert place.city and place.latitude and place.longitude and place.asn == 15169
        assert place.country == country or country is None
    assert places.find("192.0.2.1") == Place()
    places.close()
