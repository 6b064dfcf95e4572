"""The order in which a shell hands variables on: that of its hash tables, which ``env`` shows.

bash keeps variables in 1024 buckets by the FNV-1 hash of the name, those before a command in four (hashlib.c); dash and
ash in 39 by the sum of the letters (var.c).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache


@lru_cache(maxsize=4096)
def bash_hash(name: str) -> int:
    """FNV-1 with 32 bits."""
    value = 2_166_136_261
    for byte in name.encode("utf-8", "surrogateescape"):
        value = (value * 16_777_619 & 0xFFFFFFFF) ^ byte
    return value


@lru_cache(maxsize=4096)
def ash_hash(name: str) -> int:
    """The bucket in dash and ash."""
    data = name.encode("utf-8", "surrogateescape") or b"\0"
    return ((data[0] << 4) + sum(data)) % 39


def in_order(variables: Mapping[str, str], *, bash: bool) -> dict[str, str]:
    """The variables as a shell's environment lists them. `variables` in the order in which they were made."""
    if bash:
        newest_first = reversed(list(variables.items()))
        return dict(sorted(newest_first, key=lambda pair: bash_hash(pair[0]) & 1023))
    return dict(sorted(variables.items(), key=lambda pair: ash_hash(pair[0])))


def with_temporary(
    base: Mapping[str, str], names: Iterable[str], found: Mapping[str, str], *, bash: bool
) -> dict[str, str]:
    """The environment of a command with ``NAME=value`` before it."""
    if not bash:
        return in_order({**base, **found}, bash=False)
    newest_first = [name for name in dict.fromkeys(names) if name in found][::-1]
    first = sorted(newest_first, key=lambda name: bash_hash(name) & 3)
    return {name: found[name] for name in first} | {k: v for k, v in base.items() if k not in found}
