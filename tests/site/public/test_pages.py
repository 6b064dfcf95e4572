"""What everyone gets: every byte of every page is looked at."""

from __future__ import annotations

import gzip
import json
import re
from datetime import timedelta
from html.parser import HTMLParser

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select
from tests.site import hostile
from tests.site.conftest import NOW
from tests.site.public.conftest import public_client
from tests.site.public.showing import SECRET, SETTINGS

from urltrap.model.settings import Settings
from urltrap.site.public import app as public_app
from urltrap.site.public.pages import INDEXED, Pages
from urltrap.site.public.search import refanged
from urltrap.site.public.snapshot import Snapshot, Source, slug
from urltrap.store import Store, disputes
from urltrap.store.queries import public as queries
from urltrap.store.rows import url_key
from urltrap.store.schema import sessions, urls
from urltrap.store.schema_public import publications

OUTSIDE = {
    "https://db-ip.com", "https://creativecommons.org/licenses/by/4.0/",
    "https://creativecommons.org/publicdomain/zero/1.0/", "mailto:abuse@urls.example",
}  # fmt: skip
HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")


class Inventory(HTMLParser):
    """What a page holds that could act or lead somewhere."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.strange: list[str] = []
        self.links: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = dict(attributes)
        if tag in ("script", "iframe", "object", "embed", "img", "base", "style"):
            self.strange.append(tag)
        self.strange += [f"{tag} {name}" for name in values if name.startswith("on") or name == "style"]
        self.links += [values[name] or "" for name in ("href", "src", "action") if values.get(name)]

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def look(page: str) -> Inventory:
    found = Inventory()
    found.feed(page)
    return found


def crawl(client: TestClient) -> dict[str, bytes]:
    """Every file that there is, by name."""
    pages: Pages = client.app.state.pages  # type: ignore[attr-defined]
    source: Source = client.app.state.source  # type: ignore[attr-defined]
    found = {}
    for name in pages.names(source.snapshot()):
        answer = client.get("/" + name)
        assert answer.status_code == (404 if name == "404.html" else 200), name
        assert "set-cookie" not in answer.headers
        found[name] = answer.content
    return found


@pytest.fixture(scope="module")
def crawled(everyone: TestClient) -> dict[str, bytes]:
    return crawl(everyone)


def test_nothing_that_points_at_a_sensor_an_operator_or_an_attacker_stands_in_any_byte(
    crawled: dict[str, bytes], shown_store: Store
) -> None:
    with shown_store.connect() as connection:
        rows = connection.execute(select(sessions.c.id, sessions.c.src_ip, sessions.c.started)).all()
        hosts = set(connection.execute(select(urls.c.host)).scalars())
    anywhere = [b"192.0.2.5", b"203.0.113.99", b"db-replica2", SECRET, b"urltrap-login", b"urltrap-form"]
    anywhere += [b"urlhaus", b"Example Backbone", b"history -c", b"chmod"]  # a provider, a network, commands
    anywhere += [b"operator-ada", b"operator-bob", b"hash-of-a-password", b"siem-of-ada"]
    apart = {row.id for row in rows} | {row.src_ip for row in rows} - hosts
    apart |= {f"{row.started:%H:%M:%S}" for row in rows}
    assert len(crawled) > 100
    for name, body in crawled.items():
        assert not [word for word in anywhere if word in body], name
        tokens = {token.strip(".:") for token in re.findall(r"[0-9A-Za-z.:]+", body.decode())}
        assert not tokens & apart, name


def test_times_are_whole_days(crawled: dict[str, bytes]) -> None:
    for name, body in crawled.items():
        if name.endswith(".html"):
            assert not re.search(rb"\d\d:\d\d(?!\d*px)", body), name
        if name.startswith("api/"):
            assert set(re.findall(rb"T(\d\d:\d\d:\d\d)", body)) <= {b"00:00:00"}, name


def test_every_page_is_markup_that_does_nothing_and_leads_nowhere_else(crawled: dict[str, bytes]) -> None:
    for name, body in crawled.items():
        if not name.endswith(".html"):
            continue
        found = look(body.decode())
        assert found.strange == [], name
        outside = {link for link in found.links if re.match(r"[a-z]+:|//", link)}
        assert outside <= OUTSIDE, (name, outside - OUTSIDE)
        shown = "".join(found.text)
        assert not re.search(r"https?://(?!urls\.example|localhost)[\w.]+", shown), f"{name}: an active URL"


def test_every_link_leads_to_a_page_that_there_is(crawled: dict[str, bytes], everyone: TestClient) -> None:
    known = {"", "static/icon.svg", "search", "dispute"} | set(crawled)
    known |= {name for name, _ in everyone.app.state.pages.static_files()}  # type: ignore[attr-defined]
    for name, body in crawled.items():
        if name.endswith(".html"):
            for link in look(body.decode()).links:
                if not re.match(r"[a-z]+:|#", link):
                    assert resolved(name, link) in known, (name, link)


def resolved(name: str, link: str) -> str:
    """The file that a relative link of a file means."""
    if link.startswith("/"):
        return link[1:]
    folders = name.split("/")[:-1]
    for part in link.split("/"):
        if part == "..":
            folders.pop()
        else:
            folders.append(part)
    return "/".join(folders)


def test_what_holds_strangers_text_is_kept_out_of_search_engines(
    everyone: TestClient, crawled: dict[str, bytes]
) -> None:
    for name in crawled:
        told = everyone.get("/" + name).headers.get("x-robots-tag", "")
        assert ("noindex" in told) is (name not in INDEXED), name
        if name.endswith(".html"):
            assert (b"noindex" in crawled[name]) is (name not in INDEXED), name
    robots = everyone.get("/robots.txt").text
    assert "Disallow: /urls" in robots and "Disallow: /feed." in robots
    assert "Contact: mailto:abuse@urls.example" in everyone.get("/.well-known/security.txt").text


@pytest.mark.parametrize(
    "path", ["/", "/urls.html", "/feed.csv", "/api/urls.json", "/nosuch", "/search?q=x", "/dispute"]
)
def test_headers_let_nothing_run_and_nothing_foreign_in(everyone: TestClient, path: str) -> None:
    headers = everyone.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy and "script-src" not in policy
    assert headers["x-content-type-options"] == "nosniff" and headers["referrer-policy"] == "no-referrer"
    assert "server" not in headers


def test_what_the_api_answers_is_what_its_schema_says(everyone: TestClient, snapshot: Snapshot) -> None:
    described = everyone.get("/api/schema.json").json()["$defs"]["PublicUrlWithPayload"]["properties"]
    told = everyone.get(f"/api/urls/{snapshot.urls[0].id}.json").json()
    assert set(told) == set(described) and set(told) - {"payload"} == set(
        everyone.get("/api/urls.json").json()["rows"][0]
    )


@pytest.mark.parametrize(
    "path", ["/sessions", "/operations", "/login", "/audit", "/api/v1/urls", "/live", "/account", "/docs"]
)
def test_nothing_of_the_operators_site_is_here(everyone: TestClient, path: str) -> None:
    assert everyone.get(path).status_code == 404
    assert everyone.post(path).status_code == 405 and everyone.delete(path).status_code == 405


@pytest.mark.parametrize("path", ["/", "/statistics.html", "/feed.csv", "/api/urls.json"])
def test_pages_are_cacheable(everyone: TestClient, path: str) -> None:
    first = everyone.get(path)
    assert "max-age=60" in first.headers["cache-control"] and first.headers["last-modified"].endswith("GMT")
    for headers in (
        {"If-None-Match": first.headers["etag"]},
        {"If-None-Match": f'"other", W/{first.headers["etag"]}'},
        {"If-Modified-Since": first.headers["last-modified"]},
    ):
        again = everyone.get(path, headers=headers)
        assert again.status_code == 304 and again.content == b""
    assert everyone.get(path, headers={"If-None-Match": '"other"'}).status_code == 200
    head = everyone.head(path)
    assert head.content == b"" and head.headers["etag"] == first.headers["etag"]
    plain = everyone.get(path, headers={"Accept-Encoding": "identity"})
    assert plain.content == first.content and "content-encoding" not in plain.headers


def test_the_first_load_of_any_page_is_within_its_budget(
    crawled: dict[str, bytes], everyone: TestClient
) -> None:
    pages: Pages = everyone.app.state.pages  # type: ignore[attr-defined]
    always = sum(len(gzip.compress(pages.static_file(name))) for name, _ in pages.static_files())
    for name, body in crawled.items():
        if name.endswith(".html"):
            assert len(gzip.compress(body)) + always <= 100_000, name
    for name, media_type in pages.static_files():
        answer = everyone.get("/" + name)
        assert answer.headers["content-type"] == media_type and "immutable" in answer.headers["cache-control"]


def test_a_url_page_tells_the_story_in_our_own_words(everyone: TestClient, snapshot: Snapshot) -> None:
    url = next(url for url in snapshot.urls if url.days_first and url.sha256 and url.listed)
    page = everyone.get(f"/urls/{url.id}.html").text
    assert "1 other source names it" in page and "before any other source" in page
    assert "other sources name this URL" in page and "it serves" in page and url.sha256 in page
    told = everyone.get(f"/api/urls/{url.id}.json").json()
    assert told["url"] == url.url and told["payload"]["urls"] and "reference" not in told


def test_a_hash_is_told_only_of_what_was_served_more_than_once(snapshot: Snapshot) -> None:
    assert any(url.sha256 is None and url.kind for url in snapshot.urls) and snapshot.payloads


def test_what_is_not_due_or_no_longer_malicious_or_carries_a_name_of_ours_is_not_shown(
    shown_store: Store,
) -> None:
    everything = queries.read(shown_store, NOW, 60).urls
    assert everything and queries.read(shown_store, NOW - timedelta(days=40), 60).urls == []
    assert {url.confidence for url in queries.read(shown_store, NOW, 100).urls} == {100}
    assert [
        url for url in queries.read(shown_store, NOW, 60, lambda url: "198." in url).urls if "198." in url.url
    ] == []
    hiding = Settings.model_validate({"public": {"hidden": ["cdn.update-check.example"]}})
    shown = Source(shown_store, hiding, SECRET, lambda: NOW).snapshot().urls
    assert shown and not any("update-check" in url.url for url in shown)


def test_words_that_few_addresses_tried_are_not_told(snapshot: Snapshot, shown_store: Store) -> None:
    counted = dict(queries.tried(shown_store, "password", 200))
    assert snapshot.figures.passwords
    for word in snapshot.figures.passwords:
        assert counted[word.value.encode()] >= word.many >= 5
    assert all(row.addresses >= 5 and row.addresses % 5 == 0 for row in snapshot.figures.countries)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("http://198.51.100.23/bins/mips", "bins/mips"), ("hxxp://198[.]51[.]100[.]23/bins/mips", "bins/mips"),
        ("198.51.100.23", "198[.]51[.]100[.]23"), ("ELF.MIRAI", "elf.mirai"), ("update-check", "update-check"),
    ],
)  # fmt: skip
def test_search_understands_what_people_have(everyone: TestClient, query: str, found: str) -> None:
    page = everyone.get("/search", params={"q": query})
    assert page.status_code == 200 and found in page.text and "Nothing published" not in page.text
    assert page.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "query", ["nosuch.example", "<script>alert(1)</script>", "\u202e\x1b[2J", "a" * 1900, "http://["]
)
def test_search_for_what_is_not_there_says_so_and_breaks_nothing(everyone: TestClient, query: str) -> None:
    page = everyone.get("/search", params={"q": query})
    assert page.status_code == 200 and "Nothing published matches" in page.text
    assert look(page.text).strange == [] and not HIDDEN.search(page.text)


def test_who_searches_very_often_is_asked_to_wait(
    shown_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(public_app, "SEARCHES_A_MINUTE", 2)
    client = public_client(shown_store)
    answers = [client.get("/search?q=x") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].headers["retry-after"].isdigit() and client.get("/").status_code == 200


def test_a_hash_finds_its_urls(everyone: TestClient, snapshot: Snapshot) -> None:
    payload = next(iter(snapshot.payloads.values()))
    for text in (payload.sha256, payload.md5, snapshot.urls[0].id):
        assert "Nothing published" not in everyone.get("/search", params={"q": text}).text
    assert refanged("hxxps://a[dot]b(.)c/x") == "https://a.b.c/x"


@pytest.mark.parametrize(
    "path",
    [
        "/nosuch.html", "/urls/", "/urls/%2e%2e/feed.csv", "/urls/" + "0" * 64 + ".html", "/urls/page-1.html",
        "/urls/page-9999.html", "/browse/x.html", "/api/urls/page-1.json", "/hosts/%00.html", "/static/app.js",
    ],
)  # fmt: skip
def test_what_is_not_there_is_a_page_that_says_so(everyone: TestClient, path: str) -> None:
    answer = everyone.get(path)
    assert answer.status_code == 404 and "Not found" in answer.text


def test_a_stranger_that_lets_its_name_point_here_is_turned_away(everyone: TestClient) -> None:
    assert everyone.get("/", headers={"Host": "evil.example"}).status_code == 421
    assert everyone.get("/", headers={"Host": "127.0.0.1:8088"}).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/urls.html",
        "/browse.html",
        "/hosts.html",
        "/payloads.html",
        "/families.html",
        "/statistics.html",
        "/feed.csv",
    ],
)
def test_an_empty_list_says_so(bare: TestClient, path: str) -> None:
    answer = bare.get(path)
    assert answer.status_code == 200 and (
        "Nothing" in answer.text or "No family" in answer.text or path == "/feed.csv"
    )


# --- hostile text ----------------------------------------------------------------------------------------------------


def test_hostile_text_is_harmless_on_every_page(evil: TestClient) -> None:
    pages = crawl(evil)
    key = url_key(hostile.URL)
    assert f"urls/{key}.html" in pages and any(name.startswith("families/") for name in pages)
    for name, body in pages.items():
        text = body.decode()
        assert not HIDDEN.search(text) or name.startswith(("feed.", "api/")), name
        if name.endswith(".html"):
            found = look(text)
            assert (
                found.strange == []
                and {link for link in found.links if re.match(r"[a-z]+:|//", link)} <= OUTSIDE
            )
            assert len(text) < 400_000 and "<script" not in text, name
        assert re.fullmatch(r"[a-z0-9./-]+", name), "no name of a file is a stranger's"
    json.loads(pages["api/urls.json"])


@pytest.mark.parametrize(
    "value",
    [
        "../../etc/passwd",
        "a/b",
        "CON",
        "..",
        ".",
        "",
        "x" * 500,
        "A b",
        "evil<script>",
        "[2001:db8::1]",
        "a..b",
        "-x-",
    ],
)
def test_a_slug_is_always_the_name_of_one_file(value: str) -> None:
    assert re.fullmatch(r"[a-z0-9][a-z0-9.-]{0,120}", slug(value)) and ".." not in slug(value)
    assert slug(value) != slug(value + "x")


# --- disputes --------------------------------------------------------------------------------------------------------


def token(client: TestClient) -> str:
    page = client.get("/dispute")
    assert page.headers["cache-control"] == "no-store" and "HttpOnly" in page.headers["set-cookie"]
    found = re.search(r'name="token" value="(\w+)"', page.text)
    assert found
    return found[1]


def test_a_dispute_reaches_the_operators_inbox(evil_store: Store) -> None:
    client = public_client(evil_store)
    fields = {
        "kind": "host",
        "subject": "site.example",
        "text": "cleaned <b>up</b>\u202e",
        "contact": "ada@site.example",
    }
    answer = client.post("/dispute", data={**fields, "token": token(client)})
    assert answer.status_code == 200
    rows = [row for row in disputes.page(evil_store, "open")[0] if row.kind == "host"]
    assert [(row.kind, row.subject, row.contact) for row in rows] == [
        ("host", "site.example", "ada@site.example")
    ]
    assert rows[0].id in answer.text


def test_a_dispute_is_taken_from_our_form_alone_and_not_too_often(evil_store: Store) -> None:
    client = public_client(evil_store)
    before = disputes.count_open(evil_store)
    fields = {"kind": "url", "subject": "http://a.example/<script>alert(1)</script>", "text": "why"}
    assert client.post("/dispute", data=fields).status_code == 403, "no token"
    good = {**fields, "token": token(client)}
    assert client.post("/dispute", data=good, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert client.post("/dispute", data={**good, "text": ""}).status_code == 422
    assert client.post("/dispute", data={**good, "kind": "nosuch"}).status_code == 422
    assert client.post("/dispute", data={**good, "text": "x" * 20_000}).status_code == 413
    assert client.post("/dispute", data={**good, "website": "http://spam.example"}).status_code == 200
    assert disputes.count_open(evil_store) == before, "a program that fills in everything is told nothing"
    statuses = [client.post("/dispute", data=good).status_code for _ in range(4)]
    assert statuses == [200, 200, 429, 429]
    refused = client.post("/dispute", data=good)
    assert refused.headers["retry-after"].isdigit() and "<script" not in refused.text
    assert disputes.count_open(evil_store) == before + 2


def test_a_flood_of_disputes_is_answered_with_another_way(
    evil_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disputes, "MOST_A_DAY", 0)
    client = public_client(evil_store)
    answer = client.post(
        "/dispute", data={"kind": "url", "subject": "x", "text": "y", "token": token(client)}
    )
    assert answer.status_code == 503 and "abuse@urls.example" in answer.text


# --- a store that is away --------------------------------------------------------------------------------------------


def test_without_a_store_the_last_pages_stay_and_nothing_of_it_is_told(
    shown_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    from urltrap.store import StoreUnavailable

    client = public_client(shown_store)
    source: Source = client.app.state.source  # type: ignore[attr-defined]
    source.kept = 0.0
    assert client.get("/").status_code == 200

    def away(*given: object) -> None:
        raise StoreUnavailable("the database at /secret/place does not answer")

    monkeypatch.setattr(queries, "read", away)
    assert client.get("/").status_code == 200
    source._snapshot = None
    for path in ("/", "/healthz", "/search?q=x"):
        answer = client.get(path)
        assert (
            answer.status_code == 503
            and "secret" not in answer.text
            and answer.headers["retry-after"] == "30"
        )


def test_a_url_that_leaves_the_list_leaves_every_page(evil_store: Store) -> None:
    client = public_client(evil_store)
    source: Source = client.app.state.source  # type: ignore[attr-defined]
    source.kept = 0.0
    key = url_key(hostile.URL)
    assert client.get(f"/urls/{key}.html").status_code == 200
    with evil_store.begin() as connection:
        connection.execute(publications.delete())
    assert client.get(f"/urls/{key}.html").status_code == 404
    assert "evil" not in client.get("/").text and SETTINGS.public.title in client.get("/").text
