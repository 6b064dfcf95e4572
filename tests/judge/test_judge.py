from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from urltrap.judge import Evidence, Label, Payload, judge, publish_after
from urltrap.model.verdict import Observation

NOW = datetime(2026, 11, 24, 4, tzinfo=UTC)
NONE = (0, 0)
ELF = Payload("a" * 64, "elf", "mips", status=200)
SCRIPT = Payload("b" * 64, "script", interpreter="sh", status=200)
HTML = Payload("c" * 64, "html", status=200)


def evidence(**changes: Any) -> Evidence:
    base = Evidence(
        url="http://198.51.100.9/x", host="198.51.100.9", port=80, scheme="http", raw_address=True, first_seen=NOW,
        secret="01J", sources=1, sightings=1, commanded=True, certainty=95,
    )  # fmt: skip
    return replace(base, **changes)


def listed(kind: str = "url", detail: str = "this URL") -> Observation:
    return Observation.model_validate(
        {
            "provider": "urlhaus",
            "subject_kind": kind,
            "subject": "x",
            "at": NOW,
            "result": "listed",
            "detail": detail,
        }
    )


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({"asked": True, "run": True, "payloads": (ELF,)}, "malicious-observed"),
        ({"asked": True, "run": True, "payloads": (SCRIPT,)}, "malicious-observed"),
        ({"asked": True, "sources": 2, "payloads": (ELF,)}, "malicious-observed"),
        ({"commanded": False, "from_malicious": True, "payloads": (ELF,)}, "malicious-observed"),
        ({"asked": True, "payloads": (ELF,)}, "suspicious"),
        ({"asked": True, "run": True, "payloads": ()}, "suspicious"),
        ({"asked": True, "run": True, "payloads": (HTML,)}, "unknown"),
        ({"asked": True, "run": True, "sources": 500, "payloads": (HTML,)}, "unknown"),
        ({"asked": True, "run": True, "payloads": (replace(ELF, status=404),)}, "suspicious"),
        ({"asked": True, "run": True, "payloads": (replace(ELF, kind="empty"),)}, "unknown"),
        ({"asked": True, "run": True, "payloads": (replace(ELF, kind="image"),)}, "unknown"),
        ({"commanded": False, "run": True, "payloads": (ELF,)}, "unknown"),
        ({"commanded": False}, "unknown"),
        ({"held": True, "asked": True, "run": True, "payloads": (ELF,)}, "suspicious"),
        ({"observations": (listed(),)}, "malicious-confirmed"),
        ({"observations": (listed(detail="host and path"),)}, "malicious-confirmed"),
        ({"observations": (listed("host", "12 URLs of this host"),)}, "suspicious"),
        ({"labels": (Label("ip-check", "l"),), "asked": True, "run": True, "payloads": (SCRIPT,)}, "benign-context"),
        ({"labels": (Label("speed-test", "l"),), "asked": True, "sources": 9}, "benign-context"),
        ({"labels": (Label("mirror", "l"),), "asked": True, "run": True, "payloads": (ELF,)}, "benign-context"),
        ({"labels": (Label("paste", "l"),), "asked": True, "run": True, "payloads": (SCRIPT,)}, "malicious-observed"),
        ({"labels": (Label("known-site", "l"),), "observations": (listed(),)}, "malicious-confirmed"),
    ],
)  # fmt: skip
def test_a_verdict_follows_from_the_kinds_of_evidence(changes: dict[str, Any], verdict: str) -> None:
    assert judge(evidence(**changes), NOW, NONE).verdict == verdict


HOME: dict[str, Any] = {"url": "https://test.example.com/", "host": "test.example.com", "port": 443,
                        "scheme": "https", "raw_address": False, "asked": True}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({}, "unknown"),
        ({"sources": 40}, "unknown"),
        ({"outcomes": ("dns-failure",)}, "unknown"),
        ({"run": True}, "suspicious"),
        ({"from_malicious": True}, "suspicious"),
        ({"payloads": (SCRIPT,)}, "suspicious"),
        ({"port": 8443}, "suspicious"),
        ({"url": "https://test.example.com/x"}, "suspicious"),
        ({"url": "https://test.example.com/?x"}, "suspicious"),
        ({"observations": (listed("host"),)}, "suspicious"),
    ],
)  # fmt: skip
def test_a_home_page_with_which_nothing_is_done_says_no_more_than_the_site(
    changes: dict[str, Any], verdict: str
) -> None:
    assert judge(evidence(**{**HOME, **changes}), NOW, NONE).verdict == verdict


def test_listed_not_listed_and_error_are_three_things() -> None:
    for result in ("not-listed", "error"):
        item = listed().model_copy(update={"result": result})
        found = judge(evidence(observations=(item,)), NOW, NONE)
        assert found.verdict == "suspicious"
        assert not any("listed" in reason.code for reason in found.reasons)


def test_a_report_raises_the_confidence_and_makes_nothing_malicious() -> None:
    named = evidence(url="http://named.example/x", host="named.example", raw_address=False, commanded=False)
    report = listed().model_copy(update={"provider": "tweetfeed"})
    before, after = (judge(replace(named, observations=seen), NOW, NONE) for seen in ((), (report,)))
    assert before.confidence < 60 <= after.confidence
    assert after.verdict == before.verdict == "unknown" and after.publish_after is None
    assert "tweetfeed: somebody reported this URL" in [reason.text for reason in after.reasons]
    of_host = report.model_copy(update={"subject_kind": "host"})
    assert judge(replace(named, observations=(of_host,)), NOW, NONE).confidence < 60


def test_an_observed_dropper_is_confident_enough_to_publish_and_a_mention_is_never_published() -> None:
    for payload in (ELF, SCRIPT):
        found = judge(evidence(asked=True, run=True, payloads=(payload,)), NOW, NONE)
        assert found.confidence >= 80 and found.publish_after is not None
    named = judge(
        evidence(host="a.example", url="https://a.example/x", scheme="https", raw_address=False), NOW, NONE
    )
    assert named.confidence < 60 and named.publish_after is None
    assert judge(evidence(), NOW, NONE).publish_after is None


def test_reasons_are_sentences_whose_weights_are_the_confidence() -> None:
    found = judge(evidence(asked=True, run=True, payloads=(ELF,)), NOW, NONE)
    assert sum(reason.weight for reason in found.reasons) == found.confidence
    texts = [reason.text for reason in found.reasons]
    assert texts.index("it serves an ELF program (mips)") < texts.index("its host is a bare address")
    assert abs(found.reasons[0].weight) >= abs(found.reasons[-2].weight)


def test_programs_for_several_architectures_weigh_more() -> None:
    base = evidence(
        host="a.example", url="https://a.example/x", scheme="https", raw_address=False, commanded=False
    )
    one = judge(replace(base, payloads=(ELF,)), NOW, NONE)
    two = judge(replace(base, payloads=(ELF, replace(ELF, architecture="arm"))), NOW, NONE)
    assert two.confidence > one.confidence


def test_a_single_source_waits_between_the_bounds_and_always_as_long() -> None:
    first = publish_after(evidence(), "malicious-observed", NOW, (30, 720))
    assert first == publish_after(evidence(), "malicious-observed", NOW + timedelta(days=1), (30, 720))
    assert first is not None and timedelta(minutes=30) <= first - NOW <= timedelta(minutes=720)


def test_whoever_named_the_url_cannot_compute_the_wait_without_the_secret() -> None:
    waits = {publish_after(evidence(secret=str(n)), "malicious-observed", NOW, (30, 720)) for n in range(50)}
    assert len(waits) == 50


@pytest.mark.parametrize("changes", [{"sources": 2}, {"observations": (listed(),)}])
def test_corroboration_publishes_at_once(changes: dict[str, Any]) -> None:
    assert publish_after(evidence(**changes), "malicious-observed", NOW, (30, 720)) == NOW


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({"held": True}, "malicious-observed"),
        ({"carries_own_address": True, "sources": 9}, "malicious-confirmed"),
        ({}, "suspicious"),
        ({}, "benign-context"),
        ({}, "unknown"),
    ],
)
def test_some_things_are_never_published(changes: dict[str, Any], verdict: Any) -> None:
    assert publish_after(evidence(**changes), verdict, NOW, NONE) is None


payloads = st.builds(
    Payload,
    sha256=st.just("d" * 64),
    kind=st.sampled_from(["elf", "script", "html", "data", "text", "archive", "image", "pe", "empty"]),
    architecture=st.sampled_from(["", "arm", "mips"]),
    status=st.sampled_from([None, 200, 301, 404, 500]),
)
anything = st.builds(
    evidence,
    sources=st.integers(0, 1000),
    asked=st.booleans(),
    commanded=st.booleans(),
    run=st.booleans(),
    from_malicious=st.booleans(),
    held=st.booleans(),
    payloads=st.lists(payloads, max_size=4).map(tuple),
    labels=st.lists(
        st.builds(Label, st.sampled_from(["ip-check", "cdn", "mirror"]), st.just("l")), max_size=2
    ).map(tuple),
    port=st.integers(1, 65535),
)


@given(anything)
def test_without_a_listing_only_a_payload_makes_a_url_malicious(item: Evidence) -> None:
    found = judge(item, NOW, NONE)
    assert 0 <= found.confidence <= 100
    if found.verdict.startswith("malicious-"):
        assert any(payload.kind in ("elf", "pe", "script") for payload in item.payloads)
        assert not item.held
        assert not any(label.kind in ("ip-check", "mirror") for label in item.labels)
        assert item.asked or item.commanded or item.from_malicious
