"""Campaigns for everyone: joined by published facts alone, the same whatever sessions say."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update
from tests.site.conftest import NOW
from tests.site.public.showing import SECRET, SETTINGS, share_a_payload

from urltrap.model.public_views import PublicUrl
from urltrap.site.public.campaigns import campaigns_of
from urltrap.site.public.pages import Pages
from urltrap.site.public.snapshot import Source
from urltrap.store import Store
from urltrap.store.schema import urls

DAY = datetime(2026, 11, 1, tzinfo=UTC)
A, B, C = (letter * 64 for letter in "abc")


def url(host: str, path: str, sha256: str | None, hosting: str = "raw-ip", day: int = 0) -> PublicUrl:
    text = f"http://{host}/{path}"
    moment = DAY + timedelta(days=day)
    return PublicUrl(
        id=hashlib.sha256(text.encode()).hexdigest(), url=text, host=host, port=80, scheme="http", first=moment,
        last=moment, verdict="malicious-observed", confidence=80, reasons=[], hosting=hosting, sha256=sha256,
    )  # fmt: skip


def test_hosts_that_serve_the_same_payload_are_one_with_what_else_lies_on_their_addresses() -> None:
    found = campaigns_of([
        url("192.0.2.1", "x86", A, day=3), url("192.0.2.2", "x86", A, day=1), url("192.0.2.2", "mips", B, day=1),
        url("192.0.2.3", "mips", B), url("192.0.2.3", "gone", None), url("192.0.2.9", "alone", C),
    ])  # fmt: skip
    (one,) = found.values()
    assert one.hosts == ["192.0.2.1", "192.0.2.2", "192.0.2.3"] and len(one.urls) == 5
    assert one.payloads == [B, A] and one.id == B[:16] and found[one.id] is one
    assert (one.first, one.last) == (DAY, DAY + timedelta(days=3))


def test_a_name_that_innocents_share_joins_nothing_and_one_host_is_no_campaign() -> None:
    shared = [
        url("files.example", "1", A, "platform"), url("files.example", "2", B, "platform"), url("192.0.2.7", "1", A),
        url("192.0.2.8", "2", B), url("192.0.2.9", "1", C), url("192.0.2.9", "2", C),
    ]  # fmt: skip
    assert [campaign.hosts for campaign in campaigns_of(shared).values()] == [
        ["192.0.2.7", "files.example"],
        ["192.0.2.8", "files.example"],
    ]


def test_an_id_stays_when_a_campaign_grows_and_the_order_of_urls_is_no_matter() -> None:
    before = [url("192.0.2.1", "x", A), url("192.0.2.2", "x", A)]
    after = [*before, url("192.0.2.2", "y", B, day=2), url("192.0.2.3", "y", B, day=4)]
    assert list(campaigns_of(before)) == list(campaigns_of(after)) == list(campaigns_of(reversed(after)))


@pytest.fixture(scope="module")
def joined(shown_store: Store) -> Store:
    """A site on which hosts serve the same payload."""
    share_a_payload(shown_store)
    return shown_store


def test_each_has_a_page_that_leads_on_and_back(joined: Store) -> None:
    pages, source = Pages(SETTINGS, live=False), Source(joined, SETTINGS, SECRET, lambda: NOW)
    snapshot = source.snapshot()
    assert snapshot.campaigns
    listing = pages.page("campaigns.html", snapshot)
    for id_, campaign in snapshot.campaigns.items():
        name = f"campaigns/{id_}.html"
        page = pages.page(name, snapshot)
        assert page is not None and listing is not None and name.encode() in listing.body
        assert name in set(pages.names(snapshot)) and not page.indexed
        for back in (f"urls/{campaign.urls[0].id}.html", f"payloads/{campaign.payloads[0]}.html"):
            found = pages.page(back, snapshot)
            assert found is not None and f"../{name}".encode() in found.body and back.encode() in page.body
    assert pages.page(f"campaigns/{'0' * 16}.html", snapshot) is None


def test_what_sessions_join_changes_no_byte(joined: Store) -> None:
    def everything() -> dict[str, bytes]:
        pages, source = Pages(SETTINGS, live=False), Source(joined, SETTINGS, SECRET, lambda: NOW)
        snapshot = source.snapshot()
        found = {name: pages.page(name, snapshot) for name in pages.names(snapshot)}
        return {name: page.body for name, page in found.items() if page is not None}

    before = everything()
    with joined.begin() as connection:
        connection.execute(update(urls).values(campaign="c0ffee"))
    assert everything() == before
