from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from pydantic import SecretStr
from tests.intel.fakes import FakeDns, dns_server
from tests.intel.test_http_providers import SETTINGS, SHA, SUBJECTS, named

from urltrap.intel import errors
from urltrap.intel.dns import Resolver, split_server
from urltrap.intel.enrich.cymru_asn import network
from urltrap.intel.http import HttpClient
from urltrap.intel.reputation import registry
from urltrap.intel.reputation.asked import Answer, Subject, Tools
from urltrap.model.verdict import Place

HOST = Subject("host", "login.evil.example.co.uk")
DNS = [
    provider.name for provider in registry.asked() if provider.tier == "dns" and provider.name != "cloudflare"
]
MHR = f"{SHA[:32]}.{SHA[32:]}.hash.cymru.com"


@pytest.fixture
async def fake() -> AsyncIterator[FakeDns]:
    async with dns_server() as server:
        yield server


async def ask(fake: FakeDns, name: str, subject: Subject) -> Answer:
    provider = named(name)
    if name == "quad9":
        provider.base = fake.server
    return await provider.ask(Tools(HttpClient(), Resolver([fake.server], 0.3), SETTINGS), subject)


async def test_a_name_that_quad9_blocks_does_not_exist_without_recursion(fake: FakeDns) -> None:
    fake.recursion = False
    assert (await ask(fake, "quad9", HOST)).listed
    fake.recursion = True
    assert await ask(fake, "quad9", HOST) == Answer(False, "does not exist")
    fake.table[HOST.value, "A"] = ["192.0.2.1"]
    assert await ask(fake, "quad9", HOST) == Answer(False)


async def test_cymru_is_asked_for_a_sha256_in_two_labels(fake: FakeDns) -> None:
    assert not (await ask(fake, "cymru", SUBJECTS["sha256"])).listed
    assert fake.asked == [(MHR, "A")]
    fake.table[MHR, "A"] = ["127.0.0.2"]
    fake.table[MHR, "TXT"] = ['"1700000000 77"']
    answer = await ask(fake, "cymru", SUBJECTS["sha256"])
    assert answer.listed and answer.detail == "77 % of engines"
    assert answer.since == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
    fake.table[MHR, "A"] = ["127.0.0.9"]
    with pytest.raises(errors.Malformed):
        await ask(fake, "cymru", SUBJECTS["sha256"])


@pytest.mark.parametrize(
    ("value", "tags"),
    [("127.0.0.8", ("phishing",)), ("127.0.0.80", ("malware", "abuse")), ("127.0.0.128", ("cracked",))],
)
async def test_surbl_tells_by_bits_and_is_asked_for_the_registered_domain(
    fake: FakeDns, value: str, tags: tuple[str, ...]
) -> None:
    fake.table["example.co.uk.multi.surbl.org", "A"] = [value]
    # a name below a domain is asked as the domain
    answer = await ask(fake, "surbl", Subject("host", "a.b.example.co.uk"))
    assert answer.listed and answer.tags == tags


async def test_surbl_that_refuses_a_resolver_is_an_error(fake: FakeDns) -> None:
    fake.table["7.100.51.198.multi.surbl.org", "A"] = ["127.0.0.1"]
    with pytest.raises(errors.Refused):
        await ask(fake, "surbl", SUBJECTS["ip"])


async def test_spamhaus_with_a_key_is_asked_in_its_zones_and_the_key_is_in_no_message(fake: FakeDns) -> None:
    settings = SETTINGS.model_copy(
        update={"keys": SETTINGS.keys.model_copy(update={"spamhaus": SecretStr("dqskey")})}
    )
    tools = Tools(HttpClient(), Resolver([fake.server], 0.3), settings)
    fake.table[f"{HOST.value}.dqskey.dbl.dq.spamhaus.net", "A"] = ["127.0.1.4"]
    answer = await named("spamhaus").ask(tools, HOST)
    assert answer.listed and answer.tags == ("phishing",)
    fake.table[f"{HOST.value}.dqskey.dbl.dq.spamhaus.net", "A"] = ["127.255.255.254"]
    with pytest.raises(errors.Refused) as caught:
        await named("spamhaus").ask(tools, HOST)
    assert "dqskey" not in str(caught.value)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("127.0.1.2", ("low-reputation",)),
        ("127.0.1.5", ("malware",)),
        ("127.0.1.6", ("botnet-c2",)),
        ("127.0.1.103", ("abused-redirector",)),
        ("127.0.1.105", ("abused-malware",)),
        ("127.0.1.255", errors.Malformed),
        ("127.255.255.252", errors.Refused),
        ("127.255.255.254", errors.Refused),
        ("127.255.255.255", errors.Limited),
        ("192.0.2.1", errors.Malformed),
        ("127.0.1.77", errors.Malformed),
    ],
)
async def test_codes_of_spamhaus_domains(
    fake: FakeDns, code: str, expected: tuple[str, ...] | type[Exception]
) -> None:
    # with a key, the zones of the data query service; it is part of the name asked, and of no message
    fake.table[f"{HOST.value}.dbl.spamhaus.org", "A"] = [code]
    if isinstance(expected, tuple):
        answer = await ask(fake, "spamhaus", HOST)
        assert answer.listed and answer.tags == expected
        return
    with pytest.raises(expected):
        await ask(fake, "spamhaus", HOST)


@pytest.mark.parametrize(
    ("codes", "tags", "detail"),
    [
        (["127.0.0.2", "127.0.0.9"], ("sbl", "drop"), "sbl, drop"),
        (["127.0.0.4"], ("xbl",), "xbl"),
        (["127.0.0.10"], (), "policy only"),
        (["127.0.0.11", "127.0.0.3"], ("css",), "css"),
    ],
)
async def test_an_address_range_that_should_send_no_mail_is_no_listing(
    fake: FakeDns, codes: list[str], tags: tuple[str, ...], detail: str
) -> None:
    fake.table["7.100.51.198.zen.spamhaus.org", "A"] = codes
    answer = await ask(fake, "spamhaus", SUBJECTS["ip"])
    assert (answer.listed, answer.tags, answer.detail) == (bool(tags), tags, detail)


async def test_cymru_tells_the_network_that_announces_an_address(fake: FakeDns) -> None:
    resolver = Resolver([fake.server], 0.3)
    fake.table["7.100.51.198.origin.asn.cymru.com", "TXT"] = [
        '"64500 | 198.51.0.0/16 | US | arin | 2001-01-01"',
        '"64496 64497 | 198.51.100.0/24 | ca | arin | 2001-01-01"',
    ]
    fake.table["as64496.asn.cymru.com", "TXT"] = ['"64496 | CA | arin | 2001-01-01 | EXAMPLE - Example, CA"']
    assert await network(resolver, "198.51.100.7") == Place(
        country="CA", asn=64496, network="EXAMPLE - Example, CA", sources=["cymru-asn"]
    )
    six = ".".join("1" + "0" * 23 + "8bd01002") + ".origin6.asn.cymru.com"
    fake.table[six, "TXT"] = ['"64500 | 2001:db8::/32 | | ripencc |"']
    assert await network(resolver, "2001:db8::1") == Place(asn=64500, sources=["cymru-asn"])
    assert await network(resolver, "192.0.2.1") == Place(), "nobody announces it"


@pytest.mark.parametrize(
    "text", ["nonsense", "NA | 198.51.100.0/24 | US", "99999999999 | 198.51.100.0/24 | US", "||"]
)
async def test_an_answer_about_networks_in_another_form_is_an_error(fake: FakeDns, text: str) -> None:
    fake.table["7.100.51.198.origin.asn.cymru.com", "TXT"] = [f'"{text}"']
    with pytest.raises(errors.Malformed):
        await network(Resolver([fake.server], 0.3), "198.51.100.7")
    fake.codes["7.100.51.198.origin.asn.cymru.com"] = "SERVFAIL"
    with pytest.raises(errors.Unavailable, match="SERVFAIL"):
        await network(Resolver([fake.server], 0.3), "198.51.100.7")


@pytest.mark.parametrize("name", DNS)
async def test_a_server_that_fails_is_an_error_and_never_not_listed(fake: FakeDns, name: str) -> None:
    kinds = sorted(named(name).kinds)
    for subject in (SUBJECTS[kind] for kind in kinds):
        fake.silent = True
        with pytest.raises(errors.Unavailable, match="no DNS answer"):
            await ask(fake, name, subject)
        fake.silent = False
        fake.garbage = True
        with pytest.raises(errors.Unavailable):
            await ask(fake, name, subject)
        fake.garbage = False
        await ask(fake, name, subject)
        for code in ("SERVFAIL", "REFUSED"):
            fake.codes[fake.asked[-1][0]] = code
            with pytest.raises(errors.Unavailable, match=code):
                await ask(fake, name, subject)


async def test_a_name_that_dns_cannot_carry_is_an_error(fake: FakeDns) -> None:
    for name in ("a" * 70 + ".example", "a..example", ".".join(["abcdefgh"] * 40)):
        with pytest.raises(errors.Unavailable, match="no name"):
            await ask(fake, "quad9", Subject("host", name))
    assert fake.asked == []


def test_servers_are_written_with_or_without_a_port() -> None:
    assert split_server("9.9.9.9") == ("9.9.9.9", 53)
    assert split_server("127.0.0.1:5353") == ("127.0.0.1", 5353)
    assert split_server("2620:fe::fe") == ("2620:fe::fe", 53)
    assert split_server("[2620:fe::fe]:5353") == ("2620:fe::fe", 5353)
