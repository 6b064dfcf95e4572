"""Diffie-Hellman as sshd does it: bounds of a group exchange, choice of a prime, checks of the client's value.

Source: OpenSSH kexgexs.c, dh.c (choose_dh, dh_pub_is_valid, dh_gen_key), moduli(5).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

MIN_BITS, MAX_BITS = 2048, 8192


@dataclass(frozen=True, slots=True)
class Group:
    """A prime and its generator."""

    bits: int
    generator: int
    prime: int


@dataclass(frozen=True, slots=True)
class GroupRequest:
    """What a client asked for, clamped to what the server serves; sizes in bits."""

    minimum: int
    preferred: int
    maximum: int


def read_request(minimum: int, preferred: int, maximum: int) -> GroupRequest | None:
    """The request within the server's bounds, or None where sshd closes the connection."""
    if maximum < minimum or preferred < minimum or maximum < preferred or maximum < MIN_BITS:
        return None
    request = GroupRequest(
        max(MIN_BITS, minimum), min(MAX_BITS, max(MIN_BITS, preferred)), min(MAX_BITS, maximum)
    )
    return request if request.minimum <= request.preferred <= request.maximum else None


def choose_group(groups: Sequence[Group], request: GroupRequest, pick: Callable[[int], int]) -> Group | None:
    """The group that sshd takes: the smallest at or above the wish, else the largest below it, one of its size by
    chance (`pick(n)` is a number below n)).
    None where the file has none within the bounds: the fixed group of `fallback_bits` then."""
    best = 0
    for group in groups:
        if not request.minimum <= group.bits <= request.maximum:
            continue
        if (request.preferred <= group.bits < best) or (group.bits > best and best < request.preferred):
            best = group.bits
    matching = [group for group in groups if group.bits == best]
    return matching[pick(len(matching))] if matching else None


def fallback_bits(maximum: int) -> int:
    """The size of the fixed group (RFC 3526) that sshd offers where its file has none (dh.c, dh_new_group_fallback)."""
    return 2048 if maximum < 3072 else 4096 if maximum < 6144 else 8192


def parse_moduli(text: str) -> list[Group]:
    """The groups of a moduli(5) file; lines that are not of its form are skipped, as sshd skips them."""
    groups = []
    for line in text.splitlines():
        fields = line.split()
        if len(fields) != 7 or line.startswith("#") or fields[1] != "2":
            continue
        try:
            size, generator, prime = int(fields[4]), int(fields[5], 16), int(fields[6], 16)
        except ValueError:
            continue
        if prime.bit_length() == size + 1:  # the file counts from zero
            groups.append(Group(size + 1, generator, prime))
    return groups


def public_value_is_valid(value: int, prime: int) -> bool:
    """True for a client's value that sshd goes on with: between 1 and p-1, with more than a few bits set."""
    return 1 < value < prime - 1 and value.bit_count() >= 4


def exponent_bits(need_bytes: int, prime_bits: int) -> int:
    """Length of the server's secret exponent for keys of `need_bytes`."""
    return min(max(512, need_bytes * 8 * 2), prime_bits - 1)
