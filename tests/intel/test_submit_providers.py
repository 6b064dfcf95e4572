from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.intel.fakes import FakeHttp, http_server
from tests.intel.test_http_providers import FAULTS, KEY, SHA, URL

from urltrap.intel import errors
from urltrap.intel.dns import Resolver
from urltrap.intel.http import HttpClient
from urltrap.intel.reputation import registry
from urltrap.intel.reputation.asked import Asked, Tools
from urltrap.intel.reputation.submitting import Parcel, Receipt, Submitter
from urltrap.intel.reputation.virustotal_submit import LARGEST
from urltrap.model.intel_settings import IntelSettings

SETTINGS = IntelSettings.model_validate(
    {"online": True, "keys": {"virustotal": KEY, "abuse_ch": KEY, "urlscan": KEY}}
)
SCAN = "0196d976-07f6-7aae-8a57-aa019145f31c"
TAKEN: dict[str, Any] = {
    "urlscan": {"message": "Submission successful", "uuid": SCAN, "visibility": "private"},
    "virustotal": {"data": {"type": "analysis", "id": f"u-{SHA}-1571525812"}},
    "urlhaus": {"submission_status": "inserted"},
}
EACH = pytest.mark.parametrize("service", registry.submitters(), ids=lambda service: service.to)


@pytest.fixture
async def fake() -> AsyncIterator[FakeHttp]:
    async with http_server() as server:
        yield server


def named(to: str) -> Submitter:
    return next(service for service in registry.submitters() if service.to == to)


def parcels(service: Submitter) -> list[Parcel]:
    made = {
        "url": Parcel("url", URL, ("mirai", "mips")),
        "sha256": Parcel("sha256", SHA, body=b"#!/bin/sh\n"),
    }
    return [made[kind] for kind in sorted(service.kinds)]


async def submit(
    fake: FakeHttp, service: Submitter, parcel: Parcel, *, timeout: float = 5, most: int = 8_000_000
) -> Receipt:
    service.base = fake.base + "/v"
    async with HttpClient("me@example.org", timeout, most) as client:
        return await service.submit(Tools(client, Resolver(), SETTINGS), parcel)


def answers(fake: FakeHttp, service: Submitter) -> None:
    fake.body = json.dumps(TAKEN[service.to]).encode()


async def test_urlscan_is_told_the_visibility_and_tells_where_its_scan_is(fake: FakeHttp) -> None:
    answers(fake, named("urlscan"))
    taken = await submit(fake, named("urlscan"), Parcel("url", URL, ("mirai",), visibility="unlisted"))
    assert taken == Receipt(SCAN, f"https://urlscan.io/result/{SCAN}/", "private scan")
    (asked,) = fake.asked
    assert (asked.method, asked.path) == ("POST", "/v/scan/") and asked.headers["API-Key"] == KEY
    assert json.loads(asked.body) == {"url": URL, "visibility": "unlisted", "tags": ["mirai"]}


async def test_a_parcel_that_says_nothing_is_private(fake: FakeHttp) -> None:
    answers(fake, named("urlscan"))
    await submit(fake, named("urlscan"), Parcel("url", URL))
    assert json.loads(fake.asked[0].body)["visibility"] == "private"


async def test_urlscan_s_400_is_the_url_s_or_the_key_s(fake: FakeHttp) -> None:
    fake.status = 400
    fake.body = b'{"message": "DNS Error - Could not resolve domain", "status": 400}'
    with pytest.raises(errors.Unaskable):
        await submit(fake, named("urlscan"), Parcel("url", URL))
    fake.body = b'{"message": "Invalid API key format", "status": 400}'
    with pytest.raises(errors.Refused):
        await submit(fake, named("urlscan"), Parcel("url", URL))


async def test_urlscan_s_headers_tell_what_is_left(fake: FakeHttp) -> None:
    answers(fake, named("urlscan"))
    fake.headers = {
        "Content-Type": "application/json", "X-Rate-Limit-Window": "day", "X-Rate-Limit-Limit": "50",
        "X-Rate-Limit-Remaining": "49",
    }  # fmt: skip
    service = named("urlscan")
    service.base = fake.base
    async with HttpClient() as client:
        tools = Tools(client, Resolver(), SETTINGS)
        await service.submit(tools, Parcel("url", URL))
    (found,) = service.from_headers(tools.replies[0])
    assert (found.span, found.most, found.used) == ("day", 50, 1)


async def test_virustotal_s_recorded_answer_leads_to_the_url_s_page(
    fake: FakeHttp, shared_data: Path
) -> None:
    fake.body = (shared_data / "api_samples" / "vt_v3_url_analyse_submit.json").read_bytes()
    taken = await submit(fake, named("virustotal"), Parcel("url", URL))
    digest = "2a1b402420ef46577471cdc7409b0fa2c6a204db316e59ade2d805435489a067"
    assert taken.id == f"u-{digest}-1571525812"
    assert taken.link == f"https://www.virustotal.com/gui/url/{digest}"
    (asked,) = fake.asked
    assert (asked.method, asked.path) == ("POST", "/v/urls") and asked.headers["x-apikey"] == KEY
    assert asked.body == b"url=http://evil.example/bin.sh" or b"%3A%2F%2Fevil.example" in asked.body


async def test_virustotal_is_given_a_payload_under_its_hash_alone(fake: FakeHttp) -> None:
    fake.body = b'{"data": {"type": "analysis", "id": "MWY6MTU3"}}'
    taken = await submit(fake, named("virustotal"), Parcel("sha256", SHA, body=b"#!/bin/sh\nid\n"))
    assert taken == Receipt("MWY6MTU3", f"https://www.virustotal.com/gui/file/{SHA}")
    (asked,) = fake.asked
    assert asked.path == "/v/files" and b"#!/bin/sh\nid\n" in asked.body
    assert f'filename="{SHA}"'.encode() in asked.body


async def test_a_payload_that_is_too_large_for_virustotal_is_not_sent(fake: FakeHttp) -> None:
    with pytest.raises(errors.Unaskable, match="32000000 bytes at most"):
        await submit(fake, named("virustotal"), Parcel("sha256", SHA, body=bytes(LARGEST + 1)))
    assert not fake.asked


@pytest.mark.parametrize("status", [400, 409, 413])
async def test_what_virustotal_does_not_take_is_nobody_s_failure(fake: FakeHttp, status: int) -> None:
    fake.status, fake.body = status, b'{"error": {"code": "InvalidArgumentError"}}'
    with pytest.raises(errors.Unaskable):
        await submit(fake, named("virustotal"), Parcel("url", URL))
    fake.body = b"<html>a proxy"
    with pytest.raises(errors.Malformed):
        await submit(fake, named("virustotal"), Parcel("url", URL))


async def test_urlhaus_is_told_url_threat_and_tags(fake: FakeHttp) -> None:
    answers(fake, named("urlhaus"))
    taken = await submit(fake, named("urlhaus"), Parcel("url", URL, ("mirai", "mips")))
    assert taken.link == "https://urlhaus.abuse.ch/browse.php?search=http%3A%2F%2Fevil.example%2Fbin.sh"
    (asked,) = fake.asked
    assert (asked.method, asked.path) == ("POST", "/v/") and asked.headers["Auth-Key"] == KEY
    assert json.loads(asked.body) == {
        "anonymous": "0",
        "submission": [{"url": URL, "threat": "malware_download", "tags": ["mirai", "mips"]}],
    }


async def test_urlhaus_may_answer_with_a_word_or_with_one_about_the_key(fake: FakeHttp) -> None:
    fake.headers = {"Content-Type": "text/plain"}
    fake.body = b"URL submitted\n"
    assert (await submit(fake, named("urlhaus"), Parcel("url", URL))).detail == "URL submitted"
    for said in (b"unauthorized", b'{"query_status": "unknown_auth_key"}', b"Invalid API key"):
        fake.body = said
        with pytest.raises(errors.Refused):
            await submit(fake, named("urlhaus"), Parcel("url", URL))


@pytest.mark.parametrize("fault", FAULTS)
@EACH
async def test_a_fault_is_no_receipt_and_shows_neither_key_nor_address(
    fake: FakeHttp, service: Submitter, fault: str
) -> None:
    changes, expected = FAULTS[fault]
    for name, value in changes.items():
        setattr(fake, name, value)
    for parcel in parcels(service):
        with pytest.raises(expected) as caught:
            await submit(fake, service, parcel)
        assert KEY not in str(caught.value) and fake.base not in str(caught.value)
        assert caught.value.__cause__ is None or KEY not in str(caught.value.__cause__)
    assert len(fake.asked) == len(service.kinds), "sent once, no redirect followed"


@EACH
async def test_an_empty_object_is_no_receipt(fake: FakeHttp, service: Submitter) -> None:
    for parcel in parcels(service):
        with pytest.raises(errors.Malformed):
            await submit(fake, service, parcel)


@EACH
async def test_a_stall_ends_in_time(fake: FakeHttp, service: Submitter) -> None:
    fake.stall, fake.body = True, b'{"data": '
    with pytest.raises(errors.Unavailable, match=r"no answer within 0\.2 seconds"):
        await submit(fake, service, parcels(service)[0], timeout=0.2)


@EACH
async def test_an_endless_answer_is_cut_off(fake: FakeHttp, service: Submitter) -> None:
    fake.endless = True
    with pytest.raises(errors.TooLarge):
        await submit(fake, service, parcels(service)[0], most=300_000)


@EACH
async def test_until_when_is_believed_where_it_is_said(fake: FakeHttp, service: Submitter) -> None:
    for headers in ({"Retry-After": "120"}, {}):
        fake.status, fake.headers = 429, headers
        with pytest.raises(errors.Limited) as caught:
            await submit(fake, service, parcels(service)[0])
        until = caught.value.until
        assert (until is not None) == bool(headers)
        if until is not None:
            assert abs(until - datetime.now(UTC) - timedelta(seconds=120)) < timedelta(seconds=30)


def test_every_service_needs_a_key_and_says_who_learns_what() -> None:
    assert [service.to for service in registry.submitters()] == ["urlhaus", "urlscan", "virustotal"]
    for service in registry.submitters():
        assert service.usable(IntelSettings()) == f"needs intel.keys.{service.key}"
        assert service.usable(SETTINGS) == "" and service.tells and service.limits["day"]


def test_nobody_who_is_asked_takes_submissions() -> None:
    """Look-ups and submissions are different kinds of things, whatever a module is called."""
    assert not any(isinstance(provider, Submitter) for provider in registry.asked())
    assert not any(isinstance(service, Asked) for service in registry.submitters())
