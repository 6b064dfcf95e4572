"""What `urltrap doctor` says of programs that help and need not be there."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest

from urltrap.model.settings import Settings
from urltrap.ops import doctor
from urltrap.ops.data_folder import DataFolder
from urltrap.pipeline.laboratory.upx import Upx


@pytest.mark.parametrize(
    ("release", "command"),
    [
        ("trixie", "sudo apt-get install upx-ucl"),
        ("bookworm", "sudo apt-get install -t bookworm-backports upx-ucl"),
    ],
)
def test_a_missing_upx_is_noted_with_the_command_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, release: str, command: str
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(platform, "freedesktop_os_release", lambda: {"VERSION_CODENAME": release})
    (found,) = doctor._upx(DataFolder(tmp_path), Settings())
    assert (found.state, found.remedy.startswith(command)) == ("note", True)
    (tmp_path / "upx-ucl").write_text("#!/bin/sh\n")
    (tmp_path / "upx-ucl").chmod(0o755)
    (found,) = doctor._upx(DataFolder(tmp_path), Settings())
    assert found.state == "ok"
    monkeypatch.setattr(Upx, "confined", lambda self: False)
    (found,) = doctor._upx(DataFolder(tmp_path), Settings())
    assert found.state == "note" and "neither Landlock" in found.words
