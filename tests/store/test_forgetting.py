from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import LargeBinary, func, select
from tests.store.conftest import START, session_id, visit

from urltrap.model.event import FloodCounted
from urltrap.model.sighting import Recovered
from urltrap.store import Store
from urltrap.store.forgetting import coarse, coarsen, expire, forget
from urltrap.store.intake import ingest
from urltrap.store.queries import overview, sessions, top
from urltrap.store.schema import addresses, events, metadata, url_sources
from urltrap.store.sightings import Seen, save_sightings

OLD, NEW = START - timedelta(days=40), START
ADDRESS = "198.51.100.7"


def everywhere(store: Store, text: str) -> list[str]:
    """Tables in which a text stands, in whatever column."""
    found = []
    with store.connect() as connection:
        for table in metadata.sorted_tables:
            for row in connection.execute(select(table)):
                values = [
                    value.decode("latin-1") if isinstance(value, bytes) else str(value) for value in row
                ]
                if any(text in value for value in values):
                    found.append(table.name)
                    break
    return found


def fill(store: Store) -> None:
    ingest(store, "w", visit(1, b"id", at=OLD), (1, 1))
    ingest(store, "w", visit(2, b"id", at=NEW, address="198.51.100.9"), (1, 2))
    ingest(store, "w", visit(3, b"id", at=OLD, address="2001:db8:1:2::5"), (1, 3))
    ingest(store, "w", visit(4, b"id", at=OLD, address="192.0.2.200"), (1, 4))
    ingest(store, "w", visit(5, b"id", at=NEW, address="192.0.2.200"), (1, 5))
    shed = FloodCounted(session="F", seq=0, at=OLD, sensor="ssh", src_ip=ADDRESS, since=OLD, count=7)
    ingest(store, "w", [shed], (1, 6))
    recovered = Recovered(
        url="http://203.0.113.9/x", raw=b"http://203.0.113.9/x", span=(0, 20), method="word", confidence=90
    )
    with store.begin() as connection:
        for number, address in ((1, ADDRESS), (2, "198.51.100.9")):
            save_sightings(
                connection,
                [Seen(session_id(number), 3, OLD if number == 1 else NEW, "ssh", address, [recovered])],
            )


@pytest.mark.parametrize(
    ("address", "kept"),
    [
        ("198.51.100.7", "198.51.100.0"),
        ("2001:db8:1:2::5", "2001:db8:1::"),
        ("::1", "::"),
        ("", ""),
        ("x", "x"),
    ],
)
def test_what_is_kept_of_an_address(address: str, kept: str) -> None:
    assert coarse(address) == kept
    assert len(coarse(address)) <= len(address)


def test_aged_addresses_keep_their_network_and_newer_ones_everything(store: Store) -> None:
    fill(store)
    before = overview.counters(store, START)
    assert coarsen(store, START - timedelta(days=30)) == 3
    assert everywhere(store, ADDRESS) == []
    assert everywhere(store, "2001:db8:1:2") == []
    assert "attacker_sessions" in everywhere(store, "198.51.100.9")
    found = {row.id: row.src_ip for row in sessions.page(store).rows}
    assert found[session_id(1)] == "198.51.100.0"
    assert found[session_id(4)] == "192.0.2.0" and found[session_id(5)] == "192.0.2.200"
    after = overview.counters(store, START)
    assert (after.sessions, after.commands, after.shed) == (before.sessions, before.commands, before.shed)
    assert {row.value: row.count for row in top.top(store, "address")}[b"198.51.100.0"] == 1
    with store.connect() as connection:
        assert connection.execute(select(func.sum(addresses.c.sessions))).scalar() == 5
        assert set(connection.execute(select(url_sources.c.address)).scalars()) == {
            "198.51.100.0",
            "198.51.100.9",
        }
    assert coarsen(store, START - timedelta(days=30)) == 0


def test_an_address_that_is_forgotten_is_nowhere_and_its_figures_stay(store: Store) -> None:
    fill(store)
    before = overview.counters(store, START)
    assert {"attacker_sessions", "events", "floods", "addresses", "sightings"} <= set(
        everywhere(store, ADDRESS)
    )
    assert forget(store, ADDRESS) == 1
    assert everywhere(store, ADDRESS) == []
    after = overview.counters(store, START)
    assert (after.sessions, after.commands, after.shed) == (before.sessions, before.commands, before.shed)
    detail = sessions.detail(store, session_id(1))
    assert detail is not None and detail.summary.src_ip == "0.0.0.0"
    assert forget(store, ADDRESS) == 0
    assert "attacker_sessions" in everywhere(store, "198.51.100.9")


def test_old_raw_events_go_before_their_sessions_do(store: Store) -> None:
    fill(store)
    gone = expire(store, START - timedelta(days=30), START - timedelta(days=60))
    assert set(gone) == {"events"}
    with store.connect() as connection:
        left = set(connection.execute(select(events.c.session).distinct()).scalars())
    assert left == {session_id(2), session_id(5), "F"}
    assert len(sessions.page(store).rows) == 5
    gone = expire(store, START - timedelta(days=30), START - timedelta(days=30))
    assert gone["attacker_sessions"] == 3 and gone["commands"] == 3 and gone["logins"] == 3
    assert {row.id for row in sessions.page(store).rows} == {session_id(2), session_id(5)}
    assert overview.counters(store, START).sessions == 5, "figures stay"


def test_no_column_for_attackers_bytes_was_left_out_of_the_search() -> None:
    kinds = {type(column.type) for table in metadata.sorted_tables for column in table.columns}
    assert any(issubclass(kind, LargeBinary) for kind in kinds)
