"""Dashboards made for Cowrie's MySQL read this store: the earlier project's queries, on every kind of database."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from sqlalchemy import select
from tests.store.conftest import START, session_id, terminal, visit
from tests.support.databases import KINDS, database

from urltrap.model.event import (
    DownloadAnswered,
    EnvironmentSet,
    EventBase,
    ForwardAsked,
    LoginTried,
    ProgramRun,
    Uploaded,
)
from urltrap.store import Store, cowrie_views, open_store
from urltrap.store.compare import checksums
from urltrap.store.engine import newest_schema, schema_of
from urltrap.store.intake import ingest
from urltrap.store.migrating import config
from urltrap.store.schema import facts

KEY = "SHA256:AAAAexampleexampleexampleexampleexampleexam"


def known_session() -> list[EventBase]:
    """One session with one of everything that Cowrie's tables tell, and a second visitor who only tries to log in."""
    made = visit(
        1, b"uname -a", b"http://198.51.100.9/a.sh", b"HTTP://198.51.100.9/b", b"x\xff\x00y", logins=3
    )
    session = session_id(1)
    late = START + timedelta(hours=1)
    seq = len(made)

    def add(kind: type[EventBase], **values: Any) -> None:
        made.append(kind(session=session, seq=seq + len(made), at=late, **values))

    add(LoginTried, method="none", username=b"root", accepted=False)
    add(LoginTried, method="publickey", username=b"root", public_key="ssh-ed25519 AAAA", key_fingerprint=KEY,
        accepted=False)  # fmt: skip
    add(EnvironmentSet, name=b"cowrie.arch", value=b"linux-x64-lsb")
    add(EnvironmentSet, name=b"LANG", value=b"C")
    add(ProgramRun, argv=[b"wgett", b"-q", b"x y"], path="", outcome="not-found", status=127)
    add(ProgramRun, argv=[b"uname", b"-a"], path="/bin/uname", outcome="ran", status=0)
    add(
        DownloadAnswered,
        url=b"http://198.51.100.9/a.sh",
        outcome="fetched",
        status=200,
        sha256="a" * 64,
        size=9,
    )
    add(DownloadAnswered, url=b"http://198.51.100.9/gone", outcome="timeout")
    add(Uploaded, via="scp", path=b"/tmp/x", size=3, sha256="b" * 64)
    add(ForwardAsked, direction="direct", host=b"192.0.2.80", port=80, first_bytes=b"GET / HTTP/1.1\r\n")
    add(ForwardAsked, direction="direct", host=b"192.0.2.81", port=443)
    add(ForwardAsked, direction="reverse", host=b"", port=8080)
    made += terminal(1, 200)
    return [*made, *visit(2, logins=2, accepted=False, address="198.51.100.8", at=late)]


QUERIES: dict[str, list[tuple[Any, ...]]] = {
    "SELECT COUNT(DISTINCT fingerprint) FROM keyfingerprints": [(1,)],
    "SELECT COUNT(*) FROM input": [(5,)],
    "SELECT COUNT(DISTINCT ip) FROM sessions": [(2,)],
    "SELECT COUNT(*) FROM downloads": [(3,)],
    "SELECT url, shasum FROM downloads WHERE shasum IS NOT NULL ORDER BY shasum": [
        ("http://198.51.100.9/a.sh", "a" * 64), ("", "b" * 64)],
    "SELECT clients.version, COUNT(sessions.id) AS n FROM sessions INNER JOIN clients ON sessions.client = clients.id "
    "GROUP BY clients.version ORDER BY n DESC": [("SSH-2.0-Go", 2)],
    "SELECT sensors.ip, COUNT(*) FROM sessions JOIN sensors ON sessions.sensor = sensors.id GROUP BY sensors.ip": [
        ("ssh", 2)],
    "SELECT success, COUNT(*) FROM auth GROUP BY success ORDER BY success": [(0, 4), (1, 1)],
    "SELECT username, COUNT(username) AS n FROM auth GROUP BY username ORDER BY n DESC LIMIT 10": [("root", 5)],
    "SELECT COUNT(DISTINCT password) FROM auth WHERE password <> ''": [(3,)],
    "SELECT realm, success, input FROM input WHERE success = 0": [(None, 0, "wgett -q x y")],
    "SELECT arch FROM params": [("linux-x64-lsb",)],
    "SELECT dst_ip, dst_port FROM ipforwards ORDER BY dst_ip": [("192.0.2.80", 80), ("192.0.2.81", 443)],
    "SELECT dst_ip, dst_port, data FROM ipforwardsdata": [("192.0.2.80", 80, "GET / HTTP/1.1\r\n")],
    "SELECT termsize FROM sessions ORDER BY starttime": [("100x30",), (None,)],
    "SELECT COUNT(*) FROM sessions WHERE endtime > starttime": [(2,)],
    "SELECT session, ttylog FROM ttylog WHERE size > 0": [
        (session_id(1), f"/sessions/{session_id(1)}/recording.cast?channel=3")],
}  # fmt: skip


def ask(store: Store, query: str) -> list[tuple[Any, ...]]:
    with store.connect() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(query.replace("%", "%%") if "%" in query
                and store.dialect != "sqlite" else query)]  # fmt: skip


@pytest.fixture
def seen(store: Store) -> Store:
    ingest(store, "trap-0", known_session(), (1, 1))
    return store


def test_the_earlier_projects_query_of_typed_urls_runs_as_it_was_written(seen: Store) -> None:
    found = ask(
        seen,
        "SELECT COUNT(input) AS input_count, input FROM input WHERE input LIKE 'http%' GROUP BY input "
        "ORDER BY input_count DESC LIMIT 50",
    )
    urls = {(1, "http://198.51.100.9/a.sh")}
    # Cowrie's MySQL compares without case, and so does SQLite's LIKE; PostgreSQL's does not.
    assert set(found) == urls if seen.dialect == "postgresql" else urls | {(1, "HTTP://198.51.100.9/b")}
    assert len(found) == (1 if seen.dialect == "postgresql" else 2)


def test_every_table_of_cowries_counts_what_the_known_session_did(seen: Store) -> None:
    for query, expected in QUERIES.items():
        assert ask(seen, query) == expected, query


def test_log_ins_over_time_are_dates_in_utc(seen: Store) -> None:
    days = ask(seen, "SELECT DATE(timestamp) AS day, COUNT(*) AS n FROM auth GROUP BY DATE(timestamp)")
    assert [(str(day), n) for day, n in days] == [("2026-11-24", 5)]
    if seen.dialect in ("mysql", "mariadb"):
        # As Grafana writes $__timeGroupAlias(timestamp, 1h) and $__timeFilter(timestamp) for MySQL.
        begin = int(START.timestamp())
        hours = ask(
            seen,
            "SELECT UNIX_TIMESTAMP(timestamp) DIV 3600 * 3600 AS \"time\", COUNT(*) AS n FROM auth WHERE timestamp "
            f"BETWEEN FROM_UNIXTIME({begin}) AND FROM_UNIXTIME({begin + 7200}) GROUP BY 1 ORDER BY 1".replace('"', "`"),
        )  # fmt: skip
        assert [n for _, n in hours] == [3, 2]
    first = ask(seen, "SELECT MIN(starttime) FROM sessions")[0][0]
    assert str(first) == "2026-11-24 04:00:00"


def test_numbers_of_rows_grow_with_time_and_stand_once(seen: Store) -> None:
    for name in ("auth", "input", "downloads", "ipforwards"):
        ids = [row[0] for row in ask(seen, f"SELECT id FROM {name}")]
        assert len(set(ids)) == len(ids)
    ordered = ask(seen, "SELECT timestamp FROM auth ORDER BY id")
    assert ordered == sorted(ordered)


def test_bytes_that_are_no_text_never_end_a_query(seen: Store) -> None:
    inputs = [row[0] for row in ask(seen, "SELECT input FROM input ORDER BY id")]
    assert len(inputs) == 5 and "uname -a" in inputs
    if seen.dialect == "sqlite":
        assert r"\x78FF0079" in inputs
    if seen.dialect == "postgresql":
        assert r"x\377\000y" in inputs
    assert len(ask(seen, "SELECT password FROM auth")) == 5


def test_the_views_are_made_anew_where_they_are_missing_or_of_another_version(store: Store) -> None:
    url = store.engine.url.render_as_string(hide_password=False)
    with store.begin() as connection:
        assert cowrie_views.current(connection)
        connection.exec_driver_sql("DROP VIEW auth")
        assert not cowrie_views.current(connection)
    open_store(url).close()
    with store.begin() as connection:
        assert cowrie_views.current(connection)
        mark = cowrie_views.names(store.dialect)[-1]
        connection.exec_driver_sql(f"DROP VIEW {mark}")
        connection.exec_driver_sql("CREATE VIEW cowrie_views_of_before AS SELECT 1 AS made")
    open_store(url).close()
    with store.connect() as connection:
        assert cowrie_views.current(connection)
        names = connection.dialect.get_view_names(connection)
        assert "cowrie_views_of_before" not in names
        assert connection.execute(select(facts)).all() == []


@pytest.mark.parametrize("kind", KINDS)
def test_the_migration_goes_both_ways_and_takes_along_what_raw_events_tell(kind: str, tmp_path: Path) -> None:
    with database(kind, tmp_path) as url:
        store = open_store(url)
        ingest(store, "trap-0", known_session(), (1, 1))
        with store.connect() as connection:
            before = checksums(connection)
            # What the migration drops, intake writes down again: that nothing is summed yet.
            del before["facts"]
        with store.begin() as connection:
            cowrie_views.drop(connection)
            command.downgrade(config(connection), "0007")
        assert schema_of(store) == "0007"
        store.close()
        store = open_store(url)
        assert schema_of(store) == newest_schema()
        with store.connect() as connection:
            assert before.items() <= checksums(connection).items()
        for query, expected in QUERIES.items():
            assert ask(store, query) == expected, query
        store.close()
