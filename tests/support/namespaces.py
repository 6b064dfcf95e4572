"""Network namespaces of a test's own: machines with a cable between them that can be cut. Nothing leads outside."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from types import TracebackType

import pytest


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


class Star:
    """A hub with one cable to each of `leaves`, which reach the hub and nothing else; 10.77.N.1 is the hub there.

    The test is skipped where namespaces cannot be made.
    """

    def __init__(self, leaves: int) -> None:
        if os.geteuid() != 0 or shutil.which("ip") is None:
            pytest.skip("network namespaces need root and the program ip")
        name = f"ut{secrets.token_hex(2)}"
        self.hub = f"{name}h"
        self.leaves = [f"{name}l{number}" for number in range(leaves)]
        self._made: list[str] = []

    def __enter__(self) -> Star:
        try:
            for name in (self.hub, *self.leaves):
                _ip("netns", "add", name)
                self._made.append(name)
                _ip("-n", name, "link", "set", "lo", "up")
            for number, leaf in enumerate(self.leaves):
                cable = f"{leaf}c"
                _ip(
                    "-n", self.hub, "link", "add", cable, "type", "veth", "peer", "name", "up0", "netns", leaf
                )
                for space, device, last in ((self.hub, cable, 1), (leaf, "up0", 2)):
                    _ip("-n", space, "addr", "add", f"10.77.{number}.{last}/24", "dev", device)
                    _ip("-n", space, "link", "set", device, "up")
        except subprocess.CalledProcessError as error:
            self.__exit__(None, None, None)
            pytest.skip(f"network namespaces cannot be made here: {error.stderr.decode().strip()}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for name in self._made:
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)
        self._made.clear()

    def inside(self, space: str) -> list[str]:
        """What to put before a command to run it there."""
        return ["ip", "netns", "exec", space]

    def address(self, leaf: int) -> str:
        """Where a leaf finds the hub."""
        return f"10.77.{leaf}.1"

    def cut(self, leaf: int) -> None:
        """Pull the cable of a leaf."""
        _ip("-n", self.hub, "link", "set", f"{self.leaves[leaf]}c", "down")

    def mend(self, leaf: int) -> None:
        """Put it back."""
        _ip("-n", self.hub, "link", "set", f"{self.leaves[leaf]}c", "up")
