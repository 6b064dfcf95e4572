"""An event that is made when somebody waits for it: most of a connection's never are waited for."""

from __future__ import annotations

import asyncio
from typing import Literal


class LateEvent(asyncio.Event):
    """An `asyncio.Event` whose queue of waiters, 700 bytes, comes with the first of them."""

    __slots__ = ("_event", "_is_set")

    def __init__(self) -> None:
        self._is_set = False
        self._event: asyncio.Event | None = None

    def is_set(self) -> bool:
        """Whether it has happened."""
        return self._is_set

    def set(self) -> None:
        """It happened: let everybody go on who waits."""
        self._is_set = True
        if self._event is not None:
            self._event.set()

    def clear(self) -> None:
        """It is to happen again."""
        self._is_set = False
        if self._event is not None:
            self._event.clear()

    async def wait(self) -> Literal[True]:
        """Until it has happened."""
        if not self._is_set:
            if self._event is None:
                self._event = asyncio.Event()
            await self._event.wait()
        return True
