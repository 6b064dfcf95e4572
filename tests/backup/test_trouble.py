"""Bad input and bad luck: a clear message that says what is safe, and nothing made worse."""

from __future__ import annotations

import shutil
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyrage
import pytest
from structlog.testing import capture_logs
from tests.backup.conftest import Installation, file_contents

from urltrap.model.settings import BackupSettings
from urltrap.ops.backup import keeping, taking
from urltrap.ops.backup.errors import BackupError, DamagedError, KeyNeededError, ManifestError, TargetError
from urltrap.ops.backup.manifest import FileEntry, decode, encode, list_manifests
from urltrap.ops.backup.pieces import JournalCopy, apply, list_pieces
from urltrap.ops.backup.restoring import restore
from urltrap.ops.backup.sealing import object_name
from urltrap.ops.backup.target import Target
from urltrap.ops.backup.verifying import verify_hashes, verify_whole


def restored(one: Installation, manifest, *identities: object, newest: bool = True) -> Path:  # type: ignore[no-untyped-def]
    into = one.folder.root.parent / "restored"
    restore(one.vault.local, manifest, into, identities, store_url=lambda work: "", newest=newest)
    return into


def spoil(path: Path) -> bytes:
    """Overwrite the middle of an SQLite file; what it is then."""
    raw = bytearray(path.read_bytes())
    raw[8192 : len(raw) // 2] = b"\xa5" * (len(raw) // 2 - 8192)
    path.write_bytes(raw)
    for leftover in path.parent.glob("urltrap.db-*"):
        leftover.unlink()
    return bytes(raw)


def test_a_damaged_database_is_not_backed_up_over_good_backups(simple: Installation) -> None:
    simple.attack(20)
    good = simple.vault.back_up("manual")
    path = simple.folder.database
    raw = spoil(path)
    with pytest.raises(Exception, match="journal still") as caught:
        simple.vault.back_up("manual")
    assert "urltrap rebuild" in str(caught.value)
    assert list_manifests(simple.vault.local)[0] == [good]
    assert path.read_bytes() == raw
    assert (restored(simple, good) / "urltrap.db").exists()


def test_a_manifest_that_was_changed_or_cut_is_named_and_the_others_are_used(simple: Installation) -> None:
    simple.attack(1)
    first = simple.vault.back_up("manual")
    second = simple.vault.back_up("manual")
    path = simple.vault.local.path(second.name)
    whole = path.read_bytes()
    for wrong in (whole[: len(whole) // 2], whole.replace(b"manual", b"hourly"), b""):
        path.write_bytes(wrong)
        with pytest.raises(ManifestError, match="checksum"):
            decode(wrong, second.name)
        found, damaged = list_manifests(simple.vault.local)
        assert found == [first]
        assert len(damaged) == 1 and "not affected" in damaged[0]
        # While one manifest is damaged nobody knows what it needs: nothing of it may be swept.
        before = simple.vault.local.names("objects")
        keeping.prune(simple.vault.local, BackupSettings())
        assert simple.vault.local.names("objects") == before


def test_a_manifest_cannot_name_places_outside_of_the_data_folder() -> None:
    entry = {
        "size": 1,
        "sha256": "0" * 64,
        "mode": 0o600,
        "mtime_ns": 0,
        "object": "1" * 64,
        "stored_size": 1,
    }
    for path in ("../x", "/etc/passwd", "a/../../b", "", "a//b", "x\0y"):
        with pytest.raises(ValueError, match="path"):
            FileEntry.model_validate({**entry, "path": path})


def test_a_wrong_key_no_key_and_the_right_one(tmp_path: Path) -> None:
    right, wrong = pyrage.x25519.Identity.generate(), pyrage.x25519.Identity.generate()
    one = Installation(tmp_path / "data", age_recipient=str(right.to_public()))
    one.attack(2)
    manifest = one.vault.back_up("manual")
    assert one.vault.state().verified == manifest.name and not one.vault.state().verified_whole
    before = file_contents(one.folder.backups.parent)
    with pytest.raises(KeyNeededError, match="--identity"):
        restored(one, manifest)
    with pytest.raises(KeyNeededError, match="another key"):
        restored(one, manifest, wrong)
    assert not (tmp_path / "restored").exists() and not list(tmp_path.glob(".restored*"))
    assert file_contents(one.folder.backups.parent) == before
    assert (restored(one, manifest, right) / "persona.json").exists()
    one.close()


def test_a_damaged_or_missing_object_is_found_by_hash_and_mended_by_the_next_backup(
    simple: Installation,
) -> None:
    simple.attack(2)
    manifest = simple.vault.back_up("manual")
    victim = simple.vault.local.path(
        object_name(next(f.object for f in manifest.files if "quarantine" in f.path))
    )
    content = victim.read_bytes()
    victim.write_bytes(content[:-3] + b"xyz")
    for check in (
        lambda: verify_hashes(simple.vault.local, manifest),
        lambda: verify_whole(simple.vault.local, manifest, simple.folder.backups, []),
    ):
        with pytest.raises(DamagedError, match="quarantine"):
            check()
    victim.unlink()
    with pytest.raises(DamagedError, match="missing"):
        verify_hashes(simple.vault.local, manifest)
    mended = simple.vault.back_up(
        "manual"
    )  # leans on the object that is gone, finds that, and leans on nothing
    for whole in (mended, manifest):
        assert verify_hashes(simple.vault.local, whole).files == len(whole.files)
    assert list_manifests(simple.vault.local) == ([manifest, mended], [])
    assert simple.vault.state().verified_whole == mended.name


def test_an_artifact_that_is_damaged_on_the_machine_fails_a_backup_once_more_and_is_named(
    simple: Installation,
) -> None:
    simple.attack(1)
    good = simple.vault.back_up("manual")
    (victim,) = [
        path for path in simple.folder.quarantine.rglob("*") if path.is_file() and len(path.name) == 64
    ]
    victim.chmod(0o600)
    victim.write_bytes(b"something else")
    for stored in good.objects:
        simple.vault.local.path(object_name(stored)).unlink()
    with pytest.raises(DamagedError, match=victim.name):
        simple.vault.back_up("manual")


def test_a_backup_that_was_interrupted_is_none_and_the_next_one_sweeps_it(
    simple: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    simple.attack(2)
    good = simple.vault.back_up("manual")
    simple.attack(1)

    def cut(self: Target, source: Path, name: str, put=Target.put) -> None:  # type: ignore[no-untyped-def]
        if name.startswith("snapshots/"):
            raise KeyboardInterrupt
        put(self, source, name)

    with monkeypatch.context() as patch:
        patch.setattr(Target, "put", cut)
        with pytest.raises(KeyboardInterrupt):
            simple.vault.back_up("manual")
    assert list_manifests(simple.vault.local)[0] == [good]
    left = set(simple.vault.local.names("objects"))
    assert left > {object_name(stored) for stored in good.objects}
    verify_whole(simple.vault.local, good, simple.folder.backups, [])
    last = simple.vault.back_up("manual")
    needed = {object_name(stored) for manifest in (good, last) for stored in manifest.objects}
    assert set(simple.vault.local.names("objects")) == needed
    assert not list(Path(simple.vault.local.url).glob("urltrap-backup-*"))


def test_a_target_that_is_away_does_not_hold_up_the_local_backup(tmp_path: Path) -> None:
    blocked = tmp_path / "a-file"
    blocked.write_text("")
    one = Installation(tmp_path / "data", targets=[f"file://{blocked}/below", f"file://{tmp_path}/second"])
    one.attack(1)
    manifest = one.vault.back_up("manual")
    assert one.vault.state().verified_whole == manifest.name
    words = list(one.vault.state().targets.values())
    assert "failed" in words[0] and words[1].startswith("ok")
    assert list_manifests(Target(f"file://{tmp_path}/second"))[0] == [manifest]
    one.close()


def test_an_unknown_kind_of_target_says_what_to_install() -> None:
    with pytest.raises(TargetError, match="backup.targets"):
        Target("nosuchthing://x/y")


def test_a_target_whose_package_is_missing_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "paramiko", None)
    monkeypatch.delitem(sys.modules, "fsspec.implementations.sftp", raising=False)
    with pytest.raises(TargetError, match=r"paramiko.*Install that package"):
        Target("sftp://backup.invalid/trap-1")


def test_a_torn_journal_tail_is_backed_up_as_it_is_and_cut_by_the_next_start(simple: Installation) -> None:
    from urltrap.journal import JournalReader, JournalWriter

    written = simple.attack(2)
    simple.close()
    last = sorted((simple.folder.journal / "trap-0").glob("*.seg"))[-1]
    with open(last, "ab") as file:
        file.write(b"\x99\x01\0\0half a record")
    manifest = simple.vault.back_up("manual")
    into = restored(simple, manifest)
    from tests.backup.conftest import JOURNAL

    with JournalWriter(into / "journal", "trap-0", JOURNAL) as writer:
        assert writer.repair.cut_bytes == 17
    with JournalReader(into / "journal") as reader:
        assert [event for _, event in reader.read("trap-0", None, 10_000)] == written


def test_no_backup_is_begun_without_room_and_no_restore_either(
    simple: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = simple.vault.back_up("manual")
    monkeypatch.setattr(taking, "free_bytes", lambda path: 5)
    with pytest.raises(BackupError, match="free"):
        simple.vault.back_up("manual")
    from urltrap.ops.backup import restoring

    monkeypatch.setattr(restoring, "free_bytes", lambda path: 5)
    with pytest.raises(BackupError, match="--into"):
        restored(simple, manifest)
    assert not (simple.folder.root.parent / "restored").exists()


def test_two_backups_at_once_do_not_meet(simple: Installation) -> None:
    with simple.vault.locked(), pytest.raises(BackupError, match="under way"):
        simple.vault.back_up("manual")


def test_unchanged_files_are_kept_once(simple: Installation) -> None:
    simple.attack(3)
    first = simple.vault.back_up("manual")
    simple.attack(1)
    second = simple.vault.back_up("manual")
    new = set(second.objects) - set(first.objects)
    kinds = {entry.path.split("/")[0] for entry in second.files if entry.object in new}
    assert kinds == {"database", "journal", "quarantine"}
    assert sum(1 for entry in second.files if entry.object in new and "quarantine" in entry.path) == 1


def test_grandfather_father_son(simple: Installation) -> None:
    base = simple.vault.back_up("hourly")
    start = datetime(2026, 11, 24, 12, 30, tzinfo=UTC)
    many = [base.model_copy(update={"made": start - timedelta(hours=hours)}) for hours in range(24 * 500)]
    kept = keeping.keep(many, BackupSettings(keep_hourly=24, keep_daily=14, keep_weekly=8, keep_monthly=12))
    made = sorted(manifest.made for manifest in many if manifest.name in kept)
    assert made[-24:] == [start - timedelta(hours=hours) for hours in reversed(range(24))]
    assert len({moment.date() for moment in made if moment > start - timedelta(days=14)}) == 14
    assert len({(moment.year, moment.month) for moment in made}) == 12
    assert 24 + 12 + 5 <= len(made) <= 24 + 14 + 8 + 12
    sparse = many[::2000]
    assert {m.name for m in sparse} == keeping.keep(sparse, BackupSettings()), (
        "a machine that was off loses none"
    )


def test_a_backup_made_by_hand_takes_the_place_of_no_other(simple: Installation) -> None:
    base = simple.vault.back_up("daily")
    by_hand = simple.vault.back_up("manual")
    assert list_manifests(simple.vault.local)[0] == [base, by_hand]
    later = base.model_copy(update={"made": base.made + timedelta(days=9)})
    kept = keeping.keep([base, by_hand, later], BackupSettings())
    assert {base.name, later.name} <= kept
    assert by_hand.name in keeping.keep([by_hand, later], BackupSettings()), "the only one of its day"


def test_pieces_of_the_journal_are_dropped_once_a_backup_has_them_and_a_gap_ends_a_segment(
    simple: Installation, tmp_path: Path
) -> None:
    simple.attack(1)
    first = simple.vault.back_up("manual")
    copy = JournalCopy(simple.folder.journal, simple.vault.local, None)
    copy.start_from(first)
    for _ in range(4):
        simple.attack(1, 100)
        assert copy.step() > 0
    found = list_pieces(simple.vault.local)
    assert len(found) == 4
    # A process that starts anew goes on where the last one was.
    again = JournalCopy(simple.folder.journal, simple.vault.local, None)
    again.start_from(first)
    assert again.step() == 0
    journal = tmp_path / "journal"
    shutil.copytree(restored(simple, first, newest=False) / "journal", journal)
    hidden = simple.vault.local.path(found[2].name).rename(tmp_path / "hidden")
    with capture_logs() as said:
        assert apply(simple.vault.local, first, journal, []) == found[1].end - found[0].start
    (gap,) = said
    assert (gap["event"], gap["missing_bytes"]) == ("backup.gap", found[2].end - found[2].start)
    hidden.rename(simple.vault.local.path(found[2].name))
    assert apply(simple.vault.local, first, journal, []) == found[3].end - found[2].start
    original = sorted((simple.folder.journal / "trap-0").glob("*.seg"))[-1]
    assert (journal / "trap-0" / original.name).read_bytes() == original.read_bytes()
    simple.vault.back_up("manual")
    assert list_pieces(simple.vault.local) == []


def test_a_manifest_survives_its_own_encoding(simple: Installation) -> None:
    manifest = simple.vault.back_up("manual")
    assert decode(encode(manifest), "x") == manifest
