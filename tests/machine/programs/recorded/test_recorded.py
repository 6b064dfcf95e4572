"""Our programs against what the real ones of Debian 12 answered (recorded by record.py)."""

from __future__ import annotations

import json
from pathlib import Path

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


@pytest.fixture(scope="module")
def box() -> Box:
    return Box()


@pytest.mark.parametrize("topic", TOPICS)
def test_programs_answer_as_the_recorded_ones(box: Box, topic: str) -> None:
    setup, _ = read(topic)
    wrong = []
    for row in json.loads((HERE / f"{topic}.json").read_text("ascii")):
        ready = box.run(f"rm -rf /tmp/s; mkdir /tmp/s; cd /tmp/s\n{setup}")
        assert (ready.err, ready.status) == (b"", 0)
        result = box.run(
            "cd /tmp/s; export LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TZ=UTC;" + row["line"]
        )
        ours = (result.out.decode("latin-1"), result.err.decode("latin-1"), result.status)
        real = (row["out"], row["err"], row["status"])
        if (ours == real) == (row["line"] in DIFFERENT):
            wrong.append(
                {"line": row["line"], "ours": ours, "real": "they agree now" if ours == real else real}
            )
    assert not wrong, "\n".join(map(str, wrong))


@pytest.mark.parametrize("topic", TOPICS)
def test_every_line_of_a_topic_is_recorded(topic: str) -> None:
    _, lines = read(topic)
    recorded = [row["line"] for row in json.loads((HERE / f"{topic}.json").read_text("ascii"))]
    assert recorded == lines
