"""The earlier run of a honeypot once more: its hostnames, commands and VirusTotal answers through the whole line.

It asked VirusTotal about reverse names, and called those malicious that any detected file mentions. Here nothing is
asked about a reverse name, no reverse name is malicious even with those answers in the store, and the URLs that
attackers named come out instead.
"""

from __future__ import annotations

import gzip
import ipaddress
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select
from tests.judge.test_judge import NONE, NOW, evidence
from tests.pipeline.conftest import Bench

from urltrap.egress.fetcher import Fetcher
from urltrap.egress.switch import KillSwitch
from urltrap.intel.dns import Records, reverse_name
from urltrap.intel.loop import Background
from urltrap.intel.reputation.virustotal import VirusTotal
from urltrap.judge import judge
from urltrap.model.capture import Capture, FetchRequest
from urltrap.model.event import Captured, CommandEntered, Connected, Disconnected, EventBase
from urltrap.model.ids import new_ulid
from urltrap.model.url import Url
from urltrap.model.verdict import Observation
from urltrap.pipeline import naming
from urltrap.pipeline.line import Line
from urltrap.pipeline.looking_up import LookUpStage
from urltrap.pipeline.naming import NameStage
from urltrap.pipeline.stages import stages
from urltrap.store import observing
from urltrap.store.queries import intel, urls
from urltrap.store.schema import addresses
from urltrap.store.schema import urls as urls_table
from urltrap.store.schema_intel import lookups, names

ATTACKERS = {
    "http://24.233.1.178:60132/linux", "http://129.144.180.26:60107/linux", "http://43.249.172.195:888/112",
    "http://43.249.172.195:888/112s",
}  # fmt: skip
TEAM = {"https://test.com/", "http://wikipedia.com/", "http://coucou-les-reuf.fr/", "http://test.fr/"}
FIRST = ipaddress.IPv4Address("198.18.0.1")
OPERATOR = "192.0.2.200"


@dataclass(frozen=True)
class Run:
    """What that run left behind; `reports`: VirusTotal's v2 answer about each name that it asked about."""

    hostnames: list[str]
    commands: list[str]
    reports: dict[str, dict[str, Any]]

    def flagged(self) -> set[str]:
        """What it called malicious: names that some detected file mentions."""
        return {
            name
            for name, report in self.reports.items()
            if sum(sample["positives"] for sample in report.get("detected_referrer_samples", []))
        }

    def observations(self) -> list[Observation]:
        """Its answers as an observation of each host: engines that detect anything below it, at most."""
        return [
            Observation(
                provider="virustotal", subject_kind="host", subject=name, at=NOW,
                result="listed" if engines else "not-listed", detail=f"{engines} of 96 engines",
            )
            for name, report in self.reports.items()
            for engines in [max(_positives(report), default=0)]
        ]  # fmt: skip


def _positives(report: dict[str, Any]) -> Iterator[int]:
    for field, found in report.items():
        if field.startswith("detected_"):
            yield from (item["positives"] for item in found)


@pytest.fixture(scope="module")
def run(shared_data: Path) -> Run:
    seed = shared_data / "seed"
    with gzip.open(seed / "virustotal_v2_domain_reports.jsonl.gz", "rt", encoding="utf-8") as stream:
        reports = {row["domain"]: row["report"] for row in map(json.loads, stream)}
    return Run(
        json.loads((seed / "hostnames.json").read_text("utf-8")),
        json.loads((seed / "commands.json").read_text("utf-8")),
        reports,
    )


class FromTable:
    """DNS in which every attacker has his name of that run."""

    table: dict[tuple[str, str], tuple[str, ...]]

    def __init__(self, servers: object = ()) -> None:
        pass

    async def ask(self, name: str, kind: str, server: str = "") -> Records:
        values = self.table.get((name.rstrip("."), kind))
        return Records("NXDOMAIN") if values is None else Records("NOERROR", values)


class NoDoor:
    """What must not be opened in record mode."""

    async def fetch(self, request: FetchRequest, url: Url) -> Capture:
        raise AssertionError(f"something was about to be fetched: {url.text}")


class InRecordMode:
    """The real fetcher in record mode, in a thread of its own."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._loop = Background()
        self._fetcher = self._loop.submit(self._make()).result(20)
        self.captures: list[Capture] = []

    async def _make(self) -> Fetcher:
        settings = self._bench.settings.egress
        assert settings.mode == "record"
        switch = KillSwitch.of(self._bench.folder)
        return Fetcher(settings, NoDoor(), self._bench.quarantine, switch, self._keep)

    def fetch(self, request: FetchRequest, timeout: float = 120.0) -> Capture:
        return self._loop.submit(self._fetcher.fetch(request)).result(timeout)

    def _keep(self, capture: Capture) -> None:
        self.captures.append(capture)
        event = Captured(
            session=self._bench.fetcher.stream, seq=len(self.captures), at=self._bench.time, capture=capture
        )
        self._bench.fetcher_writer.append(event)

    def close(self) -> None:
        self._loop.submit(self._fetcher.close()).result(20)
        self._loop.close()


def visit(n: int, source: str, at: datetime, texts: Sequence[str]) -> list[EventBase]:
    """The session number `n`: one visit from an address, with what was entered."""
    session = new_ulid(1_795_000_100_000 + n, n.to_bytes(10, "big"))
    return [
        Connected(session=session, seq=0, at=at, sensor="ssh", protocol="ssh", src_ip=source, src_port=4,
                  dst_ip="192.0.2.10", dst_port=22),
        *(
            CommandEntered(session=session, seq=1 + seq, at=at, mode="exec", text=text.encode())
            for seq, text in enumerate(texts)
        ),
        Disconnected(session=session, seq=1 + len(texts), at=at, reason="client", duration_ms=5),
    ]  # fmt: skip


def name_attackers(run: Run, bench: Bench) -> None:
    """Reverse names, forward-confirmed, by the stage that asks DNS; DNS is the table of that run."""
    FromTable.table = {}
    for n, name in enumerate(run.hostnames):
        address = str(FIRST + n)
        FromTable.table[reverse_name(address).rstrip("."), "PTR"] = (f"{name}.",)
        FromTable.table[name.lower(), "A"] = (address,)
    online = bench.settings.intel.model_copy(update={"online": True})
    asking = replace(bench.workshop, settings=bench.settings.model_copy(update={"intel": online}))
    stage = NameStage()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(naming, "Resolver", FromTable)
        asking.now = lambda: bench.time
        while stage.run(asking) or stage.waiting():
            for future in stage.waiting():
                future.result(20)
            bench.time += timedelta(seconds=6)  # 24 at once, 240 a minute
    stage.close()


@pytest.fixture(scope="module")
def bench(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """The store after that run: recovered, recorded, enriched, looked up and judged."""
    made = Bench(
        tmp_path_factory.mktemp("earlier-run"),
        egress={"mode": "record"},
        testing={"public_networks": ["198.18.0.0/16"]},
        publish={"delay_minutes": [0, 0], "operator_addresses": [OPERATOR]},
    )
    made.workshop.fetcher = fetch = InRecordMode(made)
    # Questions to VirusTotal are written down as with a key, and nobody asks them.
    line = [LookUpStage([VirusTotal()]) if stage.name == "lookup" else stage for stage in stages()]
    made.line = Line(made.workshop, made.reader, line)
    visits: list[EventBase] = []
    for n in range(len(run.hostnames)):
        visits += visit(n, str(FIRST + n), made.time, run.commands[n : n + 1])
    made.write(visits)
    with made.store.begin() as connection:
        observing.record(connection, run.observations())
    made.settle()
    name_attackers(run, made)
    made.settle()
    yield made
    made.close()
    fetch.close()


def verdicts(bench: Bench) -> dict[str, str]:
    return {row.url: row.verdict for row in urls.page(bench.store, limit=200).rows}


def test_the_run_is_the_one_that_is_told_of(run: Run) -> None:
    assert (len(run.hostnames), len(run.commands), len(run.reports)) == (1524, 263, 1256)
    assert len(run.flagged()) == 8 and set(run.reports) <= set(run.hostnames)


def test_exactly_the_attackers_urls_come_out_beside_the_team_s_own(bench: Bench) -> None:
    found = verdicts(bench)
    assert set(found) == ATTACKERS | TEAM
    assert {url for url, verdict in found.items() if verdict == "suspicious"} == ATTACKERS
    assert {found[url] for url in TEAM} <= {"benign-context", "unknown"}


def test_nothing_is_fetched_in_record_mode_and_nothing_is_published(bench: Bench) -> None:
    rows = urls.page(bench.store, limit=200).rows
    assert {row.outcome for row in rows} == {"recorded"}
    assert [row.url for row in rows if row.published_at] == []


def test_no_reverse_name_is_a_url_and_nobody_is_asked_about_one(run: Run, bench: Bench) -> None:
    with bench.store.connect() as connection:
        hosts = set(connection.execute(select(urls_table.c.host)).scalars())
        asked = {
            (row.subject_kind, row.subject)
            for row in connection.execute(select(lookups.c.subject_kind, lookups.c.subject))
        }
    assert not hosts & set(run.hostnames)
    assert not {subject for _, subject in asked} & set(run.hostnames)
    assert {subject for kind, subject in asked if kind == "url"} >= ATTACKERS


def test_no_reverse_name_is_malicious_with_those_answers_even_where_an_attacker_names_it(run: Run) -> None:
    said = {item.subject: item for item in run.observations()}
    assert sum(item.result == "listed" for item in said.values()) == 46
    for name in run.hostnames:
        item = evidence(
            url=f"http://{name.lower()}/", host=name.lower(), raw_address=False, asked=True,
            observations=tuple(said[key] for key in (name,) if key in said),
        )  # fmt: skip
        found = judge(item, NOW, NONE)
        assert not found.verdict.startswith("malicious-") and found.publish_after is None, name


def test_every_attacker_has_the_confirmed_name_of_that_run(run: Run, bench: Bench) -> None:
    with bench.store.connect() as connection:
        count = connection.execute(select(func.count()).select_from(names).where(names.c.confirmed)).scalar()
        known = connection.execute(select(func.count()).select_from(addresses)).scalar()
    assert known == len(run.hostnames)
    assert count == len([name for name in run.hostnames if name])


def test_the_ranking_is_that_of_the_run_where_it_cut_no_suffix_in_two(run: Run, bench: Bench) -> None:
    ranked = {row.domain: row.addresses for row in intel.domains(bench.store, 10_000)}
    assert {
        name: ranked[name] for name in ("spectrum.com", "stretchoid.com", "kyivstar.net", "shadowserver.org")
    } == {"spectrum.com": 46, "stretchoid.com": 44, "kyivstar.net": 37, "shadowserver.org": 21}
    cut = Counter(".".join(name.lower().split(".")[-2:]) for name in run.hostnames if "." in name)
    # It cut names at the last two labels. What ranks otherwise is a suffix, whose names are counted below it here, or
    # lies below a suffix that does not exist.
    unknown = {name for name in cut if name.endswith(".adsl")}
    for name in cut.keys() - unknown:
        below = {domain: n for domain, n in ranked.items() if domain.endswith(f".{name}")}
        assert ranked.get(name, 0) + sum(below.values()) == cut[name], name
        assert not (name in ranked and below), f"{name} is either a domain or a suffix"
    assert len(unknown) == 3 and not unknown & set(ranked)
    assert max(cut, key=lambda name: cut[name]) == max(ranked, key=lambda name: ranked[name]) == "hinet.net"


def test_the_team_s_visits_from_the_operator_s_address_are_benign_context(run: Run, tmp_path: Path) -> None:
    made = Bench(tmp_path, egress={"mode": "record"}, publish={"operator_addresses": [OPERATOR]})
    made.workshop.fetcher = fetch = InRecordMode(made)
    texts = [text for text in run.commands if text.startswith(("wget http", "curl http"))]
    made.write(visit(1, OPERATOR, made.time, texts))
    made.settle()
    assert verdicts(made) == dict.fromkeys(TEAM, "benign-context")
    made.close()
    fetch.close()
