"""What the health check says of the way from the door to the store."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta
from pathlib import Path

from fastapi.testclient import TestClient
from tests.site.conftest import NOW

from urltrap.model.settings import Settings
from urltrap.pipeline.line_state import Arrivals, Visit, keep_visit
from urltrap.site.app import create_app
from urltrap.store import Store, open_store


def client(store: Store, data: Path, minutes: float) -> TestClient:
    """The site that was started at NOW, asked so many minutes later."""
    clock = [NOW]
    app = create_app(store, Settings(), now=lambda: clock[0], data=data)
    clock[0] += timedelta(minutes=minutes)
    return TestClient(app, base_url="http://127.0.0.1:8080")


def test_health_is_the_age_of_the_synthetic_attacker_at_either_end(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    keep_visit(tmp_path, Visit(tried_at=NOW, well_at=NOW, seconds=0.1))
    Arrivals(tmp_path).saw([NOW])
    with closing(open_store(str(tmp_path / "urltrap.db"))) as store:
        fresh = client(store, tmp_path, 1).get("/healthz")
        assert (fresh.status_code, fresh.json()["ok"]) == (200, True)
        assert fresh.json()["canary_stored_age_seconds"] == 60
        later = client(store, tmp_path, 6)
        keep_visit(tmp_path, Visit(tried_at=NOW + timedelta(minutes=6), well_at=NOW + timedelta(minutes=6)))
        stuck = later.get("/healthz")
        assert (stuck.status_code, stuck.json()["ok"]) == (503, False)
        assert (stuck.json()["canary_visited_age_seconds"], stuck.json()["canary_stored_age_seconds"]) == (
            0,
            360,
        )
