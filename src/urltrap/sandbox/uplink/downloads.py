"""What a box gets for a URL: the fetcher's capture, as the server would have told it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

import structlog

from urltrap.egress.client import FetcherClient
from urltrap.egress.messages import EgressError
from urltrap.machine.effects import Content
from urltrap.model.capture import Capture, FetchRequest
from urltrap.quarantine import Quarantine, QuarantineError

log = structlog.get_logger("uplink")

MAX_FETCHES = 300
"""Questions of one box to the fetcher; afterwards it is told that there is nothing."""
_FETCH_SECONDS = 90.0
_NOT_SENT = frozenset({"recorded", "withheld", "refused-address", "limited", "bad-url"})

How = Literal["answer", "missing", "reset", "silence"]
"""An answer; one that nothing is there (also where nothing was sent); a broken connection; none for long."""


@dataclass(frozen=True, slots=True)
class Download:
    """`how` the server behaves; `body` where there is one; `capture` if there is one; `outcome`: the fetcher's word."""

    how: How
    outcome: str
    capture: Capture | None = None
    body: Content | None = None


class Downloads:
    """Asks the fetcher for one box."""

    def __init__(self, fetcher: FetcherClient, quarantine: Quarantine) -> None:
        self._fetcher = fetcher
        self._quarantine = quarantine
        self._asked = 0

    async def get(self, request: FetchRequest) -> Download:
        """What is at a URL. Raises nothing: a fetcher that is away is a server that does not answer."""
        if self._asked >= MAX_FETCHES:
            return Download("missing", "budget")
        self._asked += 1
        try:
            capture = await self._fetcher.fetch(request, timeout=_FETCH_SECONDS)
        except EgressError as error:
            log.error("the fetcher cannot be asked for a box", reason=str(error))
            return Download("reset", "fetcher-unavailable")
        body = None
        if capture.sha256 is not None:
            try:
                body = await asyncio.to_thread(self._quarantine.content, capture.sha256)
            except QuarantineError as error:
                log.error("a capture cannot be read", reason=str(error))
        outcome = capture.outcome
        if outcome in ("fetched", "too-large") and (body is not None or capture.status is not None):
            return Download("answer", outcome, capture, body)
        if outcome in _NOT_SENT or outcome == "not-found":
            return Download("missing", outcome, capture)
        return Download("silence" if outcome == "timed-out" else "reset", outcome, capture)


def client_of(argv: Sequence[bytes], user_agent: bytes) -> str:
    """The program that asks, as the fetcher knows clients: by what it says of itself, else by its name."""
    agent = user_agent.lower()
    if agent == b"wget":
        return "busybox-wget"
    if match := re.match(rb"(wget|curl)/", agent):
        return match[1].decode()
    if not argv:
        return "wget"
    name = PurePosixPath(argv[0].decode("utf-8", "replace")).name
    if name == "busybox" and len(argv) > 1:
        return f"busybox-{argv[1].decode('utf-8', 'replace')}"[:40]
    return re.sub(r"[^A-Za-z0-9._+-]", "", name)[:40] or "wget"
