"""Decisions on each kind of database: the queue, what stands, which hosts the allow-list is about."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update
from tests.store.conftest import START, session_id, visit

from urltrap.model.decisions import BadEntry, allow_entry
from urltrap.model.event import Decided
from urltrap.model.sighting import Recovered
from urltrap.store import Store, decisions
from urltrap.store.decisions import AllowList, Made
from urltrap.store.intake import ingest
from urltrap.store.rows import url_key
from urltrap.store.schema import urls
from urltrap.store.sightings import Seen, save_sightings

AT = datetime(2026, 11, 24, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "entry"),
    [
        (" Files.Example.ORG. ", "files.example.org"),
        (".example.org", ".example.org"),
        ("files[.]example[.]org", "files.example.org"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("192.0.2.7", "192.0.2.7"),
        ("192.0.2.7/32", "192.0.2.7"),
        ("192.0.2.0/24", "192.0.2.0/24"),
        ("[2001:DB8::1]", "2001:db8::1"),
        ("2001:db8::/48", "2001:db8::/48"),
    ],
)
def test_an_entry_is_kept_in_one_form(text: str, entry: str) -> None:
    assert allow_entry(text) == entry == allow_entry(entry)


@pytest.mark.parametrize(
    "text",
    ["", ".", "com", ".com", "..example.org", "http://example.org/x", "a b.example", "*.example.org", "192.0.2.7/24",
     "10.0.0.0/8", "0.0.0.0/0", "2001:db8::/16", "192.0.2", "1.2.3.4.5", "ex\0ample.org", "<b>.example",
     "a" * 300 + ".b", "-a.example", "example.org/path", "ünd..example", "\ud800.example"],
)  # fmt: skip
def test_what_can_be_no_entry_is_refused_with_what_can(text: str) -> None:
    with pytest.raises(BadEntry, match=r"for example|too large"):
        allow_entry(text)


def test_a_list_is_about_hosts_domains_addresses_and_networks() -> None:
    entries = ("files.example.org", ".example.net", "192.0.2.7", "198.51.100.0/24", "2001:db8::/48")
    allowed = AllowList.of({entry: Made(entry, "allow", "ada", AT, "") for entry in entries})
    for host, entry in {
        "files.example.org": "files.example.org", "a.files.example.org": "", "example.org": "",
        "example.net": ".example.net", "a.b.example.net": ".example.net", "badexample.net": "",
        "192.0.2.7": "192.0.2.7", "192.0.2.8": "", "198.51.100.200": "198.51.100.0/24",
        "[2001:db8::5]": "2001:db8::/48", "2001:db8:1::5": "", "files.example.org.": "files.example.org",
    }.items():  # fmt: skip
        assert allowed.entry_of(host) == entry, host
    assert AllowList.of({}).entry_of("files.example.org") == ""


HOSTS = (
    "198.51.100.7",
    "198.51.100.80",
    "[2001:db8::7]",
    "files.example.org",
    "a.b.example.org",
    "example.com",
)
A, B, C = (f"http://{host}/x" for host in HOSTS[:3])


@pytest.fixture
def known(store: Store) -> Store:
    """A store with a suspicious URL on each host, seen one after the other."""
    for number, host in enumerate(HOSTS):
        at = START + timedelta(minutes=number)
        ingest(store, "w", visit(number, b"id", at=at), (1, number))
        raw = f"http://{host}/x".encode()
        item = Recovered(
            url=raw.decode(),
            raw=raw,
            span=(0, len(raw)),
            method="word",
            chain=[],
            client="wget",
            confidence=95,
        )
        with store.begin() as connection:
            save_sightings(connection, [Seen(session_id(number), 3, at, "ssh", "198.51.100.7", [item])])
    with store.begin() as connection:
        connection.execute(update(urls).values(verdict="suspicious"))
    return store


def decide(store: Store, said: Sequence[tuple[str, str]], first: int = 100, at: datetime = START) -> None:
    """Decisions, one after the other."""
    events = [
        Decided(
            session=session_id(first + number), seq=0, at=at + timedelta(seconds=number), by="ada", subject=subject,
            decision=decision, reason=f"reason {number} \u202e <b>",
        )
        for number, (subject, decision) in enumerate(said)
    ]  # fmt: skip
    ingest(store, "site", events, (1, first))


def waiting(store: Store, which: decisions.Queue = "open") -> list[str]:
    return [row.host for row in decisions.queue(store, which).rows]


def test_the_newest_word_on_a_url_decides_whether_it_waits(known: Store) -> None:
    newest_first = list(reversed([host.strip("[]") for host in HOSTS]))
    assert [host.strip("[]") for host in waiting(known)] == newest_first and decisions.count_open(known) == 6
    decide(
        known,
        [(A, "malicious"), (A, "leave"), (B, "leave"), (B, "withdrawn"), ("http://none.example/", "leave")],
    )
    assert decisions.count_open(known) == 5 and waiting(known, "left") == [HOSTS[0]]
    with known.connect() as connection:
        standing = decisions.made_of(connection, [url_key(url) for url in (A, B, C)])
    assert {made.subject: made.decision for made in standing.values()} == {A: "leave"}
    assert [made.decision for made in decisions.history(known, A)] == ["leave", "malicious"]
    assert decisions.history(known, A)[0].reason == "reason 1 \u202e <b>"
    seen: list[str] = []
    cursor = None
    while True:
        page = decisions.queue(known, cursor=cursor, limit=2)
        seen += [row.host for row in page.rows]
        cursor = page.next
        if cursor is None:
            break
    assert len(seen) == len(set(seen)) == 5
    assert decisions.reasons(known, [url_key(A)]) == {}


def test_of_decisions_at_the_same_moment_one_counts_for_all_who_ask(known: Store) -> None:
    decide(known, [(A, "leave")], first=200)
    decide(known, [(A, "withdrawn")], first=201)
    with known.connect() as connection:
        standing = decisions.made_of(connection, [url_key(A)])
    assert (url_key(A) in standing) == (HOSTS[0] in waiting(known, "left"))


def test_the_list_stands_as_it_was_put_on_and_taken_off(known: Store) -> None:
    decide(
        known, [("files.example.org", "allow"), (".example.org", "allow"), ("files.example.org", "disallow")]
    )
    decide(
        known,
        [("files.example.org", "allow"), (".example.org", "disallow")],
        first=300,
        at=START + timedelta(days=1),
    )
    with known.connect() as connection:
        assert set(decisions.allow_list(connection).entries) == {"files.example.org"}


@pytest.mark.parametrize(
    ("entry", "hosts"),
    [
        ("198.51.100.0/26", {HOSTS[0]}),
        ("198.51.100.0/24", {HOSTS[0], HOSTS[1]}),
        ("2001:db8::/32", {HOSTS[2]}),
        ("198.51.100.7", {HOSTS[0]}),
        ("example.org", set()),
        (".example.org", {HOSTS[3], HOSTS[4]}),
        ("files.example.org", {HOSTS[3]}),
        (".xample.com", set()),
        (".e%.com", set()),
    ],
)
def test_urls_of_an_entry_are_found(known: Store, entry: str, hosts: set[str]) -> None:
    with known.connect() as connection:
        assert set(decisions.keys_below(connection, entry)) == {url_key(f"http://{host}/x") for host in hosts}
