"""Port forwards: recorded with their first bytes, answered, never connected.

Forwards to other hosts are accepted and listened to for a moment, as if the host were slow; forwards to the machine
itself are refused as on a machine where nothing listens there.
"""

from __future__ import annotations

import asyncio
import ipaddress
from typing import Any

from asyncssh.session import SSHTCPSession

from urltrap.model.event import ForwardAsked
from urltrap.sensors.session import Session

FIRST_BYTES = 4096
LISTEN_SECONDS = 10.0
SETTLE_SECONDS = 0.5
"""After its last bytes the client waits for an answer that never comes."""


def is_local(host: bytes) -> bool:
    """Whether a forward's destination is the machine itself."""
    text = host.decode("ascii", "replace").strip("[]").lower()
    if text in ("localhost", "ip6-localhost", ""):
        return True
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


class DeadPeer(SSHTCPSession[bytes]):
    """A destination that takes bytes and never answers; then it is gone."""

    def __init__(self, session: Session, fields: dict[str, Any]) -> None:
        self._session = session
        self._fields = fields
        self._data = b""
        self._timer: asyncio.TimerHandle | None = None
        self._channel: Any = None
        self._recorded = False

    def connection_made(self, chan: Any) -> None:
        """The channel is open."""
        self._channel = chan
        self._wait(LISTEN_SECONDS)

    def data_received(self, data: bytes, datatype: Any) -> None:
        """Keep the beginning."""
        room = FIRST_BYTES - len(self._data)
        self._data += data[:room]
        self._wait(SETTLE_SECONDS if room > len(data) else 0)

    def eof_received(self) -> bool:
        """The client has said everything."""
        self._wait(SETTLE_SECONDS)
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """The channel is gone."""
        self._record()
        if self._timer is not None:
            self._timer.cancel()

    def _wait(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._end)

    def _end(self) -> None:
        self._record()
        self._channel.close()

    def _record(self) -> None:
        if not self._recorded:
            self._recorded = True
            self._session.record(ForwardAsked, first_bytes=self._data, **self._fields)
