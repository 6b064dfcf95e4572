"""The synthetic attacker, and what tells of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from urltrap.egress.fetcher import CANARY_BODY
from urltrap.model.canary import Canary, canary_session, is_canary
from urltrap.model.capture import Capture
from urltrap.model.event import Captured, Disconnected
from urltrap.model.ids import new_ulid
from urltrap.model.settings import Settings
from urltrap.model.watch_settings import CanarySettings
from urltrap.ops.canary import run_canary, ssh_address, visit
from urltrap.ops.data_folder import DataFolder
from urltrap.ops.metrics import registry
from urltrap.pipeline.line_state import Arrivals, LineState, Visit, keep_visit, line_state

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=1)
CANARY = Canary.of(b"s" * 32)


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


class Door(asyncssh.SSHServer):
    """A server that lets the synthetic attacker in and gives it `body`."""

    came: list[str]
    lets_in = True

    def connection_made(self, conn: Any) -> None:
        self.came.append(conn.get_extra_info("peername")[0])

    def begin_auth(self, username: str) -> bool:
        return True

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return self.lets_in and (username, password) == ("root", CANARY.password.decode())


async def serving(body: bytes, lets_in: bool = True) -> tuple[Any, tuple[str, int], list[str], list[str]]:
    came: list[str] = []
    asked: list[str] = []

    async def answer(process: Any) -> None:
        asked.append(process.command)
        process.stdout.write(body)
        process.exit(0)

    door = type("Made", (Door,), {"came": came, "lets_in": lets_in})
    server = await asyncssh.create_server(
        door, "127.0.0.1", 0, server_host_keys=[asyncssh.generate_private_key("ssh-ed25519")],
        process_factory=answer, encoding=None,
    )  # fmt: skip
    return server, ("127.0.0.1", server.get_port()), came, asked


async def test_it_comes_from_an_address_that_nobody_else_has_and_asks_for_its_file() -> None:
    server, address, came, asked = await serving(CANARY_BODY)
    assert [await visit(CANARY, address, turn) for turn in (0, 1)] == ["", ""]
    assert came == [CANARY.address(0), CANARY.address(1)] and len(set(came)) == 2
    assert all(CANARY.comes_from(source) and source.startswith("127.") for source in came)
    assert asked[0].startswith(f"wget -q -O - http://{CANARY.host}/") and asked[0] != asked[1]
    server.close()


@pytest.mark.parametrize(
    ("body", "lets_in", "problem"),
    [(b"", True, "does the fetcher run"), (CANARY_BODY, False, "not let in")],
)
async def test_what_is_wrong_is_said(body: bytes, lets_in: bool, problem: str) -> None:
    server, address, _, _ = await serving(body, lets_in)
    assert problem in await visit(CANARY, address, 0)
    server.close()
    await server.wait_closed()
    assert "the connection failed" in await visit(CANARY, address, 0)


async def test_where_machines_have_no_network_it_only_runs_a_command() -> None:
    server, address, _, asked = await serving(b"something else\n")
    problem = await visit(CANARY, address, 0, fetches=False)
    assert "not what it asked for" in problem and "fetcher" not in problem
    assert asked[0].startswith("echo ") and "http" not in asked[0]
    server.close()


def test_each_installation_has_another_one() -> None:
    other = Canary.of(b"t" * 32)
    assert other.password != CANARY.password and other.host != CANARY.host
    assert not CANARY.comes_from("203.0.113.7") and not CANARY.comes_from("127.0.0.1")


def test_its_events_are_told_from_those_of_attackers() -> None:
    session = canary_session(new_ulid(1_795_000_000_000, bytes(10)))
    assert len(session) == 26
    end = Disconnected(session=session, seq=0, at=NOW, reason="client", duration_ms=1)
    assert is_canary(end) and not is_canary(end.model_copy(update={"session": new_ulid(1, bytes(10))}))
    capture = Capture(url="http://x.invalid/", at=NOW, outcome="fetched", for_session=session)
    made = Captured(session=new_ulid(1, bytes(10)), seq=0, at=NOW, capture=capture)
    assert is_canary(made)
    assert not is_canary(made.model_copy(update={"capture": capture.model_copy(update={"for_session": ""})}))


@pytest.mark.parametrize(
    ("listen", "found"),
    [
        (["telnet 0.0.0.0:23", "ssh 0.0.0.0:22"], ("127.0.0.1", 22)),
        (["ssh [::]:22", "ssh 192.0.2.7:2222"], ("192.0.2.7", 2222)),
        (["telnet 0.0.0.0:23"], None),
    ],
)
def test_it_finds_the_trap_by_what_the_supervisor_wrote_down(
    tmp_path: Path, listen: Sequence[str], found: tuple[str, int] | None
) -> None:
    status = tmp_path / "status.json"
    assert ssh_address(status) is None
    status.write_text(json.dumps({"processes": {"trap-0": {"ready": True, "listen": listen}}}))
    assert ssh_address(status) == found
    status.write_text("{}")
    assert ssh_address(status) is None


async def test_visits_are_written_down_one_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("urltrap.ops.canary._FIRST_AFTER", 0.01)
    (tmp_path / "run").mkdir()
    status = tmp_path / "run" / "status.json"
    server, address, came, _ = await serving(CANARY_BODY)
    stop = asyncio.Event()
    often = CanarySettings.model_construct(enabled=True, every_seconds=0.01)
    task = asyncio.ensure_future(run_canary(often, CANARY, tmp_path, status, stop))
    listen = {"ready": True, "listen": [f"ssh {address[0]}:{address[1]}"]}
    status.write_text(json.dumps({"processes": {"trap-0": listen}}))
    async with asyncio.timeout(20):
        while (state := line_state(tmp_path)).visit is None or len(came) < 2:  # noqa: ASYNC110 - a file tells
            await asyncio.sleep(0.005)
        assert state.visit.well_at and state.visit.seconds and not state.visit.problem
        server.close()
        await server.wait_closed()
        while not (visited := line_state(tmp_path).visit) or not visited.problem:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    assert visited.well_at and visited.tried_at > visited.well_at  # when it was well is not forgotten
    stop.set()
    await task


@pytest.mark.parametrize(
    ("visited", "stored", "stores", "told"),
    [
        (None, None, True, ""),
        (Visit(tried_at=ago(9), well_at=ago(9)), ago(9), True, ""),
        (Visit(tried_at=ago(9), well_at=ago(400), problem="no answer"), ago(400), True, "no answer"),
        (Visit(tried_at=ago(400), well_at=ago(400)), ago(400), True, "does not come any more"),
        (Visit(tried_at=ago(9), well_at=ago(9)), ago(400), True, "nothing of it has come into the store"),
        (Visit(tried_at=ago(9), well_at=ago(9)), None, False, ""),
        (Visit(tried_at=ago(9), problem="x"), None, True, "has not got in"),
    ],
)
def test_age_is_the_alarm(visited: Visit | None, stored: datetime | None, stores: bool, told: str) -> None:
    state = LineState(visit=visited, stored_at=stored)
    troubles = state.troubles(NOW, LONG_AGO, stores=stores)
    assert told in " ".join(troubles) and bool(troubles) == bool(told)
    assert state.troubles(NOW, NOW, stores=stores) == []  # who has only just begun to watch waits first


def test_both_ends_of_the_line_are_figures_for_prometheus(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    folder.run.mkdir()
    figures = registry(folder, Settings(), lambda: NOW)
    assert figures.get_sample_value("urltrap_canary_visited_timestamp_seconds") is None
    keep_visit(tmp_path, Visit(tried_at=NOW, well_at=NOW, seconds=0.2))
    arrivals = Arrivals(tmp_path)
    assert figures.get_sample_value("urltrap_canary_stored_timestamp_seconds") == 0
    arrivals.saw([ago(1), NOW, ago(2)])
    arrivals.saw([])
    arrivals.saw([ago(5)])
    assert figures.get_sample_value("urltrap_canary_visited_timestamp_seconds") == NOW.timestamp()
    assert figures.get_sample_value("urltrap_canary_stored_timestamp_seconds") == NOW.timestamp()
    assert figures.get_sample_value("urltrap_canary_visit_seconds") == 0.2


def test_what_traps_say_of_themselves_are_figures_while_it_is_fresh(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    folder.run.mkdir()
    body = {
        "at": NOW.timestamp() - 30, "resident_bytes": 5, "pressure": 1, "left_out": {"keystrokes": 7},
        "doors": {"ssh": {"open": 3, "not_logged_in": 2, "served": 11, "shed": 13}},
    }  # fmt: skip
    (folder.run / "trap-0.figures.json").write_text(json.dumps(body))
    (folder.run / "trap-1.figures.json").write_text(json.dumps({**body, "at": NOW.timestamp() - 3000}))
    (folder.run / "trap-2.figures.json").write_text("{}")
    value = registry(folder, Settings(), lambda: NOW).get_sample_value
    door = {"process": "trap-0", "sensor": "ssh"}
    assert value("urltrap_connections_open", door) == 3
    assert value("urltrap_connections_shed_total", door) == 13
    assert value("urltrap_journal_left_out_total", {"process": "trap-0", "class": "keystrokes"}) == 7
    assert value("urltrap_trap_resident_bytes", {"process": "trap-1"}) is None
