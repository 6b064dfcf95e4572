"""The settings of the site for everyone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import Field

from urltrap.model.base import Model
from urltrap.model.proxies import Proxy

_Listen = Annotated[str, Field(pattern=r"^(\[[0-9A-Fa-f:.]*\]|[^\[\]:\s]*):\d{1,5}$")]


def stands_on(listen: str, sensors: Iterable[str]) -> str:
    """The listen address of a sensor at whose address `listen` stands too; empty where there is none.

    Loopback is nobody's but this machine's; a sensor that listens on all addresses has every other one.
    """
    host = _host(listen)
    if host in _LOOPBACK:
        return ""
    for sensor in sensors:
        its = _host(sensor)
        if its not in _LOOPBACK and (its == host or its in _ALL or host in _ALL):
            return sensor
    return ""


_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_ALL = ("", "0.0.0.0", "::")


def _host(listen: str) -> str:
    return listen.rpartition(":")[0].strip("[]").lower()


class PublicSettings(Model):
    """The site for everyone, without a log-in, and its export. On a sensor's address it would unmask the sensor."""

    enabled: bool = Field(
        default=False, description="whether it is served here; `urltrap publish` needs it not"
    )
    listen: _Listen = Field(default="127.0.0.1:8088", description="address to listen on")
    allow_sensor_address: bool = Field(
        default=False, description="whether it may stand on an address of a sensor, which unmasks the sensor"
    )
    names: list[str] = Field(default=[], description="further names that it is called by")
    trusted_proxies: list[Proxy] = Field(
        default=[],
        description='proxies whose X-Forwarded-For counts for the limit on disputes, e.g. ["127.0.0.1"]',
    )
    address: str = Field(
        default="",
        pattern=r"^(https?://[^\s?#]+)?$",
        description="where everyone finds it, e.g. https://urls.example.org",
    )
    title: str = Field(default="urltrap", min_length=1, max_length=60, description="name that it shows")
    contact: str = Field(
        default="",
        pattern=r"^((mailto:|https://)\S+)?$",
        description="for security.txt and disputes, e.g. mailto:abuse@example.org; nothing that names a sensor",
    )
    refresh_seconds: float = Field(
        default=30, ge=1, description="pages are at most so much older than the list"
    )
    networks: int = Field(
        default=2,
        ge=2,
        le=100,
        description="independent networks that must have shown a URL before it is for everyone",
    )
    single_source: Literal["withhold", "age"] = Field(
        default="withhold",
        description='"age": one network is enough, after a while; attackers can find the sensor by URLs of their own',
    )
    hidden: list[str] = Field(
        default=[],
        description="further addresses and names of yours that nothing published may carry",
    )
    export: str = Field(
        default="", description="folder that the pipeline exports it into; empty: only `urltrap publish` does"
    )
    export_minutes: float = Field(default=60, ge=5, description="time between two such exports")
