"""What sensor and collectors share about NATS: subjects, keys, and a connection that is encrypted or none.

A sensor named NAME publishes below ``urltrap.from.NAME.`` and hears ``urltrap.to.NAME``, nothing else: the broker's
own permissions see to it. It proves who it is with a key pair made from its token (an nkey), so that the broker holds
no secret. Source of the formats: the documentation of NATS and of its nkeys.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import ssl
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from nats import errors
from nats.aio.client import Client

from urltrap.journal.shipping.chunk import MAX_ENCODED
from urltrap.journal.shipping.transport import TransportAway, TransportRefused

FROM = "urltrap.from"
TO = "urltrap.to"

_USER = 20 << 3
_CONNECT_SECONDS = 10


class BrokerKey:
    """A key pair for a broker, made from a secret; the same secret always gives the same."""

    def __init__(self, secret: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"urltrap nkey\0" + secret).digest())

    @property
    def public(self) -> str:
        """What the broker is told: ``U…``, 56 letters and digits."""
        raw = self._key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        data = bytes([_USER]) + raw
        return base64.b32encode(data + binascii.crc_hqx(data, 0).to_bytes(2, "little")).decode().rstrip("=")

    def sign(self, nonce: str) -> bytes:
        """The answer to the broker's nonce."""
        return base64.b64encode(self._key.sign(nonce.encode()))


class Broker(Client):
    """A connection that gives up rather than go on in the clear, and that shows a key without a package more."""

    def __init__(self, key: BrokerKey) -> None:
        super().__init__()
        self._public_nkey = key.public
        self._key = key

    async def open(self, url: str, ca: str = "", **options: Any) -> None:
        """Connect once. TransportAway where nobody is there, TransportRefused where a person has to look."""
        try:
            tls = ssl.create_default_context(cafile=ca or None)
        except OSError as error:
            raise TransportRefused(f"{ca} cannot be read as certificates: {error}") from error
        seen: list[Exception] = []

        async def note(error: Exception) -> None:
            seen.append(error)

        try:
            await self.connect(
                [url], tls=tls, signature_cb=self._key.sign, allow_reconnect=False, connect_timeout=_CONNECT_SECONDS,
                max_reconnect_attempts=1, reconnect_time_wait=0, ping_interval=10, max_outstanding_pings=2,
                error_cb=note, **options,
            )  # fmt: skip
        except (OSError, TimeoutError, errors.Error, TransportRefused) as error:
            self._hang_up()
            # Where no server is left to try, the reason is what was said of the last one.
            cause = seen[-1] if seen and isinstance(error, errors.NoServersError) else error
            raise _explained(cause, url) from error
        if self.max_payload < MAX_ENCODED:
            limit = self.max_payload
            await self.close()
            raise TransportRefused(
                f"{url} takes messages of {limit} bytes and the longest record needs {MAX_ENCODED}; set max_payload "
                "as `urltrap fleet broker` prints it"
            )

    async def _process_info(self, info: dict[str, Any], initial_connection: bool = False) -> None:
        # The client would go on unencrypted where the server, or somebody in between, does not ask for more.
        if initial_connection and not info.get("tls_required"):
            raise TransportRefused("the broker does not ask for TLS; nothing was sent. Give it a certificate")
        await super()._process_info(info, initial_connection)

    def _hang_up(self) -> None:
        """The client leaves a connection open that did not come about. Not waited for: of one whose TLS failed, its
        streams never hear that it is closed."""
        if self._transport is not None:
            self._transport.close()  # type: ignore[no-untyped-call]


def _explained(error: Exception, url: str) -> Exception:
    if isinstance(error, TransportRefused):
        return error
    if isinstance(error, ssl.SSLCertVerificationError):
        return TransportRefused(
            f"no authority vouches for {url} ({error.verify_message}); set the file of the one that does "
            "(journal.ship_ca, fleet.nats_ca)"
        )
    if "authorization" in str(error).lower():
        return TransportRefused(
            f"{url} does not know this key; its configuration is what `urltrap fleet broker` prints"
        )
    return TransportAway(f"{url} cannot be reached ({str(error) or type(error).__name__})")
