from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from tests.pipeline.conftest import Bench
from tests.pipeline.test_line import URL, listed, verdict

from urltrap.model.event import DownloadAsked
from urltrap.model.url import Url
from urltrap.model.verdict import Observation
from urltrap.store.queries import urls


class FakeProvider:
    name = "fake"

    def __init__(self) -> None:
        self.version = "1"
        self.result = "not-listed"
        self.asked: list[str] = []

    def look_up(self, urls: Sequence[Url], at: datetime) -> list[list[Observation]]:
        self.asked += [url.text for url in urls]
        return [
            [
                Observation.model_validate(
                    {
                        "provider": "fake",
                        "subject_kind": "url",
                        "subject": url.text,
                        "at": at,
                        "result": self.result,
                    }
                )
            ]
            for url in urls
        ]


def name_it(bench: Bench) -> FakeProvider:
    provider = FakeProvider()
    bench.workshop.providers = [provider]
    session = bench.visit(b"w")
    asked = DownloadAsked(session=session, seq=90, at=bench.time, url=URL, client="wget")
    bench.write([asked])
    bench.line.drain()
    return provider


def results(bench: Bench) -> list[str]:
    detail = urls.detail(bench.store, URL.decode())
    assert detail is not None
    return [item.result for item in detail.observations]


def test_a_url_is_looked_up_once_and_again_when_the_list_changed(bench: Bench) -> None:
    provider = name_it(bench)
    bench.line.drain()
    assert provider.asked == [URL.decode()]
    assert verdict(bench).verdict == "suspicious"
    provider.version, provider.result = "2", "listed"
    bench.line.drain()
    assert provider.asked == [URL.decode()] * 2
    assert verdict(bench).verdict == "malicious-confirmed"
    assert listed(bench) == [URL.decode()]


def test_a_delisting_takes_the_url_out_of_the_feed(bench: Bench) -> None:
    provider = name_it(bench)
    provider.version, provider.result = "2", "listed"
    bench.line.drain()
    provider.version, provider.result = "3", "not-listed"
    bench.line.drain()
    assert listed(bench) == []
    row = urls.page(bench.store).rows[0]
    assert (row.verdict, row.published_at) == ("suspicious", None)


def test_an_error_is_no_listing_and_takes_back_none(bench: Bench) -> None:
    provider = name_it(bench)
    provider.version, provider.result = "2", "listed"
    bench.line.drain()
    provider.version, provider.result = "3", "error"
    bench.line.drain()
    assert results(bench) == ["listed"]
    assert verdict(bench).verdict == "malicious-confirmed"


def test_a_first_answer_that_is_an_error_is_kept_as_such(bench: Bench) -> None:
    provider = FakeProvider()
    provider.result = "error"
    bench.workshop.providers = [provider]
    session = bench.visit(b"w")
    bench.write([DownloadAsked(session=session, seq=90, at=bench.time, url=URL, client="wget")])
    bench.line.drain()
    assert results(bench) == ["error"]
    assert verdict(bench).verdict == "suspicious"
