"""Events to a web hook: each batch as one POST of a JSON array, signed where a secret is set."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import ssl
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from urltrap import __version__
from urltrap.exchange.outputs.output import OutputError
from urltrap.model.event import Event, encode_event

_SECONDS = 10.0
_GOOD = range(200, 300)


class Webhook:
    """`url` is http(s). With a `secret`, `X-Urltrap-Signature: sha256=…` is the HMAC of the body, as GitHub signs.

    ValueError for another kind of URL. Redirects are not followed: what a hook gets goes where the operator said.
    """

    name = "webhook"

    def __init__(self, url: str, secret: str = "") -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("outputs.webhook: write the hook's address as https://host/path")
        self._parts = parts
        self._secret = secret.encode()
        self._shown = f"{parts.scheme}://{parts.hostname}"  # a path or query may hold a token

    def deliver(self, events: Sequence[Event]) -> None:
        """One request; anything but a 2xx answer is a refusal."""
        if not events:
            return
        body = b"[" + b",".join(encode_event(event) for event in events) + b"]"
        headers = {"Content-Type": "application/json", "User-Agent": f"urltrap/{__version__}"}
        if self._secret:
            signature = hmac.new(self._secret, body, hashlib.sha256).hexdigest()
            headers["X-Urltrap-Signature"] = f"sha256={signature}"
        connection = self._connection()
        try:
            path = self._parts.path or "/"
            connection.request(
                "POST", f"{path}?{self._parts.query}" if self._parts.query else path, body, headers
            )
            answer = connection.getresponse()
            answer.read(65_536)
        except (OSError, http.client.HTTPException) as error:
            raise OutputError(f"webhook at {self._shown}: {type(error).__name__}") from error
        finally:
            connection.close()
        if answer.status not in _GOOD:
            raise OutputError(f"webhook at {self._shown} answered {answer.status}")

    def memory(self) -> Any:
        """Nothing is remembered."""
        return None

    def recall(self, memory: Any) -> None:
        """Nothing is remembered."""

    def close(self) -> None:
        """Nothing is held open."""

    def _connection(self) -> http.client.HTTPConnection:
        host, port = self._parts.hostname or "", self._parts.port
        if self._parts.scheme == "https":
            return http.client.HTTPSConnection(
                host, port, timeout=_SECONDS, context=ssl.create_default_context()
            )
        return http.client.HTTPConnection(host, port, timeout=_SECONDS)
