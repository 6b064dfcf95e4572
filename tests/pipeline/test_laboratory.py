"""The process that looks at payloads: its limits hold, and what breaks it costs one payload only."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.analysis.samples import LOOKALIKES, elf
from tests.pipeline.conftest import Bench

from urltrap.pipeline.laboratory import InProcess, Laboratory, Looked
from urltrap.pipeline.laboratory.bench import load_rules
from urltrap.pipeline.laboratory.clamd import Clamd
from urltrap.store.queries import artifacts, urls

BOT = LOOKALIKES["mirai"][0]


@pytest.fixture(scope="module")
def laboratory() -> Iterator[Laboratory]:
    made = Laboratory(None)
    yield made
    made.close()


def test_a_payload_is_examined_in_another_process(laboratory: Laboratory) -> None:
    found = laboratory.examine(BOT, len(BOT), "a" * 64)
    assert found.problem == "" and found.analysis is not None
    assert (found.analysis.family, found.analysis.version) == ("Mirai", laboratory.version)
    assert laboratory._process is not None and laboratory._process.pid != os.getpid()


def test_the_process_has_no_way_out(laboratory: Laboratory) -> None:
    laboratory.examine(b"x", 1, "a" * 64)
    assert laboratory._process is not None
    limits = Path(f"/proc/{laboratory._process.pid}/limits").read_text()
    for name in ("Max file size", "Max core file size", "Max processes"):
        assert next(line for line in limits.splitlines() if line.startswith(name)).split()[-3:-1] == [
            "0",
            "0",
        ]
    status = Path(f"/proc/{laboratory._process.pid}/status").read_text()
    assert "NoNewPrivs:\t1" in status


def test_giving_up_leaves_no_file_socket_or_process_to_be_had() -> None:
    tried = """
import os, socket
from urltrap.pipeline.laboratory.child import give_up
give_up(300_000_000)
for what in (lambda: socket.socket(), lambda: open("/etc/hostname"), lambda: os.pipe()):
    try:
        what()
    except OSError as error:
        print(error.errno)
try:
    bytearray(400_000_000)
except MemoryError:
    print("memory")
"""
    run = subprocess.run(
        [sys.executable, "-c", tried], capture_output=True, text=True, timeout=60, check=False
    )
    assert run.stdout.split() == ["24", "24", "24", "memory"], run.stderr


def test_a_payload_that_takes_too_long_is_an_outcome_and_the_next_one_is_examined(tmp_path: Path) -> None:
    without_end = "for all i in (0..filesize) : (for all j in (0..100000) : (uint8(i) + j >= 0))"
    (tmp_path / "slow.yar").write_text(f"rule slow {{ condition: filesize > 100000 and {without_end} }}\n")
    made = Laboratory(tmp_path, seconds=1)
    try:
        data = os.urandom(1_000_000)
        assert made.examine(data, len(data), "a" * 64) == Looked(None, "timed-out")
        after = made.examine(BOT, len(BOT), "a" * 64)
        assert after.analysis is not None and after.analysis.family == "Mirai"
    finally:
        made.close()


def test_a_payload_that_takes_too_much_memory_is_an_outcome() -> None:
    made = Laboratory(None, memory=90_000_000)
    try:
        data = os.urandom(32_000_000)
        assert made.examine(data, len(data), "a" * 64).problem == "out-of-memory"
        assert made.examine(b"x", 1, "a" * 64).analysis is not None
    finally:
        made.close()


def test_a_process_that_dies_in_between_is_replaced() -> None:
    made = Laboratory(None)
    try:
        made.examine(b"x", 1, "a" * 64)
        assert made._process is not None
        made._process.kill()
        made._process.wait()
        assert made.examine(BOT, len(BOT), "a" * 64).analysis is not None
    finally:
        made.close()


def test_the_operators_rules_are_used_and_a_broken_file_is_left_out(tmp_path: Path) -> None:
    made = Laboratory(tmp_path)
    before = made.version
    (tmp_path / "mine.yar").write_text(
        'rule mine { meta: family = "Own" strings: $a = "hello" condition: $a }'
    )
    (tmp_path / "broken.yar").write_text("rule {")
    (tmp_path / "latin.yara").write_bytes(b"// \xff")
    try:
        found = made.examine(b"hello", 5, "a" * 64).analysis
        assert found is not None and [match.source for match in found.matches] == ["yara.d/mine.yar"]
        assert made.version != before
        (tmp_path / "mine.yar").unlink()
        found = made.examine(b"hello", 5, "a" * 64).analysis
        assert found is not None and found.matches == []
    finally:
        made.close()
    assert [error.source for error in load_rules(tmp_path)[1]] == ["yara.d/latin.yara"]


class FakeClamd:
    """Reads one INSTREAM question and answers with `answer`."""

    def __init__(self, answer: bytes) -> None:
        self.received = b""
        self._answer = answer
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listening.getsockname()[1]}"
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self) -> None:
        connection, _ = self._listening.accept()
        with self._listening, connection:
            connection.settimeout(20)
            while not self.received.endswith(bytes(4)):
                self.received += connection.recv(1 << 16)
            connection.sendall(self._answer)


@pytest.mark.parametrize(
    ("answer", "result", "detail"),
    [
        (b"stream: Unix.Trojan.Mirai-1 FOUND\0", "found", "Unix.Trojan.Mirai-1"),
        (b"stream: OK\0", "clean", ""),
        (b"INSTREAM size limit exceeded. ERROR\0", "error", "size limit"),
        (b"", "error", "without an answer"),
        (b"\xff\x1b[31m\0", "error", "clamd answered"),
    ],
)
def test_clamd_answers_found_clean_or_error(answer: bytes, result: str, detail: str) -> None:
    clamd = FakeClamd(answer)
    scanned = Clamd(clamd.address, seconds=20).scan(b"x" * 100_000)
    clamd.thread.join(20)
    assert (scanned.result, detail in scanned.detail) == (result, True)
    assert clamd.received.startswith(b"zINSTREAM\0\0\1\0\0x")
    assert "\x1b" not in scanned.detail


def test_a_clamd_that_is_not_there_is_an_error_and_no_clean_scan() -> None:
    assert Clamd("/nonexistent/clamd.sock").scan(b"x").result == "error"


def examined(bench: Bench) -> dict[str, str]:
    return {
        row.artifact.sha256: row.analysis.family for row in artifacts.page(bench.store).rows if row.analysis
    }


def test_a_url_hidden_in_an_uploaded_program_is_recovered_and_captured(bench: Bench) -> None:
    bot = elf(b"http://198.51.100.44/next", b"/proc/self/exe", key=0x33) + elf(b"http://library.example/docs")
    bench.visit(uploads=[bot])
    bench.fetcher.bodies["http://198.51.100.44/next"] = b"\x7fELF"
    bench.settle()
    assert [request.url for request in bench.fetcher.requests] == [b"http://198.51.100.44/next"]
    detail = urls.detail(bench.store, "http://198.51.100.44/next")
    assert detail is not None and detail.sightings[0].sighting.recovered.chain == ["xor-0x33"]
    assert detail.sightings[0].sighting.parent_sha256 is not None


def test_payloads_that_name_each_other_end(bench: Bench) -> None:
    first, second = "http://198.51.100.44/a", "http://198.51.100.44/b"
    bench.fetcher.bodies[first] = elf(second.encode(), first.encode(), key=0x21)
    bench.fetcher.bodies[second] = elf(first.encode(), key=0x21)
    bench.visit(b"wget " + first.encode())
    bench.settle()
    assert sorted(request.url.decode() for request in bench.fetcher.requests) == [first, second]


def test_other_rules_analyse_everything_again(bench: Bench) -> None:
    body = elf(b"a new family's words")
    bench.visit(uploads=[body])
    bench.line.drain()
    assert list(examined(bench).values()) == [""]
    sources, _ = load_rules(None)
    sources["yara.d/new.yar"] = (
        'rule new { meta: family = "New" strings: $a = "a new family\'s words" condition: $a }'
    )
    from urltrap.analysis import compile_rules

    bench.workshop.laboratory = InProcess(compile_rules(sources), "1.other")
    bench.line.drain()
    assert list(examined(bench).values()) == ["New"]


def test_a_payload_that_breaks_the_laboratory_is_kept_with_what_our_own_look_says(bench: Bench) -> None:
    class Broken:
        version = "1.broken"
        examine: Callable[..., Looked] = staticmethod(lambda *_: Looked(None, "crashed"))

        def close(self) -> None:
            pass

    bench.workshop.laboratory = Broken()
    bench.visit(uploads=[BOT])
    bench.line.drain()
    (row,) = artifacts.page(bench.store).rows
    assert row.analysis is not None
    assert (row.analysis.kind, row.analysis.architecture, row.analysis.problem) == ("elf", "mips", "crashed")
    assert row.artifact.md5 != ""
