"""Payloads that come in pieces, in order, until they are whole."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

from urltrap.quarantine import ArtifactWriter, Quarantine, QuarantineError

MAX_ARTIFACT = 64_000_000
"""Bytes of one payload; a sensor keeps none that is longer."""

_OPEN = 32
"""Payloads on their way at once; of more, the one that was silent for longest begins again."""


@dataclass
class _Coming:
    """A payload on its way."""

    size: int
    writer: ArtifactWriter
    digest: Any = field(default_factory=hashlib.sha256)


class Receiving:
    """Puts pieces of payloads together in a quarantine; safe for several threads."""

    def __init__(self, quarantine: Quarantine) -> None:
        self._quarantine = quarantine
        self._coming: OrderedDict[tuple[str, str], _Coming] = OrderedDict()
        self._turn = threading.Lock()

    def begin(self, sensor: str, sha256: str, size: int) -> int | None:
        """From which offset a payload is wanted; None where it is kept already. ValueError, QuarantineError."""
        if not 0 <= size <= MAX_ARTIFACT:
            raise ValueError(f"no payload has {size} bytes")
        with self._turn:
            if self._quarantine.exists(sha256):
                return None
            key = (sensor, sha256)
            coming = self._coming.get(key)
            if coming is None or coming.size != size:
                self._forget(key)
                while len(self._coming) >= _OPEN:
                    self._forget(next(iter(self._coming)))
                coming = self._coming[key] = _Coming(size, self._quarantine.writer(MAX_ARTIFACT))
            self._coming.move_to_end(key)
            if coming.writer.size < size:
                return coming.writer.size
            return self._finish(key, coming)

    def piece(self, sensor: str, sha256: str, offset: int, data: bytes) -> None:
        """Add a piece; one that does not come next is left out, and asked for again."""
        key = (sensor, sha256)
        with self._turn:
            coming = self._coming.get(key)
            if coming is None or coming.writer.size != offset or offset + len(data) > coming.size:
                return
            try:
                coming.writer.write(data)
            except QuarantineError:
                self._forget(key)
                raise
            coming.digest.update(data)

    def close(self) -> None:
        """Drop what is not whole."""
        with self._turn:
            for key in list(self._coming):
                self._forget(key)

    def _finish(self, key: tuple[str, str], coming: _Coming) -> int | None:
        if coming.digest.hexdigest() != key[1]:
            self._forget(key)
            raise ValueError("the payload is not the one of this name")
        del self._coming[key]
        coming.writer.commit()
        return None

    def _forget(self, key: tuple[str, str]) -> None:
        coming = self._coming.pop(key, None)
        if coming is not None:
            coming.writer.abort()
