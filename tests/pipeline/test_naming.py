from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import select
from tests.intel.fakes import FakeDns, FakeHttp, dns_server, http_server
from tests.pipeline.conftest import START, Bench
from tests.pipeline.test_asking import go_online

from urltrap.intel.lists.folder import Context
from urltrap.intel.loop import Background
from urltrap.pipeline.enriching import EnrichStage
from urltrap.pipeline.naming import NameStage
from urltrap.pipeline.networking import NetworkStage
from urltrap.pipeline.placing import PlaceStage
from urltrap.store.queries import intel as queries
from urltrap.store.queries import overview
from urltrap.store.schema import addresses, urls
from urltrap.store.schema_intel import lookups, names

SCANNER, HOME, LIAR = "198.51.100.21", "198.51.100.22", "198.51.100.23"


@pytest.fixture
def servers() -> Iterator[tuple[FakeDns, FakeHttp]]:
    loop = Background()
    dns_context, http_context = dns_server(), http_server()
    fake_dns = loop.submit(dns_context.__aenter__()).result(20)
    fake_http = loop.submit(http_context.__aenter__()).result(20)
    yield fake_dns, fake_http
    loop.submit(http_context.__aexit__(None, None, None)).result(20)
    loop.submit(dns_context.__aexit__(None, None, None)).result(20)
    loop.close()


def reverse(address: str) -> str:
    return ".".join(reversed(address.split("."))) + ".in-addr.arpa"


def turn(bench: Bench, stage: NameStage | PlaceStage | NetworkStage) -> None:
    bench.time += timedelta(seconds=3)
    stage.run(bench.workshop)
    for future in stage.waiting():
        future.exception(timeout=20)
    stage.run(bench.workshop)


def fill(bench: Bench, dns: FakeDns) -> None:
    dns.table[reverse(SCANNER), "PTR"] = ["scanner-7.hk2.censys-scanner.com."]
    dns.table["scanner-7.hk2.censys-scanner.com", "A"] = [SCANNER]
    dns.table[reverse(HOME), "PTR"] = ["customer-22.dynamic.isp.com.br."]
    dns.table["customer-22.dynamic.isp.com.br", "A"] = [HOME]
    dns.table[reverse(LIAR), "PTR"] = ["scanner-9.censys-scanner.com."]
    dns.table["scanner-9.censys-scanner.com", "A"] = ["192.0.2.1"]
    for address in (SCANNER, HOME, LIAR, "198.51.100.24", "10.0.0.5"):
        bench.visit(b"id", address=address)
    bench.line.drain()
    go_online(bench, resolvers=[dns.server])
    bench.workshop.lists = Context(None)
    bench.workshop.lists.refresh(bench.time)


def test_names_are_confirmed_forwards_and_ranked_by_registered_domain(
    bench: Bench, servers: tuple[FakeDns, FakeHttp]
) -> None:
    dns, _ = servers
    fill(bench, dns)
    stage = NameStage()
    turn(bench, stage)
    stage.close()
    rows = queries.domains(bench.store, 50)
    assert [(row.domain, row.addresses, row.confirmed) for row in rows] == [
        ("censys-scanner.com", 2, 1), ("isp.com.br", 1, 1),
    ]  # fmt: skip
    assert [label["kind"] for label in queries.about_address(bench.store, SCANNER)["labels"]] == [
        "research-scanner"
    ]
    assert queries.about_address(bench.store, LIAR)["labels"] == [], "anybody can write a PTR"
    assert queries.about_address(bench.store, "198.51.100.24")["name"]["name"] == ""
    assert not any(reverse("10.0.0.5") == name for name, _ in dns.asked), "nobody outside knows 10.0.0.5"


def test_a_reverse_name_is_no_url_and_nobody_is_asked_about_it(
    bench: Bench, servers: tuple[FakeDns, FakeHttp]
) -> None:
    fill(bench, servers[0])
    stage = NameStage()
    turn(bench, stage)
    stage.close()
    bench.line.drain()
    with bench.store.connect() as connection:
        assert connection.execute(select(urls.c.url)).scalars().all() == []
        assert connection.execute(select(lookups.c.subject)).scalars().all() == []


def test_a_name_is_believed_for_a_week_and_an_outage_takes_none_away(
    bench: Bench, servers: tuple[FakeDns, FakeHttp]
) -> None:
    dns, _ = servers
    fill(bench, dns)
    stage = NameStage()
    turn(bench, stage)
    asked = len(dns.asked)
    turn(bench, stage)
    assert len(dns.asked) == asked
    for name in (reverse(HOME), reverse(SCANNER), reverse(LIAR)):
        dns.codes[name] = "SERVFAIL"
    bench.time = START + timedelta(days=8)
    turn(bench, stage)
    assert len(dns.asked) > asked
    assert queries.domains(bench.store, 1)[0].domain == "censys-scanner.com"
    with bench.store.connect() as connection:
        expires = connection.execute(select(names.c.expires).where(names.c.address == HOME)).scalar_one()
    assert expires - bench.time < timedelta(hours=6.1), "and it is asked again soon"
    stage.close()


def test_addresses_are_labelled_by_lists_with_version_and_expiry(bench: Bench, tmp_path) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "censys-scanning.json").write_text(
        '{"type": "cidr", "version": 7, "list": ["198.51.100.16/28"]}'
    )
    bench.visit(b"id", address=SCANNER)
    bench.line.drain()
    bench.workshop.lists = Context(tmp_path)
    bench.workshop.lists.refresh(bench.time)
    assert EnrichStage().run(bench.workshop) == 1
    (label,) = queries.about_address(bench.store, SCANNER)["labels"]
    assert (label["kind"], label["list"], label["version"]) == ("research-scanner", "censys-scanning", "7")
    assert label["expires"] > bench.time
    assert EnrichStage().run(bench.workshop) == 0
    (tmp_path / "censys-scanning.json").unlink()
    bench.workshop.lists.refresh(bench.time)
    assert EnrichStage().run(bench.workshop) == 1
    assert queries.about_address(bench.store, SCANNER)["labels"] == []


def test_places_that_no_file_knows_are_asked_for_a_hundred_at_once(
    bench: Bench, servers: tuple[FakeDns, FakeHttp]
) -> None:
    _, http = servers
    for address in (SCANNER, HOME):
        bench.visit(b"id", address=address)
    bench.line.drain()
    go_online(bench, ip_api=True)

    def answer(asked: object) -> tuple[int, bytes, dict[str, str]]:
        import json

        return 200, json.dumps(
            [
                {"status": "success", "countryCode": "CA", "city": "Montreal", "lat": 45.6, "lon": -73.5,
                 "as": "AS5769 Videotron Ltee", "query": address}
                if address == HOME else {"status": "fail", "message": "reserved range", "query": address}
                for address in json.loads(asked.body)  # type: ignore[attr-defined]
            ]
        ).encode(), {}  # fmt: skip

    http.answer = answer
    stage = PlaceStage(base=http.base)
    turn(bench, stage)
    turn(bench, stage)
    stage.close()
    assert len(http.asked) == 1, "what it does not know is not asked again"
    with bench.store.connect() as connection:
        rows = {
            row.address: (row.country, row.asn, row.latitude) for row in connection.execute(select(addresses))
        }
    assert rows == {HOME: ("CA", 5769, 45.6), SCANNER: ("", None, None)}
    counted = {row.country: (row.sessions, row.addresses) for row in overview.countries(bench.store)}
    assert counted == {"CA": (1, 1), "": (1, 1)}, "figures follow the place"


def test_networks_that_no_file_knows_are_asked_of_cymru_once(
    bench: Bench, servers: tuple[FakeDns, FakeHttp]
) -> None:
    dns, _ = servers
    fill(bench, dns)
    dns.table["22.100.51.198.origin.asn.cymru.com", "TXT"] = ['"64500 | 198.51.100.0/24 | BR | lacnic |"']
    dns.table["as64500.asn.cymru.com", "TXT"] = ['"64500 | BR | lacnic | 2001-01-01 | EXAMPLE"']
    dns.codes["23.100.51.198.origin.asn.cymru.com"] = "SERVFAIL"
    stage = NetworkStage()
    turn(bench, stage)
    assert dns.asked == [], "skipped by default: they want to be told first"
    go_online(bench, resolvers=[dns.server], skip=[])
    for hours in (0, 0, 0, 7):
        bench.time += timedelta(hours=hours)
        turn(bench, stage)
    stage.close()
    asked = [name for name, _ in dns.asked if ".origin." in name]
    assert asked.count("22.100.51.198.origin.asn.cymru.com") == 1
    assert asked.count("21.100.51.198.origin.asn.cymru.com") == 1, "nobody announces it, which is an answer"
    assert asked.count("23.100.51.198.origin.asn.cymru.com") == 2, "an outage is none: asked again later"
    assert not any(name.startswith("5.0.0.10.") for name in asked), "nobody outside knows 10.0.0.5"
    with bench.store.connect() as connection:
        rows = {
            row.address: (row.country, row.asn, row.network) for row in connection.execute(select(addresses))
        }
    assert rows[HOME] == ("BR", 64500, "EXAMPLE") and rows[SCANNER] == ("", None, "")
    counted = {row.country: row.addresses for row in overview.countries(bench.store)}
    assert counted == {"BR": 1, "": 4}, "figures follow the place"
