"""Fixtures of the end-to-end tests: one running system per module."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from tests.support.running import Dropper, RunningTrap, elf_stub


@pytest.fixture
def dropper() -> Iterator[Dropper]:
    server = Dropper(elf_stub())
    yield server
    server.close()


@pytest.fixture(scope="module")
def trap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningTrap]:
    if shutil.which("ssh") is None:
        pytest.skip("no ssh client: apt-get install openssh-client")
    running = RunningTrap(tmp_path_factory.mktemp("e2e") / "data")
    yield running
    running.stop()
