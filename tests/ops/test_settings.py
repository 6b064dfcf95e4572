from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from urltrap.model.settings import Settings
from urltrap.ops.settings import SettingsError, load_settings
from urltrap.ops.settings_file import settings_file


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "urltrap.toml"
    path.write_text(text)
    return path


def test_the_file_that_init_writes_means_the_defaults(tmp_path: Path) -> None:
    assert load_settings(write(tmp_path, settings_file()), {}) == Settings()


def test_every_default_in_the_written_file_is_a_valid_setting_once_uncommented(tmp_path: Path) -> None:
    lines = [
        line[1:] if line.startswith("#") and line[1:2] not in (" ", "") else line
        for line in settings_file().splitlines()
    ]
    text = "\n".join(lines)
    assert tomllib.loads(text)["sensors"]["ssh"]["listen"] == ["0.0.0.0:2222"]
    assert load_settings(write(tmp_path, text), {}) == Settings()


def test_a_value_of_the_file_is_taken(tmp_path: Path) -> None:
    settings = load_settings(write(tmp_path, '[sensors.ssh]\nlisten = ["127.0.0.1:0", "[::1]:22"]\n'), {})
    assert settings.sensors.ssh.listen == ["127.0.0.1:0", "[::1]:22"]


def test_the_environment_overrides_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, '[egress]\nmode = "fetch"\nmax_redirects = 2\n')
    settings = load_settings(
        path,
        {
            "URLTRAP_EGRESS__MODE": "record",
            "URLTRAP_SENSORS__SSH__LISTEN": '["127.0.0.1:2222"]',
            "HOME": "/x",
        },
    )
    assert (settings.egress.mode, settings.egress.max_redirects) == ("record", 2)
    assert settings.sensors.ssh.listen == ["127.0.0.1:2222"]


def test_an_unknown_key_is_named_with_its_line_and_the_nearest_right_name(tmp_path: Path) -> None:
    path = write(tmp_path, "# settings\n[sensors.ssh]\nenabled = true\nlisen = []\n")
    with pytest.raises(SettingsError) as caught:
        load_settings(path, {})
    assert f"{path}, line 4: sensors.ssh.lisen: no such setting; did you mean 'listen'?" in str(caught.value)


def test_a_wrong_value_is_named_with_its_line_and_what_was_expected(tmp_path: Path) -> None:
    path = write(tmp_path, '[egress]\nmode = "fetc"\n\n[publish]\nmin_confidence = 200\n')
    with pytest.raises(SettingsError) as caught:
        load_settings(path, {})
    first, second = str(caught.value).splitlines()
    assert "line 2: egress.mode" in first and "'fetch' or 'record'" in first and '"fetc"' in first
    assert "line 5: publish.min_confidence" in second and "100" in second and "default: 60" in second


def test_a_wrong_listen_address_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"line 2: sensors\.telnet\.listen"):
        load_settings(write(tmp_path, '[sensors.telnet]\nlisten = ["port 23"]\n'), {})


def test_a_wrong_environment_variable_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        SettingsError,
        match="environment URLTRAP_EGRESS__MOD: egress.mod: no such setting; did you mean 'mode'",
    ):
        load_settings(None, {"URLTRAP_EGRESS__MOD": "record"})
    with pytest.raises(SettingsError, match="URLTRAP_EGRESS: a setting is named URLTRAP_SECTION__KEY"):
        load_settings(None, {"URLTRAP_EGRESS": "record"})


def test_broken_toml_says_where(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="not valid TOML.*line 2"):
        load_settings(write(tmp_path, "[egress]\nmode = \n"), {})


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="urltrap init"):
        load_settings(tmp_path / "none.toml", {})


def test_settings_cannot_be_changed_after_parsing() -> None:
    settings = load_settings(None, {})
    with pytest.raises(ValueError, match="frozen"):
        settings.egress.mode = "record"  # type: ignore[misc]
