"""The public site as a process, over a real socket."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from tests.site import demo
from tests.site.conftest import NOW
from tests.site.public.showing import publish

from urltrap.model.settings import Settings
from urltrap.site.process import CannotListen
from urltrap.site.public import process
from urltrap.site.public.export import Exported
from urltrap.site.public.process import run_public
from urltrap.store import open_store


async def test_it_serves_pages_until_it_is_stopped(tmp_path: Path) -> None:
    store = demo.fill(tmp_path / "urltrap.db", NOW, sessions=20)
    publish(store, NOW)
    store.close()
    stop = asyncio.Event()
    address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    settings = Settings.model_validate({"public": {"enabled": True, "listen": "127.0.0.1:0"}})
    task = asyncio.ensure_future(
        run_public(
            settings, tmp_path, ready=lambda found: address.set_result(found[0]), stop=stop, secret=b"s" * 32
        )
    )
    async with asyncio.timeout(30):
        base = f"http://{await address}"
        async with aiohttp.ClientSession() as client:
            for path in ("/", "/", "/feed.csv", "/healthz"):
                async with client.get(base + path) as answer:
                    assert answer.status == 200 and "server" not in answer.headers
            async with client.get(base + "/", headers={"If-None-Match": "*"}) as answer:
                assert answer.status == 304
        stop.set()
        await task


async def test_a_port_that_is_taken_is_told_by_its_setting(tmp_path: Path) -> None:
    open_store(str(tmp_path / "urltrap.db")).close()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        settings = Settings.model_validate({"public": {"enabled": True, "listen": listen}})
        with pytest.raises(CannotListen, match=r"public\.listen"):
            await run_public(settings, tmp_path, ready=lambda _: None, stop=asyncio.Event(), secret=b"s")


async def test_it_exports_by_itself_without_being_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = demo.fill(tmp_path / "urltrap.db", NOW, sessions=20)
    publish(store, NOW)
    store.close()
    stop, exported, loop = asyncio.Event(), asyncio.Event(), asyncio.get_running_loop()
    settings = Settings.model_validate({"public": {"export": str(tmp_path / "out")}})
    listened: list[list[str]] = []
    export_site = process.export_site

    def exporting(*given: Any) -> Exported:
        done = export_site(*given)
        loop.call_soon_threadsafe(exported.set)
        return done

    monkeypatch.setattr(process, "export_site", exporting)
    async with asyncio.timeout(30):
        task = asyncio.ensure_future(
            run_public(settings, tmp_path, ready=listened.append, stop=stop, secret=b"s" * 32)
        )
        await exported.wait()
        assert (tmp_path / "out" / "feed.csv").exists() and listened == [[]]
        stop.set()
        await task
