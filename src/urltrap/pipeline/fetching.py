"""Questions to the fetcher that are on their way: asked from threads, so that the line goes on meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from urltrap.model.capture import Capture, FetchRequest
from urltrap.pipeline.workshop import Workshop


class Fetching:
    """At most `slots` questions at once, each under a name. Belongs to the line's thread."""

    def __init__(self, name: str, slots: int) -> None:
        self._name = name
        self._slots = slots
        self._pool: ThreadPoolExecutor | None = None
        self._asked: dict[str, Future[Capture]] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._asked

    def __len__(self) -> int:
        return len(self._asked)

    @property
    def free(self) -> int:
        """How many more may be asked."""
        return self._slots - len(self._asked)

    def ask(self, workshop: Workshop, name: str, request: FetchRequest) -> None:
        """Ask for `request`; the line is woken when the answer is there."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._slots, thread_name_prefix=self._name)
        timeout = workshop.settings.egress.total_seconds + 30
        future = self._pool.submit(workshop.fetcher.fetch, request, timeout)
        self._asked[name] = future
        future.add_done_callback(lambda _: workshop.wake())

    def answered(self) -> Iterator[tuple[str, Future[Capture]]]:
        """Take what was answered; what was cancelled is left out (it is asked again at the next start)."""
        finished = [(name, future) for name, future in self._asked.items() if future.done()]
        for name, future in finished:
            del self._asked[name]
            if not future.cancelled():
                yield name, future

    def waiting(self) -> list[Future[Capture]]:
        """What is being asked now."""
        return list(self._asked.values())

    def close(self) -> None:
        """Give up what waits."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
