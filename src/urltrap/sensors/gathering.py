"""Sending what one turn of the event loop writes in one call, as the loops of sshd and telnetd do."""

from __future__ import annotations

import asyncio
from typing import Any


class GatheringTransport:
    """A transport around another one: what is written in one turn leaves together, in their order.

    A session writes some twenty times; each call to the kernel costs more than what it was for.
    What is not about writing goes to the transport inside.
    """

    def __init__(self, inner: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._inner = inner
        self._loop = loop
        self._parts: list[bytes] = []
        self._waiting = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def write(self, data: bytes) -> None:
        """Take data to be sent at the end of this turn."""
        if not self._parts:
            self._loop.call_soon(self.flush)
        self._parts.append(data)
        self._waiting += len(data)

    def flush(self) -> None:
        """Hand over what waits."""
        if not self._parts:
            return
        data = b"".join(self._parts)
        self._parts.clear()
        self._waiting = 0
        if not self._inner.is_closing():
            self._inner.write(data)

    def forget(self) -> None:
        """Drop what was written in this turn."""
        self._parts.clear()
        self._waiting = 0

    def get_write_buffer_size(self) -> int:
        """Bytes that the client was not sent yet, those that wait here included."""
        return self._waiting + self._inner.get_write_buffer_size()

    def close(self) -> None:
        """Close once everything is sent."""
        self.flush()
        self._inner.close()

    def abort(self) -> None:
        """Close at once; what was written in this turn is still tried."""
        self.flush()
        self._inner.abort()
