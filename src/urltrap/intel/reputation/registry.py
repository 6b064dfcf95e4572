"""All that are asked or submitted to: every module of this package that holds one. Adding a file is enough."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Sequence
from typing import TypeVar

import urltrap.intel.reputation as package
from urltrap.intel.reputation.asked import Asked, Service
from urltrap.intel.reputation.submitting import Submitter
from urltrap.model.intel_settings import IntelSettings

_S = TypeVar("_S", bound=Service)
_TIERS = ("dns", "keyless", "metered")


def asked() -> list[Asked]:
    """One of each, in the order in which they are asked: DNS, without a key, metered."""
    found = (kind() for kind in _kinds(Asked))
    return sorted(found, key=lambda provider: (_TIERS.index(provider.tier), provider.name))


def usable(settings: IntelSettings) -> list[Asked]:
    """Those that may and can be asked with these settings; none where nothing outside may be asked."""
    return [provider for provider in asked() if not provider.usable(settings)] if settings.online else []


def submitters() -> list[Submitter]:
    """One of each service that takes submissions, by name."""
    return sorted((kind() for kind in _kinds(Submitter)), key=lambda service: service.to)


def _kinds(base: type[_S]) -> list[type[_S]]:
    found: dict[str, type[_S]] = {}
    for module in sorted(item.name for item in pkgutil.iter_modules(package.__path__)):
        loaded = importlib.import_module(f"{package.__name__}.{module}")
        for value in vars(loaded).values():
            ours = isinstance(value, type) and value.__module__ == loaded.__name__
            if ours and issubclass(value, base) and "name" in vars(value):
                found[value.name] = value
    return list(found.values())


def limits(provider: Service, settings: Sequence[str]) -> tuple[dict[str, int], list[str]]:
    """What a provider allows, and the spans that the operator set (``NAME SPAN NUMBER``). ValueError for others."""
    allowed: dict[str, int] = dict(provider.limits)  # type: ignore[arg-type]
    forced = []
    for line in settings:
        words = line.split()
        if len(words) != 3 or words[1] not in ("minute", "hour", "day", "month") or not words[2].isdecimal():
            raise ValueError(f"intel.limits: {line[:60]!a} is not NAME minute|hour|day|month NUMBER")
        if words[0] == provider.name:
            allowed[words[1]] = int(words[2])
            forced.append(words[1])
    return allowed, forced
