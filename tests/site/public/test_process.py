"""The public site as a process, over a real socket."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import aiohttp
import pytest
from tests.site import demo
from tests.site.conftest import NOW
from tests.site.public.showing import publish

from urltrap.model.settings import Settings
from urltrap.site.process import CannotListen
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
