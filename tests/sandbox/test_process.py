"""The box process' choice of a driver."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import structlog

from urltrap.machine.persona import generate
from urltrap.model.settings import MachineSettings
from urltrap.sandbox.process import probes, run_boxes


@pytest.mark.parametrize("isolation", ["gvisor", "vm"])
async def test_an_isolation_that_is_not_built_is_refused_and_never_replaced_by_a_weaker_one(
    isolation: str, tmp_path: Path
) -> None:
    settings = MachineSettings.model_validate({"sandbox": {"isolation": isolation}})
    (found,) = probes(settings.sandbox.isolation)
    assert not found.usable and 'isolation = "kernel"' in found.remedy
    (tmp_path / "persona.json").write_text(generate(b"b" * 32, "debian-12", 1.7e9).model_dump_json())
    stop = asyncio.Event()
    stop.set()
    with structlog.testing.capture_logs() as logs:
        await run_boxes(settings, tmp_path, {}, None, ready=lambda: None, stop=stop)
    assert logs[0]["event"].startswith("NO SANDBOX") and isolation in logs[0]["reason"]
    assert not (tmp_path / "run").exists(), "no socket: traps take emulated machines"
