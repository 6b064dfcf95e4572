from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from urltrap.machine.persona import Persona
from urltrap.ops.cli import main
from urltrap.ops.data_folder import DataFolderError, existing
from urltrap.ops.init import init_data_folder
from urltrap.ops.settings import load_settings


def test_init_makes_everything_that_up_needs(tmp_path: Path) -> None:
    report = init_data_folder(tmp_path / "data")
    folder = existing(tmp_path / "data")
    assert report.folder == folder and not report.kept
    load_settings(folder.settings, {})
    for name in ("ssh_host_rsa_key", "ssh_host_ecdsa_key", "ssh_host_ed25519_key", "secret"):
        assert stat.S_IMODE((folder.keys / name).stat().st_mode) == 0o600
    assert Persona.model_validate_json(folder.persona.read_bytes()).hostname


def test_init_again_keeps_what_exists_and_adds_what_is_missing(tmp_path: Path) -> None:
    root = tmp_path / "data"
    init_data_folder(root)
    secret = (root / "keys" / "secret").read_bytes()
    persona = (root / "persona.json").read_bytes()
    (root / "keys" / "ssh_host_rsa_key").unlink()
    report = init_data_folder(root)
    assert report.made == ["ssh_host_rsa_key"]
    assert (root / "keys" / "secret").read_bytes() == secret and (
        root / "persona.json"
    ).read_bytes() == persona


def test_two_installations_share_neither_keys_nor_persona(tmp_path: Path) -> None:
    one, two = (init_data_folder(tmp_path / name).folder for name in "ab")
    for path in ("keys/secret", "keys/ssh_host_ed25519_key", "persona.json"):
        assert (one.root / path).read_bytes() != (two.root / path).read_bytes()
    first, second = (Persona.model_validate_json(folder.persona.read_bytes()) for folder in (one, two))
    assert first.hostname != second.hostname and first.machine_id != second.machine_id


def test_a_folder_that_holds_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("x")
    with pytest.raises(DataFolderError, match="name an empty or new folder"):
        init_data_folder(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["precious"]


def test_a_file_is_no_data_folder(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("")
    with pytest.raises(DataFolderError, match="is a file"):
        init_data_folder(tmp_path / "f")


def test_a_folder_without_init_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DataFolderError, match="urltrap init"):
        existing(tmp_path)


def test_the_command_asks_nothing_and_says_how_to_go_on(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "urltrap.ops", "init", str(tmp_path / "data")],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "COLUMNS": "200"},
    )
    assert done.returncode == 0, done.stderr
    assert f"urltrap up --data {tmp_path / 'data'}" in done.stdout


@pytest.mark.parametrize("command", ["urls", "sessions", "status", "doctor", "up"])
def test_a_command_on_a_folder_that_is_none_says_what_to_do(
    tmp_path: Path, command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["urltrap", command, "--data", str(tmp_path / "none")])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    assert "urltrap init" in capsys.readouterr().err
