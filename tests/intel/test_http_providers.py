from __future__ import annotations

import base64
import hashlib
import json
import tracemalloc
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.intel.fakes import FakeHttp, http_server

from urltrap.intel import errors
from urltrap.intel.dns import Resolver
from urltrap.intel.http import HttpClient
from urltrap.intel.reputation import registry
from urltrap.intel.reputation.asked import Answer, Asked, Subject, Tools
from urltrap.intel.reputation.virustotal import identifier
from urltrap.model.intel_settings import IntelSettings

KEY = "k3y-that-must-appear-nowhere"
SHA = "110a91b180bc3421d6c10d8dccd371994872e48a2414d12cf5c9dc0f15f1ee1f"
URL = "http://evil.example/bin.sh"
SUBJECTS = {
    "url": Subject("url", URL),
    "host": Subject("host", "evil.example"),
    "ip": Subject("ip", "198.51.100.7"),
    "sha256": Subject("sha256", SHA),
}
SETTINGS = IntelSettings.model_validate(
    {
        "online": True,
        "contact": "me@example.org",
        "skip": [],
        "virustotal_user": "me",
        "keys": dict.fromkeys(
            ("virustotal", "abuse_ch", "phishtank", "safe_browsing", "abuseipdb", "otx", "greynoise"), KEY
        ),
    }
)
HTTP = [provider for provider in registry.asked() if provider.tier != "dns" or provider.name == "cloudflare"]


@pytest.fixture
async def fake() -> AsyncIterator[FakeHttp]:
    async with http_server() as server:
        yield server


def named(name: str) -> Asked:
    return next(provider for provider in registry.asked() if provider.name == name)


async def ask(
    fake: FakeHttp, provider: Asked, subject: Subject, *, timeout: float = 5, most: int = 8_000_000
) -> Answer:
    provider.base = fake.base + "/v"
    async with HttpClient("me@example.org", timeout, most) as client:
        tools = Tools(client, Resolver(), SETTINGS)
        return await provider.ask(tools, subject)


async def says(fake: FakeHttp, name: str, subject: Subject, body: Any, status: int = 200) -> Answer:
    fake.status = status
    fake.body = body if isinstance(body, bytes) else json.dumps(body).encode()
    return await ask(fake, named(name), subject)


def sample(shared_data: Path, name: str) -> Any:
    return json.loads((shared_data / "api_samples" / name).read_text())


# --- what was recorded of them ---------------------------------------------------------------------------------------


async def test_virustotal_knows_a_url_that_eleven_engines_flag(fake: FakeHttp, shared_data: Path) -> None:
    answer = await says(fake, "virustotal", SUBJECTS["url"], sample(shared_data, "opencti_vt_test_url.json"))
    assert answer.listed and answer.detail == "11 of 93 engines" and "C2/Generic-A" in answer.tags
    assert answer.since == datetime(2016, 3, 1, 23, 31, 59, tzinfo=UTC)
    assert fake.asked[0].path == f"/v/urls/{identifier(URL)}"
    assert fake.asked[0].headers["x-apikey"] == KEY


@pytest.mark.parametrize(
    ("file", "kind", "listed", "detail"),
    [
        ("vt_v3_url.json", "url", False, "0 of 71 engines"),
        ("vt_v3_domain.json", "host", False, "known there, scanned by no engine"),
        ("vt_v3_ip.json", "ip", False, "known there, scanned by no engine"),
        ("opencti_vt_test_domain.json", "host", True, "6 of 93 engines"),
        ("opencti_vt_test_ipv4.json", "ip", True, "4 of 93 engines"),
    ],
)
async def test_virustotal_s_recorded_answers(
    fake: FakeHttp, shared_data: Path, file: str, kind: str, listed: bool, detail: str
) -> None:
    answer = await says(fake, "virustotal", SUBJECTS[kind], sample(shared_data, file))
    assert (answer.listed, answer.detail) == (listed, detail)


@pytest.mark.parametrize(
    ("malicious", "engines", "listed"),
    [
        (1, ["Kaspersky"], False),
        (2, ["A", "B"], False),
        (2, ["A", "Kaspersky"], True),
        (3, ["A", "B", "C"], True),
    ],
)
async def test_one_or_two_engines_are_no_listing(
    fake: FakeHttp, malicious: int, engines: list[str], listed: bool
) -> None:
    body = {
        "data": {
            "attributes": {
                "last_analysis_stats": {"malicious": malicious, "harmless": 70},
                "last_analysis_results": {name: {"category": "malicious"} for name in engines},
            }
        }
    }
    assert (await says(fake, "virustotal", SUBJECTS["sha256"], body)).listed is listed


async def test_what_virustotal_does_not_know_is_not_listed(fake: FakeHttp) -> None:
    body = {"error": {"code": "NotFoundError", "message": "nothing"}}
    assert not (await says(fake, "virustotal", SUBJECTS["sha256"], body, 404)).listed


async def test_virustotal_s_quota_is_read_from_it_and_the_key_stands_in_no_address(fake: FakeHttp) -> None:
    quota = lambda allowed, used: {"user": {"allowed": allowed, "used": used}}  # noqa: E731
    fake.body = json.dumps(
        {"data": {"api_requests_daily": quota(1, 0), "api_requests_monthly": quota(15500, 77), "other": 3}}
    ).encode()
    provider = named("virustotal")
    provider.base = fake.base
    async with HttpClient() as client:
        allowances = await provider.allowances(Tools(client, Resolver(), SETTINGS))
    assert [(a.span, a.most, a.used) for a in allowances] == [("day", 1, 0), ("month", 15500, 77)]
    assert fake.asked[0].path == "/users/me/overall_quotas"


async def test_urlhaus_recorded_answers(fake: FakeHttp, shared_data: Path) -> None:
    url = await says(fake, "urlhaus-api", SUBJECTS["url"], sample(shared_data, "urlhaus_v1_url_2019.json"))
    assert url.listed and url.detail == "this URL, offline" and "Troldesh" in url.tags
    assert url.since == datetime(2019, 3, 23, 8, 2, 8, tzinfo=UTC)
    host = await says(fake, "urlhaus-api", SUBJECTS["host"], sample(shared_data, "urlhaus_v1_host_2019.json"))
    assert host.listed and host.detail == "120 URLs of this host"
    online = sample(shared_data, "urlhaus_v1_url_online_2019.json")
    assert (await says(fake, "urlhaus-api", SUBJECTS["url"], online)).detail == "this URL, online"
    nothing = await says(
        fake, "urlhaus-api", SUBJECTS["url"], sample(shared_data, "urlhaus_v1_no_results.json")
    )
    assert not nothing.listed
    assert fake.asked[0].body == b"url=http%3A%2F%2Fevil.example%2Fbin.sh"
    assert fake.asked[0].headers["Auth-Key"] == KEY


async def test_threatfox_counts_only_indicators_of_the_very_subject(
    fake: FakeHttp, shared_data: Path
) -> None:
    recorded = sample(shared_data, "threatfox_get_iocs.json")
    kinds = {entry["ioc_type"] for entry in recorded["data"]}
    assert "sha256_hash" in kinds
    entry = recorded["data"][0]
    hit = await says(fake, "threatfox-api", Subject("sha256", entry["ioc"]), recorded)
    assert hit.listed and "CloudEyE" in hit.tags
    assert not (await says(fake, "threatfox-api", SUBJECTS["ip"], recorded)).listed
    pair = next(entry["ioc"] for entry in recorded["data"] if entry["ioc_type"] == "ip:port")
    assert (await says(fake, "threatfox-api", Subject("ip", pair.partition(":")[0]), recorded)).listed


async def test_the_other_recorded_answers(fake: FakeHttp, shared_data: Path) -> None:
    bazaar = await says(
        fake, "malwarebazaar", SUBJECTS["sha256"], sample(shared_data, "malwarebazaar_entry.json")
    )
    assert bazaar.listed and bazaar.tags[0] == "AgentTesla"
    abuse = await says(fake, "abuseipdb", SUBJECTS["ip"], sample(shared_data, "abuseipdb_v2_check.json"))
    assert abuse.listed and abuse.detail == "score 100, 1 reports"
    riot = await says(fake, "greynoise", SUBJECTS["ip"], sample(shared_data, "greynoise_community_riot.json"))
    assert not riot.listed and riot.tags == ("riot",)
    unknown = sample(shared_data, "greynoise_community_unknown.json")
    assert not (await says(fake, "greynoise", SUBJECTS["ip"], unknown, 404)).listed
    phish = await says(
        fake, "phishtank-api", SUBJECTS["url"], sample(shared_data, "phishtank_checkurl_entry.json")
    )
    assert phish.listed and phish.reference.endswith("phish_id=6605240")
    shodan = sample(shared_data, "shodan_internetdb.json")
    internet = await says(fake, "internetdb", Subject("ip", "1.1.1.1"), shodan)
    assert not internet.listed and internet.detail == "ports 53, 80, 443"
    with pytest.raises(errors.Malformed):
        await says(fake, "internetdb", SUBJECTS["ip"], shodan)
    scanned = await says(
        fake, "urlscan", Subject("host", "example.com"), sample(shared_data, "urlscan_search.json")
    )
    assert not scanned.listed and scanned.detail == "15 scans"


async def test_otx_passive_dns_is_no_answer_about_reputation(fake: FakeHttp, shared_data: Path) -> None:
    for file in ("otx_ip.json", "otx_domain_passive_dns.json"):
        with pytest.raises(errors.Malformed, match="pulse_info"):
            await says(fake, "otx", SUBJECTS["ip"], sample(shared_data, file))


async def test_otx_does_not_list_what_it_validated_as_good(fake: FakeHttp) -> None:
    body: dict[str, Any] = {"pulse_info": {"count": 3, "pulses": [{"tags": ["mirai"]}]}, "validation": []}
    assert (await says(fake, "otx", SUBJECTS["host"], body)).listed
    body["validation"] = [{"source": "whitelist"}]
    assert not (await says(fake, "otx", SUBJECTS["host"], body)).listed


async def test_hashlookup_and_isc(fake: FakeHttp) -> None:
    known = await says(
        fake, "hashlookup", SUBJECTS["sha256"],
        {"SHA-256": SHA.upper(), "FileName": "busybox", "hashlookup:trust": 80},
    )  # fmt: skip
    assert not known.listed and known.tags == ("known-file", "trust-80")
    assert not (await says(fake, "hashlookup", SUBJECTS["sha256"], {"message": "none"}, 404)).listed
    bad = {"SHA-256": SHA, "KnownMalicious": "malshare.com"}
    assert (await says(fake, "hashlookup", SUBJECTS["sha256"], bad)).listed
    isc = {"ip": {"number": "198.51.100.7", "count": "12", "attacks": "4", "mindate": "2026-01-02"}}
    assert (await says(fake, "isc", SUBJECTS["ip"], isc)).detail == "4 targets, 12 reports"
    assert not (await says(fake, "isc", SUBJECTS["ip"], {"ip": {"count": None, "attacks": None}})).listed
    assert "me@example.org" in fake.asked[-1].headers["User-Agent"]


async def test_cloudflare_blocks_by_the_address_zero(fake: FakeHttp) -> None:
    answer = {"Status": 0, "Answer": [{"type": 1, "data": "0.0.0.0"}]}
    assert (await says(fake, "cloudflare", SUBJECTS["host"], answer)).listed
    answer["Answer"] = [{"type": 5, "data": "x."}, {"type": 1, "data": "192.0.2.1"}]
    assert not (await says(fake, "cloudflare", SUBJECTS["host"], answer)).listed
    assert not (await says(fake, "cloudflare", SUBJECTS["host"], {"Status": 3})).listed
    with pytest.raises(errors.Unavailable):
        await says(fake, "cloudflare", SUBJECTS["host"], {"Status": 2})


async def test_urlscan_counts_malicious_scans_of_the_very_url(fake: FakeHttp) -> None:
    def result(url: str, bad: bool) -> dict[str, Any]:
        return {
            "page": {"url": url, "domain": "evil.example"}, "verdicts": {"malicious": bad},
            "task": {"time": "2026-01-02T03:04:05.000Z"}, "result": "https://r.example/",
        }  # fmt: skip

    body = {"results": [result(URL, True), result(URL + "x", True), result(URL, False)]}
    answer = await says(fake, "urlscan", SUBJECTS["url"], body)
    assert answer.listed and answer.detail == "1 of 3 scans malicious"
    assert answer.since == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert not (await says(fake, "urlscan", Subject("url", URL + "y"), body)).listed
    await says(fake, "urlscan", Subject("url", 'http://e.example/"\\ OR *'), {"results": []})
    assert '"http://e.example/\\"\\\\ OR *"' in fake.asked[-1].query


# --- Google Safe Browsing --------------------------------------------------------------------------------------------


def protobuf(*entries: tuple[bytes, int]) -> bytes:
    def field(number: int, value: bytes) -> bytes:
        return bytes([number << 3 | 2, len(value)]) + value

    body = b"".join(field(1, field(1, digest) + field(2, bytes([1 << 3, kind]))) for digest, kind in entries)
    return body + field(2, b"\x08\xac\x02")


async def test_safe_browsing_sends_four_bytes_of_hashes_and_reads_protocol_buffers(fake: FakeHttp) -> None:
    digest = hashlib.sha256(b"evil.example/bin.sh").digest()
    fake.headers = {"Content-Type": "application/x-protobuf"}
    answer = await says(fake, "safe-browsing", SUBJECTS["url"], protobuf((digest, 1), (b"\1" * 32, 2)))
    assert answer.listed and answer.tags == ("MALWARE",)
    neighbour = digest[:4] + b"\0" * 28
    assert not (await says(fake, "safe-browsing", SUBJECTS["url"], protobuf((neighbour, 1)))).listed
    assert not (await says(fake, "safe-browsing", SUBJECTS["url"], b"")).listed
    asked = fake.asked[0]
    assert asked.headers["X-Goog-Api-Key"] == KEY and KEY not in asked.query
    assert "evil" not in asked.query and asked.query.count("hashPrefixes=") == 2
    with pytest.raises(errors.Malformed):
        await says(fake, "safe-browsing", SUBJECTS["url"], protobuf((digest, 1))[:-3])


async def test_safe_browsing_reads_json_in_its_documented_shape(fake: FakeHttp, shared_data: Path) -> None:
    documented = sample(shared_data, "gsb_v5_hashes_search_documented.json")
    with pytest.raises(errors.Malformed):  # the documented sample's hash is a placeholder
        await says(fake, "safe-browsing", SUBJECTS["url"], documented)
    digest = hashlib.sha256(b"evil.example/").digest()
    documented["fullHashes"][0]["fullHash"] = base64.b64encode(digest).decode()
    answer = await says(fake, "safe-browsing", SUBJECTS["url"], documented)
    assert answer.listed and answer.tags == ("SOCIAL_ENGINEERING",)
    clean = sample(shared_data, "gsb_v4_clean.json")
    assert not (await says(fake, "safe-browsing", SUBJECTS["url"], clean)).listed


def test_the_expressions_of_a_url_are_those_of_the_documentation() -> None:
    from urltrap.intel.reputation.safebrowsing import expressions

    found = expressions(Subject("url", "http://a.b.c/1/2.html?param=1"))
    assert found == [
        "a.b.c/1/2.html?param=1", "a.b.c/1/2.html", "a.b.c/", "a.b.c/1/",
        "b.c/1/2.html?param=1", "b.c/1/2.html", "b.c/", "b.c/1/",
    ]  # fmt: skip
    assert [item.partition("/")[0] for item in expressions(Subject("url", "http://a.b.c.d.e.f.g/1.html"))][::2] == [
        "a.b.c.d.e.f.g", "c.d.e.f.g", "d.e.f.g", "e.f.g", "f.g",
    ]  # fmt: skip


# --- everything that is no answer is an error ------------------------------------------------------------------------

FAULTS: dict[str, tuple[dict[str, Any], type[Exception]]] = {
    "401": ({"status": 401}, errors.Refused),
    "403": ({"status": 403, "body": b"<html>go away"}, errors.Refused),
    "404 of a proxy": ({"status": 404, "body": b"<html>nothing here"}, errors.Malformed),
    "429": ({"status": 429}, errors.Limited),
    "509": ({"status": 509}, errors.Limited),
    "500": ({"status": 500}, errors.Unavailable),
    "503": ({"status": 503, "body": b"<html>"}, errors.Unavailable),
    "HTML": ({"body": b"<html><h1>Welcome</h1>", "headers": {"Content-Type": "text/html"}}, errors.Malformed),
    "cut JSON": ({"body": b'{"data": {"attributes": {"last_'}, errors.Malformed),
    "empty": ({"body": b"", "headers": {"Content-Type": "application/json"}}, errors.Malformed),
    "a list": ({"body": b"[]"}, errors.Malformed),
    "null": ({"body": b"null"}, errors.Malformed),
    "not UTF-8": ({"body": b'{"a": "\xff\xfe\xfa"}'}, errors.Malformed),
    "deep": ({"body": b"[" * 200_000}, errors.Malformed),
    "a redirect": ({"status": 302, "headers": {"Location": "/elsewhere"}}, errors.Malformed),
    "broken off": ({"cut": True, "body": b'{"a":'}, errors.Unavailable),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("provider", HTTP, ids=lambda provider: provider.name)
async def test_a_fault_is_an_error_and_never_not_listed(fake: FakeHttp, provider: Asked, fault: str) -> None:
    changes, expected = FAULTS[fault]
    for name, value in changes.items():
        setattr(fake, name, value)
    for kind in sorted(provider.kinds):
        with pytest.raises(expected) as caught:
            await ask(fake, provider, SUBJECTS[kind])
        assert KEY not in str(caught.value) and fake.base not in str(caught.value)
        assert caught.value.__cause__ is None or KEY not in str(caught.value.__cause__)
    assert len(fake.asked) == len(provider.kinds), "asked once, no redirect followed"
    assert not any(KEY in one.path + one.query for one in fake.asked), "addresses end in logs of proxies"


# (Safe Browsing's documented form of "no match" is an empty object.)
@pytest.mark.parametrize(
    "provider", [p for p in HTTP if p.name != "safe-browsing"], ids=lambda provider: provider.name
)
async def test_an_empty_object_is_not_taken_for_not_listed(fake: FakeHttp, provider: Asked) -> None:
    for kind in sorted(provider.kinds):
        with pytest.raises(errors.Malformed):
            await ask(fake, provider, SUBJECTS[kind])


EACH = pytest.mark.parametrize("provider", HTTP, ids=lambda provider: provider.name)


@EACH
async def test_a_stall_ends_in_time(fake: FakeHttp, provider: Asked) -> None:
    fake.stall, fake.body = True, b'{"data": '
    with pytest.raises(errors.Unavailable, match=r"no answer within 0\.2 seconds"):
        await ask(fake, provider, SUBJECTS[min(provider.kinds)], timeout=0.2)


@EACH
async def test_an_endless_answer_is_cut_off(fake: FakeHttp, provider: Asked) -> None:
    fake.endless = True
    with pytest.raises(errors.TooLarge, match="larger than 300000 bytes"):
        await ask(fake, provider, SUBJECTS[min(provider.kinds)], most=300_000)


@EACH
async def test_every_provider_that_says_until_when_is_believed(fake: FakeHttp, provider: Asked) -> None:
    for status, headers in ((429, {"Retry-After": "120"}), (509, {"Retry-After": "120"}), (429, {})):
        fake.status, fake.headers = status, headers
        with pytest.raises(errors.Limited) as caught:
            await ask(fake, provider, SUBJECTS[min(provider.kinds)])
        assert (caught.value.until is not None) == bool(headers)
    assert caught.value.until is None


async def test_an_answer_of_any_size_takes_bounded_memory(fake: FakeHttp) -> None:
    fake.endless = True
    tracemalloc.start()
    with pytest.raises(errors.TooLarge, match="larger than 8000000 bytes"):
        await ask(fake, named("otx"), SUBJECTS["url"], timeout=60)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 30_000_000


async def test_a_server_that_is_not_there_is_unavailable(fake: FakeHttp) -> None:
    provider = named("otx")
    async with HttpClient(timeout=2) as client:
        provider.base = "http://127.0.0.1:1"
        with pytest.raises(errors.Unavailable, match="cannot be reached") as caught:
            await provider.ask(Tools(client, Resolver(), SETTINGS), SUBJECTS["url"])
    assert "127.0.0.1" not in str(caught.value)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "120"}, 120),
        ({"Retry-After": "99999999"}, 2 * 86400),
        ({"Retry-After": "nonsense"}, None),
        ({"Retry-After": "-5"}, None),
        ({"X-Rate-Limit-Reset-After": "566"}, 566),
        ({"X-Ttl": "31"}, 31),
    ],
)
async def test_who_is_asked_too_much_says_until_when(
    fake: FakeHttp, headers: dict[str, str], seconds: int | None
) -> None:
    fake.status, fake.headers = 429, headers
    with pytest.raises(errors.Limited) as caught:
        await ask(fake, named("abuseipdb"), SUBJECTS["ip"])
    until = caught.value.until
    if seconds is None:
        assert until is None
    else:
        assert until is not None
        assert abs(until - datetime.now(UTC) - timedelta(seconds=seconds)) < timedelta(seconds=30)


async def test_retry_after_as_a_date_and_reset_as_a_moment_are_read(fake: FakeHttp) -> None:
    soon = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    for headers in (
        {"Retry-After": soon.strftime("%a, %d %b %Y %H:%M:%S GMT")},
        {"X-Rate-Limit-Reset": soon.strftime("%Y-%m-%dT%H:%M:%S.000Z")},
        {"X-RateLimit-Reset": str(int(soon.timestamp()))},
    ):
        fake.status, fake.headers = 429, headers
        with pytest.raises(errors.Limited) as caught:
            await ask(fake, named("abuseipdb"), SUBJECTS["ip"])
        assert caught.value.until == soon


def test_who_lacks_a_key_or_a_contact_is_not_asked() -> None:
    assert registry.usable(IntelSettings()) == []
    names = {provider.name for provider in registry.usable(IntelSettings(online=True))}
    assert names == {"quad9", "cloudflare", "surbl", "hashlookup", "internetdb", "urlscan"}
    everything = {provider.name for provider in registry.usable(SETTINGS)}
    assert everything == {provider.name for provider in registry.asked()}


def test_a_fingerprint_of_the_configuration_changes_with_the_key_and_tells_nothing() -> None:
    provider = named("virustotal")
    assert provider.config(SETTINGS) != provider.config(IntelSettings())
    assert KEY not in provider.config(SETTINGS) and len(provider.config(SETTINGS)) == 16


def test_limits_of_the_operator_replace_the_provider_s() -> None:
    limits, forced = registry.limits(named("virustotal"), ["virustotal day 20000", "otx day 1"])
    assert limits == {"minute": 4, "day": 20000, "month": 15500} and forced == ["day"]
    with pytest.raises(ValueError, match=r"intel\.limits"):
        registry.limits(named("virustotal"), ["virustotal often"])
