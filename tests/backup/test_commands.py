"""`urltrap backup` and `urltrap restore`, typed: what they say, what they refuse, what they leave alone."""

from __future__ import annotations

import json
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pyrage
import pytest
from sqlalchemy import delete
from tests.backup.conftest import Installation, database_contents, file_contents
from tests.backup.test_trouble import spoil
from tests.ops.commands import run
from tests.support.databases import database

from urltrap.ops.backup.manifest import list_manifests
from urltrap.store import open_store
from urltrap.store.accounts import users
from urltrap.store.accounts.audit import Actor
from urltrap.store.schema import logins


@pytest.fixture
def closed(simple: Installation) -> Installation:
    """An installation with two backups and something after each of them; nobody writes."""
    simple.attack(3)
    simple.vault.back_up("manual")
    simple.attack(2)
    simple.vault.back_up("manual")
    simple.attack(1)
    simple.close()
    return simple


def test_now_list_and_verify_tell_the_same_backup(simple: Installation) -> None:
    data = simple.folder.root
    assert "there is no backup" in run("backup", "verify", "--data", data).output
    simple.attack(3)
    said = run("backup", "now", "--data", data)
    assert said.exit_code == 0 and "verified: restored into a scratch place and compared" in said.output
    (listed,) = json.loads(run("backup", "list", "--data", data, "--json").output)["backups"]
    assert (listed["kind"], listed["database"], listed["verified"]) == ("manual", "sqlite", "whole")
    said = run("backup", "verify", "--data", data)
    assert f"restored and equal: {listed['files']} files, {listed['rows']} rows" in said.output
    assert "are right" in run("backup", "verify", "--hashes", "--data", data).output


def test_restore_into_another_folder_leaves_the_running_one_alone(closed: Installation) -> None:
    root = closed.folder.root
    before = file_contents(root), database_contents(closed.folder.store_url(""))
    into = root.parent / "copy"
    said = run("restore", "--data", root, "--into", into)
    assert said.exit_code == 0 and f"start: urltrap up --data {into}" in said.output
    assert (file_contents(root), database_contents(closed.folder.store_url(""))) == before
    assert database_contents(f"sqlite:///{into / 'urltrap.db'}")[0]["attacker_sessions"] == 5


def test_at_takes_the_newest_backup_of_then_or_before(closed: Installation) -> None:
    first, second = list_manifests(closed.vault.local)[0]
    into = closed.folder.root.parent / "earlier"
    assert run("restore", "--data", closed.folder.root, "--into", into, "--at", first.made).exit_code == 0
    assert database_contents(f"sqlite:///{into / 'urltrap.db'}")[0]["attacker_sessions"] == 3
    said = run("restore", "--data", closed.folder.root, "--into", into, "--at", "2001-01-01")
    oldest = f"the oldest is of {first.made:%Y-%m-%d %H:%M:%S} UTC"
    assert said.exit_code == 1 and oldest in said.output and "Nothing was changed" in said.output
    said = run("restore", "--data", closed.folder.root, "--into", into, "--at", "yesterday")
    assert said.exit_code == 1 and "write it as" in said.output
    assert second.made > first.made


def test_a_place_without_a_whole_backup_says_what_it_holds(closed: Installation) -> None:
    root, into = closed.folder.root, closed.folder.root.parent / "elsewhere"
    first, second = list_manifests(closed.vault.local)[0]
    closed.vault.local.remove([first.name])
    path = closed.vault.local.path(second.name)
    path.write_bytes(path.read_bytes()[:300])
    for command in (("restore", "--into", into), ("backup", "verify")):
        said = run(*command, "--data", root)
        assert said.exit_code == 1 and "does not match its own checksum" in said.output
        assert "no other one" in said.output and "--from" in said.output
    path.unlink()
    said = run("restore", "--data", root, "--into", into)
    assert said.exit_code == 1 and "parts of a backup that was never finished" in said.output
    said = run("restore", "--from", root / "keys", "--into", into)
    assert said.exit_code == 1 and "there is no backup in" in said.output
    for key, words in ((root / "nowhere", "No such file"), (root / "persona.json", "AGE-SECRET-KEY-")):
        path.write_bytes(b"")  # whichever backup there is: the key is read first
        said = run("restore", "--data", root, "--into", into, "--identity", key)
        assert said.exit_code == 1 and words in said.output and "Nothing was changed" in said.output
    assert not into.exists()


def test_without_force_nothing_is_touched_and_with_it_everything_is_moved_aside(closed: Installation) -> None:
    root = closed.folder.root
    before = file_contents(root)
    refused = run("restore", "--data", root)
    assert refused.exit_code == 1 and "nothing was changed" in refused.output and "--force" in refused.output
    assert file_contents(root) == before
    said = run("restore", "--data", root, "--force")
    assert said.exit_code == 0 and "what was there before: " in said.output
    (aside,) = root.parent.glob("data.before-restore-*")
    assert file_contents(aside) == before
    assert len(list_manifests(closed.vault.local)[0]) == 2, "the backups are still where they were"


def test_a_bare_machine_needs_one_command_and_the_key(tmp_path: Path) -> None:
    right, wrong = pyrage.x25519.Identity.generate(), pyrage.x25519.Identity.generate()
    (tmp_path / "right").write_text(f"{right}\n")
    (tmp_path / "wrong").write_text(f"{wrong}\n")
    one = Installation(tmp_path / "data", age_recipient=str(right.to_public()))
    one.attack(3)
    one.vault.back_up("manual")
    one.close()
    files, rows = file_contents(one.folder.root), database_contents(one.folder.store_url(""))
    kept = tmp_path / "elsewhere"
    shutil.move(one.folder.backups, kept)
    shutil.rmtree(one.folder.root)
    asked = ("restore", "--data", one.folder.root, "--from", kept)
    for identity, expected in (((), "--identity"), (("--identity", tmp_path / "wrong"), "another key")):
        refused = run(*asked, *identity)
        assert refused.exit_code == 1 and expected in refused.output
        assert not one.folder.root.exists()
    assert run(*asked, "--identity", tmp_path / "right").exit_code == 0
    assert (file_contents(one.folder.root), database_contents(one.folder.store_url(""))) == (files, rows)


def test_a_restore_says_where_backups_could_be_when_there_are_none(tmp_path: Path) -> None:
    said = run("restore", "--data", tmp_path / "nothing")
    assert said.exit_code == 1 and "--from FOLDER_OR_URL" in said.output
    said = run("restore", "--data", tmp_path / "nothing", "--from", tmp_path, "--option", "rubbish")
    assert said.exit_code == 1 and "NAME=VALUE" in said.output


def test_a_secret_key_is_private_and_never_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "key"
    said = run("backup", "key", file)
    assert said.exit_code == 0 and 'age_recipient = "age1' in said.output
    assert "AGE-SECRET-KEY" not in said.output
    assert os.stat(file).st_mode & 0o777 == 0o600
    before = file.read_bytes()
    assert "not overwritten" in run("backup", "key", file).output
    assert file.read_bytes() == before


def test_a_rebuild_compares_and_takes_accounts_from_the_backup_where_the_store_is_damaged(
    closed: Installation,
) -> None:
    root, path = closed.folder.root, closed.folder.database
    store = open_store(str(path))
    users.add(store, "ada", "admin", "a hash", datetime.now(UTC), Actor("test"))
    store.close()
    said = run("rebuild", "--data", root)
    assert said.exit_code == 0 and "compared with the store as it was: equal" in said.output
    closed.vault.back_up("manual")
    store = open_store(str(path))
    with store.begin() as connection:
        connection.execute(delete(logins))
    store.close()
    said = run("rebuild", "--data", root)
    assert "compared with the store as it was: logins " in said.output and ", before 0;" in said.output
    spoil(path)
    said = run("rebuild", "--data", root)
    assert said.exit_code == 0 and "users, keys and submissions are those of the backup of" in said.output
    store = open_store(str(path))
    assert [user.name for user in users.all_users(store)] == ["ada"]
    store.close()
    shutil.rmtree(closed.folder.backups)
    spoil(path)
    said = run("rebuild", "--data", root)
    assert said.exit_code == 0 and "there are no users and keys: make them anew" in said.output
    kept = [path for path in root.glob("urltrap.db.before-*") if not path.name.endswith(("-wal", "-shm"))]
    assert len(kept) == 4, "every store that was replaced is there"


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_a_store_on_a_server_is_rebuilt_in_an_empty_database_and_compared(kind: str, tmp_path: Path) -> None:
    with database(kind, tmp_path) as url, database(kind, tmp_path) as other:
        one = Installation(tmp_path / "data", url)
        one.attack(3)
        one.close()
        store = open_store(url)
        users.add(store, "ada", "admin", "a hash", datetime.now(UTC), Actor("test"))
        store.close()
        before = database_contents(url)
        said = run("rebuild", "--data", one.folder.root, "--database", url)
        assert said.exit_code == 1 and "is not empty" in said.output
        said = run("rebuild", "--data", one.folder.root, "--database", other)
        assert said.exit_code == 0 and "compared with the store as it was: equal" in said.output
        assert "set store.url to " in said.output
        rows, sums = database_contents(other)
        assert rows["users"] == 1 and rows["events"] == before[0]["events"]
        assert sums["events"] == before[1]["events"] and database_contents(url) == before


def test_a_damaged_database_is_named_by_every_command_and_never_written_to(closed: Installation) -> None:
    root = closed.folder.root
    spoiled = spoil(closed.folder.database)
    for command in (("backup", "now"), ("forget", "198.51.100.1"), ("db", "status")):
        said = run(*command, "--data", root)
        assert said.exit_code == 1, command
        assert "urltrap rebuild" in said.output and "journal still" in said.output.lower(), (
            command,
            said.output,
        )
        assert closed.folder.database.read_bytes() == spoiled
    assert len(list_manifests(closed.vault.local)[0]) == 2
