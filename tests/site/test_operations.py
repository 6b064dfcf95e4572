"""The operations page: what the data folder and the store say of the trap's work."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from tests.site.conftest import NOW
from tests.store.conftest import visit

from urltrap.egress.switch import KillSwitch
from urltrap.journal import JournalWriter
from urltrap.model.settings import Settings
from urltrap.site import operations
from urltrap.site.app import create_app
from urltrap.store import Store, open_store, work
from urltrap.store.backups import update_backup_state
from urltrap.store.intake import ingest


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "run").mkdir()
    return tmp_path


@pytest.fixture
def store(data: Path) -> Store:
    store = open_store(str(data / "urltrap.db"))
    yield store  # type: ignore[misc]
    store.close()


def page(store: Store, data: Path | None) -> str:
    app = create_app(store, Settings(), now=lambda: NOW, data=data)
    answer = TestClient(app, base_url="http://127.0.0.1:8080").get("/operations")
    assert answer.status_code == 200
    return answer.text


def test_backups_and_their_last_verified_restore_are_shown(store: Store, data: Path) -> None:
    update_backup_state(
        data,
        last_at=NOW - timedelta(minutes=30),
        verified_at=NOW - timedelta(minutes=29),
        verified_whole_at=NOW - timedelta(hours=20),
        targets={"s3://bucket/trap": "no answer <b>"},
        problem="the disk is full",
    )
    shown = page(store, data)
    restored = shown.partition("Last restored and compared")[2]
    assert (NOW - timedelta(hours=20)).strftime("%Y-%m-%d %H:%M:%S") in restored[:300]
    assert "no answer &lt;b&gt;" in shown and "the last try said: the disk is full" in shown


def test_a_backup_that_is_late_is_an_alarm(store: Store, data: Path) -> None:
    update_backup_state(data, verified_at=NOW - timedelta(days=3), verified_whole_at=NOW - timedelta(days=9))
    shown = page(store, data)
    assert "no backup has been verified since" in shown and "no backup has been restored" in shown


def test_of_a_segment_that_is_only_begun_nothing_waits(store: Store, data: Path) -> None:
    JournalWriter(data / "journal", "trap-0", Settings().journal).close()
    assert sum(row.unread for row in operations.journals(data, [])) == 0
    assert '0 B</span><span class="note">of the journal' in page(store, data)


def test_sensors_work_and_what_is_not_read_yet_are_shown(store: Store, data: Path) -> None:
    events = visit(1, b"uname -a", at=NOW.replace(minute=1))
    writer = JournalWriter(data / "journal", "trap-0", Settings().journal)
    for event in events:
        place = writer.append(event)
    writer.wait_durable(place, 20)
    shown = page(store, data)
    assert "trap-0" in shown and '0 B</span><span class="note">of the journal' not in shown
    ingest(store, "trap-0", events, (place.segment, place.offset))
    with store.begin() as connection:
        work.put(connection, "capture", ["a" * 64], NOW - timedelta(minutes=5))
    shown = page(store, data)
    writer.close()
    assert '<span class="value">0 B</span><span class="note">of the journal</span>' in shown
    assert 'href="/sessions?sensor=ssh">' in shown and "capture" in shown and "5 min ago" in shown


def test_processes_and_the_kill_switch_are_shown(store: Store, data: Path) -> None:
    state = {"pid": 7, "ready": True, "since": NOW.timestamp(), "restarts": 3, "listen": ["ssh 0.0.0.0:2222"]}
    down = {"pid": None, "ready": False, "since": None, "restarts": 9, "listen": []}
    (data / "run" / "status.json").write_text(json.dumps({"processes": {"trap-0": state, "fetcher": down}}))
    shown = page(store, data)
    assert "ssh 0.0.0.0:2222" in shown and ">down<" in shown and "The door out: open" in shown
    KillSwitch.of(data).throw()
    assert "shut by the kill switch" in page(store, data)


@pytest.mark.parametrize("body", ["", "{", "[]", '{"processes": {"x": {}}}'])
def test_a_status_that_cannot_be_read_is_no_failure(store: Store, data: Path, body: str) -> None:
    (data / "run" / "status.json").write_text(body)
    assert "does not run on this data folder" in page(store, data)


def test_a_site_without_the_data_folder_says_what_it_cannot_know(store: Store) -> None:
    shown = page(store, None)
    assert "The door out: unknown from here" in shown and "Kept on the machine with the data folder" in shown
