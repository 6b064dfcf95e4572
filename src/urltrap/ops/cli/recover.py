"""`urltrap recover`: the URLs that a text would fetch, by running it."""

from __future__ import annotations

import json
import sys


def stream_json_lines(confidence: int = 60) -> None:
    """Read ``{"text": …}`` lines from standard input; print one JSON list of URLs per line, in order, at once."""
    from urltrap import recover

    out = sys.stdout
    for line in sys.stdin.buffer:
        if not line.strip():
            continue
        text = json.loads(line)["text"].encode("utf-8", "surrogatepass")
        found = [item.url for item in recover.urls(text) if item.confidence >= confidence and not item.runtime]
        out.write(json.dumps(found) + "\n")
        out.flush()


if __name__ == "__main__":
    stream_json_lines()
