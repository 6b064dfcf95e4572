from __future__ import annotations

import re
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.site.conftest import NOW

from urltrap.store.queries import overview

ALL = [
    "/", "/sessions", "/logins", "/urls", "/artifacts", "/campaigns", "/families", "/domains", "/operations", "/feeds",
]  # fmt: skip
NAMED = [
    "sessions",
    "urls",
    "artifacts",
    "families",
    "campaigns",
    "hosts",
    "addresses",
    "networks",
    "domains",
]
"""Lists whose entries have pages of their own."""


def rows(page: str) -> list[str]:
    """Links in the first column of the list."""
    return re.findall(r'<tr>\s*<td[^>]*>(?:<time[^>]*>[^<]*</time>)?\s*<a[^>]*href="([^"]+)"', page)


def follow(client: TestClient, path: str) -> list[str]:
    """The first links of all rows of a list, over all its pages."""
    found: list[str] = []
    while path:
        page = client.get(path).text
        listed = page.partition('<table class="list">')[2]
        found += re.findall(r'<tr>\s*<td[^>]*><a[^>]*href="(/[a-z]+/[^"]+)"', listed)
        following = re.search(r'rel="next" href="([^"]+)"', page)
        path = following[1].replace("&amp;", "&") if following else ""
    return found


@pytest.mark.parametrize("path", ALL)
def test_an_empty_store_gives_pages_that_say_what_to_do(empty: TestClient, path: str) -> None:
    answer = empty.get(path)
    assert answer.status_code == 200
    assert re.search("othing yet|Nothing is published yet|No sensor counted anything", answer.text)
    if path in ("/", "/sessions", "/logins", "/urls", "/artifacts"):
        assert "ssh -p 2222 root@localhost" in answer.text


@pytest.mark.parametrize("range_", ["24h", "7d", "30d", "all"])
def test_the_overview_counts_what_the_store_counts(filled: TestClient, range_: str) -> None:
    page = filled.get(f"/?range={range_}").text
    counters = overview.counters(filled.app.state.site.store, NOW)  # type: ignore[attr-defined]
    values = dict(
        re.findall(r'<span class="name">([^<]+)</span>\s*<span class="value">([\d,]+)</span>', page)
    )
    assert values["URLs"] == f"{counters.urls:,}"
    assert values["Malicious"] == f"{counters.urls_malicious:,}"
    if range_ in ("30d", "all"):
        assert values["Sessions"] == f"{counters.sessions:,}"
    if range_ == "all":
        assert values["Addresses"] == f"{counters.addresses:,}", "those that were shed in a flood count too"
    assert 'id="timeline-data"' in page and 'id="map-data"' in page


def test_every_link_of_the_overview_leads_to_a_page(filled: TestClient) -> None:
    page = filled.get("/").text
    links = set(re.findall(r'href="(/[^"]*)"', page)) - {"/static/icon.svg"}
    bars = set(re.findall(r'"link": "(/[^"]+)"', page.replace("\\u0026", "&")))
    assert len(links) > 50 and bars
    for link in sorted(links | bars):
        answer = filled.get(link.replace("&amp;", "&"))
        assert answer.status_code == 200, link
        if link.startswith(("/sessions?", "/logins?")):
            assert "Nothing matches" not in answer.text, link


def test_sessions_are_paged_without_gap_or_repeat(filled: TestClient) -> None:
    found = follow(filled, "/sessions")
    assert len(found) == len(set(found)) == 200
    assert found == sorted(found, reverse=True), "newest first"


def test_log_in_tries_are_paged_without_gap_or_repeat(filled: TestClient) -> None:
    page, seen, path = "", 0, "/logins"
    while path:
        page = filled.get(path).text
        seen += page.count("<tr>") - 1
        following = re.search(r'rel="next" href="([^"]+)"', page)
        path = following[1].replace("&amp;", "&") if following else ""
    store = filled.app.state.site.store  # type: ignore[attr-defined]
    assert seen == overview.counters(store, NOW).logins


@pytest.mark.parametrize(
    ("query", "every"),
    [
        ("classed=dropper", r"c-dropper"),
        ("classed=probe&sensor=", r"c-probe"),
        ("sensor=telnet", r'<span class="sub"><bdi dir="ltr">telnet'),
        ("country=de", r'data-country="DE"'),
        ("address=198.51.100.1", r">198\.51\.100\.1<"),
        ("asn=64500", r"Example Backbone"),
        ("hassh=0a07365cc01fa9fc82608ba4019af499", r"SSH-2\.0-Go"),
    ],
)
def test_each_filter_of_sessions_filters(filled: TestClient, query: str, every: str) -> None:
    page = filled.get(f"/sessions?{query}").text
    lines = re.findall(r"<tr>\s*<td.*?</tr>", page, re.DOTALL)
    assert 0 < len(lines) < 200
    assert all(re.search(every, line) for line in lines)


def test_text_is_looked_for_in_commands(filled: TestClient) -> None:
    found = follow(filled, "/sessions?text=chattr+-ia")
    assert found
    assert all("chattr -ia" in filled.get(link).text for link in found[:5])
    assert "Nothing matches these filters" in filled.get("/sessions?text=no+such+command").text


@pytest.mark.parametrize(
    ("query", "every"),
    [
        ("verdict=malicious-confirmed", "v-malicious-confirmed"),
        ("malicious=yes", "v-malicious-"),
        ("host=files.badhost.example", r"files\[\.\]badhost\[\.\]example"),
        ("kind=script", ">script<"),
        ("text=mipsel", "mipsel"),
        ("role=dropper-script", ">script<"),
        ("target=linux+mipsel", "mipsel"),
        ("family=elf.mirai&lifecycle=online", ">ELF program<"),
        ("provider=urlhaus", "v-malicious-confirmed"),
        ("since=2026-11-23&until=2026-11-24&sensor=ssh", r"2026-11-2"),
    ],
)
def test_each_filter_of_urls_filters(filled: TestClient, query: str, every: str) -> None:
    listed = filled.get(f"/urls?{query}").text.partition('<table class="list">')[2]
    lines = re.findall(r"<tr>\s*<td.*?</tr>", listed, re.DOTALL)
    assert lines
    assert all(re.search(every, line) for line in lines)


def test_a_session_tells_its_events_in_order(filled: TestClient) -> None:
    link = follow(filled, "/sessions?classed=dropper")[0]
    page = filled.get(link).text
    places = [page.index(words) for words in ("Connected to", "Log-in accepted", "Asked for", "Closed:")]
    assert places == sorted(places)
    assert re.search(r"<mark><a href=\"/urls/[0-9a-f]{64}\">https?://", page)


def test_a_long_session_is_read_page_by_page(filled: TestClient) -> None:
    link = follow(filled, "/sessions?classed=dropper")[0]
    page = filled.get(f"{link}?after=2").text
    assert "Connected to" not in page and "from event 3" in page and "From the beginning" in page


def test_a_url_tells_its_story_and_is_never_a_link_to_the_outside(filled: TestClient) -> None:
    link = follow(filled, "/urls?verdict=malicious-confirmed")[0]
    page = filled.get(link).text
    assert "hxxp://198[.]51[.]100[.]23/" in page
    assert "urlhaus lists this URL" in page and "+90" in page
    assert "<mark>http://198.51.100.23/" in page, "the command that held it is shown as it was"
    assert "fetched 200" in page and "ELF" in page
    assert not re.search(r'href="(?!https://db-ip\.com)[a-z]+:', page)


def test_the_address_of_a_url_page_may_be_the_beginning_of_its_id(filled: TestClient) -> None:
    link = follow(filled, "/urls")[0]
    assert filled.get(link[: len("/urls/") + 12]).status_code == 200


def test_an_artifact_shows_where_it_came_from_and_never_its_bytes(filled: TestClient) -> None:
    link = follow(filled, "/artifacts?kind=elf")[0]
    page = filled.get(link).text
    assert "SHA-256" in page and "never served as it is" in page
    assert "/urls/" in page or "/sessions/" in page
    assert filled.get(f"{link}/raw").status_code == 404


def test_an_artifact_shows_what_was_packed_in_it_and_where_it_reports_to(filled: TestClient) -> None:
    page = filled.get(follow(filled, "/artifacts?kind=elf")[0]).text
    assert "UPX, its marks broken on purpose" in page and "5" * 64 in page
    assert "restored before: magic" in page and "what comes out is too large" in page
    assert "tcp://203[.]0[.]113[.]9:23" in page


def test_what_belongs_together_leads_to_each_other(filled: TestClient) -> None:
    """From a URL to its host, family and campaign, to a payload, and back to the URL; and from who brought it."""
    url = follow(filled, "/urls?family=elf.mirai")[0]
    story = filled.get(url).text
    for title in (
        "What it is for",
        "Part in the attack",
        "Made for",
        "Asked with",
        "Where it lies",
        "How it is now",
    ):
        assert title in story
    around = {
        kind: re.findall(rf'href="(/{kind}/[^"]+)"', story) for kind in ("hosts", "families", "campaigns")
    }
    for kind, found in around.items():
        page = filled.get(found[0]).text
        assert url in page, f"the page of {kind} lists the URL"
        assert re.search(r'href="/artifacts/[0-9a-f]{64}"', page), f"the page of {kind} lists payloads"
    payload = filled.get(re.findall(r'href="(/artifacts/[0-9a-f]{64})"', story)[0]).text
    assert around["hosts"][0] in payload and around["families"][0] in payload
    session = filled.get(re.findall(r'href="(/sessions/[0-9A-Z]{26})"', story)[0]).text
    source = filled.get(re.findall(r'href="(/addresses/[^"]+)"', session)[0]).text
    assert url in source
    network = filled.get(re.findall(r'href="(/networks/\d+)"', session)[0]).text
    assert url in network and "Busiest addresses" in network


def test_the_overview_leads_to_the_domains_that_attackers_come_from(filled: TestClient) -> None:
    overview_page = filled.get("/").text
    domain = re.findall(r'href="(/domains/[^"]+)"', overview_page)[0]
    address = re.findall(r'href="(/addresses/[^"]+)"', filled.get(domain).text)[0]
    assert domain.rpartition("/")[2].replace(".", "[.]") in filled.get(address).text


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/sessions/01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "/sessions/x/replay",
        "/sessions/x/recording.cast",
        "/urls/0123456789abcdef",
        "/urls/http:",
        "/artifacts/0123456789abcdef",
        "/artifacts/../../etc/passwd",
        "/feed.exe",
        "/static/build/../../app.py",
        "/static/nothing.js",
    ],
)
def test_what_is_not_there_is_a_page_that_leads_back(filled: TestClient, path: str) -> None:
    answer = filled.get(path)
    assert answer.status_code == 404
    assert 'class="button" href="/' in answer.text


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        ("/sessions?classed=nonsense", 422, "dropper"),
        ("/sessions?since=yesterday", 422, "since"),
        ("/sessions?asn=AS1", 422, "asn"),
        ("/sessions?asn=99999999999999999999999", 422, "asn"),
        ("/sessions?since=9999-12-31T23:59:59-12:00", 422, "no such moment"),
        ("/sessions?address=%00", 422, "cannot be seen"),
        ("/sessions?colour=red", 422, "colour: this page has no such filter"),
        ("/?range=1y", 422, "24h"),
        ("/urls?malicious=perhaps", 422, "yes"),
        ("/sessions?text=" + "x" * 3000, 422, "text"),
        ("/sessions?cursor=zz", 400, "first page"),
        ("/urls?cursor=1.2.3%00", 422, "cursor"),
        ("/urls?cursor=1.2.3", 200, "Nothing"),
        ("/logins?cursor=99", 400, "first page"),
        ("/artifacts?cursor=a.b", 400, "first page"),
    ],
)
def test_bad_parameters_get_a_page_that_says_what_to_do(
    filled: TestClient, path: str, status: int, says: str
) -> None:
    answer = filled.get(path)
    assert answer.status_code == status
    assert says in answer.text


def test_fields_that_a_form_left_empty_do_not_filter(filled: TestClient) -> None:
    assert filled.get("/sessions?classed=&sensor=&address=&country=&hassh=&text=").text.count("<tr>") == 51
    assert filled.get("/urls?verdict=&kind=&published=&host=&text=").status_code == 200


def test_networks_lead_to_the_source_of_their_names(filled: TestClient) -> None:
    for path in ALL:
        assert 'href="https://db-ip.com"' in filled.get(path).text


def test_health_is_told_as_json(filled: TestClient, empty: TestClient) -> None:
    health = filled.get("/healthz").json()
    assert health["ok"] is True and health["events"] > 0 and health["last_event_age_seconds"] >= 0
    assert empty.get("/healthz").json() == {
        "ok": True, "events": 0, "urls": 0, "last_event": None, "last_event_age_seconds": None,
    }  # fmt: skip


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["/", "/sessions", "/logins", "/urls", "/artifacts", "/feeds"]),
    st.dictionaries(
        st.sampled_from(
            ["classed", "sensor", "address", "country", "asn", "hassh", "text", "since", "until", "cursor", "range",
             "verdict", "malicious", "host", "kind", "username", "password", "match", "after"]
        ),
        st.one_of(st.text(max_size=30), st.integers().map(str), st.datetimes().map(str), st.just("1.1-1")),
        max_size=3,
    ),
)  # fmt: skip
def test_no_address_makes_a_page_fail(filled: TestClient, path: str, query: dict[str, str]) -> None:
    answer = filled.get(
        path, params={name: value.encode("utf-8", "replace") for name, value in query.items()}
    )
    assert answer.status_code in (200, 400, 422)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(NAMED), st.text(min_size=1, max_size=40))
def test_no_name_makes_a_page_fail(filled: TestClient, kind: str, name: str) -> None:
    answer = filled.get(f"/{kind}/{quote(name.encode('utf-8', 'replace'), safe='')}")
    assert answer.status_code in (200, 404, 422)
