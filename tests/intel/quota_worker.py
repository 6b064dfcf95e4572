"""A worker of the quota simulation: claims as fast as it may, by the clock that it is told over a pipe."""

from __future__ import annotations

import sys
from datetime import timedelta

from urltrap.store import lookups, open_store
from urltrap.store.types import from_micros, to_micros


def main() -> None:
    store = open_store(sys.argv[1], migrate=False)
    name = sys.argv[2]
    now = from_micros(int(sys.stdin.readline()))
    while True:
        found = lookups.claim(store, "virustotal", now, name)
        if isinstance(found, lookups.Wait):
            until = found.until or now + timedelta(minutes=1)
            print("wait", to_micros(until), flush=True)
            line = sys.stdin.readline()
            if not line:
                break
            now = from_micros(int(line))
            continue
        for claim in found:
            print("ask", claim.question.subject, flush=True)
            if not sys.stdin.readline():
                return
            with store.begin() as connection:
                lookups.answered(connection, claim.question, now + timedelta(days=7), listed=False)
    store.close()


main()
