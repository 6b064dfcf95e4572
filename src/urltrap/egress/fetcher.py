"""The fetcher: each URL once per client and window, the same bytes for everybody, and a switch that closes it."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from urltrap.egress.clients import effective_user_agent, family
from urltrap.egress.door import MAX_URL, url_of
from urltrap.egress.switch import KillSwitch
from urltrap.egress.window import Window, key_text
from urltrap.model.capture import Capture, CaptureOutcome, FetchRequest
from urltrap.model.settings import EgressSettings
from urltrap.model.url import Url, UrlError
from urltrap.quarantine import Quarantine

CANARY_HOST = "canary.invalid"
"""Answered by the fetcher itself, never resolved: the synthetic attacker asks for it (RFC 6761: it does not exist)."""
CANARY_BODY = (
    b"#!/bin/sh\n# The canary: it shows that the way from a command to a published URL is open.\nexit 0\n"
)
_REMEMBERED = 4096
_REMEMBERED_SESSIONS = 256
_WAITING = 1024
_POLL_SECONDS = 0.2
_NOT_KEPT: frozenset[CaptureOutcome] = frozenset(("recorded", "limited"))
"""Nothing was sent for these, so they answer nobody else: the next asker gets a try of his own."""

_AGAIN: frozenset[CaptureOutcome] = frozenset(
    ("dns-failure", "connect-failed", "timed-out", "protocol-error")
)
"""A retry is not answered with these from memory: that they may have ended is why it is made."""

Key = tuple[str, str, bytes, str, bool, bool, bytes, bytes]


class Attempts(Protocol):
    """What makes an attempt (`egress.door.Door`)."""

    async def fetch(self, request: FetchRequest, url: Url) -> Capture:
        """The capture of `url` for `request`."""
        ...


@dataclass(slots=True)
class _Remembered:
    capture: Capture
    until: float
    sessions: set[str] = field(default_factory=set)


class Fetcher:
    """Answers fetch requests; several at once. Make it inside a running loop and `close` it at the end.

    `on_capture` is told of every capture, before its asker is: a shared one once per session. What it raises reaches
    the asker, who must not believe in a capture that nobody recorded.
    """

    def __init__(
        self,
        settings: EgressSettings,
        door: Attempts,
        quarantine: Quarantine,
        switch: KillSwitch,
        on_capture: Callable[[Capture], None],
        *,
        canary_host: str = CANARY_HOST,
        window: Window | None = None,
    ) -> None:
        """`window` keeps what was fetched across restarts; without it the memory ends with the process."""
        self._settings = settings
        self._door = door
        self._quarantine = quarantine
        self._switch = switch
        self._on_capture = on_capture
        self._canary_host = canary_host
        self._loop = asyncio.get_running_loop()
        self._remembered: OrderedDict[Key, _Remembered] = OrderedDict()
        self._kept: dict[str, tuple[Capture, float]] = {}
        self._running: dict[Key, asyncio.Task[Capture]] = {}
        self._attempts: set[asyncio.Task[Capture]] = set()
        self._watch: asyncio.Task[None] | None = None
        self._window = window
        for kept in window.load() if window is not None and settings.window_seconds > 0 else ():
            left = min(kept.left, settings.window_seconds)
            self._kept[kept.key] = (kept.capture, self._loop.time() + left)

    async def fetch(self, request: FetchRequest) -> Capture:
        """The capture for `request`, from a new attempt or from one that others share (`shared`)."""
        try:
            if len(request.url) > MAX_URL:
                raise UrlError(f"longer than {MAX_URL} bytes")
            url, request = url_of(request)
        except UrlError as error:
            text = request.url[:2048].decode("utf-8", "replace")
            return self._told(_nothing_sent(request, text, "bad-url", str(error)))
        if url.host.rstrip(".") == self._canary_host:
            return self._told(await self._canary(request, url))
        if (closed := self._closed()) is not None:
            return self._told(_nothing_sent(request, url.text, "recorded", closed))
        key = _key(request, url)
        remembered = self._recall(key, request)
        if remembered is not None:
            return self._shared(remembered.capture, request, remembered)
        running = self._running.get(key)
        if running is not None:
            capture = await asyncio.shield(running)
            return self._shared(capture, request, self._remembered.get(key))
        if len(self._running) >= _WAITING:
            return self._told(_nothing_sent(request, url.text, "limited", "too many requests are waiting"))
        task = self._running[key] = self._loop.create_task(self._run(key, request, url))
        # An asker who leaves does not take the payload away from the others, nor from the quarantine.
        task.add_done_callback(lambda done: done.cancelled() or done.exception())
        return await asyncio.shield(task)

    async def close(self) -> None:
        """Give up what is on its way."""
        tasks: list[asyncio.Task[Capture] | asyncio.Task[None]] = [*self._running.values(), *self._attempts]
        if self._watch is not None:
            tasks.append(self._watch)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _closed(self) -> str | None:
        if self._settings.mode == "record":
            return "egress.mode is record: nothing is resolved or fetched"
        if self._switch.thrown():
            return "egress is switched off: nothing is resolved or fetched"
        return None

    async def _run(self, key: Key, request: FetchRequest, url: Url) -> Capture:
        attempt = self._loop.create_task(self._door.fetch(request, url))
        self._attempts.add(attempt)
        if self._watch is None or self._watch.done():
            self._watch = self._loop.create_task(self._watch_switch())
        try:
            try:
                capture = await attempt
            except asyncio.CancelledError:
                current = asyncio.current_task()
                if current is not None and current.cancelling():
                    raise
                detail = "egress was switched off while this was being fetched"
                capture = _nothing_sent(request, url.text, "recorded", detail)
            self._told(capture)
            self._remember(key, capture)
            return capture
        finally:
            attempt.cancel()
            self._attempts.discard(attempt)
            self._running.pop(key, None)

    async def _watch_switch(self) -> None:
        """While something is on its way, look whether the switch is thrown, and then give it up."""
        while self._attempts:
            if self._switch.thrown():
                for attempt in self._attempts:
                    attempt.cancel()
            await asyncio.sleep(_POLL_SECONDS)

    def _recall(self, key: Key, request: FetchRequest) -> _Remembered | None:
        if request.purpose == "recheck":
            return None  # it asks whether the URL is there now
        if self._kept and key not in self._remembered:
            # From before a restart; the sessions that it answered then may be journalled once more.
            capture, until = self._kept.pop(key_text(key), (None, 0.0))
            if capture is not None:
                self._remembered[key] = _Remembered(capture, until, {capture.for_session})
        remembered = self._remembered.get(key)
        if remembered is None:
            return None
        sha256 = remembered.capture.sha256
        # Retention may have taken the body meanwhile: then it is fetched again.
        gone = remembered.until <= self._loop.time() or (sha256 and not self._quarantine.exists(sha256))
        if gone or (request.purpose == "retry" and _may_end(remembered.capture)):
            del self._remembered[key]
            if self._window is not None:
                self._window.drop(key_text(key))
            return None
        return remembered

    def _remember(self, key: Key, capture: Capture) -> None:
        # A re-check asks for the state of now; a memory of it would answer nobody.
        if capture.outcome in _NOT_KEPT or self._settings.window_seconds <= 0 or capture.purpose == "recheck":
            return
        until = self._loop.time() + self._settings.window_seconds
        self._remembered[key] = _Remembered(capture, until, {capture.for_session})
        self._remembered.move_to_end(key)
        if self._window is not None:
            self._window.put(key_text(key), capture, self._settings.window_seconds)
        while len(self._remembered) > _REMEMBERED:
            self._remembered.popitem(last=False)

    def _shared(self, capture: Capture, request: FetchRequest, remembered: _Remembered | None) -> Capture:
        update = {
            "shared": True,
            "at": datetime.now(UTC),
            "for_session": request.for_session,
            "elapsed_ms": 0,
        }
        shared = capture.model_copy(update=update | {"client": request.client, "purpose": request.purpose})
        if remembered is not None:
            if request.for_session in remembered.sessions:
                return shared  # a loop around wget must not fill the journal
            if len(remembered.sessions) < _REMEMBERED_SESSIONS:
                remembered.sessions.add(request.for_session)
        return self._told(shared)

    def _told(self, capture: Capture) -> Capture:
        self._on_capture(capture)
        return capture

    async def _canary(self, request: FetchRequest, url: Url) -> Capture:
        artifact = await asyncio.to_thread(self._quarantine.put, CANARY_BODY)
        return Capture(
            url=url.text,
            at=datetime.now(UTC),
            client=request.client,
            user_agent=effective_user_agent(request),
            outcome="fetched",
            detail="answered by the fetcher itself",
            status=200,
            reason=b"OK",
            headers=[(b"Content-Type", b"text/x-shellscript"), (b"Content-Length", b"%d" % len(CANARY_BODY))],
            size=artifact.size,
            sha256=artifact.sha256,
            for_session=request.for_session,
            purpose=request.purpose,
        )


def _key(request: FetchRequest, url: Url) -> Key:
    return (
        url.text,
        family(request.client),
        effective_user_agent(request) if url.scheme in ("http", "https") else b"",
        request.method,
        request.probe,
        request.follow_redirects,
        request.username,
        request.password,
    )


def _nothing_sent(request: FetchRequest, url: str, outcome: CaptureOutcome, detail: str) -> Capture:
    return Capture(
        url=url,
        at=datetime.now(UTC),
        client=request.client,
        user_agent=effective_user_agent(request),
        outcome=outcome,
        detail=detail,
        for_session=request.for_session,
        purpose=request.purpose,
    )


def _may_end(capture: Capture) -> bool:
    """Whether what a capture says may have changed since: no answer, half an answer, or a server in trouble."""
    status = capture.status or 0
    return capture.outcome in _AGAIN or not capture.complete or status >= 500 or status in (408, 425, 429)
