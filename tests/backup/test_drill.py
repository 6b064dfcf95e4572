"""The restore drill: load, back up, destroy, restore, compare."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tests.backup.conftest import Installation, database_contents, file_contents
from tests.support.databases import KINDS, database

from urltrap.journal import JournalReader
from urltrap.ops.backup.errors import RestoreRefusedError
from urltrap.ops.backup.manifest import Manifest, list_manifests
from urltrap.ops.backup.pieces import JournalCopy
from urltrap.ops.backup.restoring import restore
from urltrap.ops.backup.target import Target
from urltrap.store import Store, cowrie_views, open_store
from urltrap.store.schema import metadata


def empty(url: str) -> None:
    store: Store = open_store(url)
    with store.begin() as connection:
        cowrie_views.drop(connection)
        for table in metadata.sorted_tables:
            connection.exec_driver_sql(f"DROP TABLE {table.name}")
        connection.exec_driver_sql("DROP TABLE alembic_version")
    store.close()


def test_everything_comes_back_identical(installation: Installation) -> None:
    folder = installation.folder
    url = folder.store_url(installation.store_url)
    installation.attack(30)
    installation.close()
    rows, files = database_contents(url), file_contents(folder.root)
    assert rows[0]["events"] > 200 and any("quarantine" in name for name in files)
    manifest = installation.vault.back_up("manual")
    assert installation.vault.state().verified_whole == manifest.name

    kept = folder.root.parent / "elsewhere"
    shutil.move(folder.backups, kept)
    shutil.rmtree(folder.root)
    if installation.store_url:
        empty(url)
    target = Target(str(kept))
    done = restore(
        target, list_manifests(target)[0][-1], folder.root, [], store_url=lambda work: installation.store_url
    )
    assert done.aside is None
    assert database_contents(url) == rows
    assert file_contents(folder.root) == files
    assert (folder.keys / "ssh_host_key").stat().st_mode & 0o777 == 0o600


def test_everything_comes_back_from_s3_encrypted_with_events_after_the_backup(
    tmp_path: Path, s3: str
) -> None:
    import pyrage

    identity = pyrage.x25519.Identity.generate()
    keyfile = tmp_path / "key"
    keyfile.write_text(f"# secret\n{identity}\n")
    one = Installation(
        tmp_path / "data",
        targets=["s3://backups/trap-1"],
        target_options={"endpoint_url": s3},
        age_recipient=str(identity.to_public()),
        age_identity_file=str(keyfile),
    )
    one.attack(5)
    manifest = one.vault.back_up("daily")
    state = one.vault.state()
    assert state.verified_whole == manifest.name
    assert [word[:2] for word in state.targets.values()] == ["ok"]
    target = Target("s3://backups/trap-1", {"endpoint_url": s3})
    copy = JournalCopy(one.folder.journal, target, one.vault.recipient)
    copy.start_from(manifest)
    later = one.attack(4)
    assert copy.step() > 0
    assert copy.step() == 0
    files = file_contents(one.folder.root)
    one.close()
    shutil.rmtree(one.folder.root)

    stored = b"".join(target.read(name) for name in target.names(""))
    assert b"web-3" not in stored and b"session.connect" not in stored
    done = restore(
        target, list_manifests(target)[0][-1], one.folder.root, [identity], store_url=lambda work: ""
    )
    assert done.newer_bytes > 0
    came = file_contents(one.folder.root)
    assert {name: value for name, value in came.items() if "quarantine" not in name} == {
        name: value for name, value in files.items() if "quarantine" not in name
    }
    with JournalReader(one.folder.journal) as reader:
        events = [event for _, event in reader.read("trap-0", None, 10_000)]
    assert events[-len(later) :] == later


@pytest.mark.parametrize("kind", KINDS)
def test_a_backup_taken_under_load_counts_the_rows_that_it_shows(kind: str, tmp_path: Path) -> None:
    import threading

    with database(kind, tmp_path) as url:
        one = Installation(tmp_path / "data", "" if kind == "sqlite" else url)
        one.attack(5)
        stop, begun = threading.Event(), threading.Event()
        failed: list[BaseException] = []

        def load() -> None:
            try:
                while not stop.is_set():
                    one.attack(1)
                    begun.set()
            except BaseException as error:
                failed.append(error)
                begun.set()

        thread = threading.Thread(target=load)
        thread.start()
        begun.wait(60)
        try:
            # Whole: restored into a scratch database, whose rows and checksums must be those of the dump's moment.
            manifest = one.vault.back_up("daily")
        finally:
            stop.set()
            thread.join()
        assert failed == []
        assert one.vault.state().verified_whole == manifest.name
        one.close()


def test_nothing_is_overwritten_without_force_and_with_it_moved_aside(simple: Installation) -> None:
    simple.attack(2)
    manifest = simple.vault.back_up("manual")
    simple.attack(2)
    before = file_contents(simple.folder.root)
    with pytest.raises(RestoreRefusedError, match="--force"):
        restore(simple.vault.local, manifest, simple.folder.root, [], store_url=lambda work: "")
    assert file_contents(simple.folder.root) == before
    done = restore(
        simple.vault.local,
        manifest,
        simple.folder.root,
        [],
        store_url=lambda work: "",
        force=True,
        newest=False,
    )
    assert done.aside is not None
    assert file_contents(done.aside) == before
    assert list_manifests(simple.vault.local)[0] == [manifest]


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_a_servers_tables_are_dropped_only_once_the_backup_was_tried(kind: str, tmp_path: Path) -> None:
    with database(kind, tmp_path) as url:
        one = Installation(tmp_path / "data", url)
        one.attack(2)
        manifest = one.vault.back_up("manual")
        then = database_contents(url)
        one.attack(1)
        one.close()
        now = database_contents(url)
        into = tmp_path / "again"

        def again(manifest: Manifest, force: bool) -> None:
            restore(
                one.vault.local, manifest, into, [], store_url=lambda work: url, force=force, newest=False
            )

        with pytest.raises(RestoreRefusedError, match="--force"):
            again(manifest, force=False)
        wrong = manifest.database.model_copy(update={"counts": {**manifest.database.counts, "events": 1}})
        with pytest.raises(RestoreRefusedError, match="events.*Nothing was changed"):
            again(manifest.model_copy(update={"database": wrong}), force=True)
        assert database_contents(url) == now and not into.exists()
        again(manifest, force=True)
        assert database_contents(url) == then != now


def test_a_running_urltrap_is_not_restored_over(simple: Installation) -> None:
    from urltrap.ops.cli.run import only_one

    manifest = simple.vault.back_up("manual")
    with only_one(simple.folder), pytest.raises(RestoreRefusedError, match="running"):
        restore(simple.vault.local, manifest, simple.folder.root, [], store_url=lambda work: "", force=True)
