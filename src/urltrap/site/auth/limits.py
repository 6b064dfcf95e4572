"""How often each key of the API may ask: counted here, in this process, with pyrate-limiter's buckets."""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict

from pyrate_limiter import Duration, InMemoryBucket, Rate, RateItem

_MOST = 2000


class KeyLimits:
    """One bucket for each key."""

    def __init__(self) -> None:
        self._buckets: OrderedDict[tuple[str, int], InMemoryBucket] = OrderedDict()
        self._lock = threading.Lock()

    def wait(self, name: str, per_minute: int) -> int:
        """Count a request of a key; 0 where it may be answered, else after how many seconds it might be."""
        now = time.monotonic_ns() // 1_000_000
        with self._lock:
            bucket = self._buckets.pop((name, per_minute), None)
            if bucket is None:
                bucket = InMemoryBucket([Rate(per_minute, Duration.MINUTE)])
            self._buckets[name, per_minute] = bucket
            if len(self._buckets) > _MOST:
                self._buckets.popitem(last=False)
            bucket.leak(now)
            item = RateItem(name, now)
            if bucket.put(item):
                return 0
            milliseconds = bucket.waiting(item)
        return max(1, math.ceil(milliseconds / 1000)) if isinstance(milliseconds, int) else 60
