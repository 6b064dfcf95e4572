"""A data folder with everything that a backup holds, on each kind of database, and an S3 on loopback."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.store.conftest import terminal, visit
from tests.support.databases import KINDS, database

from urltrap.journal import JournalWriter
from urltrap.model.event import EventBase, Uploaded
from urltrap.model.settings import BackupSettings, JournalSettings, Settings, StoreSettings
from urltrap.ops.backup.vault import Vault
from urltrap.ops.data_folder import DataFolder
from urltrap.quarantine import Quarantine
from urltrap.store import open_store
from urltrap.store.compare import checksums, row_counts
from urltrap.store.intake import ingest

JOURNAL = JournalSettings(segment_bytes=65_536, sync_milliseconds=1, free_bytes_reserve=0)
NASTY = bytes(range(256)) + "💀".encode()


class Installation:
    """One data folder with its database, filled without the running programs."""

    def __init__(self, root: Path, store_url: str = "", **backup: object) -> None:
        self.folder = DataFolder(root)
        root.mkdir()
        for place in self.folder.folders:
            place.mkdir(mode=0o700)
        self.store_url = store_url
        self.folder.settings.write_text(f'[store]\nurl = "{store_url}"\n' if store_url else "")
        self.folder.persona.write_text(json.dumps({"hostname": "web-3"}))
        (self.folder.keys / "ssh_host_key").write_text("not a real key\n")
        (self.folder.keys / "ssh_host_key").chmod(0o600)
        self.settings = Settings(
            store=StoreSettings(url=store_url),
            backup=BackupSettings.model_validate({"enabled": True, **backup}),
        )
        self.vault = Vault(self.folder, self.settings)
        self.count = 0
        self.writer = JournalWriter(self.folder.journal, "trap-0", JOURNAL)
        self.open()

    def open(self) -> None:
        store = open_store(self.folder.store_url(self.store_url))
        store.close()

    def attack(self, sessions: int = 3, size: int = 3000) -> list[EventBase]:
        """Sessions with commands, a terminal and an upload: in the journal, the quarantine and the store."""
        quarantine = Quarantine(self.folder.quarantine)
        made: list[EventBase] = []
        for _ in range(sessions):
            self.count += 1
            payload = quarantine.put(b"#!/bin/sh\necho %d" % self.count)
            events = visit(self.count, NASTY, b"x" * size, address=f"198.51.100.{self.count % 3 + 1}")
            made += [*events, *terminal(self.count, 50)]
            made.append(
                Uploaded(
                    session=events[0].session, seq=60, at=events[0].at, via="scp", path=b"/tmp/x", size=payload.size,
                    sha256=payload.sha256,
                )
            )  # fmt: skip
        for event in made:
            position = self.writer.append(event)
        self.writer.wait_durable(position, 30)
        store = open_store(self.folder.store_url(self.store_url))
        ingest(store, "trap-0", made, position)
        store.close()
        return made

    def close(self) -> None:
        self.writer.close()


def database_contents(url: str) -> tuple[dict[str, int], dict[str, str]]:
    """Rows and checksum of every table."""
    store = open_store(url)
    try:
        with store.connect() as connection:
            return row_counts(connection), checksums(connection)
    finally:
        store.close()


def file_contents(root: Path, *without: str) -> dict[str, str]:
    """Hash of every file that must come back."""
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
        and path.relative_to(root).parts[0]
        not in ("run", "backups", "urltrap.db", "urltrap.db-wal", "urltrap.db-shm")
        and path.name not in ("lock", "archive.lock")
        and str(path.relative_to(root)) not in without
    }


@pytest.fixture(params=KINDS)
def installation(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Installation]:
    """An installation on each kind of database."""
    with database(request.param, tmp_path) as url:
        made = Installation(tmp_path / "data", "" if request.param == "sqlite" else url)
        yield made
        made.close()


@pytest.fixture
def simple(tmp_path: Path) -> Iterator[Installation]:
    """An installation on SQLite."""
    made = Installation(tmp_path / "data")
    yield made
    made.close()


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """The address of an S3 on loopback with the bucket `backups`; credentials are in the environment."""
    import boto3
    from moto.server import ThreadedMotoServer

    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "testing")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
        server.start()
        host, port = server.get_host_and_port()
        url = f"http://{host}:{port}"
        boto3.client("s3", endpoint_url=url).create_bucket(Bucket="backups")
        yield url
        server.stop()
