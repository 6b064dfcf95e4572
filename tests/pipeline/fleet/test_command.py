"""`urltrap fleet` as an operator types it."""

from __future__ import annotations

import json
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.ops.commands import run

from urltrap.journal.shipping.process import own_name
from urltrap.journal.shipping.transport import Beat
from urltrap.model.settings import JournalSettings
from urltrap.ops.init import init_data_folder
from urltrap.pipeline.fleet.accounts import Accounts
from urltrap.pipeline.fleet.beats import Beats
from urltrap.store import open_store

ADDRESS = "https://collector.example:8443"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("fleet") / "data"
    init_data_folder(root)
    open_store(str(root / "urltrap.db")).close()
    return root


def test_what_a_new_sensor_needs_is_printed_as_settings_that_work(folder: Path) -> None:
    done = run("fleet", "add", "campus-1", "--data", folder, "--address", ADDRESS)
    assert done.exit_code == 0
    lines = "\n".join(line for line in done.output.splitlines() if " = " in line)
    settings = JournalSettings.model_validate(tomllib.loads(lines))
    assert settings.ship == ADDRESS and own_name(settings) == "campus-1"
    assert Accounts(folder).whose(settings.ship_token.get_secret_value()) == "campus-1"
    assert settings.ship_fingerprint in run("fleet", "--data", folder).output
    assert "does not collect yet" in done.output
    token = settings.ship_token.get_secret_value().partition(".")[2]
    assert token not in run("fleet", "--data", folder, "--json").output


def test_without_an_address_or_with_a_bad_name_nothing_is_made(folder: Path) -> None:
    for arguments, words in (
        (("campus-9",), "how do sensors reach"),
        (("../x", "--address", ADDRESS), "not a sensor's name"),
        (("campus-9", "--address", "http://x"), "how do sensors reach"),
    ):
        done = run("fleet", "add", *arguments, "--data", folder)
        assert done.exit_code == 1 and words in done.output
    assert "campus-9" not in Accounts(folder).names()


def test_the_table_shows_lag_version_silence_and_a_wrong_clock(folder: Path) -> None:
    run("fleet", "add", "campus-2", "--data", folder, "--address", ADDRESS)
    run("fleet", "add", "campus-3", "--data", folder, "--address", ADDRESS)
    now = datetime.now(UTC)
    ahead = now.replace(year=now.year + 3)
    beat = Beat(version="9.8.7", at=ahead, waiting_bytes=2_500_000, waiting_since=ahead, dropped_segments=2,
                complaint="the collector refuses it: \x1b[2Jno")  # fmt: skip
    Beats(folder / "run" / "fleet").put("campus-2", beat, now)
    table = " ".join(run("fleet", "--data", folder).output.split())
    assert "9.8.7" in table and "2.5 MB" in table and "ahead" in table and "2 segments dropped" in table
    assert "the collector refuses it" in table and "\x1b[2J" not in table
    rows = {
        row["name"]: row for row in json.loads(run("fleet", "--data", folder, "--json").output)["sensors"]
    }
    assert rows["campus-2"]["state"] == "up" and rows["campus-3"]["state"] == "never heard"


def test_the_brokers_configuration_names_every_sensor_and_no_secret(folder: Path) -> None:
    token = json.loads(
        run(
            "fleet", "add", "far", "--data", folder, "--address", "nats://broker.example:4222", "--json"
        ).output
    )["journal"]["ship_token"]
    printed = run("fleet", "broker", "--data", folder).output
    assert 'publish: "urltrap.from.far.>", subscribe: "urltrap.to.far"' in printed
    assert token.partition(".")[2] not in printed
    assert run("fleet", "remove", "far", "--data", folder).exit_code == 0
    assert "urltrap.from.far." not in run("fleet", "broker", "--data", folder).output
    assert run("fleet", "remove", "far", "--data", folder).exit_code == 1
