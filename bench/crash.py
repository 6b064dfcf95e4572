"""200 kills at random moments of writers, intake and (a server) the database: what was acknowledged, stored, lost.

`python bench/crash.py [KILLS] [sqlite|postgresql|mariadb] [SEED]` prints one JSON line. A server is one of its own,
made from the installed programs; it is killed, or told to stop, like the others. Nothing to compare with: a system
whose sensors write into the database has no acknowledgement to keep.
"""

from __future__ import annotations

import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.support.databases import TemporaryServer, fresh_database
from tests.support.storm import Storm, root


def main() -> None:
    """Kill, compare and print."""
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    kind = sys.argv[2] if len(sys.argv) > 2 else "sqlite"
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else random.SystemRandom().randrange(1 << 32)
    os.environ["PYTHONPATH"] = root()
    begin = time.perf_counter()
    server: TemporaryServer | None = None
    with tempfile.TemporaryDirectory(prefix="urltrap-crash-", dir=os.environ.get("BENCH_DIR")) as name:
        folder = Path(name)
        others: dict[str, Callable[[], None]] = {}
        url = f"sqlite:///{folder / 'urltrap.db'}"
        if kind != "sqlite":
            server = TemporaryServer(kind)
            server.start()
            url = fresh_database(server.url)
        storm = Storm(folder, url, random.Random(seed))
        if server is not None:
            running = server

            def again(kill: bool) -> None:
                running.stop(kill=kill)
                storm.wait_for("trap-0", 100)
                running.start()

            others = {"database": lambda: again(True), "database told to stop": lambda: again(False)}
        try:
            storm.rage(kills, others)
            counts = storm.check()
        finally:
            storm.stop()
            if server is not None:
                server.remove()
    print(
        json.dumps(
            {
                "bench": "crash",
                "store": kind,
                "moments": kills,
                "seed": seed,
                "seconds": round(time.perf_counter() - begin, 1),
                **counts,
            }
        )
    )


if __name__ == "__main__":
    main()
