"""What every page needs at hand: the store, settings, clock, templates; reached through the request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from urltrap.model.settings import Settings
from urltrap.model.url import defang
from urltrap.site import text, words
from urltrap.site.assets import Assets
from urltrap.site.auth.forms import token_of
from urltrap.site.auth.identity import identity_of
from urltrap.site.auth.limits import KeyLimits
from urltrap.site.auth.onetime import Sealer
from urltrap.site.desk import Desk
from urltrap.site.live import LiveUpdates
from urltrap.site.publishing import Editions
from urltrap.site.ranges import RANGES
from urltrap.store import Store

Clock = Callable[[], datetime]

_TEMPLATES = Path(__file__).parent / "templates"
_LONGEST_LINK = 200


@dataclass(frozen=True, slots=True)
class Site:
    """The site's parts. Store calls block: they belong in plain functions, which run in worker threads."""

    store: Store
    settings: Settings
    now: Clock
    templates: Environment
    live: LiveUpdates
    editions: Editions
    data: Path | None
    """The data folder, where it is on this machine."""
    started: datetime
    desk: Desk
    downloads: KeyLimits
    """How often each user gets a payload."""
    sealer: Sealer | None = None
    """Keeps the secrets of one-time codes; None: they cannot be kept."""


def site_of(request: Request) -> Site:
    """The site that answers this request."""
    site: Site = request.app.state.site
    return site


def render(request: Request, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """A page from a template."""
    site = site_of(request)
    return HTMLResponse(
        site.templates.get_template(template).render(
            now=site.now(),
            path=request.url.path,
            who=identity_of(request),
            form_token=lambda: token_of(request),
            **values,
        ),
        status,
    )


def make_templates(assets: Assets, settings: Settings) -> Environment:
    """The template engine: everything escaped, a missing value is an error, attackers' text only through filters."""
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        visible=text.visible,
        marked=text.marked,
        plain=text.plain,
        defang=defang,
        echo=echo,
        number=words.number,
        counted=words.counted,
        size=words.size,
        coded=words.coded,
        duration=words.duration,
        day=lambda moment: moment.strftime("%Y-%m-%d"),
        second=lambda moment: moment.strftime("%Y-%m-%d %H:%M:%S"),
        clock=lambda moment: moment.strftime("%H:%M:%S"),
        exact=lambda moment: moment.strftime("%Y-%m-%d %H:%M:%S.%f UTC"),
    )
    environment.globals.update(
        asset=assets.path,
        ago=words.ago,
        offset=words.offset,
        link=link,
        client_link=client_link,
        login_link=login_link,
        narrowed=narrowed,
        words=words,
        ranges=RANGES,
        sensors=_sensor_addresses(settings),
        bar_step=bar_step,
    )
    return environment


def link(path: str, **filters: object) -> str:
    """A path of this site with the filters that are set, attackers' text made fit for an address.

    Text is cut, before bytes that are no UTF-8 and at 200 characters; the list behind it then holds a little more.
    """
    query = urlencode(
        {name: _fit(value)[0] for name, value in filters.items() if value not in (None, "", b"")}
    )
    return quote(path) + (f"?{query}" if query else "")


def narrowed(path: str, filters: Mapping[str, object], name: str, value: object) -> str:
    """The list with one filter more, or without it (None)."""
    return link(path, **{**filters, name: value})


def echo(value: str | None) -> str:
    """What a form's field shows again: empty for text with hidden characters, which the field could not show as such.

    The filter itself goes on and stands above the list, with its hidden characters as escapes.
    """
    return value if value and value.isprintable() else ""


def login_link(username: bytes = b"", password: bytes = b"") -> str:
    """The list of tries with these; empty where nothing can be asked for (an empty value means any)."""
    given = [value for value in (username, password) if value]
    fits = [_fit(value) for value in given]
    if not given or not all(text for text, _ in fits):
        return ""
    return link(
        "/logins", username=username, password=password, match="part" if any(cut for _, cut in fits) else None
    )


def client_link(client: bytes, since: str | None) -> str:
    """The sessions of a client; empty where its words do not fit into an address, since they are compared whole."""
    text, cut = _fit(client)
    return link("/sessions", client=text, since=since) if text and not cut else ""


def _fit(value: object) -> tuple[str, bool]:
    """The text of a filter's value, and whether it had to be cut."""
    if not isinstance(value, bytes):
        return str(value).encode("utf-8", "replace").decode()[:_LONGEST_LINK], False
    whole = value.decode("utf-8", "surrogateescape")
    text = value.decode("utf-8", "replace").split("\ufffd")[0][:_LONGEST_LINK]
    return text, text != whole


def bar_step(count: int, most: int) -> int:
    """The length of a bar in a list, in twentieths: styles in the page are forbidden, so there is a class for each."""
    return max(1, round(20 * count / most)) if most and count else 0


def utc_now() -> datetime:
    """The clock of the site."""
    return datetime.now(UTC)


def _sensor_addresses(settings: Settings) -> dict[str, tuple[str, int]]:
    """Where each enabled sensor listens, for the advice on empty pages: protocol → (host to call, port)."""
    found: dict[str, tuple[str, int]] = {}
    for name in ("ssh", "telnet"):
        sensor = getattr(settings.sensors, name)
        if sensor.enabled and sensor.listen:
            host, _, port = sensor.listen[0].rpartition(":")
            host = host.strip("[]")
            found[name] = ("localhost" if host in ("", "0.0.0.0", "::") else host, int(port))
    return found
