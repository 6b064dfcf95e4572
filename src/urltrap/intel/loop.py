"""An event loop in a thread of its own, for rooms that are synchronous and ask many at once."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

from urltrap.intel.http import HttpClient

_T = TypeVar("_T")


class Background:
    """A running loop with one HTTP client. `submit` from any thread; `close` ends both."""

    def __init__(self, contact: str = "", http: Callable[[], HttpClient] | None = None) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="intel", daemon=True)
        self._thread.start()
        self.http = http() if http else HttpClient(contact)
        self.submit(self.http.__aenter__()).result(30)

    def submit(self, work: Coroutine[Any, Any, _T]) -> Future[_T]:
        """Run a coroutine on the loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def close(self) -> None:
        """Cancel what runs, close the client, end the thread."""
        if not self._loop.is_running():
            return
        self.submit(self._end()).result(30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)
        self._loop.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    async def _end(self) -> None:
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.http.close()
