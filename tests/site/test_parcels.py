"""Payloads for vetted researchers: encrypted, by name, logged, bounded, and to nobody else."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pyzipper
from fastapi.testclient import TestClient
from tests.site import demo
from tests.site.auth.conftest import MACHINE, House, add_users, cheap_hashes, token_in
from tests.site.conftest import NOW

from urltrap.quarantine import Quarantine
from urltrap.site import parcels
from urltrap.site.pages import artifacts as artifact_pages
from urltrap.site.parcels import NoParcel, parcel
from urltrap.store import Store
from urltrap.store.accounts import audit, users
from urltrap.store.queries import artifacts

assert cheap_hashes  # a fixture
BODY = b"upload0"
SHA256 = demo.digest("upload0")
OTHER = demo.digest("upload1")


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Store, Path]]:
    """A store that knows two payloads, and a quarantine that has one of them."""
    folder = tmp_path_factory.mktemp("parcels")
    store = demo.fill(folder / "urltrap.db", NOW, sessions=120)
    add_users(store)
    assert Quarantine(folder / "quarantine").put(BODY).sha256 == SHA256
    assert {SHA256, OTHER} <= {row.artifact.sha256 for row in artifacts.page(store, limit=500).rows}
    yield store, folder
    store.close()


@pytest.fixture
def house(kept: tuple[Store, Path]) -> Iterator[House]:
    house = House(kept[0], data=kept[1])
    users.set_right(house.store, "viewer-1", "payloads", True, NOW, MACHINE)
    yield house
    users.set_right(house.store, "viewer-1", "payloads", False, NOW, MACHINE)


def ask(client: TestClient, sha256: str = SHA256) -> Any:
    """Send the form of an artifact's page."""
    token = token_in(client.get("/account").text)
    return client.post(f"/artifacts/{sha256}/payload", data={"token": token})


def downloads(house: House) -> list[tuple[str, str]]:
    entries = audit.page(house.store, limit=1000)[0]
    return [(entry.who, entry.subject) for entry in entries if entry.action == "payload.downloaded"]


def test_who_has_the_right_gets_an_encrypted_zip_and_the_log_says_so(house: House) -> None:
    client = house.logged_in("viewer-1")
    assert "Download as a zip" in client.get(f"/artifacts/{SHA256}").text
    before = len(downloads(house))
    answer = ask(client)
    assert answer.status_code == 200 and answer.headers["content-type"] == "application/zip"
    assert answer.headers["content-disposition"] == f'attachment; filename="{SHA256}.zip"'
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert BODY not in answer.content
    with pyzipper.AESZipFile(io.BytesIO(answer.content)) as archive:
        (entry,) = archive.infolist()
        assert entry.filename == SHA256 and entry.external_attr >> 16 == 0o400
        archive.setpassword(b"infected")
        assert archive.read(entry) == BODY
    with (
        zipfile.ZipFile(io.BytesIO(answer.content)) as plain,
        pytest.raises((RuntimeError, NotImplementedError)),
    ):
        plain.read(SHA256)
    assert downloads(house)[0] == ("viewer-1", SHA256) and len(downloads(house)) == before + 1


def test_no_role_includes_the_right_and_it_ends_at_once(house: House) -> None:
    admin = house.logged_in("admin-1")
    assert "Download as a zip" not in admin.get(f"/artifacts/{SHA256}").text
    refused = ask(admin)
    assert refused.status_code == 403 and "urltrap user allow admin-1 payloads" in refused.text
    client = house.logged_in("viewer-1")
    users.set_right(house.store, "viewer-1", "payloads", False, NOW, MACHINE)
    assert ask(client).status_code == 403
    given = [entry.action for entry in audit.page(house.store, limit=1000)[0] if entry.subject == "viewer-1"]
    assert {"right.given", "right.taken"} <= set(given)


def test_a_site_without_accounts_hands_out_nothing(kept: tuple[Store, Path], tmp_path: Path) -> None:
    from urltrap.store import open_store

    store = open_store(str(tmp_path / "urltrap.db"))
    client = House(store, data=kept[1]).client()
    assert client.get("/").status_code == 200
    refused = client.post(f"/artifacts/{SHA256}/payload", data={})
    assert refused.status_code == 403 and "by name" in refused.text
    store.close()


def test_a_payload_is_never_got_by_following_a_link(house: House) -> None:
    client = house.logged_in("viewer-1")
    answer = client.get(f"/artifacts/{SHA256}/payload")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/artifacts/{SHA256}")
    assert client.post(f"/artifacts/{SHA256}/payload", data={"token": "0"}).status_code == 403
    before = len(downloads(house))
    assert ask(client, "../../urltrap.db").status_code == 404
    assert ask(client, "0" * 64).status_code == 404
    gone = ask(client, OTHER)
    assert gone.status_code == 410 and "not in the quarantine" in gone.text
    assert len(downloads(house)) == before


def test_what_is_too_large_or_asked_for_too_often_waits(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = house.logged_in("viewer-1")
    monkeypatch.setattr(parcels, "LARGEST", 3)
    assert ask(client).status_code == 413
    monkeypatch.undo()
    with parcels._ONE:
        busy = ask(client)
    assert busy.status_code == 503 and "being packed" in busy.text
    statuses = [ask(client).status_code for _ in range(artifact_pages._PER_MINUTE)]
    assert set(statuses) == {200, 429} and statuses == sorted(statuses)


def test_nothing_leaves_that_is_not_in_the_log(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    client = house.logged_in("viewer-1")
    from urltrap.store import StoreUnavailable

    def full(*_: Any) -> None:
        raise StoreUnavailable("no space")

    monkeypatch.setattr(audit, "note", full)
    answer = ask(client)
    assert answer.status_code == 503 and b"PK" not in answer.content


def test_a_payload_that_the_disk_has_changed_is_not_handed_out(tmp_path: Path) -> None:
    quarantine = Quarantine(tmp_path / "quarantine")
    sha256 = quarantine.put(b"as it came").sha256
    path = quarantine.directory / sha256[:2] / sha256[2:4] / sha256
    path.chmod(0o600)
    path.write_bytes(b"as it is now")
    with pytest.raises(NoParcel, match="not the one of that name"):
        parcel(quarantine, sha256)
    with pytest.raises(NoParcel, match="not in the quarantine"):
        parcel(quarantine, "0" * 64)
    with parcel(quarantine, quarantine.put(b"").sha256) as packed:
        assert zipfile.ZipFile(packed).testzip is not None


def test_a_large_payload_is_packed_piece_by_piece(tmp_path: Path) -> None:
    quarantine = Quarantine(tmp_path / "quarantine")
    body = bytes(range(256)) * 20_000
    packed = b"".join(parcels.chunks(parcel(quarantine, quarantine.put(body).sha256)))
    with pyzipper.AESZipFile(io.BytesIO(packed)) as archive:
        archive.setpassword(parcels.PASSWORD)
        assert archive.read(archive.infolist()[0]) == body
