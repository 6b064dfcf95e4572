"""Group exchange as sshd bounds and answers it."""

from __future__ import annotations

import pytest

from urltrap.sensors.ssh.server import shipped_profile
from urltrap.wire.ssh.groups import (
    GroupRequest,
    choose_group,
    parse_moduli,
    public_value_is_valid,
    read_request,
)

_, GROUPS = shipped_profile()


@pytest.mark.parametrize(
    "asked", [(8192, 4096, 2048), (1024, 1024, 1024), (4096, 2048, 8192), (2048, 8192, 4096)]
)
def test_impossible_requests_are_refused(asked: tuple[int, int, int]) -> None:
    assert read_request(*asked) is None


def test_small_wishes_are_raised_and_large_ones_lowered() -> None:
    assert read_request(1024, 1024, 8192) == GroupRequest(2048, 2048, 8192)
    assert read_request(2048, 9000, 20_000) == GroupRequest(2048, 8192, 8192)


@pytest.mark.parametrize(
    ("asked", "bits"),
    [((2048, 2048, 8192), 2048), ((2048, 2049, 8192), 3072), ((2048, 7000, 8192), 7680),
     ((2048, 5000, 5500), 4096)],
)  # fmt: skip
def test_the_smallest_group_at_or_above_the_wish_is_taken_else_the_largest_below(
    asked: tuple[int, int, int], bits: int
) -> None:
    request = read_request(*asked)
    assert request is not None
    group = choose_group(GROUPS, request, lambda count: count - 1)
    assert group is not None and group.bits == bits == group.prime.bit_length()


def test_every_shipped_size_offers_a_choice() -> None:
    sizes = [group.bits for group in GROUPS]
    assert {bits: sizes.count(bits) for bits in sizes} == dict.fromkeys(
        (2048, 3072, 4096, 6144, 7680, 8192), 6
    )


def test_bad_lines_of_a_moduli_file_are_skipped() -> None:
    assert parse_moduli("# comment\nnonsense\n2023 2 6 100 2047 2 zz\n2023 2 6 100 2047 2 ff\n") == []


def test_values_that_give_the_secret_away_are_refused() -> None:
    prime = GROUPS[0].prime
    assert [public_value_is_valid(value, prime) for value in (0, 1, 2, prime - 1, prime)] == [False] * 5
    assert public_value_is_valid(prime // 3, prime)
