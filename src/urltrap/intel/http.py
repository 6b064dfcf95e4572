"""The HTTP client of providers that the operator configured: small, bounded, and silent about what it asked.

Certificates are verified, redirects are not followed (a key would travel with them), proxies of the environment are
not used, and no error repeats an address: abuse.ch's exports carry the key in theirs.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Any

import aiohttp

from urltrap import __version__
from urltrap.intel.errors import Limited, Malformed, Refused, TooLarge, Unavailable

TIMEOUT = 20.0
MOST_BYTES = 8_000_000
"""An answer that is larger is none: the largest real ones (a host with thousands of URLs) are below 2 MB."""

_LONGEST_PAUSE = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer as it came."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    at: datetime

    def json(self) -> Any:
        """The body as JSON; Malformed where it is none."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as error:
            kind = self.headers.get("Content-Type", "").partition(";")[0][:40] or "no type"
            raise Malformed(f"the answer is no JSON ({kind}, {len(self.body)} bytes)") from error

    def object(self) -> dict[str, Any]:
        """The body as a JSON object; Malformed where it is none."""
        found = self.json()
        if not isinstance(found, dict):
            raise Malformed(f"the answer is a JSON {type(found).__name__}, not an object")
        return found


class HttpClient:
    """Asks providers. One per event loop; `async with` opens and closes it."""

    def __init__(self, contact: str = "", timeout: float = TIMEOUT, most_bytes: int = MOST_BYTES) -> None:
        self._agent = f"urltrap/{__version__}" + (f" ({contact})" if contact else "")
        self._timeout = timeout
        self._most_bytes = most_bytes
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> HttpClient:
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=self._timeout, connect=self._timeout / 2),
            headers={"User-Agent": self._agent},
            trust_env=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            connector=aiohttp.TCPConnector(limit=16, limit_per_host=4),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def ask(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | Sequence[tuple[str, str]] | None = None,
        form: Mapping[str, str] | None = None,
        file: tuple[str, bytes] | None = None,
        body: Any = None,
        accept: frozenset[int] = frozenset(),
    ) -> Reply:
        """Ask once, with a `form`, a `file` (its name and its bytes, as the field "file") or a JSON `body`.

        A status that is neither 200 nor in `accept` raises what it means: Refused, Limited, Unavailable or Malformed.
        Raises TooLarge and, for whatever goes wrong on the way, Unavailable.
        """
        assert self._session is not None, "open the client first"
        data: Mapping[str, str] | aiohttp.FormData | None = form
        if file is not None:
            data = aiohttp.FormData()
            data.add_field("file", file[1], filename=file[0], content_type="application/octet-stream")
        # No causes below: aiohttp's errors repeat the address, and a traceback would show it.
        try:
            async with self._session.request(
                method, url, headers=headers, params=params, data=data, json=body, allow_redirects=False
            ) as response:
                content = await self._read(response)
                reply = Reply(response.status, dict(response.headers), content, datetime.now(UTC))
        except TimeoutError:
            raise Unavailable(f"no answer within {self._timeout:g} seconds") from None
        except aiohttp.ClientResponseError:
            raise Malformed("the answer is not HTTP") from None
        except (aiohttp.ClientError, OSError, asyncio.IncompleteReadError) as error:
            raise Unavailable(f"cannot be reached ({type(error).__name__})") from None
        if reply.status != 200 and reply.status not in accept:
            raise refusal(reply)
        return reply

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        parts = []
        size = 0
        async for part in response.content.iter_chunked(65_536):
            size += len(part)
            if size > self._most_bytes:
                raise TooLarge(f"the answer is larger than {self._most_bytes} bytes")
            parts.append(part)
        return b"".join(parts)


def refusal(reply: Reply) -> Exception:
    """What a status other than success means."""
    if reply.status in (401, 403):
        return Refused(f"the key is missing or not accepted (HTTP {reply.status})")
    if reply.status in (429, 509):
        return Limited(f"too many questions (HTTP {reply.status})", _until(reply))
    if reply.status >= 500:
        return Unavailable(f"it has a problem of its own (HTTP {reply.status})")
    return Malformed(f"unexpected HTTP {reply.status}")


def _until(reply: Reply) -> datetime | None:
    """When it may be asked again: Retry-After in seconds or as a date, else the reset of a rate header."""
    headers = {name.lower(): value.strip() for name, value in reply.headers.items()}
    found = _moment(headers.get("retry-after", ""), reply.at)
    for name in ("x-rate-limit-reset-after", "x-ttl"):
        found = found or _moment(headers.get(name, ""), reply.at)
    for name in ("x-rate-limit-reset", "x-ratelimit-reset"):
        value = headers.get(name, "")
        if found is None and value.isdecimal() and len(value) >= 9:
            found = datetime.fromtimestamp(int(value[:12]), UTC)
        elif found is None and "T" in value:
            found = _iso(value)
        elif found is None:
            found = _moment(value, reply.at)
    if found is None:
        return None
    return max(reply.at, min(found, reply.at + _LONGEST_PAUSE))


def _iso(value: str) -> datetime | None:
    try:
        parsed = datetime.fromisoformat(value.replace("Z", "+00:00"))
    except ValueError:
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def _moment(value: str, at: datetime) -> datetime | None:
    if value.isdecimal() and len(value) <= 8:
        return at + timedelta(seconds=int(value))
    try:
        parsed = parsedate_to_datetime(value) if "," in value else None
    except ValueError:
        return None
    if parsed is None:
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
