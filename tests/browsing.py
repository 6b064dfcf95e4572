"""Debian's chromium for tests: one browser to a module, pages that fail the test when anything goes wrong."""

from __future__ import annotations

import re
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI
from playwright.sync_api import Browser, Page, sync_playwright

PATIENCE_MS = 100_000
"""How long a page may take on a machine that is busy with other things; a test ends at 300 s."""


def launched() -> Iterator[Browser]:
    """A running chromium; the test is skipped where none is installed."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("no chromium on this machine (Debian and Ubuntu: apt-get install chromium)")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu"], timeout=PATIENCE_MS
        )
        yield browser
        browser.close()


@contextmanager
def serving(app: FastAPI) -> Iterator[str]:
    """The address of this application on a free loopback port."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(app, log_config=None, ws="none", lifespan="on", timeout_graceful_shutdown=1)
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


@contextmanager
def quiet_page(browser: Browser, **context_options: Any) -> Iterator[Page]:
    """A page on which an error, a violation of the policy, a dialog or a request to another host fails the test."""
    # Charts come into view at once: no test waits for a movement.
    context = browser.new_context(**{"reduced_motion": "reduce", **context_options})
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on(
        "console",
        lambda message: problems.append(message.text) if message.type in ("error", "warning") else None,
    )
    page.on("dialog", lambda dialog: (problems.append(f"dialog {dialog.message}"), dialog.dismiss()))
    page.on("request", lambda request: None if _local(request.url) else problems.append(request.url))
    yield page
    context.close()
    assert problems == []


def _local(address: str) -> bool:
    return re.match(r"http://127\.0\.0\.1:|data:|blob:", address) is not None
