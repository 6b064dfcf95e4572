"""The hand-written list of hosts that are no payload hosts by themselves, and how a host is looked up in it."""

from __future__ import annotations

from importlib.resources import files
from typing import cast, get_args

from urltrap.judge import Label
from urltrap.judge.evidence import LabelKind


class ListError(ValueError):
    """A line of a list cannot be read; the message names it."""


class KnownHosts:
    """Labels of hosts; a host has those of its own name and of every domain that takes it and what is below."""

    def __init__(self, text: str, name: str) -> None:
        """Parse ``KIND HOST`` lines (`#` comments; a leading dot: all hosts below). ListError for any other line."""
        self._name = name
        self._exact: dict[str, list[LabelKind]] = {}
        self._below: dict[str, list[LabelKind]] = {}
        for number, line in enumerate(text.splitlines(), 1):
            if not line.strip() or line.startswith("#"):
                continue
            kind, _, host = line.strip().partition(" ")
            if kind not in get_args(LabelKind) or not host or " " in host:
                raise ListError(f"{name}, line {number}: expected KIND HOST, found {line[:80]!r}")
            table = self._below if host.startswith(".") else self._exact
            table.setdefault(host.lstrip(".").lower(), []).append(cast(LabelKind, kind))

    def __len__(self) -> int:
        return len(self._exact) + len(self._below)

    def labels(self, host: str) -> tuple[Label, ...]:
        """All labels of a canonical host."""
        name = host.rstrip(".").lower()
        found = list(self._exact.get(name, ()))
        parts = name.split(".")
        for index in range(len(parts)):
            found += self._below.get(".".join(parts[index:]), ())
        return tuple(Label(kind, self._name) for kind in dict.fromkeys(found))


def shipped() -> KnownHosts:
    """The list that ships with the package."""
    text = (files("urltrap.intel.lists") / "known-hosts.txt").read_text("utf-8")
    return KnownHosts(text, "known-hosts")
