"""How old the backups are: in the state, in `urltrap status`, in figures and alerts; and the copy that runs beside."""

from __future__ import annotations

import asyncio
import json
import shutil
import threading
import urllib.request
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from tests.backup.conftest import Installation
from tests.ops.commands import run
from tests.support.running import eventually

from urltrap.journal import JournalReader
from urltrap.model.backup import BackupState
from urltrap.model.settings import BackupSettings, Settings
from urltrap.model.watch_settings import AlertSettings, MetricsSettings
from urltrap.ops.alerts import Alerts, sender
from urltrap.ops.backup.manifest import list_manifests
from urltrap.ops.backup.pieces import list_pieces
from urltrap.ops.backup.process import run_backups
from urltrap.ops.backup.restoring import restore
from urltrap.ops.backup.target import Target
from urltrap.ops.watching import run_watch
from urltrap.store.backups import backup_state, update_backup_state

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
HOURLY = BackupSettings()


def ago(**span: float) -> datetime:
    return NOW - timedelta(**span)


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (BackupState(verified_at=ago(minutes=119), verified_whole_at=ago(hours=47)), []),
        (BackupState(verified_at=ago(minutes=121), verified_whole_at=ago(hours=47)), ["verified since"]),
        (
            BackupState(verified_at=ago(minutes=1), verified_whole_at=ago(hours=49)),
            ["restored for a try since"],
        ),
        (BackupState(), ["verified yet", "restored for a try yet"]),
        (BackupState(verified_at=ago(minutes=1), sealed=True), []),
        (
            BackupState(
                verified_at=ago(minutes=1), sealed=True, targets={"s3://x": "no route", "/y": "ok 2026"}
            ),
            ["s3://x: no route"],
        ),
        (
            BackupState(verified_at=ago(hours=9), sealed=True, problem="disk full"),
            ["verified since", "disk full"],
        ),
    ],
)
def test_what_is_older_than_two_periods_is_told(state: BackupState, expected: list[str]) -> None:
    found = state.overdue(HOURLY, NOW, since=ago(days=9))
    assert len(found) == len(expected)
    assert all(words in sentence for words, sentence in zip(expected, found, strict=True))
    assert state.overdue(BackupSettings(enabled=False), NOW, since=ago(days=9)) == []


def test_a_new_installation_has_two_periods_for_its_first_backup() -> None:
    assert BackupState().overdue(HOURLY, NOW, since=ago(minutes=119)) == []
    assert len(BackupState().overdue(HOURLY, NOW, since=ago(minutes=121))) == 1


def test_two_that_write_the_state_at_once_lose_nothing(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    names = [f"target-{number}" for number in range(30)]

    def note(mine: list[str]) -> None:
        for name in mine:
            update_backup_state(tmp_path, **{name: NOW})

    threads = [
        threading.Thread(target=lambda: [update_backup_state(tmp_path, copied_at=NOW) for _ in names]),
        threading.Thread(target=lambda: [update_backup_state(tmp_path, last=name) for name in names]),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    state = backup_state(tmp_path)
    assert (state.copied_at, state.last) == (NOW, names[-1])


def test_what_went_wrong_is_told_once_again_while_it_lasts_and_once_when_it_is_over(tmp_path: Path) -> None:
    sent: list[str] = []
    working = True

    def send(title: str, text: str) -> bool:
        sent.append(f"{title}: {text}")
        return working

    def look(words: list[str], now: datetime) -> list[str]:
        # A new object each time, as after a restart.
        return Alerts(tmp_path / "alerts.json", send, timedelta(hours=24)).look({"the backups": words}, now)

    assert look([], NOW) == [] and sent == []
    assert look(["too old"], NOW) == ["the backups"] and "too old" in sent.pop()
    assert look(["too old"], NOW + timedelta(hours=23)) == [] and sent == []
    assert look(["too old"], NOW + timedelta(hours=24)) == ["the backups"] and sent.pop()
    working = False
    assert look([], NOW + timedelta(hours=25)) == [] and "well again" in sent.pop()
    working = True
    assert look([], NOW + timedelta(hours=26)) == ["the backups"] and "well again" in sent.pop()
    assert look([], NOW + timedelta(hours=27)) == [] and sent == []


class Receiver:
    """A web server on loopback that keeps what is posted to it."""

    def __init__(self) -> None:
        self.got: list[dict[str, str]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                receiver.got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Silent."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"json://127.0.0.1:{self.server.server_address[1]}/"


async def test_a_late_backup_is_an_alert_that_arrives_and_a_figure_that_is_scraped(
    simple: Installation,
) -> None:
    receiver = Receiver()
    update_backup_state(
        simple.folder.root, verified_at=datetime(2020, 1, 1, tzinfo=UTC), sealed=True, problem="no space"
    )
    settings = Settings(
        metrics=MetricsSettings(listen="127.0.0.1:0"), alerts=AlertSettings(targets=[receiver.url])
    )
    stop, listens = asyncio.Event(), asyncio.Queue[list[str]]()
    task = asyncio.create_task(run_watch(settings, simple.folder, listens.put_nowait, stop))
    try:
        (listen,) = await listens.get()
        address = listen.removeprefix("metrics ")

        def scrape() -> dict[str, float]:
            with urllib.request.urlopen(f"http://{address}/metrics", timeout=20) as answer:
                lines = answer.read().decode().splitlines()
            return {
                line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if line[0] != "#"
            }

        figures = await asyncio.to_thread(scrape)
        assert figures["urltrap_backup_overdue"] == 2
        assert (
            figures["urltrap_backup_verified_timestamp_seconds"]
            == datetime(2020, 1, 1, tzinfo=UTC).timestamp()
        )
        assert figures["urltrap_backup_restored_timestamp_seconds"] == 0
        await asyncio.to_thread(simple.vault.back_up, "manual")
        figures = await asyncio.to_thread(scrape)
        assert figures["urltrap_backup_overdue"] == 0
        assert figures["urltrap_backup_restored_timestamp_seconds"] > 1.7e9
        await asyncio.to_thread(eventually, lambda: receiver.got, "the alert")
    finally:
        stop.set()
        await task
        receiver.server.shutdown()
        receiver.server.server_close()
    assert "no backup has been verified since 2020-01-01" in receiver.got[0]["message"]
    assert "no space" in receiver.got[0]["message"]


async def test_a_taken_address_of_figures_does_not_stop_alerts(simple: Installation) -> None:
    receiver = Receiver()
    taken = f"127.0.0.1:{receiver.server.server_address[1]}"
    stop, listens = asyncio.Event(), asyncio.Queue[list[str]]()
    settings = Settings(metrics=MetricsSettings(listen=taken))
    task = asyncio.create_task(run_watch(settings, simple.folder, listens.put_nowait, stop))
    assert await listens.get() == []
    stop.set()
    await task
    receiver.server.shutdown()
    receiver.server.server_close()


def test_an_alert_that_nobody_takes_is_no_success() -> None:
    assert sender(AlertSettings(targets=["nosuchservice://x"]))("a", "b") is False
    assert sender(AlertSettings())("a", "b") is True


def test_status_tells_the_age_of_backups(simple: Installation) -> None:
    import os

    simple.vault.back_up("manual")
    said = run("status", "--data", simple.folder.root)
    assert (
        said.exit_code == 1 and "is not running" in said.output and "restored and compared: " in said.output
    )
    simple.folder.status.write_text(json.dumps({"pid": os.getpid(), "processes": {}}))
    said = " ".join(run("status", "--data", simple.folder.root).output.split())  # however it was folded
    assert "newest backup: " in said and "restored and compared: " in said and "overdue" not in said
    update_backup_state(simple.folder.root, verified_at=ago(days=4000))
    said = " ".join(run("status", "--data", simple.folder.root).output.split())
    assert "overdue: no backup has been verified since 2015" in said
    body = json.loads(run("status", "--data", simple.folder.root, "--json").output)
    assert body["backup"]["verified_whole"] and len(body["backup"]["overdue"]) == 1


async def test_events_acknowledged_after_the_backup_are_at_every_target_seconds_later(tmp_path: Path) -> None:
    assert BackupSettings().journal_seconds <= 10, "what can be lost with the whole machine"
    second = tmp_path / "second"
    one = Installation(tmp_path / "data", targets=[str(second)], journal_seconds=0.05)
    one.attack(2)
    stop, ready = asyncio.Event(), asyncio.Event()
    task = asyncio.create_task(run_backups(one.settings, one.folder, ready.set, stop))
    try:
        await ready.wait()
        target = Target(str(second))
        # The first backup is made by itself, at once.
        await asyncio.to_thread(eventually, lambda: list_manifests(target)[0], "the first backup", 60)
        later = await asyncio.to_thread(one.attack, 2)
        place = one.writer.durable_position

        def copied() -> bool:
            return any((piece.segment, piece.end) >= place for piece in list_pieces(target))

        await asyncio.to_thread(eventually, copied, "the copy", 60)
        assert backup_state(one.folder.root).copied_at is not None
    finally:
        stop.set()
        await task
    one.close()
    # The whole machine is lost now.
    shutil.rmtree(one.folder.root)
    restore(target, list_manifests(target)[0][-1], one.folder.root, [], store_url=lambda work: "")
    with JournalReader(one.folder.journal) as reader:
        events = [event for _, event in reader.read("trap-0", None, 10_000)]
    assert events[-len(later) :] == later
