"""Campaigns: URLs, payloads, keys, templates and hosts that belong together, by union-find, each join with its reason.

Nodes are what may be shared (`Node`), links say that two belong together and why. Adding links is incremental: known
memberships come in, only what changed goes out. An id, once given, stays: of two campaigns that turn out to be one, the
older keeps its id and the other one points to it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NamedTuple

from urltrap.judge import labels
from urltrap.judge.evidence import Label

NodeKind = Literal["url", "payload", "key", "template", "host"]

_TELLING = ("elf", "pe", "script", "archive", "data")
_LEAST_PAYLOAD = 64


class Node(NamedTuple):
    """Something that may be shared: a URL's key, a payload's SHA-256, a key's fingerprint, a template, a host."""

    kind: NodeKind
    value: str


@dataclass(frozen=True, slots=True)
class Link:
    """Two nodes belong together, in words."""

    first: Node
    second: Node
    why: str


@dataclass(frozen=True, slots=True)
class Known:
    """A node's campaign as it was before, and since when that campaign is known."""

    campaign: str
    since: datetime


@dataclass
class Changes:
    """What came out: new memberships with their reason, and campaigns that are part of an older one now."""

    members: dict[Node, tuple[str, str]] = field(default_factory=dict)
    merged: dict[str, str] = field(default_factory=dict)
    since: dict[str, datetime] = field(default_factory=dict)


def join(links: Sequence[Link], known: Mapping[Node, Known], at: Mapping[Node, datetime]) -> Changes:
    """Add links. `known`: memberships of the nodes that have one; `at`: when each node was first seen.

    The same links in any order, all at once or one by one, give the same groups.
    """
    parent: dict[Node, Node] = {}

    def find(node: Node) -> Node:
        parent.setdefault(node, node)
        root = node
        while parent[root] != root:
            root = parent[root]
        while parent[node] != root:
            parent[node], node = root, parent[node]
        return root

    # Nodes of one known campaign are one group already, also where no new link says so.
    first_of: dict[str, Node] = {}
    for node, before in known.items():
        first = first_of.setdefault(before.campaign, node)
        parent[find(node)] = find(first)
    why: dict[Node, str] = {}
    for link in links:
        why.setdefault(link.first, link.why)
        why.setdefault(link.second, link.why)
        one, other = find(link.first), find(link.second)
        if one != other:
            parent[other] = one
    groups: dict[Node, list[Node]] = {}
    for node in list(parent):
        groups.setdefault(find(node), []).append(node)
    changes = Changes()
    for nodes in groups.values():
        _settle(nodes, known, at, why, changes)
    return changes


def _settle(
    nodes: Sequence[Node],
    known: Mapping[Node, Known],
    at: Mapping[Node, datetime],
    why: Mapping[Node, str],
    changes: Changes,
) -> None:
    before = {(known[node].since, known[node].campaign) for node in nodes if node in known}
    if before:
        since, campaign = min(before)
    else:
        since, first = min((at[node], node) for node in nodes)
        campaign = campaign_id(first)
    changes.since[campaign] = min([since, *(at[node] for node in nodes if node in at)])
    for _, old in before:
        if old != campaign:
            changes.merged[old] = campaign
    for node in nodes:
        if node not in known:
            changes.members[node] = (campaign, why.get(node, ""))


def campaign_id(first: Node) -> str:
    """The id of a campaign that begins with this node."""
    return "c-" + hashlib.sha256(f"{first.kind}\0{first.value}".encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Fetched:
    """A URL as campaigns see it: its host with labels, what it served (SHA-256, kind, size), what named it."""

    key: str
    host: str
    labels: tuple[Label, ...] = ()
    payloads: tuple[tuple[str, str, int], ...] = ()
    parents: tuple[str, ...] = ()
    templates: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()


def links_of(url: Fetched) -> list[Link]:
    """What a URL is linked to. A host that anybody may use, an error page, a common command sequence link nothing."""
    here = Node("url", url.key)
    kinds = {label.kind for label in url.labels}
    if kinds & set(labels.BENIGN):
        return []
    found = [
        Link(here, Node("payload", sha256), "it served this payload")
        for sha256, kind, size in url.payloads
        if kind in _TELLING and size >= _LEAST_PAYLOAD
    ]
    if url.host and not kinds & set(labels.SHARED):
        found.append(Link(here, Node("host", url.host), "it lies on this host"))
    found += [Link(here, Node("payload", sha256), "it stands in this payload") for sha256 in url.parents]
    found += [
        Link(here, Node("template", item), "sessions with these commands named it")
        for item in url.templates
        if item
    ]
    found += [Link(here, Node("key", item), "sessions that planted this key named it") for item in url.keys]
    return found


def alike(sha256: str, others: Iterable[tuple[str, int]], nearest: int) -> list[Link]:
    """Links of a payload to those whose fuzzy hash is near: (SHA-256, distance) of the candidates."""
    here = Node("payload", sha256)
    return [
        Link(here, Node("payload", other), f"almost the same bytes (TLSH distance {distance})")
        for other, distance in others
        if other != sha256 and distance <= nearest
    ]
