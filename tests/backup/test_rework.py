from __future__ import annotations

from pathlib import Path

import pyrage
from tests.backup.conftest import Installation

from urltrap.ops.backup.manifest import list_manifests
from urltrap.ops.data_folder import DataFolder
from urltrap.store import Store

MARK = "changed-by-the-test"


def mark(inside: DataFolder, _store: Store) -> None:
    inside.persona.write_text(f'{{"hostname": "{MARK}"}}')


def test_a_change_of_the_backups_reaches_every_target_under_the_same_name(tmp_path: Path) -> None:
    one = Installation(tmp_path / "data", targets=[str(tmp_path / "second")])
    one.attack(2)
    manifest = one.vault.back_up("manual")
    assert one.vault.rework(mark) == (1, 0)
    for target in one.vault.targets():
        (found,), damaged = list_manifests(target)
        assert found.name == manifest.name and not damaged
        persona = next(entry for entry in found.files if entry.path == "persona.json")
        before = next(entry for entry in manifest.files if entry.path == "persona.json")
        assert persona.sha256 != before.sha256
    one.vault.verify(list_manifests(one.vault.local)[0][0])
    one.close()


def test_a_backup_whose_key_is_elsewhere_is_kept_as_it_is_and_counted(tmp_path: Path) -> None:
    key = pyrage.x25519.Identity.generate()
    one = Installation(
        tmp_path / "data", age_recipient=str(key.to_public()), targets=[str(tmp_path / "second")]
    )
    one.attack(2)
    manifest = one.vault.back_up("manual")
    assert one.vault.rework(mark) == (0, 1)
    for target in one.vault.targets():
        assert list_manifests(target) == ([manifest], [])
    one.vault.verify(manifest)
    one.close()
