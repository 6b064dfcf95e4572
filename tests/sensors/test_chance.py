from collections import Counter

import pytest

from urltrap.sensors.chance import Chance


def test_all_numbers_below_the_limit_come_and_no_other() -> None:
    chance = Chance()
    for limit in (1, 2, 6, 255, 256, 257):
        assert {chance.below(limit) for _ in range(limit * 30)} == set(range(limit))


def test_no_number_is_likelier_than_another() -> None:
    """Every byte once: of the 256 halves that a limit of 6 looks at, each number has as many."""
    pieces = iter((bytes(range(256)) * 16,))
    chance = Chance(lambda length: next(pieces))
    drawn = Counter(chance.below(6) for _ in range(3072))
    assert set(drawn.values()) == {512}


def test_a_byte_is_used_once() -> None:
    asked = []

    def source(length: int) -> bytes:
        asked.append(length)
        return bytes(at % 251 for at in range(length))

    chance = Chance(source)
    first = [chance.below(256) for _ in range(4096)]
    assert first == [at % 251 for at in range(4096)] and asked == [4096]
    chance.below(1 << 16)
    assert asked == [4096, 4096]


def test_a_number_longer_than_a_piece_is_drawn_whole() -> None:
    assert Chance(lambda length: b"\xff" * length).below(1 << 40_000) == (1 << 40_000) - 1


@pytest.mark.parametrize("limit", [0, -3])
def test_no_number_is_below_nothing(limit: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Chance().below(limit)
