"""What every test gets: a guard against leaving the machine, and the way to the real data."""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import settings
from tests.support.databases import stop_temporary_servers
from tests.support.stores import close_stores, copied_sqlite_schema

# A slow machine is no failure; a submission is judged by the same examples each time.
settings.register_profile("urltrap", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("urltrap")

ROOT = Path(__file__).resolve().parent.parent

WAITING = ("e2e", "crash", "backup", "pipeline", "intel", "site")
"""Folders whose tests wait for processes: they begin first, so that none of them ends last and alone."""


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real recordings beside the checkout; the test is skipped where it is absent."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the real data (shared/data beside the checkout) is not on this machine")
    return folder


@pytest.fixture(scope="session", autouse=True)
def _loggers_are_made_anew() -> Iterator[None]:
    """A logger that is kept would write to the streams of the test that used it first."""
    configure = structlog.configure
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            structlog,
            "configure",
            lambda **named: configure(**{**named, "cache_logger_on_first_use": False}),
        )
        yield


@pytest.fixture(scope="session", autouse=True)
def _servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with copied_sqlite_schema(tmp_path_factory.mktemp("schema")):
        yield
    close_stores()
    stop_temporary_servers()


@pytest.fixture(autouse=True)
def _own_logs() -> Iterator[None]:
    """A command that runs in the test's own process sets up logs on that test's streams; the next test has others."""
    yield
    if structlog.is_configured():
        structlog.reset_defaults()
        structlog.contextvars.clear_contextvars()


def _stays_here(address: object) -> bool:
    """Whether a socket address is on this machine; a Unix path and no address at all are."""
    if not isinstance(address, tuple):
        return True
    host = str(address[0]).partition("%")[0]
    if host in ("", "localhost") or host.endswith(".localhost"):
        return True
    try:
        parsed = ipaddress.ip_address(host)
    except ValueError:
        return False  # a name: resolving it would ask somebody
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    return parsed.is_loopback or parsed.is_unspecified


@pytest.fixture(scope="session")
def _outbound_guard() -> Iterator[list[str]]:
    """Refuses connections, datagrams and look-ups that would leave the machine, and lists them."""
    attempts: list[str] = []

    def refuse(what: str, address: object) -> None:
        attempts.append(f"{what} {address!r}")
        raise ConnectionRefusedError(f"tests do not leave the machine: {what} {address!r}")

    with pytest.MonkeyPatch.context() as patch:
        for name in ("connect", "connect_ex", "sendto", "sendmsg"):
            original = getattr(socket.socket, name)

            def guarded(
                self: socket.socket,
                *arguments: Any,
                _name: str = name,
                _original: Any = original,
            ) -> Any:
                # sendmsg(buffers, ancillary, flags, address): only its fourth argument is one.
                named = arguments[3:] if _name == "sendmsg" else arguments[-1:]
                for address in named:
                    if self.family in (socket.AF_INET, socket.AF_INET6) and not _stays_here(address):
                        refuse(_name, address)
                return _original(self, *arguments)

            patch.setattr(socket.socket, name, guarded)

        look_up = socket.getaddrinfo

        def getaddrinfo(host: Any, port: Any, *arguments: Any, **named: Any) -> Any:
            text = host.decode("ascii", "replace") if isinstance(host, bytes) else host
            if text is not None and not _numeric(text) and not _stays_here((text, port)):
                refuse("getaddrinfo", text)
            return look_up(host, port, *arguments, **named)

        patch.setattr(socket, "getaddrinfo", getaddrinfo)
        yield attempts


def _numeric(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


@pytest.fixture(autouse=True)
def outbound_attempts(_outbound_guard: list[str]) -> Iterator[list[str]]:
    """What the test tried to send off this machine; anything left in the list at its end fails it.

    Code under test sees a refused connection and may handle it: that must not hide the attempt.
    """
    _outbound_guard.clear()
    yield _outbound_guard
    attempts = list(_outbound_guard)
    _outbound_guard.clear()
    if attempts:
        pytest.fail(f"the test tried to leave the machine: {'; '.join(attempts)}", pytrace=False)


OPEN_DEFECTS: dict[str, str] = {}
"""Tests that show a defect which is known and open. The list may only shrink; each run prints it."""


def _room(item: pytest.Item) -> str:
    return item.path.relative_to(ROOT / "tests").parts[0]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    rank = {room: number for number, room in enumerate(WAITING)}
    items.sort(key=lambda item: rank.get(_room(item), len(rank)))  # stable: within a room as collected
    for item in items:
        reason = OPEN_DEFECTS.get(item.name)
        if reason is not None:
            item.add_marker(pytest.mark.xfail(reason=f"open defect: {reason}", strict=False))
