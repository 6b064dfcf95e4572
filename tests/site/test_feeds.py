from __future__ import annotations

import csv
import io
import json
from datetime import datetime, timedelta

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import update
from tests.site.conftest import NOW, client_of

from urltrap.site import publishing
from urltrap.site.publishing import Editions
from urltrap.store import Store
from urltrap.store.queries import feed as feed_queries
from urltrap.store.schema import urls

TYPES = {"csv": "text/csv", "json": "application/json", "txt": "text/plain"}


@pytest.mark.parametrize("name", TYPES)
def test_each_format_has_its_media_type_and_holds_the_published_urls(
    filled: TestClient, filled_store: Store, name: str
) -> None:
    wanted = {row.url for row in feed_queries.rows(filled_store, NOW, 60)}
    answer = filled.get(f"/feed.{name}")
    assert answer.headers["content-type"].startswith(TYPES[name])
    if name == "csv":
        lines = [line for line in answer.text.splitlines() if not line.startswith("#")]
        found = {row[1] for row in csv.reader(io.StringIO("\n".join(lines)))}
    elif name == "json":
        found = {entry["url"] for entry in json.loads(answer.text)["urls"]}
    else:
        found = {line for line in answer.text.splitlines() if not line.startswith("#")}
    assert wanted and found == wanted


@pytest.mark.parametrize("name", TYPES)
def test_a_reader_who_has_this_edition_gets_no_body(filled: TestClient, name: str) -> None:
    first = filled.get(f"/feed.{name}")
    for headers in (
        {"If-None-Match": first.headers["etag"]},
        {"If-None-Match": f'"other", W/{first.headers["etag"]}'},
        {"If-None-Match": "*"},
        {"If-Modified-Since": first.headers["last-modified"]},
    ):
        again = filled.get(f"/feed.{name}", headers=headers)
        assert again.status_code == 304 and again.content == b""
        assert again.headers["etag"] == first.headers["etag"]


@pytest.mark.parametrize(
    "headers",
    [
        {"If-None-Match": '"other"'},
        {"If-Modified-Since": "Mon, 01 Jan 2001 00:00:00 GMT"},
        {"If-Modified-Since": "not a date"},
        {"If-None-Match": '"other"', "If-Modified-Since": "Fri, 01 Jan 2100 00:00:00 GMT"},
    ],
)
def test_anybody_else_gets_the_feed(filled: TestClient, headers: dict[str, str]) -> None:
    assert filled.get("/feed.txt", headers=headers).status_code == 200


def test_formats_have_different_tags(filled: TestClient) -> None:
    assert len({filled.get(f"/feed.{name}").headers["etag"] for name in TYPES}) == 3


def test_the_tag_changes_with_the_entries_and_not_with_the_clock(filled_store: Store) -> None:
    moments = [NOW]
    editions = Editions(lambda: moments[0])
    rows = feed_queries.rows(filled_store, NOW, 60)
    first = editions.edition("csv", rows)
    moments[0] = NOW + timedelta(minutes=5)
    again = editions.edition("csv", rows)
    fewer = editions.edition("csv", rows[1:])
    assert (again.etag, again.made, again.body) == (first.etag, first.made, first.body)
    assert fewer.etag != first.etag and fewer.made == moments[0]


def test_the_page_explains_where_the_feeds_are(filled: TestClient) -> None:
    page = filled.get("/feeds").text
    for name in TYPES:
        assert f'href="/feed.{name}"' in page and f"http://127.0.0.1:8080/feed.{name}" in page
    assert "ETag" in page


def test_nothing_of_sensors_or_sessions_is_in_a_feed(filled: TestClient) -> None:
    text = "".join(filled.get(f"/feed.{name}").text for name in TYPES)
    assert "192.0.2.5" not in text and "db-replica2" not in text and "/sessions/" not in text


def test_a_date_of_a_feed_is_never_in_the_future(filled_store: Store) -> None:
    made: datetime = Editions(lambda: NOW).edition("txt", []).made
    assert made <= NOW
    assert (
        client_of(filled_store).get("/feed.txt").headers["last-modified"] == "Tue, 24 Nov 2026 04:30:00 GMT"
    )


def test_entries_that_did_not_change_are_the_same_list_and_changed_ones_are_made_anew(
    filled_store: Store,
) -> None:
    first = feed_queries.published(filled_store, NOW, 60)
    assert first.rows == feed_queries.rows(filled_store, NOW, 60) and len(first.rows) > 1
    assert feed_queries.published(filled_store, NOW, 60, first) is first
    changed = first.rows[-1]
    with filled_store.begin() as connection:
        connection.execute(
            update(urls).where(urls.c.key == changed.id).values(last_seen=NOW + timedelta(hours=2))
        )
    second = feed_queries.published(filled_store, NOW, 60, first)
    assert second.rows == feed_queries.rows(filled_store, NOW, 60) != first.rows
    assert second.rows[0].id == changed.id and second.rows[1] is first.rows[0]
    with filled_store.begin() as connection:
        connection.execute(update(urls).where(urls.c.key == changed.id).values(held=True))
    third = feed_queries.published(filled_store, NOW, 60, second)
    assert [row.id for row in third.rows] == [row.id for row in second.rows[1:]]


def test_feeds_are_looked_at_again_after_some_seconds(
    filled_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    editions = Editions(lambda: NOW)
    rows = editions.entries(filled_store, 60)
    with filled_store.begin() as connection:
        connection.execute(update(urls).where(urls.c.key == rows[0].id).values(held=True))
    assert editions.entries(filled_store, 60) is rows
    monkeypatch.setattr(publishing, "KEPT", 0.0)
    again = editions.entries(filled_store, 60)
    assert again == rows[1:]
    assert editions.entries(filled_store, 60) is again
    assert editions.edition("txt", again).entries == len(again)
