from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.intel.fakes import FakeHttp, http_server
from tests.intel.test_http_providers import FAULTS

from urltrap.intel import errors
from urltrap.intel.enrich.ip_api import IpApi
from urltrap.intel.http import HttpClient
from urltrap.model.verdict import Place


@pytest.fixture
async def fake() -> AsyncIterator[FakeHttp]:
    async with http_server() as server:
        yield server


async def one(fake: FakeHttp, address: str) -> Place:
    async with HttpClient() as client:
        return await IpApi(client, fake.base).one(address)


async def many(fake: FakeHttp, *addresses: str) -> dict[str, Place]:
    async with HttpClient() as client:
        return await IpApi(client, fake.base).many(addresses)


async def test_recorded_answers_give_a_place_with_its_source(fake: FakeHttp, shared_data: Path) -> None:
    fake.body = (shared_data / "api_samples" / "ip_api_single.json").read_bytes()
    place = await one(fake, "24.48.0.1")
    assert place == Place(
        country="CA", city="Montreal", latitude=45.6085, longitude=-73.5493, asn=5769,
        network="Videotron Telecom Ltee", sources=["ip-api"],
    )  # fmt: skip
    fake.body = (shared_data / "api_samples" / "ip_api_batch.json").read_bytes()
    found = await many(fake, "24.48.0.1", "127.0.0.1")
    assert found == {"24.48.0.1": place, "127.0.0.1": Place()}
    assert json.loads(fake.asked[-1].body) == ["24.48.0.1", "127.0.0.1"]


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"status": "success", "query": "192.0.2.9", "countryCode": "CA"},
        {"status": "maybe", "query": "192.0.2.1"},
        [],
        "text",
    ],
)
async def test_an_answer_about_something_else_is_an_error(fake: FakeHttp, answer: Any) -> None:
    fake.body = json.dumps(answer).encode()
    with pytest.raises(errors.Malformed):
        await one(fake, "192.0.2.1")
    fake.body = json.dumps([answer]).encode()
    with pytest.raises(errors.Malformed):
        await many(fake, "192.0.2.1")
    with pytest.raises(errors.Malformed):
        await many(fake, "192.0.2.1", "192.0.2.2")


async def test_unknown_stays_unknown_and_zero_zero_is_no_place(fake: FakeHttp) -> None:
    fake.body = json.dumps(
        {
            "status": "success",
            "query": "192.0.2.1",
            "countryCode": "",
            "city": 7,
            "lat": 0,
            "lon": 0,
            "as": "",
        }
    ).encode()
    assert await one(fake, "192.0.2.1") == Place()


async def test_too_many_questions_say_until_when(fake: FakeHttp) -> None:
    fake.status, fake.headers = 429, {"X-Ttl": "17", "X-Rl": "0"}
    with pytest.raises(errors.Limited) as caught:
        await one(fake, "192.0.2.1")
    assert caught.value.until is not None


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_is_an_error_and_no_unknown_place(fake: FakeHttp, fault: str) -> None:
    changes, expected = FAULTS[fault]
    for name, value in changes.items():
        setattr(fake, name, value)
    with pytest.raises(expected):
        await one(fake, "192.0.2.1")
    with pytest.raises(expected):
        await many(fake, "192.0.2.1", "192.0.2.2")
