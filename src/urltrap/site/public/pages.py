"""The pages for everyone: each a name of a file and its bytes, made of a snapshot alone.

The site answers `/NAME` with what the export writes into `NAME`; links between pages are relative, so both are the same
bytes wherever they stand.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from pydantic.json_schema import models_json_schema

from urltrap.feeds import FORMATS, render
from urltrap.judge.vocabularies import ATTACK
from urltrap.model.public_views import PublicUrl, PublicUrlWithPayload
from urltrap.model.settings import Settings
from urltrap.model.url import defang
from urltrap.model.views import FeedRow
from urltrap.site import text, words
from urltrap.site.assets import STATIC, Assets
from urltrap.site.context import bar_step
from urltrap.site.public import words as public_words
from urltrap.site.public import worldmap
from urltrap.site.public.snapshot import AXES, Snapshot, slug

HTML = "text/html; charset=utf-8"
JSON = "application/json"
TEXT = "text/plain; charset=utf-8"

ROWS = 50
PAGES = 100
"""Pages of the list of URLs: the rest is found by host, family, class, or in the feeds."""
LISTED = 200
STYLES = ("app.css", "public.css")
API_ROWS = 500
_NEWEST = 12
_DAYS = 60
_TEMPLATES = Path(__file__).parent / "templates"
_NAME = re.compile(
    r"(?P<folder>urls|hosts|payloads|families|campaigns|browse)/(?P<name>[a-z0-9][a-z0-9.-]{0,120})\.html"
)
_API = re.compile(r"api/urls/(?P<name>[0-9a-f]{64}|page-[1-9][0-9]{0,4})\.json")

FIXED = (
    "index.html", "urls.html", "browse.html", "hosts.html", "payloads.html", "families.html", "campaigns.html",
    "statistics.html", "feeds.html", "methodology.html", "dispute.html", "404.html", "robots.txt", "api/urls.json",
    "api/statistics.json", "api/schema.json",
)  # fmt: skip
INDEXED = frozenset(
    {"feeds.html", "methodology.html", "dispute.html", "robots.txt", ".well-known/security.txt"}
)
"""What search engines may show: pages with no text of an attacker's."""


@dataclass(frozen=True, slots=True)
class Page:
    """One file. `indexed`: whether search engines may show it."""

    name: str
    body: bytes
    media_type: str
    indexed: bool
    etag: str
    status: int = 200


class Pages:
    """Makes the pages of an installation. `live`: they are served, and can be searched and disputed by a form."""

    def __init__(self, settings: Settings, *, live: bool) -> None:
        self.settings = settings
        self.live = live
        self.assets = Assets()
        self._environment = _environment(self.assets)

    def names(self, snapshot: Snapshot) -> Iterator[str]:
        """All files of a snapshot, but styles and icon."""
        yield from FIXED
        if self.settings.public.contact:
            yield ".well-known/security.txt"
        yield from (f"feed.{name}" for name in FORMATS)
        for n in range(2, _count(snapshot.urls, ROWS, PAGES) + 1):
            yield f"urls/page-{n}.html"
        for n in range(2, _count(snapshot.urls, API_ROWS) + 1):
            yield f"api/urls/page-{n}.json"
        for id_ in snapshot.by_id:
            yield f"urls/{id_}.html"
            yield f"api/urls/{id_}.json"
        yield from (f"hosts/{name}.html" for name in snapshot.by_host)
        yield from (f"families/{name}.html" for name in snapshot.by_family)
        yield from (f"campaigns/{id_}.html" for id_ in snapshot.campaigns)
        yield from (f"browse/{name}.html" for name in snapshot.by_browse)
        yield from (f"payloads/{sha256}.html" for sha256 in snapshot.payloads)

    def static_files(self) -> list[tuple[str, str]]:
        """(name, media type) of styles and icon, as pages name them."""
        styles = [(self.assets.path(name).removeprefix("/"), "text/css; charset=utf-8") for name in STYLES]
        return [*styles, ("static/icon.svg", "image/svg+xml")]

    def static_file(self, name: str) -> bytes:
        """The bytes of one of them."""
        return (STATIC / name.removeprefix("static/")).read_bytes()

    def page(self, name: str, snapshot: Snapshot) -> Page | None:
        """The file of that name; None where there is none."""
        made = self._made(name, snapshot)
        if made is None:
            return None
        body, media_type = made
        return Page(
            name, body, media_type, name in INDEXED, f'"{hashlib.sha256(body).hexdigest()[:32]}"',
            404 if name == "404.html" else 200,
        )  # fmt: skip

    def _made(self, name: str, snapshot: Snapshot) -> tuple[bytes, str] | None:
        if name in FIXED or name == ".well-known/security.txt":
            return self._fixed(name, snapshot)
        if name.startswith("feed.") and name.removeprefix("feed.") in FORMATS:
            form = name.removeprefix("feed.")
            return render(form, feed_rows(snapshot), snapshot.made), FORMATS[form].media_type
        if found := _NAME.fullmatch(name):
            return self._one(found["folder"], found["name"], snapshot)
        if found := _API.fullmatch(name):
            return _api_page(found["name"], snapshot)
        return None

    def _fixed(self, name: str, snapshot: Snapshot) -> tuple[bytes, str] | None:
        if name == "robots.txt":
            return _ROBOTS.encode(), TEXT
        if name == ".well-known/security.txt":
            return self._security(snapshot)
        if name == "api/urls.json":
            return _api_list(snapshot, 1), JSON
        if name == "api/schema.json":
            return _json(models_json_schema([(PublicUrlWithPayload, "serialization")])[1]), JSON
        if name == "api/statistics.json":
            return _json(statistics(snapshot)), JSON
        title = name.removesuffix(".html")
        values: dict[str, Any] = {}
        if title == "index":
            values = {"newest": snapshot.urls[:_NEWEST], "map": self._map(snapshot), "days": _days(snapshot)}
        elif title == "urls":
            values = {"rows": snapshot.urls[:ROWS], "number": 1, "last": _count(snapshot.urls, ROWS, PAGES)}
        elif title == "statistics":
            values = {"map": self._map(snapshot), "days": _days(snapshot)}
        elif title == "feeds":
            values = {"formats": FORMATS.values()}
        return self._html(f"{title}.html", name, snapshot, **values), HTML

    def _one(self, folder: str, name: str, snapshot: Snapshot) -> tuple[bytes, str] | None:
        path = f"{folder}/{name}.html"
        if folder == "urls":
            if name.startswith("page-"):
                return self._numbered(name.removeprefix("page-"), path, snapshot)
            url = snapshot.by_id.get(name)
            if url is None:
                return None
            return self._html("url.html", path, snapshot, **self._story(url, snapshot)), HTML
        if folder == "payloads":
            payload = snapshot.payloads.get(name)
            if payload is None:
                return None
            its = [snapshot.by_id[id_] for id_ in payload.urls]
            return self._html("payload.html", path, snapshot, payload=payload, rows=its), HTML
        if folder == "campaigns":
            campaign = snapshot.campaigns.get(name)
            if campaign is None:
                return None
            facets = _facets(campaign.urls)
            return self._html("campaign.html", path, snapshot, campaign=campaign, facets=facets), HTML
        if folder == "browse":
            found = snapshot.by_browse.get(name)
            if found is None:
                return None
            axis, value, its = found
            return self._html(
                "value.html", path, snapshot, axis=axis, value=value, rows=its, facets=_facets(its)
            ), HTML
        its = (snapshot.by_host if folder == "hosts" else snapshot.by_family).get(name, [])
        if not its:
            return None
        template = "host.html" if folder == "hosts" else "family.html"
        return self._html(template, path, snapshot, rows=its, facets=_facets(its)), HTML

    def _numbered(self, text: str, path: str, snapshot: Snapshot) -> tuple[bytes, str] | None:
        last = _count(snapshot.urls, ROWS, PAGES)
        if not re.fullmatch(r"[1-9][0-9]{0,4}", text) or not 2 <= int(text) <= last:
            return None
        number = int(text)
        rows = snapshot.urls[(number - 1) * ROWS : number * ROWS]
        return self._html("urls.html", path, snapshot, rows=rows, number=number, last=last), HTML

    def _story(self, url: PublicUrl, snapshot: Snapshot) -> dict[str, Any]:
        same_host = [other for other in snapshot.by_host[slug(url.host)] if other.id != url.id]
        same_payload: list[PublicUrl] = []
        if url.sha256 and url.sha256 in snapshot.payloads:
            its = snapshot.payloads[url.sha256].urls
            same_payload = [snapshot.by_id[id_] for id_ in its if id_ != url.id]
        return {
            "url": url,
            "payload": snapshot.payloads.get(url.sha256 or ""),
            "reasons": [said for code in url.reasons if (said := public_words.reason(code))],
            "risk": public_words.RISKS[url.fp_risk],
            "techniques": [(id_, ATTACK[id_]) for id_ in url.techniques if id_ in ATTACK],
            "same_host": same_host[:10],
            "same_payload": same_payload[:10],
        }

    def html(self, template: str, snapshot: Snapshot, **values: Any) -> bytes:
        """A page that is made for one request: of a search, of the dispute form."""
        return self._html(template, template, snapshot, **values)

    def _html(self, template: str, path: str, snapshot: Snapshot, **values: Any) -> bytes:
        root = "/" if path == "404.html" else "../" * path.count("/")
        return (
            self._environment.get_template(template)
            .render(
                root=root, here=path, live=self.live, public=self.settings.public, publish=self.settings.publish,
                snapshot=snapshot, indexed=path in INDEXED, **values,
            )
            .encode("utf-8", "replace")
        )  # fmt: skip

    def _map(self, snapshot: Snapshot) -> Any:
        return worldmap.draw({row.country: row.addresses for row in snapshot.figures.countries})

    def _security(self, snapshot: Snapshot) -> tuple[bytes, str] | None:
        """Source: RFC 9116."""
        public = self.settings.public
        if not public.contact:
            return None
        expires = (snapshot.made + timedelta(days=180)).replace(day=1, hour=0, minute=0, second=0)
        lines = [
            f"Contact: {public.contact}",
            f"Expires: {expires:%Y-%m-%dT%H:%M:%SZ}",
            "Preferred-Languages: en",
        ]
        if public.address:
            lines.append(f"Canonical: {public.address.rstrip('/')}/.well-known/security.txt")
        return ("\n".join(lines) + "\n").encode(), TEXT


_ROBOTS = """User-agent: *
Disallow: /urls
Disallow: /hosts
Disallow: /payloads
Disallow: /families
Disallow: /campaigns
Disallow: /browse
Disallow: /api/
Disallow: /feed.
Disallow: /search
Allow: /
"""


def feed_rows(snapshot: Snapshot) -> list[FeedRow]:
    """The entries of the feeds."""
    return [
        FeedRow(
            id=url.id, url=url.url, host=url.host, first_seen=url.first, last_seen=url.last, verdict=url.verdict,
            confidence=url.confidence, reasons=url.reasons, sha256=url.sha256, kind=url.kind,
            architecture=snapshot.payloads[url.sha256].architecture if url.sha256 in snapshot.payloads else "",
        )
        for url in snapshot.urls
    ]  # fmt: skip


def statistics(snapshot: Snapshot) -> dict[str, Any]:
    """The figures of the statistics page, as JSON has them."""
    return {
        "urls": len(snapshot.urls),
        "hosts": len(snapshot.by_host),
        "payloads": len(snapshot.payloads),
        "families": len(snapshot.by_family),
        "campaigns": len(snapshot.campaigns),
        "seen_first": len(snapshot.seen_first),
        "per_day": {f"{day:%Y-%m-%d}": n for day, n in sorted(snapshot.per_day.items())},
        "classes": {
            axis: {value: len(its) for value, its in snapshot.by_value[axis].items()} for axis in AXES
        },
        **snapshot.figures.model_dump(mode="json"),
    }


def _api_page(name: str, snapshot: Snapshot) -> tuple[bytes, str] | None:
    if name.startswith("page-"):
        number = int(name.removeprefix("page-"))
        return (_api_list(snapshot, number), JSON) if 2 <= number <= _count(snapshot.urls, API_ROWS) else None
    url = snapshot.by_id.get(name)
    if url is None:
        return None
    payload = snapshot.payloads.get(url.sha256 or "")
    told = PublicUrlWithPayload(**dict(url), payload=payload)
    return _json(told.model_dump(mode="json")), JSON


def _api_list(snapshot: Snapshot, number: int) -> bytes:
    rows = snapshot.urls[(number - 1) * API_ROWS : number * API_ROWS]
    following = f"api/urls/page-{number + 1}.json" if number < _count(snapshot.urls, API_ROWS) else None
    return _json({"rows": [url.model_dump(mode="json") for url in rows], "next": following})


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=True, separators=(",", ":")).encode() + b"\n"


def _count(rows: Sequence[object], size: int, most: int = 1_000_000) -> int:
    return max(1, min(most, math.ceil(len(rows) / size)))


def _facets(rows: Sequence[PublicUrl]) -> dict[str, list[tuple[str, int]]]:
    """Axis → its values among these URLs, most frequent first."""
    found: dict[str, list[tuple[str, int]]] = {}
    for axis in AXES:
        counted: dict[str, int] = {}
        for url in rows:
            if value := str(getattr(url, axis)):
                counted[value] = counted.get(value, 0) + 1
        if counted:
            found[axis] = sorted(counted.items(), key=lambda item: (-item[1], item[0]))[:8]
    return found


def _days(snapshot: Snapshot) -> list[tuple[datetime, int, int]]:
    """(day, URLs, height in twentieths) of the last days; none where there is nothing."""
    if not snapshot.per_day:
        return []
    last = max(snapshot.per_day)
    days = [last - timedelta(days=n) for n in reversed(range(_DAYS))]
    most = max(snapshot.per_day[day] for day in days)
    return [(day, snapshot.per_day[day], bar_step(snapshot.per_day[day], most)) for day in days]


def _environment(assets: Assets) -> Environment:
    """Everything escaped; strangers' text through `visible` and `plain` only."""
    made = Environment(
        loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    made.filters.update(
        visible=text.visible, plain=text.plain, defang=defang, number=words.number, counted=words.counted,
        size=words.size, day=lambda moment: moment.strftime("%Y-%m-%d"), slug=slug, country=worldmap.country_name,
        campaign_of=lambda id_, snapshot: snapshot.campaign_of.get(id_, ""),
        begun=lambda word: word[:1].upper() + word[1:],
    )  # fmt: skip
    made.globals.update(
        asset=lambda name: assets.path(name).removeprefix("/"),
        words=words,
        bar_step=bar_step,
        axes=AXES,
        listed=LISTED,
    )
    return made
