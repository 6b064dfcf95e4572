from __future__ import annotations

import os
import pwd
import subprocess
from pathlib import Path
from typing import Any

import pytest

from urltrap.model.settings import Settings
from urltrap.ops import system_user
from urltrap.ops.cli import run as command
from urltrap.ops.data_folder import DataFolder
from urltrap.ops.system_user import (
    SYSTEM_USER,
    USERADD,
    NoSuchUser,
    hand_over,
    hand_over_at_exit,
    make_system_user,
    target_user,
)

from .commands import run

ENTRY = pwd.struct_passwd((SYSTEM_USER, "x", 987, 986, "", "/nonexistent", "/usr/sbin/nologin"))


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Any:
    """As root on a machine with these accounts; what was run to make more."""

    def made(*accounts: pwd.struct_passwd, refusal: str = "") -> list[tuple[str, ...]]:
        known = {entry.pw_name: entry for entry in accounts}
        ran: list[tuple[str, ...]] = []

        def useradd(words: tuple[str, ...], **_: Any) -> subprocess.CompletedProcess[str]:
            ran.append(words)
            if not refusal:
                known[words[-1]] = ENTRY
            return subprocess.CompletedProcess(words, bool(refusal), "", refusal)

        monkeypatch.setattr(os, "geteuid", lambda: 0)
        monkeypatch.setattr(pwd, "getpwnam", known.__getitem__)
        monkeypatch.setattr(system_user.subprocess, "run", useradd)
        return ran

    return made


def test_root_becomes_urltraps_own_user_and_never_one_that_others_share(machine: Any) -> None:
    machine(ENTRY, pwd.struct_passwd(("nobody", "x", 65534, 65534, "", "/", "/bin/false")))
    assert target_user("") == (987, 986) and target_user("nobody") == (65534, 65534)


def test_where_there_is_no_such_user_the_command_that_makes_it_is_told(machine: Any) -> None:
    machine()
    with pytest.raises(NoSuchUser, match=" ".join(USERADD)):
        target_user("")
    with pytest.raises(NoSuchUser, match="no user 'mia'"):
        target_user("mia")


def test_who_is_not_root_stays_who_he_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert target_user("no-such-user") is None


def test_the_user_is_made_once(machine: Any) -> None:
    ran = machine()
    assert make_system_user() == "made the system user urltrap, which the processes become"
    assert make_system_user() == "" and ran == [USERADD]


def test_a_user_that_cannot_be_made_is_told_with_the_command(machine: Any) -> None:
    machine(refusal="useradd: cannot lock /etc/passwd;\ntry again later.")
    said = make_system_user()
    assert "(useradd: cannot lock /etc/passwd; try again later.)" in said and " ".join(USERADD) in said


def test_init_makes_the_user_as_root_unless_another_is_set(machine: Any, tmp_path: Path) -> None:
    ran = machine()
    assert "made the system user" not in run("init", tmp_path / "one").output and not ran
    done = run("init", tmp_path / "one", URLTRAP_SUPERVISOR__USER="")
    assert "made the system user urltrap" in done.output and ran == [USERADD]


def test_up_without_the_user_says_that_it_is_not_up(machine: Any, tmp_path: Path) -> None:
    machine()
    run("init", tmp_path / "data")
    done = run("up", "--data", tmp_path / "data", URLTRAP_SUPERVISOR__USER="")
    assert done.exit_code == 1 and "NOT up: started as root, and there is no user 'urltrap'" in done.output


def test_the_data_becomes_the_users_and_keys_and_settings_stay_roots(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = DataFolder(tmp_path / "data")
    for name in ("journal/trap-0", "keys", "lists", "backups", "sandbox/debian-12"):
        (folder.root / name).mkdir(parents=True)
    for name in (
        "urltrap.toml",
        "persona.json",
        "urltrap.db",
        "keys/secret",
        "backups/b",
        "sandbox/debian-12/su",
        "journal/trap-0/1.seg",
        "lists/x",
    ):
        (folder.root / name).write_text("")
    given: list[str] = []
    monkeypatch.setattr(os, "chown", lambda place, *_, follow_symlinks: given.append(str(place)))
    hand_over(folder, (98_765, 98_765))
    assert {str(Path(place).relative_to(folder.root)) for place in given} == {
        ".", "journal", "journal/trap-0", "journal/trap-0/1.seg", "lists", "lists/x", "urltrap.db",
    }  # fmt: skip


def test_the_database_is_the_users_before_a_process_that_stays_root_could_make_it(
    machine: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine(ENTRY)
    run("init", tmp_path / "data")
    folder = DataFolder(tmp_path / "data")
    given: list[str] = []
    monkeypatch.setattr(os, "chown", lambda place, *_, follow_symlinks: given.append(str(place)))
    monkeypatch.setattr(command, "reachable_by", lambda *_: None)
    assert command._unprivileged(folder, Settings()) == (987, 986)
    assert str(folder.database) in given


@pytest.mark.parametrize(
    ("at_first", "at_the_end", "handed"), [(0, 0, True), (0, 1000, False), (1000, 1000, False)]
)
def test_what_root_makes_in_a_users_folder_becomes_the_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_first: int, at_the_end: int, handed: bool
) -> None:
    registered: list[Any] = []
    given: list[Any] = []
    monkeypatch.setattr(os, "geteuid", lambda: at_first)
    monkeypatch.setattr(system_user.atexit, "register", registered.append)
    monkeypatch.setattr(system_user, "hand_over", lambda *arguments: given.append(arguments))
    monkeypatch.setattr(Path, "stat", lambda _path: os.stat_result((0o40755, 0, 0, 0, 987, 986, 0, 0, 0, 0)))
    folder = DataFolder(tmp_path)
    hand_over_at_exit(folder)
    monkeypatch.setattr(os, "geteuid", lambda: at_the_end)
    for function in registered:
        function()
    assert given == ([(folder, (987, 986))] if handed else [])
