"""URLs by their axes: what older stores knew, filters, and how many have which."""

from __future__ import annotations

import json
from pathlib import Path

import sqlalchemy as sa
from alembic import command

from urltrap.model.views import SessionFilter
from urltrap.store import migrating, open_store
from urltrap.store.queries import sessions
from urltrap.store.schema import urls

KEY = "a" * 64


def test_an_older_store_gets_its_axes_from_its_verdicts(tmp_path: Path) -> None:
    path = tmp_path / "urltrap.db"
    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        command.upgrade(migrating.config(connection), "0005")
        for key, classes in (
            (
                KEY,
                json.dumps({"axes": {"role": "payload", "target": "linux " + "x" * 90, "lifecycle": None}}),
            ),
            ("b" * 64, None),
        ):
            connection.execute(
                sa.text(
                    "insert into urls (key, url, scheme, host, port, first_seen, last_seen, depth, held, flags, "
                    "outcome, kind, verdict, confidence) "
                    "values (:key, :key, 'http', 'h', 80, 1, 1, 0, 0, '[]', '', '', 'unknown', 0)"
                ),
                {"key": key},
            )
            connection.execute(
                sa.text(
                    "insert into verdicts (url_key, verdict, confidence, reasons, at, rules, classes) "
                    "values (:key, 'unknown', 0, '[]', 1, '1', :classes)"
                ),
                {"key": key, "classes": classes},
            )
        for session, client in (("one", b"SSH-2.0-Go"), ("two", b"")):
            connection.execute(
                sa.text(
                    "insert into sessions (id, sensor, protocol, src_ip, src_port, dst_ip, dst_port, persona, "
                    "connected, started, classed, client, hassh, hassh_algorithms, accepted, close_reason, "
                    "close_detail) values (:id, 'ssh', 'ssh', '192.0.2.1', 1, '', 2, '', 1, 1, 'probe', :client, "
                    "'', '', 0, '', '')"
                ),
                {"id": session, "client": client},
            )
    engine.dispose()
    store = open_store(str(path))
    with store.connect() as connection:
        found = {row.key: row for row in connection.execute(sa.select(urls))}
    go = sessions.page(store, SessionFilter(client="SSH-2.0-Go")).rows
    store.close()
    assert [session.id for session in go] == ["one"]
    row = found[KEY]
    assert (row.role, row.target, row.lifecycle) == ("payload", ("linux " + "x" * 90)[:60], "")
    assert found["b" * 64].role == ""
