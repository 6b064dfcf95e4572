"""Confidence is a likelihood: what is said at 90 is right nine times of ten, over days that no weight was fitted on."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from urltrap.judge.calibration import SIGNS, Weighed, confidence, percent
from urltrap.judge.fitted import SHIPPED
from urltrap.judge.lexical import signs

ROOT = Path(__file__).resolve().parents[2]


def bench() -> Any:
    spec = importlib.util.spec_from_file_location("bench_judge", ROOT / "bench" / "judge.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["bench_judge"] = module
    spec.loader.exec_module(module)
    return module


BENCH = bench()
needs_urls = pytest.mark.skipif(not BENCH.DEFAULT.exists(), reason="the list of URLs is not here")


@pytest.fixture(scope="module")
def rows() -> list[Any]:
    return list(BENCH.load(BENCH.DEFAULT))


@pytest.fixture(scope="module")
def dumps(rows: list[Any]) -> Any:
    return BENCH.Dumps.of(rows)


@pytest.fixture(scope="module")
def own(rows: list[Any]) -> Any:
    """Verdicts with each URL's own dump in the evidence."""
    return BENCH.judged(rows)


@pytest.fixture(scope="module")
def others(rows: list[Any], dumps: Any) -> Any:
    """Verdicts with the label nowhere in the evidence."""
    return BENCH.judged(rows, dumps)


SPLITS = ["days", *BENCH.CUTS]


@needs_urls
@pytest.mark.parametrize("split", SPLITS)
def test_nothing_that_is_tested_was_fitted_on(rows: list[Any], split: str) -> None:
    held = [rows[n] for n in BENCH.test_side(rows, split)]
    assert not any(item.fits for item in held)
    assert len(held) > 2500 and sum(not item.malicious for item in held) > 1000


@needs_urls
@pytest.mark.parametrize("split", SPLITS)
def test_a_listing_is_believed_as_much_as_it_is_right(rows: list[Any], own: Any, split: str) -> None:
    assert BENCH.error_of([own[n] for n in BENCH.test_side(rows, split)]).error <= 0.05


@needs_urls
@pytest.mark.parametrize("split", SPLITS)
def test_where_the_label_is_not_in_the_evidence_we_seldom_claim_too_much(
    rows: list[Any], others: Any, split: str
) -> None:
    found = BENCH.error_of([others[n] for n in BENCH.test_side(rows, split)])
    assert found.claimed_too_much <= 0.02, "what is wrong is said too low"
    assert found.error <= 0.18 and found.before_the_limit <= 0.12


@needs_urls
def test_the_label_of_a_url_is_nowhere_in_the_evidence_from_others(rows: list[Any], dumps: Any) -> None:
    for item in rows:
        said = dumps.others(item)
        assert all(one.provider != item.provider for one in said)
        assert not BENCH.evidence(item, dumps).commanded
    assert any(dumps.others(item) for item in rows if item.malicious)


@needs_urls
def test_no_benign_url_reaches_the_threshold_of_publication(own: Any, others: Any) -> None:
    for found in (own, others):
        benign = [verdict for verdict, malicious in found if not malicious]
        assert len(benign) >= 2150
        assert [verdict.url for verdict in benign if verdict.confidence >= 60] == []


@needs_urls
def test_the_shipped_weights_are_those_of_the_fit(rows: list[Any]) -> None:
    fitted = BENCH.fit(rows)
    shipped = {**SHIPPED.weights, "prior": SHIPPED.prior}
    assert {name: weight for name, weight in fitted.items() if abs(weight - shipped[name]) > 0.02} == {}
    assert sum(item.fits for item in rows) == 2637, "as the provenance says"


def test_every_sign_has_words_and_a_weight() -> None:
    assert set(SIGNS) == set(SHIPPED.weights)


def test_a_calibration_error_is_seen() -> None:
    class Said:
        def __init__(self, confidence: int) -> None:
            self.confidence = confidence

    right = [(Said(95), True)] * 95 + [(Said(95), False)] * 5
    assert BENCH.calibration_error(right) == pytest.approx(0, abs=1e-9)
    assert BENCH.calibration_error([(Said(90), False)] * 10) == pytest.approx(0.9)


@given(
    st.lists(
        st.builds(Weighed, st.sampled_from(["a", "url.b"]), st.just("words"), st.floats(-12, 12)), max_size=12
    ),
    st.integers(0, 100),
)
def test_weights_add_up_to_the_confidence_whatever_they_are(weighed: list[Weighed], most: int) -> None:
    points, reasons = confidence(weighed, most, "limited")
    assert 0 <= points <= min(most, 99)
    assert sum(reason.weight for reason in reasons) == points


def test_more_evidence_never_means_less_confidence() -> None:
    assert [percent(logit / 2) for logit in range(-30, 31)] == sorted(
        percent(logit / 2) for logit in range(-30, 31)
    )


@given(st.text(max_size=200), st.text(alphabet="abc.-0123456789", max_size=60), st.booleans())
def test_every_sign_has_a_weight(path: str, host: str, is_address: bool) -> None:
    assert signs("http", host, 81, "/" + path, is_address) <= set(SIGNS)
