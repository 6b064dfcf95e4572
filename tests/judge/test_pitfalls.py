"""The fourteen pitfalls of threat intelligence, each with the strongest context an attacker can give, unlisted."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.judge.test_judge import ELF, HTML, NONE, NOW, SCRIPT, evidence, listed

from urltrap.intel import known
from urltrap.judge import Evidence, Label, Payload, judge
from urltrap.judge.labels import BENIGN
from urltrap.judge.rules import FLOODING
from urltrap.model.url import UrlError, canonical, parse_url
from urltrap.model.verdict import Observation
from urltrap.recover.flags import host_address

URLS = Path(__file__).resolve().parents[3] / "shared" / "data" / "urls.csv"
KNOWN = known.shipped()
STRONGEST: dict[str, Any] = {"asked": True, "commanded": True, "run": True, "sources": 50, "sightings": 500}


def at(url: str, **changes: Any) -> Evidence:
    """A URL that fifty attackers fetched and ran."""
    parsed = parse_url(canonical(url))
    base = evidence(
        url=parsed.text, host=parsed.host, port=parsed.port, scheme=parsed.scheme,
        raw_address=host_address(parsed.host) is not None, labels=KNOWN.labels(parsed.host), **STRONGEST,
    )  # fmt: skip
    return replace(base, **changes)


def verdict(item: Evidence) -> str:
    return judge(item, NOW, NONE).verdict


def virustotal(detail: str, kind: str = "url") -> Observation:
    return Observation.model_validate(
        {
            "provider": "virustotal",
            "subject_kind": kind,
            "subject": "x",
            "at": NOW,
            "result": "listed",
            "detail": detail,
        }
    )


def test_1_a_host_that_is_only_named_is_nothing() -> None:
    found = judge(
        at("http://static-1-2-3-4.example.net/", asked=False, run=False, commanded=False, sources=1),
        NOW,
        NONE,
    )
    assert found.verdict == "unknown" and found.publish_after is None


def test_2_research_scanners_are_benign_context() -> None:
    item = at(
        "http://scan.shadowserver.org/x", payloads=(SCRIPT,), labels=(Label("research-scanner", "misp"),)
    )
    assert verdict(item) == "benign-context"


@pytest.mark.parametrize("host", ["ifconfig.me", "icanhazip.com", "ip-api.com", "checkip.amazonaws.com"])
def test_3_ip_checks_are_benign_context_and_say_so_on_their_axis(host: str) -> None:
    found = judge(at(f"http://{host}/", payloads=(SCRIPT,)), NOW, NONE)
    assert (found.verdict, found.axes.action, found.fp_risk) == ("benign-context", "ip-check", "high")


@pytest.mark.parametrize(
    "host", ["raw.githubusercontent.com", "pastebin.com", "transfer.sh", "cdn.discordapp.com"]
)
def test_4_shared_hosting_is_judged_by_path_and_never_as_a_host(host: str) -> None:
    url = f"https://{host}/someone/x.sh"
    assert verdict(at(url, payloads=(SCRIPT,))) == "malicious-observed"
    neighbour = at(
        f"https://{host}/", asked=False, run=False, commanded=False, observations=(listed("host"),)
    )
    assert verdict(neighbour) == "unknown"
    assert judge(at(url, payloads=(SCRIPT,)), NOW, NONE).fp_risk == "medium"


@pytest.mark.parametrize(
    "url", ["http://speedtest.tele2.net/100MB.zip", "http://test-debit.free.fr/image.iso"]
)
def test_5_speed_tests_are_benign_context(url: str) -> None:
    found = judge(at(url, payloads=(replace(ELF, kind="archive"),)), NOW, NONE)
    assert (found.verdict, found.axes.action) == ("benign-context", "bandwidth-test")


@pytest.mark.parametrize(
    "url", ["https://get.docker.com/", "https://github.com/xmrig/xmrig/releases/download/v6/xmrig.tar.gz"]
)
def test_6_the_home_of_a_tool_is_no_malware_host_even_where_rules_know_the_tool(url: str) -> None:
    miner = replace(ELF, family="XMRig", action="", rules=("xmrig",))
    found = judge(at(url, payloads=(miner,)), NOW, NONE)
    assert not found.verdict.startswith("malicious-")
    assert found.axes.action == "tool-dual-use"


def test_7_a_victim_of_forwarding_is_no_payload_host() -> None:
    assert verdict(at("http://victim.example.com/", asked=False, run=False, commanded=False)) == "unknown"


@pytest.mark.parametrize("payload", [ELF, SCRIPT])
def test_8_private_and_own_addresses_are_held(payload: Payload) -> None:
    found = judge(at("http://192.168.1.1/x", held=True, payloads=(payload,)), NOW, NONE)
    assert found.verdict == "suspicious" and found.publish_after is None
    assert (
        judge(
            at("http://198.51.100.9/?192.0.2.1", carries_own_address=True, payloads=(ELF,)), NOW, NONE
        ).publish_after
        is None
    )


@pytest.mark.parametrize(("kind", "lifecycle"), [("sinkhole", "sinkholed"), ("parked", "unknown")])
def test_9_sinkholes_and_parked_names_are_benign_context(kind: Any, lifecycle: str) -> None:
    found = judge(
        at("http://gone.example.com/x", payloads=(SCRIPT,), labels=(Label(kind, "misp"),)), NOW, NONE
    )
    assert (found.verdict, found.axes.lifecycle) == ("benign-context", lifecycle)


@pytest.mark.parametrize(
    "payload", [HTML, replace(ELF, status=404), replace(ELF, kind="empty"), replace(HTML, status=200)]
)
def test_9_and_10_pages_errors_and_empty_files_are_no_payload(payload: Payload) -> None:
    assert verdict(at("http://captive.example.com/x", payloads=(payload,))) in ("unknown", "suspicious")


def known_as(payload: Payload, *tags: str) -> Observation:
    return Observation(
        provider="hashlookup", subject_kind="sha256", subject=payload.sha256, at=NOW, result="not-listed",
        detail="a known file: /bin/busybox", tags=list(tags),
    )  # fmt: skip


def test_10_a_file_of_a_distribution_is_no_malware_wherever_it_is_fetched_from() -> None:
    url = "http://198.51.100.9/busybox"
    known_one = at(url, payloads=(ELF,), observations=(known_as(ELF, "known-file", "trust-100"),))
    found = judge(known_one, NOW, NONE)
    assert found.verdict == "suspicious" and found.publish_after is None
    assert any("/bin/busybox" in reason.text for reason in found.reasons)
    doubted = replace(known_one, observations=(known_as(ELF, "known-file", "trust-10"),))
    another = replace(known_one, observations=(known_as(SCRIPT, "known-file"),))
    ours = replace(known_one, payloads=(replace(ELF, family="Mirai", rules=("mirai",)),))
    for item in (doubted, another, ours):
        assert verdict(item).startswith("malicious-")


def test_11_the_operators_own_tests_stay_out() -> None:
    found = judge(
        at("http://198.51.100.9/test", operator=True, payloads=(ELF,), observations=(listed(),)), NOW, NONE
    )
    assert (found.verdict, found.publish_after) == ("benign-context", None)
    assert found.confidence <= 10


def test_12_a_cut_host_is_never_published() -> None:
    assert judge(at("http://198.51.10.0/x", held=True, payloads=(ELF,)), NOW, NONE).publish_after is None


def test_13_an_error_of_a_blocklist_is_no_listing() -> None:
    item = Observation.model_validate(
        {"provider": "spamhaus", "subject_kind": "host", "subject": "x", "at": NOW, "result": "error",
         "detail": "127.255.255.254"}
    )  # fmt: skip
    before, after = (
        judge(at("http://a.example.com/"), NOW, NONE),
        judge(at("http://a.example.com/", observations=(item,)), NOW, NONE),
    )
    assert (before.verdict, before.confidence) == (after.verdict, after.confidence)


def test_14_one_engine_is_no_listing_and_five_are() -> None:
    assert (
        verdict(at("http://a.example.com/x", observations=(virustotal("1 of 94 engines"),))) == "suspicious"
    )
    assert (
        verdict(at("http://a.example.com/x", observations=(virustotal("5 of 94 engines"),)))
        == "malicious-confirmed"
    )


@pytest.mark.parametrize("provider", ["otx", "urlscan", "greynoise", "abuseipdb"])
def test_a_mention_is_no_confirmation(provider: str) -> None:
    item = virustotal("7 pulses").model_copy(update={"provider": provider})
    assert verdict(at("http://a.example.com/x", observations=(item,))) == "suspicious"


@pytest.mark.parametrize("kind", BENIGN)
def test_nothing_on_a_list_of_the_benign_becomes_malicious_by_context(kind: Any) -> None:
    for payload in (ELF, SCRIPT, replace(SCRIPT, role="dropper-script", rules=("shell_dropper",))):
        found = judge(
            at("http://bank.example.com/x.sh", payloads=(payload,), labels=(Label(kind, "l"),)), NOW, NONE
        )
        assert found.verdict == "benign-context" and found.confidence < 60


def test_a_source_that_names_hundreds_of_hosts_is_marked_and_not_believed() -> None:
    flooded = at("http://bank.example.com/x", payloads=(SCRIPT,), sources=1, named_hosts=FLOODING)
    found = judge(flooded, NOW, NONE)
    assert found.verdict == "suspicious"
    assert any(reason.code == "flooding" for reason in found.reasons)
    assert verdict(replace(flooded, named_hosts=FLOODING - 1)) == "malicious-observed"
    telling = replace(SCRIPT, role="dropper-script", rules=("shell_dropper",))
    assert verdict(replace(flooded, payloads=(telling,))) == "malicious-observed"


def test_what_is_not_believed_is_not_confident_however_much_speaks_for_it() -> None:
    doubted = [
        at("https://github.com/xmrig/xmrig/releases/download/v6/xmrig", payloads=(ELF,)),
        at("http://192.168.1.1/x", held=True, payloads=(ELF,)),
        at("http://198.51.100.9/x", payloads=(ELF,), named_hosts=FLOODING),
        at("http://198.51.100.9/x", payloads=(ELF,), observations=(known_as(ELF, "known-file"),)),
    ]
    for item in doubted:
        found = judge(item, NOW, NONE)
        assert found.verdict == "suspicious" and found.confidence < 60, item.url
        assert sum(reason.weight for reason in found.reasons) == found.confidence
    sure = judge(at("http://198.51.100.9/x", payloads=(ELF,)), NOW, NONE)
    assert sure.verdict == "malicious-observed" and sure.confidence > 90


def test_the_test_file_of_antivirus_testers_confirms_nothing() -> None:
    eicar = Payload("e" * 64, "text", status=200, family="EICAR-Test-File", rules=("antivirus_test_file",))
    assert not verdict(at("http://a.example.com/eicar.com", payloads=(eicar,))).startswith("malicious-")


@pytest.mark.skipif(not URLS.exists(), reason="the list of URLs is not here")
def test_no_benign_url_of_the_list_becomes_malicious_by_context() -> None:
    judged = 0
    for row in csv.DictReader(URLS.read_text("utf-8").splitlines(keepends=True)):
        if row["label"] != "benign":
            continue
        try:
            named = at(row["url"])
        except UrlError:
            continue
        items = [
            named,
            replace(named, payloads=(HTML,)),
            replace(named, payloads=(replace(ELF, status=404),)),
        ]
        for item in items:
            found = judge(item, NOW, NONE)
            assert not found.verdict.startswith("malicious-") and found.publish_after is None, row["url"]
        judged += 1
    assert judged >= 2150
