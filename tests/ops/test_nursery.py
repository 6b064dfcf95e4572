"""Processes that are forked: how they begin, what they are told, and what is known of their end."""

from __future__ import annotations

import ast
import asyncio
import inspect
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from tests.support.waiting import eventually

from urltrap.model.settings import Settings
from urltrap.ops import worker
from urltrap.ops.nursery import Forked, Nursery
from urltrap.ops.processes import NAMES, Launch, ProcessPlan


@pytest.fixture
async def nursery() -> AsyncIterator[Nursery]:
    made = Nursery([], {"PATH": os.environ["PATH"], "PYTHONPATH": os.environ.get("PYTHONPATH", "")})
    yield made
    await made.close()


async def _born(nursery: Nursery, name: str = "trap-0") -> tuple[Forked, int]:
    """A process that waits for its launch, and the end of the pipe that it waits for."""
    reading, writing = os.pipe()
    try:
        return await nursery.spawn(reading, name), writing
    finally:
        os.close(reading)


def _read(pid: int, name: str) -> bytes:
    return Path(f"/proc/{pid}/{name}").read_bytes()


def _parent(pid: int) -> int:
    return int(_read(pid, "stat").rpartition(b")")[2].split()[1])


async def test_a_process_has_a_name_a_session_of_its_own_and_the_status_that_it_ends_with(
    nursery: Nursery,
) -> None:
    child, pipe = await _born(nursery, "pipeline")
    await eventually(lambda: _read(child.pid, "comm") == b"urltrap-pipelin\n")
    assert os.getsid(child.pid) == child.pid
    os.close(pipe)  # the supervisor is gone
    assert await child.wait() == 1
    child.kill()  # reaches nobody, least of all one who has its number now


async def test_a_process_that_is_killed_says_by_what(nursery: Nursery) -> None:
    child, pipe = await _born(nursery)
    child.kill()
    assert await child.wait() == -signal.SIGKILL
    os.close(pipe)


async def test_many_at_once_are_each_told_apart(nursery: Nursery) -> None:
    born = await asyncio.gather(*(_born(nursery, f"trap-{number}") for number in range(8)))
    assert len({child.pid for child, _ in born}) == 8
    for child, pipe in born[::2]:
        child.kill()
        os.close(pipe)
    for _, pipe in born[1::2]:
        os.close(pipe)
    assert [await child.wait() for child, _ in born] == [-signal.SIGKILL, 1] * 4


async def test_the_death_of_the_nursery_harms_nobody_and_another_takes_its_place(nursery: Nursery) -> None:
    first, pipe = await _born(nursery)
    os.kill(_parent(first.pid), signal.SIGKILL)
    second: list[tuple[Forked, int]] = []
    for _ in range(2):  # at most one asks the dead one
        try:
            second.append(await _born(nursery))
            break
        except OSError as error:
            assert error.strerror == "the process that makes the others has ended"
    assert _parent(first.pid) != _parent(second[0][0].pid)
    first.terminate()  # by its descriptor, as before
    assert await first.wait() == -signal.SIGKILL, "its status is nobody's to know"
    for end in (pipe, second[0][1]):
        os.close(end)
    assert await second[0][0].wait() == 1


async def test_a_launch_brings_the_environment_that_nobody_else_sees(
    nursery: Nursery, tmp_path: Path
) -> None:
    child, pipe = await _born(nursery)
    environment = {"PATH": "/bin", "PGPASSWORD": "secret-of-another-program"}
    os.write(pipe, Launch(ProcessPlan("x", "none"), tmp_path, Settings(), None, environment).to_json())
    assert child.stdout is not None
    assert b"KeyError" in await child.stdout.read(), "it read its launch, and there is no such kind"
    assert await child.wait() == 1
    os.close(pipe)
    again, pipe = await _born(nursery)
    assert b"secret" not in _read(again.pid, "environ")
    os.close(pipe)


@pytest.mark.parametrize("kind", NAMES)
def test_everything_that_a_process_imports_at_its_start_is_loaded_before(kind: str) -> None:
    runner: Callable[..., Awaitable[None]] = worker._RUNNERS[kind]
    tree = ast.parse(inspect.getsource(runner))
    assert {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)} == set(
        worker._MODULES[kind]
    )
