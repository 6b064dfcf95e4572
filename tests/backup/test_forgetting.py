"""An address that aged, or that somebody wants gone: out of the store, the journal, its copies and every backup."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyrage
import pytest
import zstandard
from tests.backup.conftest import JOURNAL, Installation
from tests.ops.commands import run
from tests.store.conftest import visit

from urltrap.journal import JournalWriter
from urltrap.ops.backup.aging import age_out
from urltrap.ops.backup.manifest import list_manifests
from urltrap.ops.backup.pieces import JournalCopy, list_pieces
from urltrap.ops.backup.restoring import extract
from urltrap.ops.backup.sealing import unseal
from urltrap.ops.backup.target import Target
from urltrap.store import open_store
from urltrap.store.intake import ingest

WANTED, SIX, OTHER = "198.51.100.77", "2001:db8:7:8::9", "192.0.2.44"


def attacked(tmp_path: Path, **backup: object) -> Installation:
    """Sessions of three addresses; some in an archive, some in the last segment."""
    one = Installation(tmp_path / "data", **backup)
    for number, address in enumerate((WANTED, SIX, OTHER) * 12):
        events = visit(number, b"x" * 3000, address=address)
        for event in events:
            place = one.writer.append(event)
        one.writer.wait_durable(place, 30)
        store = open_store(one.folder.store_url(""))
        ingest(store, "trap-0", events, place)
        store.close()
    assert place.segment > 1, "nothing was closed"
    return one


def whatever_is_in(folder: Path) -> bytes:
    """All bytes below a folder, unpacked."""
    parts = []
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            data = path.read_bytes()
            parts.append(
                zstandard.ZstdDecompressor().stream_reader(data).read() if path.suffix == ".zst" else data
            )
    return b"".join(parts)


def backed_up(target: Target, work: Path, *identities: object) -> bytes:
    """All bytes of all backups and copies at a target, opened."""
    found = []
    for number, manifest in enumerate(list_manifests(target)[0]):
        extract(target, manifest, work / str(number), identities)
        found.append(whatever_is_in(work / str(number)))
    for number, piece in enumerate(list_pieces(target)):
        packed = work / f"piece-{number}"
        target.get(piece.name, packed)
        with open(work / f"open-{number}", "wb+") as out:
            unseal(packed, out, piece.name.endswith(".age"), identities)
            out.seek(0)
            found.append(out.read())
    return b"".join(found)


@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "encrypted"])
def test_a_forgotten_address_is_in_no_byte_of_store_journal_backups_and_copies(
    tmp_path: Path, encrypted: bool
) -> None:
    key = pyrage.x25519.Identity.generate()
    keyfile = tmp_path / "key"
    keyfile.write_text(f"{key}\n")
    keys = {"age_recipient": str(key.to_public()), "age_identity_file": str(keyfile)} if encrypted else {}
    one = attacked(tmp_path, targets=[str(tmp_path / "second")], **keys)
    named = "".join(f'{name} = "{value}"\n' for name, value in keys.items())
    one.folder.settings.write_text(f'[backup]\ntargets = ["{tmp_path / "second"}"]\n{named}')
    manifest = one.vault.back_up("manual")
    for target in one.vault.targets():
        copy = JournalCopy(one.folder.journal, target, one.vault.recipient)
        copy.start_from(manifest)
        for event in visit(99, b"later", address=WANTED):
            place = one.writer.append(event)
        one.writer.wait_durable(place, 30)
        assert copy.step() > 0
    one.close()
    identities = one.vault.identities()
    before = backed_up(one.vault.local, tmp_path / "before", *identities)
    assert WANTED.encode() in before and WANTED.encode() in whatever_is_in(one.folder.journal)

    said = run("forget", WANTED, "--data", one.folder.root)

    assert said.exit_code == 0 and "1 backups changed" in said.output, said.output
    for number, target in enumerate(one.vault.targets()):
        after = backed_up(target, tmp_path / f"after-{number}", *identities)
        assert WANTED.encode() not in after
        assert OTHER.encode() in after and SIX.encode() in after
    assert WANTED.encode() not in whatever_is_in(one.folder.root)
    assert run("backup", "verify", "--data", one.folder.root).exit_code == 0
    # Twice is once.
    assert run("forget", WANTED, "--data", one.folder.root).exit_code == 0


def test_what_cannot_be_changed_is_said(tmp_path: Path) -> None:
    key = pyrage.x25519.Identity.generate()
    one = attacked(tmp_path, age_recipient=str(key.to_public()))
    one.folder.settings.write_text(f'[backup]\nage_recipient = "{key.to_public()}"\n')
    manifest = one.vault.back_up("manual")
    said = run("forget", WANTED, "--data", one.folder.root)
    assert said.exit_code == 1 and "is not gone from everywhere yet" in said.output
    assert "1 backups could not be opened, were kept, and may still hold the address" in said.output
    assert "stop urltrap, run this again" in said.output  # the writer still has its segment
    assert list_manifests(one.vault.local) == ([manifest], [])
    one.close()


def test_after_thirty_days_only_networks_are_left_everywhere(tmp_path: Path) -> None:
    one = attacked(tmp_path)
    one.close()
    one.vault.back_up("daily")
    now = datetime.now(UTC)
    age_out(one.folder, one.settings, one.vault, now + timedelta(days=29))
    assert WANTED.encode() in whatever_is_in(one.folder.journal)
    age_out(one.folder, one.settings, one.vault, now + timedelta(days=31))
    for kept in (
        whatever_is_in(one.folder.root / "journal"),
        backed_up(one.vault.local, tmp_path / "opened"),
    ):
        for address in (WANTED, SIX, OTHER):
            assert address.encode() not in kept, address
        for network in ("198.51.100.0", "2001:db8:7::", "192.0.2.0"):
            assert network.encode() in kept, network
    data = one.folder.database.read_bytes()
    assert WANTED.encode() not in data and SIX.encode() not in data
    # What was written since keeps its whole address, and the journal is still one that can be written.
    with JournalWriter(one.folder.journal, "trap-0", JOURNAL) as writer:
        writer.wait_durable(writer.append(visit(200, address=WANTED)[0]), 30)
    assert WANTED.encode() in whatever_is_in(one.folder.journal)
