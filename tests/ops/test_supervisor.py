"""What `urltrap up` says and does where processes do not start, or end."""

from __future__ import annotations

import asyncio
import errno
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from urltrap.model.settings import Settings, StoreSettings
from urltrap.ops import supervisor as room
from urltrap.ops.data_folder import DataFolder
from urltrap.ops.failure import Failure, explain
from urltrap.ops.nursery import Nursery
from urltrap.ops.processes import ProcessPlan
from urltrap.ops.supervisor import Supervisor
from urltrap.store import StoreCorrupt, StoreUnavailable

from .commands import run as command

WORKER = """
import json, os, sys, time
from pathlib import Path
name = json.loads(os.fdopen(int(sys.argv[1]), "rb", closefd=False).readline())["plan"][0]
life = Path({folder!r}) / name
run = len(life.read_text()) if life.exists() else 0
life.write_text("x" * (run + 1))
for line in json.loads({lines!r})[name][run]:
    if line == "stay":
        os.read(int(sys.argv[1]), 1)
    else:
        print(line, flush=True)
sys.exit(1)
"""
READY = '{"ready": true, "listen": []}'


def failed(reason: str, **more: Any) -> str:
    return Failure(reason, **more).to_json()


class Scripted(Supervisor):
    """Runs scripts in place of processes: `lives` has, by process, what each run says before it ends or stays."""

    def __init__(self, folder: Path, lives: dict[str, list[list[str]]], url: str = "") -> None:
        (folder / "run").mkdir()
        super().__init__(Settings(store=StoreSettings(url=url)), DataFolder(folder), None)
        self.states = [room.ProcessState(ProcessPlan(name, name)) for name in lives]
        self.patience = 0.0


class ScriptedNursery(Nursery):
    """Starts a script where the real one forks."""

    source = ""

    async def spawn(self, reading: int, name: str) -> Any:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-S",
            "-c",
            self.source,
            str(reading),
            pass_fds=[reading],
            stdout=asyncio.subprocess.PIPE,
        )


@pytest.fixture
def scripted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(room, "FIRST_DELAY", 0.001)

    def make(lives: dict[str, list[list[str]]], url: str = "") -> Scripted:
        source = WORKER.format(folder=str(tmp_path), lines=json.dumps(lives))

        up = Scripted(tmp_path, lives, url)
        up.nursery = ScriptedNursery([], {})
        up.nursery.source = source
        return up

    structlog.reset_defaults()
    return make


def run(up: Scripted, until: Any = lambda: False) -> list[Any]:
    """Run until it gives up, or until the condition; what it logged."""

    def look() -> None:
        if until():
            up.stop.set()

    up.on_change = look
    with capture_logs() as logged:
        asyncio.run(asyncio.wait_for(up.run(), 30))
    return logged


def test_a_needed_process_that_never_starts_ends_everything_with_its_reason(scripted: Any) -> None:
    up = scripted({"trap": [[failed("the port is taken")]], "site": [[READY, "stay"]]})
    logged = run(up)
    assert up.failure == "trap cannot start: the port is taken"
    assert [line for line in logged if line["log_level"] != "info"] == []
    assert not up.folder.status.exists()


def test_a_start_is_tried_again_within_its_patience(scripted: Any) -> None:
    up = scripted({"trap": [[failed("the port is taken")], [READY, "stay"]]})
    up.patience = 60.0
    logged = run(up, lambda: up.is_up)
    assert up.failure == "" and [line["reason"] for line in logged] == ["the port is taken"]


def test_what_cannot_get_better_is_not_tried_again(scripted: Any) -> None:
    up = scripted({"pipeline": [[failed("the database is damaged", hopeless=True)]]})
    up.patience = 60.0
    run(up)
    assert up.failure == "pipeline cannot start: the database is damaged" and up.states[0].restarts == 0


def test_a_database_server_is_waited_for_and_a_file_is_not(scripted: Any) -> None:
    away = failed("no answer", database=True)
    up = scripted({"pipeline": [[away], [away], [READY, "stay"]]}, "postgresql+psycopg://u@db/x")
    run(up, lambda: up.is_up)
    assert up.failure == "" and up.states[0].restarts == 2


def test_a_process_that_was_there_is_started_again_with_one_line_each(scripted: Any) -> None:
    died = [READY, failed("the disk is full", hopeless=True)]
    up = scripted({"trap": [died, died, died, [READY, "stay"]]})
    logged = run(up, lambda: up.states[0].restarts == 3 and up.is_up)
    assert up.failure == ""
    told = [(line["reason"], line["in_seconds"]) for line in logged]
    assert told == [("the disk is full", 0.001), ("the disk is full", 0.002), ("the disk is full", 0.004)]


def test_a_process_that_can_be_done_without_does_not_keep_the_others_from_being_up(scripted: Any) -> None:
    up = scripted({"trap": [[READY, "stay"]], "watch": [[failed("no")], *[[failed("no")]] * 50]})
    missing: list[dict[str, str]] = []

    def seen() -> bool:
        if up.is_up:
            missing.append(up.missing)
        return up.is_up

    run(up, seen)
    assert up.failure == "" and missing[0] == {"watch": "no"}


def test_the_trace_of_an_error_of_ours_is_shown_once(scripted: Any) -> None:
    bug = [READY, failed("an error that nobody expected", trace="Traceback: here")]
    up = scripted({"trap": [bug, bug, bug, [READY, "stay"]]})
    logged = run(up, lambda: up.states[0].restarts == 3 and up.is_up)
    assert [line["exception"] for line in logged if "exception" in line] == ["Traceback: here"]


def test_a_process_that_says_nothing_is_told_by_its_status(scripted: Any) -> None:
    up = scripted({"trap": [[]]})
    run(up)
    assert up.failure == "trap cannot start: it ended with status 1"


def test_a_status_that_cannot_be_written_ends_nothing(scripted: Any) -> None:
    up = scripted({"trap": [[READY, "stay"]]})
    (up.folder.run / "status.new").mkdir()
    logged = run(up, lambda: up.is_up)
    assert [line["event"] for line in logged] == ["the status cannot be written"]


def test_errors_are_explained_in_one_line_and_only_bugs_with_a_trace() -> None:
    full = explain(OSError(errno.ENOSPC, "No space left on device", "/d/journal"))
    assert full == Failure("/d/journal: No space left on device; free some room on that disk", hopeless=True)
    assert explain(StoreCorrupt("damaged:\n restore it")) == Failure("damaged: restore it", hopeless=True)
    assert explain(StoreUnavailable("gone")) == Failure("gone", database=True)
    bug = explain(ExceptionGroup("tasks", [KeyError("x")]))
    assert bug.reason.startswith("an error that nobody expected (KeyError: 'x')") and "KeyError" in bug.trace
    assert Failure.of_message({"ready": True}) is None
    assert Failure.of_message({"failed": {"reason": "x"}}) is None


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "data"
    assert command("init", folder).exit_code == 0
    return folder


@pytest.fixture
def data(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "data"))


def test_up_refuses_a_folder_in_which_nothing_could_be_recorded(data: Path) -> None:
    done = command("up", "--data", data, URLTRAP_JOURNAL__FREE_BYTES_RESERVE=str(10**18))
    assert done.exit_code == 1 and "NOT up: " in done.output and "no event would be recorded" in done.output


def test_up_refuses_a_folder_that_cannot_be_written(data: Path) -> None:
    (data / "journal").rmdir()
    (data / "journal").write_text("a file in the folder's place")
    done = command("up", "--data", data)
    assert done.exit_code == 1
    assert f"NOT up: the data folder cannot be written: {data / 'journal'}: File exists" in done.output


def test_up_refuses_a_path_that_is_too_long_for_a_socket(made: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(made, tmp_path / ("x" * 100))
    done = command("up", "--data", folder)
    assert done.exit_code == 1 and "use a folder with a shorter path" in done.output


def test_a_process_that_says_nothing_any_more_is_killed_and_started_again(scripted: Any) -> None:
    up = scripted({"trap": [[READY, "stay"], [READY, "stay"]]})
    up.hung_after = 0.05
    logged = run(up, lambda: up.states[0].restarts == 1 and up.is_up)
    assert up.failure == ""
    assert [line["event"] for line in logged][:2] == [
        "process does not answer and is killed",
        "process ended, starting it again",
    ]


def test_a_process_that_says_that_it_is_alive_is_left_alone(scripted: Any) -> None:
    up = scripted({"site": [[READY, "stay"]], "trap": [[READY, '{"alive": true}', "stay"]]})
    up.hung_after = 60.0
    assert run(up, lambda: up.is_up) == [] and up.states[1].heard > 0
