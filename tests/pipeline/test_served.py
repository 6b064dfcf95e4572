"""What a URL serves changes: all its payloads are kept, shown in their order, each with its time."""

from __future__ import annotations

import hashlib
import shutil
from datetime import timedelta

from tests.ops.commands import run
from tests.pipeline.conftest import ELF, Bench
from tests.pipeline.test_line import URL, attack
from tests.site.conftest import client_of

from urltrap.store.queries import urls


def test_a_url_that_serves_other_payloads_later_has_them_all(bench: Bench) -> None:
    bodies = [b"#!/bin/sh\necho first\n", ELF, b"#!/bin/sh\necho first\n", ELF + b"\1"]
    starts = []
    for body in bodies:
        bench.fetcher.bodies[URL.decode()] = body
        attack(bench)
        starts.append(bench.time)
        bench.line.drain()
        bench.time += timedelta(hours=1)
    found = urls.detail(bench.store, URL.decode())
    assert found is not None
    digests = [hashlib.sha256(body).hexdigest() for body in bodies]
    assert [(served.sha256, served.first, served.last, served.captures) for served in found.payloads] == [
        (digests[0], starts[0], starts[2], 2),
        (digests[1], starts[1], starts[1], 1),
        (digests[3], starts[3], starts[3], 1),
    ]
    assert {row.artifact.sha256 for row in found.artifacts} == set(digests)
    page = client_of(bench.store).get(f"/urls/{found.row.id}").text
    assert "It served 3 different ones" in page
    assert [page.count(digest) > 1 for digest in digests] == [True] * 4
    data = bench.folder / "data"
    assert run("init", data).exit_code == 0
    bench.store.close()
    for file in bench.folder.glob("urltrap.db*"):
        shutil.copy(file, data / file.name)
    shown = run("url", URL.decode(), "--data", data)
    assert shown.exit_code == 0, shown.output
    payloads = shown.output[shown.output.index("last (UTC)") :]
    assert [digest in payloads for digest in digests] == [True] * 4
