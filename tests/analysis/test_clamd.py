"""The INSTREAM client against a real clamd, with a signature database of our own: none is downloaded here."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator

import pytest

from urltrap.pipeline.laboratory.clamd import Clamd

CLAMD = shutil.which("clamd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
# In two parts, so that no antivirus takes this file for the test file itself.
EICAR = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}" + rb"$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
MARKED = b"\x7fELF" + b"\0" * 60 + b"urltrap-look-alike-of-a-bot" + b"\0" * 4000
MOST = 1_000_000

pytestmark = pytest.mark.skipif(CLAMD is None, reason="no clamd here (Debian: clamav-daemon)")


@pytest.fixture(scope="module")
def clamd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The socket of a clamd that knows the test file by its hash and a marked program by its bytes."""
    folder = tmp_path_factory.mktemp("clamd")
    database = folder / "db"
    database.mkdir()
    digest = hashlib.md5(EICAR, usedforsecurity=False).hexdigest()
    (database / "own.hdb").write_text(f"{digest}:{len(EICAR)}:Urltrap.Test.Eicar\n")
    (database / "own.ndb").write_text(f"Urltrap.Test.Bot:0:*:{b'urltrap-look-alike-of-a-bot'.hex()}\n")
    listening = folder / "clamd.sock"
    (folder / "clamd.conf").write_text(
        f"LocalSocket {listening}\nDatabaseDirectory {database}\nForeground yes\nLogVerbose yes\n"
        f"StreamMaxLength {MOST}\nMaxThreads 2\nConcurrentDatabaseReload no\nTemporaryDirectory {folder}\n"
    )
    assert CLAMD is not None
    process = subprocess.Popen(
        [CLAMD, "-c", str(folder / "clamd.conf")], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout is not None
    said = []
    try:
        for line in process.stdout:
            said.append(line)
            if "Self checking" in line or "Self check" in line:
                break
        assert listening.exists(), "".join(said)
        # What it says later must not fill the pipe.
        reading = threading.Thread(target=process.stdout.read)
        reading.start()
        yield str(listening)
        process.kill()
        reading.join(20)
    finally:
        process.kill()
        process.wait(20)
        process.stdout.close()


def test_what_a_signature_knows_is_found_by_its_name(clamd: str) -> None:
    by_hash, by_bytes = Clamd(clamd).scan(EICAR), Clamd(clamd).scan(MARKED)
    assert (by_hash.result, by_bytes.result) == ("found", "found")
    assert by_hash.detail.startswith("Urltrap.Test.Eicar")
    assert by_bytes.detail.startswith("Urltrap.Test.Bot")


@pytest.mark.parametrize("data", [b"", b"x", b"\x7fELF" + bytes(200_000), b"#!/bin/sh\necho hello\n"])
def test_what_none_knows_is_clean(clamd: str, data: bytes) -> None:
    assert Clamd(clamd).scan(data).result == "clean"


def test_a_payload_over_its_limit_is_an_error_and_no_clean_scan(clamd: str) -> None:
    found = Clamd(clamd).scan(b"x" * (MOST * 3))
    assert found.result == "error" and found.detail


def test_many_payloads_one_after_the_other_and_at_once(clamd: str) -> None:
    results = []

    def scan() -> None:
        results.extend(Clamd(clamd).scan(data).result for data in (EICAR, b"x", MARKED))

    threads = [threading.Thread(target=scan) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(results) == ["clean"] * 6 + ["found"] * 12
