"""The built scripts and styles: which hashed file stands behind each name."""

from __future__ import annotations

import json
from pathlib import Path

STATIC = Path(__file__).parent / "static"
BUILD = STATIC / "build"


class AssetsMissing(Exception):
    """The front-end was not built."""


class Assets:
    """Maps "app.css" to the path that browsers may keep for ever. Raises AssetsMissing where nothing was built."""

    def __init__(self, build: Path = BUILD) -> None:
        try:
            self._names: dict[str, str] = json.loads((build / "manifest.json").read_text("utf-8"))
        except FileNotFoundError as error:
            raise AssetsMissing(
                f"the site's scripts and styles are not in {build}: "
                "run `make assets` in a checkout, or install a wheel"
            ) from error

    def path(self, name: str) -> str:
        """The address of a built file. KeyError for one that is not built."""
        return f"/static/build/{self._names[name]}"
