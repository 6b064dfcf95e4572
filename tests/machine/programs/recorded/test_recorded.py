"""Our programs against what the real ones of Debian 12 answered (recorded by record.py)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.machine.programs.recorded.record import read
from tests.machine.programs.support import Box

HERE = Path(__file__).parent
# What is known to differ, and why. A line that starts to agree fails the test: take it out then.
DIFFERENT = {
    """awk 'BEGIN { x["a"] = 1; y = x; }'""": "mawk finds out before it runs anything",
    "getent hosts localhost": "the machine's /etc/hosts has ::1 as Debian's installer writes it, the cell's has not",
}
TOPICS = sorted(path.stem for path in HERE.glob("*.json"))


def cases() -> Iterator[Any]:
    """Every recorded answer with what is to be run before it."""
    for topic in TOPICS:
        setup, _ = read(topic)
        for row in json.loads((HERE / f"{topic}.json").read_text("ascii")):
            yield pytest.param(setup, row, id=f"{topic}: {row['line'][:60]}")


@pytest.fixture(scope="module")
def box() -> Box:
    return Box()


@pytest.mark.parametrize(("setup", "row"), list(cases()))
def test_a_program_answers_as_the_recorded_one(box: Box, setup: str, row: dict[str, Any]) -> None:
    ready = box.run(f"rm -rf /tmp/s; mkdir /tmp/s; cd /tmp/s\n{setup}")
    assert (ready.err, ready.status) == (b"", 0)
    result = box.run(
        "cd /tmp/s; export LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TZ=UTC;" + row["line"]
    )
    ours = (result.out.decode("latin-1"), result.err.decode("latin-1"), result.status)
    real = (row["out"], row["err"], row["status"])
    if row["line"] in DIFFERENT:
        assert ours != real, "they agree now"
    else:
        assert ours == real


@pytest.mark.parametrize("topic", TOPICS)
def test_every_line_of_a_topic_is_recorded(topic: str) -> None:
    _, lines = read(topic)
    recorded = [row["line"] for row in json.loads((HERE / f"{topic}.json").read_text("ascii"))]
    assert recorded == lines
