from __future__ import annotations

import bz2
import gzip
import io
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.intel.fakes import FakeHttp, http_server

from urltrap.intel import errors
from urltrap.intel.download import Downloader, kept


@pytest.fixture
async def fake() -> AsyncIterator[FakeHttp]:
    async with http_server() as server:
        server.headers = {"ETag": '"a"'}
        yield server


async def fetch(fake: FakeHttp, path: Path, *, most: int = 1_000_000, timeout: float = 5) -> bool:
    async with Downloader("me@example.org", most, timeout) as downloader:
        return await downloader.fetch(f"{fake.base}/v2/exports/s3cr3t/recent.csv", path)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def zipped(body: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("full.csv", body)
    return buffer.getvalue()


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, zipped])
async def test_a_download_is_unpacked_and_swapped_in_whole(fake: FakeHttp, tmp_path: Path, pack) -> None:  # type: ignore[no-untyped-def]
    fake.body = pack(b"one,two\n" * 1000)
    assert await fetch(fake, tmp_path / "d" / "x.csv")
    assert (tmp_path / "d" / "x.csv").read_bytes() == b"one,two\n" * 1000
    assert kept(tmp_path / "d" / "x.csv").etag == '"a"'
    assert names(tmp_path / "d") == {"x.csv", "x.csv.json-note"}


BAD = {
    "empty": (b"", errors.Malformed),
    "too large": (b"x" * 2_000_000, errors.TooLarge),
    "a gzip bomb": (gzip.compress(b"\0" * 20_000_000), errors.TooLarge),
    "a zip bomb": (zipped(b"\0" * 20_000_000), errors.TooLarge),
    "cut gzip": (gzip.compress(b"abc" * 1000)[:-9], errors.Malformed),
    "cut zip": (zipped(b"abc" * 1000)[:-30], errors.Malformed),
    "cut bzip2": (bz2.compress(b"abc" * 1000)[:-9], errors.Malformed),
}


@pytest.mark.parametrize("name", BAD)
async def test_a_bad_download_leaves_the_file_that_was_there(
    fake: FakeHttp, tmp_path: Path, name: str
) -> None:
    path = tmp_path / "x.csv"
    fake.body = b"good"
    await fetch(fake, path)
    fake.body, expected = BAD[name]
    with pytest.raises(expected) as caught:
        await fetch(fake, path)
    assert path.read_bytes() == b"good"
    assert kept(path).problem == str(caught.value) and kept(path).etag == '"a"'
    assert "s3cr3t" not in str(caught.value) + kept(path).problem
    assert names(tmp_path) == {"x.csv", "x.csv.json-note"}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"status": 401}, errors.Refused),
        ({"status": 403}, errors.Refused),
        ({"status": 404, "body": b"<html>nothing here"}, errors.Malformed),
        ({"status": 429}, errors.Limited),
        ({"status": 429, "headers": {"Retry-After": "3600"}}, errors.Limited),
        ({"status": 509}, errors.Limited),
        ({"status": 500}, errors.Unavailable),
        ({"status": 503}, errors.Unavailable),
        ({"status": 302, "headers": {"Location": "https://elsewhere.example/s3cr3t"}}, errors.Malformed),
        ({"status": 304}, errors.Malformed),
        ({"cut": True, "body": b"abc"}, errors.Unavailable),
        ({"stall": True, "body": b"abc"}, errors.Unavailable),
    ],
)
async def test_a_failure_names_no_address_since_a_key_may_stand_in_it(
    fake: FakeHttp, tmp_path: Path, changes: dict[str, object], expected: type[Exception]
) -> None:
    for name, value in changes.items():
        setattr(fake, name, value)
    with pytest.raises(expected) as caught:
        await fetch(fake, tmp_path / "x.csv", timeout=0.5)
    assert "s3cr3t" not in str(caught.value) and caught.value.__cause__ is None
    assert not (tmp_path / "x.csv").exists() and kept(tmp_path / "x.csv").problem


async def test_a_file_of_a_hundred_megabytes_is_cut_off_at_the_limit(fake: FakeHttp, tmp_path: Path) -> None:
    fake.endless = True
    with pytest.raises(errors.TooLarge):
        await fetch(fake, tmp_path / "x.csv", most=100_000_000, timeout=60)
    assert names(tmp_path) == {"x.csv.json-note"}
