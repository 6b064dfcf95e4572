"""The synthetic attacker at the far end of the line."""

from __future__ import annotations

from sqlalchemy import text
from tests.pipeline.conftest import START, Bench

from urltrap.model.canary import canary_session
from urltrap.model.event import Connected, Disconnected, DownloadAsked
from urltrap.pipeline.line_state import line_state
from urltrap.store.queries.overview import counters


def test_the_synthetic_attacker_comes_through_and_leaves_nothing_in_the_store(bench: Bench) -> None:
    real = bench.visit(b"id")
    before = counters(bench.store, bench.time)
    marked = canary_session(real)
    bench.write(
        [
            Connected(
                session=marked, seq=0, at=bench.time, sensor="ssh", protocol="ssh", src_ip="127.9.9.9",
                src_port=4, dst_ip="127.0.0.1", dst_port=22,
            ),
            DownloadAsked(session=marked, seq=1, at=bench.time, url=b"http://x.invalid/", client="wget"),
            Disconnected(session=marked, seq=2, at=bench.time, reason="client", duration_ms=5),
        ]
    )  # fmt: skip
    (bench.folder / "run").mkdir(exist_ok=True)
    bench.settle()
    assert line_state(bench.folder).stored_at == START
    after = counters(bench.store, bench.time)
    assert after.sessions == 1 and (after.addresses, after.urls) == (1, before.urls)
    with bench.store.connect() as connection:
        found = connection.execute(text("select distinct session from events")).scalars().all()
    assert marked not in found and real in found
