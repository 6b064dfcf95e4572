"""The same pages as files: equal to what is served, written in one step, and only where something changed."""

from __future__ import annotations

import json
import re
import threading
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from tests.site import demo
from tests.site.conftest import NOW
from tests.site.public.showing import SECRET, SETTINGS, publish

from urltrap.model.settings import Settings
from urltrap.ops.cli.publish import publish as publish_command
from urltrap.ops.init import init_data_folder
from urltrap.site.public import export as exporting
from urltrap.site.public.export import ExportError, export
from urltrap.site.public.pages import Pages
from urltrap.site.public.process import export_site
from urltrap.site.public.snapshot import Snapshot
from urltrap.store import Store
from urltrap.store.schema_public import publications

LIVE_ONLY = re.compile(
    rb'<form class="searching".*?</form>\s*|<p><a class="button strong" href="dispute">.*?</p>\s*|Or write to|Write to',
    re.DOTALL,
)


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


@pytest.fixture
def offline() -> Pages:
    return Pages(SETTINGS, live=False)


def test_what_is_exported_is_what_is_served(
    everyone: TestClient, offline: Pages, snapshot: Snapshot, tmp_path: Path
) -> None:
    told: list[tuple[int, int]] = []
    done = export(offline, snapshot, tmp_path / "out", lambda n, of: told.append((n, of)))
    found = files(tmp_path / "out")
    assert done.files == done.written == len(found) and done.urls == len(snapshot.urls)
    assert told[-1] == (len(found), len(found)) and done.bytes == sum(map(len, found.values()))
    same = 0
    for name, body in found.items():
        served = everyone.get("/" + name).content
        same += served == body
        assert LIVE_ONLY.sub(b"", served).split() == LIVE_ONLY.sub(b"", body).split(), name
        assert b'dispute"' not in body and b'action="' not in body, "nothing that needs a server"
    assert len(found) - same <= 5, "home, list, browse, dispute differ by what only a server can do"
    assert found["index.html"] and b'href="static/build/' in found["index.html"]


def test_a_second_export_writes_only_what_changed_and_keeps_the_others_dates(
    offline: Pages, snapshot: Snapshot, tmp_path: Path
) -> None:
    target = tmp_path / "out"
    export(offline, snapshot, target)
    before = {name: (target / name).stat().st_ino for name in files(target)}
    assert export(offline, snapshot, target).written == 0
    assert {name: (target / name).stat().st_ino for name in files(target)} == before
    less = Snapshot(snapshot.urls[1:], snapshot.payloads, snapshot.figures, snapshot.made, "other")
    gone = snapshot.urls[0].id
    less.payloads.get(snapshot.urls[0].sha256 or "")
    trimmed = {
        sha: payload.model_copy(update={"urls": [id_ for id_ in payload.urls if id_ != gone]})
        for sha, payload in snapshot.payloads.items()
    }
    less = Snapshot(snapshot.urls[1:], trimmed, snapshot.figures, snapshot.made, "other")
    done = export(offline, less, target)
    assert done.removed >= 2 and not (target / f"urls/{gone}.html").exists()
    assert 0 < done.written < done.files / 2
    assert not list(tmp_path.glob(".out.new*")) and not list(tmp_path.glob(".out.old*"))


def test_a_reader_never_meets_half_an_export(offline: Pages, snapshot: Snapshot, tmp_path: Path) -> None:
    target = tmp_path / "out"
    export(offline, snapshot, target)
    stop, missing = threading.Event(), []

    def watch() -> None:
        while not stop.is_set():
            for name in ("index.html", "feed.csv", "urls.html"):
                if not (target / name).exists():
                    missing.append(name)

    watcher = threading.Thread(target=watch)
    watcher.start()
    for _ in range(3):
        export(offline, snapshot, target)
    stop.set()
    watcher.join()
    assert missing == []


def test_where_folders_cannot_be_swapped_they_are_renamed(
    offline: Pages, snapshot: Snapshot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "out"
    export(offline, snapshot, target)
    monkeypatch.setattr(exporting, "_exchange", lambda one, other: False)
    export(offline, snapshot, target)
    assert (target / "index.html").exists() and sorted(path.name for path in tmp_path.iterdir()) == [
        ".out.urltrap.json",
        "out",
    ]


def test_what_is_not_ours_is_not_replaced(offline: Pages, snapshot: Snapshot, tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("mine")
    with pytest.raises(ExportError, match="no export wrote"):
        export(offline, snapshot, tmp_path / "thesis")
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ExportError, match="no folder"):
        export(offline, snapshot, tmp_path / "file")
    with pytest.raises(ExportError, match="there is no folder"):
        export(offline, snapshot, tmp_path / "nosuch" / "out")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ExportError, match="no folder"):
        export(offline, snapshot, tmp_path / "link")
    assert (tmp_path / "thesis" / "chapter.tex").read_text() == "mine"


def test_an_export_that_fails_leaves_the_folder_as_it_was(
    offline: Pages, snapshot: Snapshot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "out"
    export(offline, snapshot, target)
    before = files(target)

    def full(*given: object) -> bool:
        raise OSError(28, "No space left on device", "page")

    monkeypatch.setattr(exporting, "_link", full)
    with pytest.raises(ExportError, match="No space left"):
        export(offline, snapshot, target)
    assert files(target) == before and not list(tmp_path.glob(".out.new*"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder with URLs for everyone."""
    data = tmp_path / "data"
    init_data_folder(data)
    store = demo.fill(data / "urltrap.db", NOW, sessions=40)
    publish(store, NOW)
    store.close()
    return data


def test_the_command_writes_the_folder_and_says_what_it_did(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    publish_command(tmp_path / "out", data=folder, as_json=True)
    first = json.loads(capsys.readouterr().out)
    assert first["written"] == first["files"] > 20 and first["urls"] > 0
    publish_command(tmp_path / "out", data=folder, as_json=True)
    again = json.loads(capsys.readouterr().out)
    assert again["written"] == 0 and again["files"] == first["files"], (
        "the feeds' date is the one of the content"
    )
    publish_command(tmp_path / "out", data=folder)
    assert "0 written" in capsys.readouterr().out


def test_the_machines_own_name_hides_what_carries_it(folder: Path, tmp_path: Path) -> None:
    persona = json.loads((folder / "persona.json").read_text())
    (folder / "persona.json").write_text(json.dumps({**persona, "hostname": "files.badhost.example"}))
    publish_command(tmp_path / "out", data=folder)
    assert not any(b"badhost" in body for body in files(tmp_path / "out").values())


def test_what_is_taken_back_leaves_the_export(shown_store: Store, tmp_path: Path) -> None:
    export_site(shown_store, Settings(), SECRET, tmp_path / "out", frozenset(), now=lambda: NOW)
    assert any(name.startswith("urls/") for name in files(tmp_path / "out"))
    with shown_store.begin() as connection:
        connection.execute(publications.delete())
    export_site(shown_store, Settings(), SECRET, tmp_path / "out", frozenset(), now=lambda: NOW)
    assert not any(name.startswith(("urls/", "hosts/", "payloads/")) for name in files(tmp_path / "out"))
