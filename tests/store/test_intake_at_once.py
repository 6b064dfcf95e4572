"""Several processes that take events in at once: collectors of one database, and the stages beside them."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from sqlalchemy import select, update
from tests.store.conftest import session_id, visit

from urltrap.store import Store, intake
from urltrap.store.intake import ingest
from urltrap.store.schema import sessions


def test_what_another_process_writes_to_a_session_meanwhile_is_not_taken_back(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = visit(1, b"one", b"two")
    ingest(store, "a", events[:4], (1, 100))
    changed = threading.Event()

    def change() -> None:
        with store.begin() as connection:
            connection.execute(
                update(sessions).where(sessions.c.id == session_id(1)).values(urls=sessions.c.urls + 1)
            )
        changed.set()

    other = threading.Thread(target=change)
    fresh = intake._fresh

    def meanwhile(*arguments: Any) -> Any:
        # The session's row is loaded and not written yet; the other one waits for us, or gets ahead of us.
        other.start()
        changed.wait(0.3)
        return fresh(*arguments)

    monkeypatch.setattr(intake, "_fresh", meanwhile)
    ingest(store, "a", events[4:], (1, 200))
    other.join()
    with store.connect() as connection:
        row = connection.execute(select(sessions)).mappings().one()
    assert (row["commands"], row["urls"]) == (2, 1)
