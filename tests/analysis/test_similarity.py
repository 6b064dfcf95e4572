"""Fuzzy hashes: the form that others index, and clear errors for what is none."""

from __future__ import annotations

from hashlib import sha256

import pytest

from urltrap.analysis import distance, fuzzy_hash

PAYLOAD = b"".join(sha256(bytes([number])).digest() for number in range(64))


def test_a_hash_has_the_form_that_others_index() -> None:
    hashed = fuzzy_hash(PAYLOAD)
    assert hashed.startswith("T1")
    assert len(hashed) == 72
    assert set(hashed[2:]) <= set("0123456789ABCDEF")


def test_a_changed_byte_moves_a_payload_a_little_and_other_bytes_far() -> None:
    changed = bytearray(PAYLOAD)
    changed[700] ^= 0xFF
    assert distance(fuzzy_hash(PAYLOAD), fuzzy_hash(PAYLOAD)) == 0
    assert distance(fuzzy_hash(PAYLOAD), fuzzy_hash(bytes(changed))) < 40
    assert distance(fuzzy_hash(PAYLOAD), fuzzy_hash(sha256(b"").digest() * 3 + PAYLOAD[::-1])) > 40


@pytest.mark.parametrize(
    "data", [b"", b"short", b"a" * 500, bytes(100_000)], ids=["empty", "short", "a", "zeros"]
)
def test_what_is_too_short_or_too_regular_has_no_hash(data: bytes) -> None:
    assert fuzzy_hash(data) == ""


@pytest.mark.parametrize("text", ["", "T1", "x" * 72, "T1" + "A" * 69, "T1" + "A" * 71, "\u00e9" * 72])
def test_what_is_no_hash_has_no_distance(text: str) -> None:
    with pytest.raises(ValueError, match="no TLSH"):
        distance(text, fuzzy_hash(PAYLOAD))
