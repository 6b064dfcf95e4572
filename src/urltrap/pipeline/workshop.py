"""What the stages work with."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from urltrap.intel.lists.folder import Context as ListContext
from urltrap.intel.reputation.provider import Provider
from urltrap.judge import Label
from urltrap.model.capture import Capture, FetchRequest
from urltrap.model.settings import Settings
from urltrap.model.verdict import Place
from urltrap.pipeline.laboratory import Examiner
from urltrap.pipeline.laboratory.upx import Upx
from urltrap.quarantine import Quarantine
from urltrap.recover import Context
from urltrap.recover.context import IpNetwork
from urltrap.store import Store


class Fetch(Protocol):
    """Asks the fetcher, from a worker thread."""

    def fetch(self, request: FetchRequest, timeout: float = 120.0) -> Capture:
        """The capture of a request."""
        ...


class HostLabels(Protocol):
    """Tells what lists say of a host."""

    def labels(self, host: str) -> tuple[Label, ...]:
        """All labels of a canonical host."""
        ...


class Gazetteer(Protocol):
    """Tells where addresses are."""

    version: str

    def find(self, address: str) -> Place:
        """The place of an address."""
        ...


def utc_now() -> datetime:
    """The clock of a running pipeline."""
    return datetime.now(UTC)


@dataclass
class Workshop:
    """Store, quarantine and helpers of one pipeline; the clock is an argument so that tests own it."""

    settings: Settings
    store: Store
    quarantine: Quarantine
    fetcher: Fetch
    places: Gazetteer
    providers: Sequence[Provider]
    known_hosts: HostLabels
    laboratory: Examiner
    own_addresses: frozenset[str] = frozenset()
    lists: ListContext | None = None
    """Context lists; `known_hosts` is usually the same object, seen as rules see it."""
    upx: Upx | None = None
    """Unpacks what UPX packed; None where it is not installed."""
    now: Callable[[], datetime] = utc_now
    shut: Callable[[], bool] = lambda: False
    """Whether the operator has shut the door (`urltrap egress off`)."""
    wake: Callable[[], None] = lambda: None
    """Called from other threads when there is something new to do."""
    public_networks: tuple[IpNetwork, ...] = field(init=False)
    operator_networks: tuple[IpNetwork, ...] = field(init=False)

    def __post_init__(self) -> None:
        self.operator_networks = tuple(
            ipaddress.ip_network(text, strict=False) for text in self.settings.publish.operator_addresses
        )
        self.public_networks = tuple(
            ipaddress.ip_network(text, strict=False) for text in self.settings.testing.public_networks
        )

    def is_operator(self, address: str) -> bool:
        """Whether an attacker's address is one that the operator tests from."""
        if not self.operator_networks:
            return False
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(parsed.version == net.version and parsed in net for net in self.operator_networks)

    def context(self, own: str = "", *, cut: bool = False, shell: bool = True) -> Context:
        """The context of a text that reached the sensor at address `own`."""
        return Context(
            language="shell" if shell else "text",
            own_addresses=self.own_addresses | ({own} if own else frozenset()),
            public_networks=self.public_networks,
            cut=cut,
        )
