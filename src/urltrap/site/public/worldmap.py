"""The world map as SVG within the page: five shades by the logarithm of the counts, no script, no colour of its own."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from markupsafe import Markup

from urltrap.site.assets import BUILD, AssetsMissing

SHADES = 5


@cache
def _world(path: Path) -> tuple[str, dict[str, tuple[str, str]]]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise AssetsMissing(
            f"the world map is not in {path.parent}: run `make assets` in a checkout, or install a wheel"
        ) from error
    return found["box"], {letters: (name, shape) for letters, (name, shape) in found["countries"].items()}


def country_name(letters: str, build: Path = BUILD) -> str:
    """The English name of a country; its letters where it has none."""
    return _world(build / "world.json")[1].get(letters, (letters, ""))[0]


def draw(counts: Mapping[str, int], build: Path = BUILD) -> Markup:
    """The map with these counts by ISO letters. What has no shape at this scale (Singapore …) stands in lists only."""
    box, countries = _world(build / "world.json")
    most = max(counts.values(), default=0)
    parts = [
        Markup('<svg class="world" viewBox="%s" role="img" aria-label="World map of attackers by country">')
        % box
    ]
    for letters, (name, shape) in countries.items():
        if not shape:
            continue
        count = counts.get(letters, 0)
        shade = max(1, math.ceil(SHADES * math.log1p(count) / math.log1p(most))) if count else 0
        told = f"{name}: about {count:,}" if count else name
        parts.append(
            Markup('<path class="m%d" d="%s"><title>%s</title></path>') % (shade, shape, told)
            if shade
            else Markup('<path d="%s"><title>%s</title></path>') % (shape, told)
        )
    parts.append(Markup("</svg>"))
    return Markup("").join(parts)
