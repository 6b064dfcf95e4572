from __future__ import annotations

import asyncio
import socket
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest
from tests.store.conftest import visit

from urltrap.model.settings import Settings, SiteSettings, StoreSettings
from urltrap.site.process import CannotListen, NoAccount, run_site
from urltrap.store import StoreCorrupt, open_store
from urltrap.store.accounts import users
from urltrap.store.accounts.audit import Actor
from urltrap.store.intake import ingest

ANY_PORT = Settings(site=SiteSettings(listen="127.0.0.1:0"))


class Running:
    """A site in this process, and its address once it is ready."""

    def __init__(self, folder: Path, settings: Settings = ANY_PORT) -> None:
        self.stop = asyncio.Event()
        self.address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.task = asyncio.ensure_future(
            run_site(
                settings, folder, ready=lambda listen: self.address.set_result(listen[0]), stop=self.stop
            )
        )

    async def __aenter__(self) -> Running:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.stop.set()
        async with asyncio.timeout(20):
            await self.task


async def test_the_site_serves_and_tells_its_port(tmp_path: Path) -> None:
    open_store(str(tmp_path / "urltrap.db")).close()
    async with asyncio.timeout(30), Running(tmp_path) as site:
        address = f"http://{await site.address}/healthz"
        async with aiohttp.ClientSession() as client, client.get(address) as answer:
            assert (await answer.json())["ok"] is True


async def test_the_site_waits_for_the_pipeline_to_make_the_database(tmp_path: Path) -> None:
    async with asyncio.timeout(30), Running(tmp_path) as site:
        done, _ = await asyncio.wait({site.task, site.address}, timeout=0.3)
        assert not done and not (tmp_path / "urltrap.db").exists(), "it makes none itself"
        (tmp_path / "urltrap.db").touch()  # as it is in the moment before the schema is there
        await asyncio.to_thread(lambda: open_store(str(tmp_path / "urltrap.db")).close())
        assert (await site.address).startswith("127.0.0.1:")


async def test_a_site_that_waits_can_be_stopped(tmp_path: Path) -> None:
    async with asyncio.timeout(10), Running(tmp_path) as site:
        site.stop.set()
        await site.task
        assert not site.address.done()


async def test_a_damaged_database_is_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "urltrap.db").write_bytes(b"this is no database at all, not even nearly" * 50)
    with pytest.raises(StoreCorrupt, match="urltrap rebuild"):
        async with asyncio.timeout(10):
            await run_site(ANY_PORT, tmp_path, ready=lambda _: None, stop=asyncio.Event())


async def test_a_port_in_use_is_an_error_that_names_the_setting(tmp_path: Path) -> None:
    open_store(str(tmp_path / "urltrap.db")).close()
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = Settings(site=SiteSettings(listen=f"127.0.0.1:{other.getsockname()[1]}"))
        with pytest.raises(CannotListen, match=r"another program does; set site\.listen"):
            async with asyncio.timeout(10):
                await run_site(taken, tmp_path, ready=lambda _: None, stop=asyncio.Event())


@pytest.mark.parametrize(
    "site", [{"listen": "0.0.0.0:0"}, {"listen": "127.0.0.1:0", "trusted_proxies": ["127.0.0.1"]}]
)
async def test_a_site_that_others_reach_does_not_start_without_an_account(
    tmp_path: Path, site: dict[str, object]
) -> None:
    store = open_store(str(tmp_path / "urltrap.db"))
    settings = Settings.model_validate({"site": site})
    with pytest.raises(NoAccount, match="urltrap user add NAME --role admin"):
        async with asyncio.timeout(10):
            await run_site(settings, tmp_path, ready=lambda _: None, stop=asyncio.Event())
    users.add(store, "ada", "admin", "hash", datetime.now(UTC), Actor("tests"))
    store.close()
    async with asyncio.timeout(30), Running(tmp_path, settings) as running:
        assert await running.address


async def test_the_address_of_the_store_may_be_set(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/elsewhere.db"
    open_store(url).close()
    settings = ANY_PORT.model_copy(update={"store": StoreSettings(url=url)})
    async with asyncio.timeout(30), Running(tmp_path, settings) as site:
        assert await site.address


async def test_an_open_page_hears_of_an_attack_and_does_not_hold_up_the_end(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "urltrap.db"))
    async with asyncio.timeout(30), aiohttp.ClientSession() as client, Running(tmp_path) as site:
        stream = await client.get(f"http://{await site.address}/live")
        async with stream:
            assert stream.headers["content-type"].startswith("text/event-stream")

            async def pulse() -> int:
                async for line in stream.content:
                    if line.startswith(b"data: "):
                        return int(line[6:].split(b"-")[0])
                raise AssertionError("the stream ended")

            assert await pulse() == 0
            batch = visit(1, b"id")
            await asyncio.to_thread(ingest, store, "w", batch, (1, 1))
            assert await pulse() == len(batch)
            site.stop.set()
            await site.task
    store.close()
