from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from urltrap.store import Store, breakers, lookups, open_store, quick_claims, windows
from urltrap.store.errors import StoreCorrupt
from urltrap.store.schema_intel import lookups as lookups_table
from urltrap.store.schema_intel import provider_windows

START = datetime(2026, 1, 31, 23, 55, tzinfo=UTC)


def contents(store: Store) -> list[tuple[object, ...]]:
    with store.connect() as connection:
        return [
            tuple(row)
            for table in (lookups_table, provider_windows)
            for row in connection.execute(select(table).order_by(*table.primary_key.columns))
        ]


def lived_through(store: Store, seed: int) -> list[object]:
    """What a day of claims, answers, failures and set clocks gives: each claim's result, and all rows at the end."""
    chance, now, seen = random.Random(seed), START, list[object]()
    with store.begin() as connection:
        windows.declare(connection, "p", {"minute": 3, "day": 9, "month": 40})
        windows.declare(connection, "q", {"month": 1000})
    for _ in range(120):
        now += timedelta(seconds=chance.choice((-30, 0, 0, 1, 20, 61, 3700)))
        provider = chance.choice("pq")
        match chance.randrange(5):
            case 0:
                names = [str(chance.randrange(40)) for _ in range(4)]
                wanted = [lookups.Question(provider, "host", name, chance.randrange(3)) for name in names]
                with store.begin() as connection:
                    lookups.want(connection, wanted, now)
            case 1 if chance.random() < 0.3:
                with store.begin() as connection:
                    breakers.failed(connection, provider, now, "down")
            case 2 if chance.random() < 0.3:
                with store.begin() as connection:
                    breakers.succeeded(connection, provider, now)
            case _:
                found = lookups.claim(store, provider, now, "w", chance.randrange(1, 5))
                seen.append(found)
                with store.begin() as connection:
                    for claim in found if isinstance(found, list) else ():
                        if chance.random() < 0.5:
                            lookups.answered(
                                connection, claim.question, now + timedelta(hours=6), listed=False
                            )
                        elif chance.random() < 0.5:
                            lookups.later(connection, claim.question, now + timedelta(minutes=5), "no")
    return [seen, contents(store)]


@pytest.mark.parametrize("seed", range(6))
def test_the_quick_claim_gives_and_leaves_behind_what_the_general_way_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    quick_store = open_store(str(tmp_path / "quick.db"))
    general_store = open_store(str(tmp_path / "general.db"))
    taken = 0
    take = quick_claims.take

    def counted(*arguments: object) -> list[quick_claims.Taken] | None:
        nonlocal taken
        found = take(*arguments)  # type: ignore[arg-type]
        taken += found is not None
        return found

    monkeypatch.setattr(quick_claims, "take", counted)
    quick = lived_through(quick_store, seed)
    assert taken >= 3, "the quick way was taken"
    monkeypatch.setattr(quick_claims, "take", lambda *_: None)
    assert quick == lived_through(general_store, seed)
    quick_store.close()
    general_store.close()


def test_an_error_of_the_driver_is_told_as_the_store_s_own(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "a.db"))
    with store.begin() as connection:
        lookups.want(connection, [lookups.Question("p", "host", "a")], START)
    store.close()
    content = bytearray((tmp_path / "a.db").read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    (tmp_path / "a.db").write_bytes(content)
    with pytest.raises(StoreCorrupt, match="urltrap rebuild"):
        quick_claims.take(store, "p", START, "w", 1, START + lookups.LEASE)
    store.close()
