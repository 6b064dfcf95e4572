"""The bench of the public site in short: many readers at once, every one answered."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest
from bench.public import answers, ask, fill

from urltrap.model.settings import Settings
from urltrap.site.public.process import run_public
from urltrap.store import open_store

pytestmark = pytest.mark.skipif(shutil.which("hey") is None, reason="hey is not installed")


async def test_readers_at_once_are_all_answered(tmp_path: Path) -> None:
    settings = Settings.model_validate({"public": {"enabled": True, "listen": "127.0.0.1:0"}})
    store = open_store(str(tmp_path / "urltrap.db"))
    keys = await asyncio.to_thread(fill, store, 60, settings)
    store.close()
    stop = asyncio.Event()
    address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    task = asyncio.ensure_future(
        run_public(
            settings, tmp_path, ready=lambda found: address.set_result(found[0]), stop=stop, secret=b"s" * 32
        )
    )
    async with asyncio.timeout(60):
        paths = ["/", "/urls.html", "/feed.csv", f"/urls/{keys[0]}.html"]
        asked = await asyncio.to_thread(ask, f"http://{await address}", paths, 200, 1)
        times, failed = await asyncio.to_thread(answers, asked)
        stop.set()
        await task
    assert len(times) > 40 and failed == 0
