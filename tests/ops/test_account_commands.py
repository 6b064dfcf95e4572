from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.ops.commands import Done
from tests.ops.commands import run as run_plain
from typer.testing import CliRunner

from urltrap.ops.cli import load_commands
from urltrap.ops.cli.common import CommandError, app
from urltrap.ops.init import init_data_folder
from urltrap.site.auth import passwords
from urltrap.store import open_store
from urltrap.store.accounts import audit, keys, users

PASSWORD = "correct horse battery"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    init_data_folder(tmp_path / "data")
    return tmp_path / "data"


def run(*words: object, typed: str = "") -> Done:
    """Run a command with something on its standard input, which is no terminal."""
    load_commands([str(word) for word in words])
    done = CliRunner().invoke(app, [str(word) for word in words], input=typed)
    if isinstance(done.exception, CommandError):
        return Done(str(done.exception), done.exception.status)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return Done(done.output, done.exit_code)


def test_users_are_added_changed_listed_and_removed(data: Path) -> None:
    at = ("--data", data)
    assert "--role admin" in run("user", "add", "ada", *at, typed=PASSWORD + "\n").output
    said = run("user", "add", "ada", "--role", "admin", *at, typed=PASSWORD + "\n")
    assert said.exit_code == 0 and "asks everybody to log in" in said.output and PASSWORD not in said.output
    assert run("user", "add", "bob", *at, typed=PASSWORD + "\n").exit_code == 0
    assert "already" in run("user", "add", "bob", *at, typed=PASSWORD + "\n").output
    assert "at least 10" in run("user", "add", "cy", *at, typed="short\n").output
    assert "cannot be a user's name" in run("user", "add", "C Y", *at, typed=PASSWORD + "\n").output
    assert run("user", "role", "bob", "analyst", *at).exit_code == 0
    assert "no role" in run("user", "role", "bob", "root", *at).output
    assert run("user", "passwd", "bob", *at, typed="another long enough one\n").exit_code == 0
    assert "no user eve" in run("user", "passwd", "eve", *at, typed=PASSWORD + "\n").output
    assert run("user", "codes-off", "bob", *at).exit_code == 0
    listed = json.loads(run("user", "list", "--json", *at).output)
    assert [(row["name"], row["role"]) for row in listed] == [("ada", "admin"), ("bob", "analyst")]
    assert "only admin" in run("user", "remove", "ada", *at).output
    assert run("user", "remove", "bob", *at).exit_code == 0
    assert "nobody has an account now" in run("user", "remove", "ada", *at).output
    store = open_store(str(data / "urltrap.db"))
    entries, _ = audit.page(store)
    assert {entry.action for entry in entries} >= {"user.added", "user.role", "user.password", "user.removed"}
    assert all("command line" in entry.who and PASSWORD not in repr(entry) for entry in entries)
    store.close()


def test_a_password_is_never_an_argument_and_may_be_piped_in(data: Path) -> None:
    assert run("user", "add", "ada", PASSWORD, "--data", data).exit_code == 2
    run("user", "add", "ada", "--role", "admin", "--data", data, typed=f"  {PASSWORD} \r\n")
    store = open_store(str(data / "urltrap.db"))
    kept = users.find(store, "ada")
    assert kept is not None and passwords.fits(f"  {PASSWORD} ", kept.password_hash), "blanks belong to it"
    store.close()


def test_keys_are_shown_once_and_removed(data: Path) -> None:
    at = ("--data", data)
    made = json.loads(
        run("key", "add", "siem", "--scope", "read,feeds", "--rate", "30/min", "--json", *at).output
    )
    (listed,) = json.loads(run("key", "list", "--json", *at).output)
    assert (listed["name"], listed["scopes"], listed["per_minute"]) == ("siem", ["feeds", "read"], 30)
    assert made["key"] not in json.dumps(listed)
    store = open_store(str(data / "urltrap.db"))
    assert keys.find(store, made["key"]) is not None
    assert "shown again" in run("key", "add", "other", *at).output
    for words in (("--scope", "write"), ("--rate", "often"), ("--rate", "0"), ("--scope", "")):
        assert run("key", "add", "third", *words, *at).exit_code == 1
    assert run("key", "remove", "siem", *at).exit_code == 0
    assert keys.find(store, made["key"]) is None
    assert "no key siem" in run("key", "remove", "siem", *at).output
    store.close()


def test_a_rebuild_takes_users_and_keys_along(data: Path) -> None:
    run("user", "add", "ada", "--role", "admin", "--data", data, typed=PASSWORD + "\n")
    run("key", "add", "siem", "--data", data)
    assert run_plain("rebuild", "--data", data).exit_code == 0
    store = open_store(str(data / "urltrap.db"))
    assert [user.name for user in users.all_users(store)] == ["ada"]
    assert [key.name for key in keys.all_keys(store)] == ["siem"]
    store.close()


def test_who_has_no_name_on_this_machine_is_noted_by_number(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nameless() -> str:
        raise KeyError("getpwuid(): uid not found: 4711")

    monkeypatch.setattr("getpass.getuser", nameless)
    monkeypatch.setattr("os.getuid", lambda: 4711)
    assert run("user", "add", "ada", "--role", "admin", "--data", data, typed=PASSWORD + "\n").exit_code == 0
    store = open_store(str(data / "urltrap.db"))
    assert {entry.who for entry in audit.page(store)[0]} == {"uid 4711 (command line)"}
    store.close()


def test_a_rebuild_on_a_server_asks_for_an_empty_database(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("URLTRAP_STORE__URL", "postgresql+psycopg://nobody@127.0.0.1:1/none")
    said = run("rebuild", "--data", data)
    assert said.exit_code == 1
    assert "urltrap rebuild --database URL" in said.output


def test_a_right_is_given_to_a_person_and_taken_again(data: Path) -> None:
    at = ("--data", data)
    run("user", "add", "ada", "--role", "admin", *at, typed=PASSWORD + "\n")
    (listed,) = json.loads(run("user", "list", "--json", *at).output)
    assert listed["rights"] == [], "no role has it"
    assert run("user", "allow", "ada", "payloads", *at).exit_code == 0
    assert run("user", "allow", "ada", "payloads", *at).exit_code == 0, "harmless to repeat"
    (listed,) = json.loads(run("user", "list", "--json", *at).output)
    assert listed["rights"] == ["payloads"]
    assert "payloads" in run("user", "list", *at).output
    assert "no right" in run("user", "allow", "ada", "everything", *at).output
    assert "no user eve" in run("user", "allow", "eve", "payloads", *at).output
    assert run("user", "deny", "ada", "payloads", *at).exit_code == 0
    (listed,) = json.loads(run("user", "list", "--json", *at).output)
    assert listed["rights"] == []
    store = open_store(str(data / "urltrap.db"))
    assert {"right.given", "right.taken"} <= {entry.action for entry in audit.page(store)[0]}
    store.close()
