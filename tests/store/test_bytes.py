"""What attackers send comes back byte for byte, on every database, and only the same is taken for the same."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from sqlalchemy import func, select
from tests.store.conftest import START, session_id, visit

from urltrap.model.event import ForwardAsked, LoginTried, Malformed, ProgramRun, decode_event
from urltrap.store import Store
from urltrap.store.bulk import insert_rows
from urltrap.store.intake import ingest
from urltrap.store.queries import overview, sessions, top
from urltrap.store.schema import commands, events, facts, logins, program_runs, troubles
from urltrap.store.upsert import insert_new, upsert

AWKWARD = {
    "not UTF-8": bytes(range(256)),
    "NUL": b"\0a\0\0b\0",
    "four-byte emoji": "rm -rf 💀🏴‍☠️ ünïcödé".encode(),
    "quotes and percent": b"'; DROP TABLE events; -- %s %(x)s \\ \\' \" ` ?",
    "empty": b"",
    "a megabyte": bytes(i * 7 % 256 for i in range(1_048_576)),
}


@pytest.mark.parametrize("text", AWKWARD.values(), ids=AWKWARD.keys())
def test_bytes_come_back_equal(store: Store, text: bytes) -> None:
    one = session_id(1)
    given = [
        *visit(1, text)[:-1],
        LoginTried(
            session=one, seq=20, at=START, method="password", username=text, password=text, accepted=True
        ),
        ProgramRun(session=one, seq=21, at=START, argv=[text, b"-x"], outcome="not-found"),
        Malformed(session=one, seq=22, at=START, what="x", data=text),
        ForwardAsked(session=one, seq=23, at=START, direction="direct", host=text, port=1, first_bytes=text),
    ]
    ingest(store, "w", given, (1, 1))
    with store.connect() as connection:
        assert connection.execute(select(commands.c.text)).scalar_one() == text
        tried = connection.execute(
            select(logins.c.username, logins.c.password).where(logins.c.seq == 20)
        ).one()
        assert tuple(tried) == (text, text)
        assert connection.execute(select(program_runs.c.argv)).scalar_one() == text + b"\0-x"
        assert connection.execute(select(troubles.c.data)).scalar_one() == text
        bodies = connection.execute(select(events.c.body).order_by(events.c.seq)).scalars().all()
    assert [decode_event(body) for body in bodies] == given
    assert text in [row.value for row in top.top(store, "command")]
    assert sessions.page(store).rows[0].password == text


def test_values_that_differ_in_case_or_at_the_end_are_different(store: Store) -> None:
    with store.begin() as connection:
        insert_rows(
            connection, facts, [{"name": name, "value": name} for name in ("a", "A", "a ", "ä", "💀")]
        )
    with store.connect() as connection:
        assert connection.execute(select(func.count()).select_from(facts)).scalar() == 5
        assert connection.execute(select(facts.c.value).where(facts.c.name == "A")).scalars().all() == ["A"]


def test_a_key_that_stands_twice_among_the_rows_is_combined(store: Store) -> None:
    with store.begin() as connection:
        upsert(
            connection, facts, [{"name": "n", "value": "b"}, {"name": "n", "value": "a"}], lowest=["value"]
        )
        insert_new(connection, facts, [{"name": "m", "value": "1"}, {"name": "m", "value": "1"}])
    with store.connect() as connection:
        rows = connection.execute(select(facts.c.name, facts.c.value).order_by(facts.c.name)).all()
    assert [tuple(row) for row in rows] == [("m", "1"), ("n", "a")]


def test_two_collectors_that_take_the_same_events_count_them_once(store: Store) -> None:
    batches = [
        visit(number, b"id", b"uname -a", at=START + timedelta(seconds=number)) for number in range(12)
    ]
    both = threading.Barrier(2)
    failed: list[BaseException] = []

    def collect(writer: str) -> None:
        try:
            for place, batch in enumerate(batches):
                both.wait(60)
                ingest(store, writer, batch, (1, place))
        except BaseException as error:
            failed.append(error)
            both.abort()

    threads = [threading.Thread(target=collect, args=(f"collector-{n}",)) for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert overview.counters(store, START).commands == 24
    with store.connect() as connection:
        assert connection.execute(select(func.count()).select_from(events)).scalar() == sum(map(len, batches))
