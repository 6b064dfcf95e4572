"""Our programs against what the real ones of Debian 12 answered (recorded by record_programs.py)."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from tests.machine.programs.support import Box

CASES = json.loads((Path(__file__).parent / "programs.json").read_text())


@pytest.fixture(scope="module")
def box() -> Box:
    return Box()


@pytest.mark.parametrize("case", CASES, ids=[case["line"][:60] for case in CASES])
def test_a_program_answers_as_the_recorded_one(box: Box, case: dict[str, object]) -> None:
    box.run("rm -rf /tmp/s; mkdir /tmp/s")
    result = box.run("cd /tmp/s; export LC_ALL=C;" + str(case["line"]))
    assert result.out == base64.b64decode(str(case["out"]))
    assert result.err == base64.b64decode(str(case["err"]))
    assert result.status == case["status"]
