"""What `urltrap doctor` says of the site for everyone."""

from __future__ import annotations

from pathlib import Path

from urltrap.model.settings import Settings
from urltrap.ops import doctor
from urltrap.ops.data_folder import DataFolder


def test_what_unmasks_a_sensor_or_keeps_people_from_us_is_told(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    assert list(doctor._public(folder, Settings())) == []
    risky = {"enabled": True, "allow_sensor_address": True, "single_source": "age"}
    found = list(doctor._public(folder, Settings.model_validate({"public": risky})))
    assert [finding.state for finding in found] == ["bad", "note", "note", "note"]
    assert "withhold" in found[1].remedy and "security.txt" in found[2].words
    fine = {"export": "/srv/www/urls", "contact": "mailto:a@site.example", "address": "https://urls.example"}
    assert list(doctor._public(folder, Settings.model_validate({"public": fine}))) == []
