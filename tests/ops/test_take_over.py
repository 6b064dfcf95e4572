"""`urltrap db take-over`: the database of an installation that is gone, for a new one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.store.conftest import visit

from urltrap.ops.data_folder import DataFolder
from urltrap.store import open_store, owner
from urltrap.store.intake import ingest, watermark

from .commands import run


def test_a_new_installation_gets_the_database_of_one_that_is_gone(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/shared.db"
    there = {"URLTRAP_STORE__URL": url}
    ids = {}
    for name in ("old", "new"):
        assert run("init", tmp_path / name).exit_code == 0
        ids[name] = DataFolder(tmp_path / name).installation
    assert ids["old"] != ids["new"]
    store = open_store(url)
    owner.own(store, ids["old"])
    ingest(store, "trap-0", visit(1, at=datetime.now(UTC) - timedelta(minutes=2)), (4, 4))

    said = run("db", "take-over", "--data", tmp_path / "old", **there)
    assert said.exit_code != 0 and "already" in said.output
    said = run("db", "take-over", "--data", tmp_path / "new", **there)
    assert said.exit_code != 0 and "2 minutes ago" in said.output and owner.owner(store) == ids["old"]
    said = run("db", "take-over", "--force", "--data", tmp_path / "new", **there)
    assert said.exit_code == 0 and "1 places" in said.output
    assert owner.owner(store) == ids["new"] and watermark(store, "trap-0") is None
    store.close()
