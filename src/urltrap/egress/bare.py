"""HTTP/0.9: answers that begin with the payload itself, as ``nc -l < file`` sends them.

GNU wget looks whether an answer begins with "HTTP" and otherwise takes all of it as the file ("No headers, assuming
HTTP/0.9"). The same is done here where the bytes arrive, because such a server often answers once only: asking again
with another parser would come too late.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import cast

from aiohttp.client_proto import ResponseHandler

ASSUMED = b"No headers, assuming HTTP/0.9"
_BEGINNING = b"HTTP"
_STANDING_IN = b"HTTP/1.0 200 " + ASSUMED + b"\r\n\r\n"


class BareProtocol(ResponseHandler):
    """aiohttp's client protocol that puts a status line before an answer without one, and notes it in `bare`."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self.bare = False
        self._judged = False
        self._first = b""

    def data_received(self, data: bytes) -> None:
        """Bytes of the answer; the first ones are held back until they show what they are."""
        if self._judged:
            super().data_received(data)
            return
        self._first += data
        if len(self._first) < len(_BEGINNING) and _BEGINNING.startswith(self._first):
            return
        self._judge()

    def eof_received(self) -> None:
        """The end of the answer."""
        if not self._judged and self._first:
            self._judge()
        super().eof_received()

    def _judge(self) -> None:
        self._judged = True
        first, self._first = self._first, b""
        self.bare = not first.startswith(_BEGINNING)
        super().data_received(_STANDING_IN + first if self.bare else first)


def bare_factory(loop: asyncio.AbstractEventLoop) -> partial[ResponseHandler]:
    """What makes the protocol of each connection."""
    factory: partial[ResponseHandler] = partial(cast(type[ResponseHandler], BareProtocol), loop)
    return factory
