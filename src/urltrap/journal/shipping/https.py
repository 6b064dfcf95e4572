"""The way to the collector by HTTPS: one POST per chunk, answered with the watermark of the collector's store."""

from __future__ import annotations

import asyncio
import io
import ssl
from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp

from urltrap.journal.position import Position
from urltrap.journal.shipping.chunk import Chunk, encode_chunk
from urltrap.journal.shipping.transport import Beat, Behind, TransportAway, TransportRefused
from urltrap.quarantine import Quarantine

_PIECE = 1 << 18
_TIMEOUT = aiohttp.ClientTimeout(total=180, sock_connect=20, sock_read=90)


class HttpsTransport:
    """Speaks with the collector at `url`. `fingerprint`: SHA-256 of its certificate, which alone is then believed.

    Made within a running event loop. ValueError for a fingerprint that is none; OSError for an unreadable `ca`.
    """

    def __init__(self, url: str, token: str, stream: str, fingerprint: str = "", ca: str = "") -> None:
        self._url = url.rstrip("/")
        self._stream = stream
        trust: ssl.SSLContext | aiohttp.Fingerprint
        if fingerprint:
            trust = aiohttp.Fingerprint(bytes.fromhex(fingerprint))
        else:
            trust = ssl.create_default_context(cafile=ca or None)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=trust, limit=8),
            headers={"Authorization": f"Bearer {token}"},
            timeout=_TIMEOUT,
        )

    async def marks(self) -> Mapping[str, Position]:
        """How far the collector's store has each writer."""
        body = await self._ask("GET", f"/v1/marks/{self._stream}")
        try:
            return {str(name): Position(*map(int, place)) for name, place in body["marks"].items()}
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise TransportRefused(f"{self._url} does not answer like a collector of urltrap") from error

    async def send(self, chunk: Chunk) -> Position:
        """Post a chunk; returns once the store has it."""
        message = io.BytesIO(await asyncio.to_thread(encode_chunk, chunk))
        body = await self._ask("POST", "/v1/chunks", data=message)
        return _position(body, self._url)

    async def send_artifact(self, quarantine: Quarantine, sha256: str) -> None:
        """Put a payload, unless the collector has it."""
        path = f"/v1/artifacts/{sha256}"
        size = (await asyncio.to_thread(quarantine.stat, sha256)).size
        if (await self._ask("GET", path)).get("kept"):
            return

        async def content() -> AsyncIterator[bytes]:
            for offset in range(0, size, _PIECE):
                yield await asyncio.to_thread(quarantine.read, sha256, offset, _PIECE)

        await self._ask("PUT", path, data=content(), headers={"Content-Length": str(size)})

    async def beat(self, beat: Beat) -> None:
        """Post a beat."""
        await self._ask("POST", "/v1/beats", data=beat.encoded())

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    async def _ask(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        try:
            async with self._session.request(
                method, self._url + path, allow_redirects=False, **options
            ) as answer:
                body = await _body(answer)
                if answer.status == 409 and "committed" in body:
                    raise Behind(_position(body, self._url))
                if answer.status < 300:
                    return body
                words = f"{self._url}: {body.get('error') or answer.reason} ({answer.status})"
                if answer.status in (400, 401, 403, 404, 413, 422):
                    raise TransportRefused(words)
                raise TransportAway(words)
        except aiohttp.ServerFingerprintMismatch as error:
            raise TransportRefused(
                f"{self._url} shows another certificate (SHA-256 {error.got.hex()}) than journal.ship_fingerprint; "
                "nothing was sent. If the collector's was changed: `urltrap fleet` there prints it"
            ) from error
        except aiohttp.ClientConnectorCertificateError as error:
            raise TransportRefused(
                f"no authority vouches for {self._url}; set journal.ship_fingerprint or journal.ship_ca"
            ) from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise TransportAway(
                f"{self._url} cannot be reached ({str(error) or type(error).__name__})"
            ) from error


async def _body(answer: aiohttp.ClientResponse) -> dict[str, Any]:
    try:
        body = await answer.json(content_type=None)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _position(body: dict[str, Any], url: str) -> Position:
    try:
        return Position(*map(int, body["committed"]))
    except (KeyError, TypeError, ValueError) as error:
        raise TransportRefused(f"{url} does not answer like a collector of urltrap") from error
