from __future__ import annotations

from pathlib import Path

import pytest

from urltrap.model.settings import Settings
from urltrap.ops.processes import Launch, ProcessPlan, settings_for
from urltrap.ops.settings import SettingsError, load_settings

KEY = "4f3c0ffee4f3c0ffee"


def settings() -> Settings:
    return load_settings(None, {"URLTRAP_INTEL__KEYS__VIRUSTOTAL": KEY})


def test_a_key_of_the_environment_is_taken_as_it_is_written() -> None:
    loaded = load_settings(
        None, {"URLTRAP_INTEL__KEYS__OTX": "0012345", "URLTRAP_INTEL__KEYS__VIRUSTOTAL": "1e5"}
    )
    assert loaded.intel.keys.otx.get_secret_value() == "0012345"
    assert loaded.intel.keys.virustotal.get_secret_value() == "1e5"


def test_a_key_is_shown_by_no_form_of_the_settings() -> None:
    loaded = settings()
    for text in (
        repr(loaded), str(loaded), loaded.model_dump_json(), str(loaded.model_dump()),
        str(loaded.model_dump(mode="json")), repr(loaded.intel.keys),
    ):  # fmt: skip
        assert KEY not in text


@pytest.mark.parametrize(
    "text", [f'[intel.keys]\nvirustotl = "{KEY}"\n', "[intel.keys]\nvirustotal = 4242424242\n"]
)
def test_a_mistake_beside_a_key_does_not_show_it(tmp_path: Path, text: str) -> None:
    path = tmp_path / "urltrap.toml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=r"intel\.keys\.virust") as caught:
        load_settings(path, {})
    assert KEY not in str(caught.value) and "4242424242" not in str(caught.value)


def test_only_the_pipeline_gets_the_keys(tmp_path: Path) -> None:
    for kind, given in (("pipeline", KEY), ("site", ""), ("trap", ""), ("fetcher", "")):
        launch = Launch(ProcessPlan(kind, kind), tmp_path, settings_for(kind, settings()), None)
        line = launch.to_json()
        assert (KEY.encode() in line) is bool(given)
        assert Launch.from_json(line).settings.intel.keys.virustotal.get_secret_value() == given
