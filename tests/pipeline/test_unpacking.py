"""What UPX packed is unpacked apart, within limits, and told as the payload's own. Nothing is ever run."""

from __future__ import annotations

import ctypes
import fcntl
import hashlib
import os
import platform
import random
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.analysis.samples import elf
from tests.pipeline.conftest import EXAMINER, Bench

from urltrap.analysis import mended
from urltrap.analysis.packers import packer
from urltrap.model.artifact import Analysis
from urltrap.pipeline.analysing import AGAIN
from urltrap.pipeline.laboratory import limited
from urltrap.pipeline.laboratory.upx import PROGRAMS, Opened, Upx, _lock
from urltrap.pipeline.process import _unpacker
from urltrap.pipeline.unpacking import DEEPEST, unpack
from urltrap.store.queries import artifacts, urls

Fake = Callable[..., Upx]


def packed(marker: bytes = b"", *, magic: bytes = b"UPX!", size: int = 9000, end: bytes = b"") -> bytes:
    """An ELF file with UPX's marks and nothing behind them that UPX could unpack; `size` as p_info tells it."""
    head = bytearray(elf()[:84])
    info = bytes(4) + magic + bytes(2) + bytes([13, 12]) + bytes(4) + size.to_bytes(4, "little") * 2
    header = bytes([13, 12, 8, 1]) + bytes(16) + (9000).to_bytes(4, "little") + bytes(3)
    blocks = marker + random.Random(1).randbytes(2048) + bytes(4) + magic + bytes(4)
    return bytes(head) + info + blocks + magic + header + bytes([sum(header) % 251]) + bytes(4) + end


@pytest.fixture
def fake(tmp_path: Path) -> Fake:
    """Makes a program that is called as `upx` is: `body` is Python, `packed` and `out` are its two paths."""

    def make(body: str, **limits: int) -> Upx:
        program = tmp_path / "fake-upx"
        program.write_text(
            f"#!{sys.executable} -IS\nimport os, sys\npacked, out = sys.argv[-1], sys.argv[-2]\n"
            f"assert sys.argv[1] == '-d'\n{body}\n"
        )
        program.chmod(0o755)
        # A script's interpreter, which the unpacker's own libraries are not.
        python = (Path(sys.prefix), Path(sys.base_prefix))
        limits = {"seconds": 1, "memory": 200_000_000, "largest": 2_000_000, **limits}
        return Upx(program, tmp_path / "scratch", readable=python, **limits)

    return make


@pytest.fixture(autouse=True)
def no_scratch_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    scratch, elsewhere = tmp_path / "scratch", tmp_path / "elsewhere"
    for folder in (scratch, elsewhere):
        folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(elsewhere))
    yield
    assert list(scratch.iterdir()) == list(elsewhere.iterdir()) == []


COPY = "open(out, 'wb').write(open(packed, 'rb').read()[::-1])"


def test_what_comes_out_is_read_and_was_never_executable(fake: Fake) -> None:
    told = (
        "assert oct(os.stat(packed).st_mode)[-3:] == '600'\n"
        "open(out, 'wb').write(b'%o' % (os.stat(packed).st_mode & 0o111))\nos.chmod(out, 0o600)"
    )
    assert fake(told).open(b"abc") == Opened(b"0")
    assert fake(f"{COPY}\nassert oct(os.stat(out).st_mode)[-3:] == '600'").open(b"abc") == Opened(b"cba")


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("sys.exit(1)", "refused"),
        ("print('fine')", "refused"),
        ("open(out, 'w')", "refused"),
        ("os.symlink('/etc/hostname', out)", "refused"),
        ("os.mkdir(out)", "refused"),
        ("file = open(out, 'wb', 0)\nwhile file.write(bytes(65536)): pass", "too-large"),
        ("while os.write(2, bytes(65536)): pass", "refused"),
        ("while True: pass", "timed-out"),
        ("import ctypes; ctypes.string_at(0)", "crashed"),
        ("os.kill(os.getppid(), 0)", "refused"),
        ("sys.stderr.write('upx: packed: OutOfMemoryException\\n'); sys.exit(1)", "out-of-memory"),
        ("bytearray(900_000_000)\nopen(out, 'w').write('x')", "refused"),
    ],
)
def test_whatever_the_unpacker_does_is_an_outcome(fake: Fake, body: str, problem: str) -> None:
    assert fake(body).open(b"x" * 100) == Opened(problem=problem)


def test_the_unpacker_gets_no_network_no_process_and_none_of_our_environment(
    fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("URLTRAP_SECRET", "x")
    body = """
import ctypes, resource, socket
def is_open(number):
    try:
        return bool(os.fstat(number))
    except OSError:
        return False
said = [sorted(set(os.environ) - {'LC_CTYPE'}) == ['LC_ALL'], not any(map(is_open, range(5, 16)))]
for kind in (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX):
    try:
        socket.socket(kind)
    except OSError as error:
        said.append(error.errno == 1)
said += [resource.getrlimit(what)[0] == 0 for what in (resource.RLIMIT_NPROC, resource.RLIMIT_CORE)]
said.append(ctypes.CDLL(None).prctl(39, 0, 0, 0, 0) == 1)  # PR_GET_NO_NEW_PRIVS
open(out, 'w').write(repr(said))"""
    assert fake(body).open(b"x").data.decode() == repr([True] * 8)


def kernel_has_landlock() -> bool:
    return ctypes.CDLL(None).syscall(444, None, 0, 1) > 0


@pytest.mark.skipif(not kernel_has_landlock(), reason="this kernel has no Landlock")
def test_the_unpacker_reads_and_writes_nothing_but_its_work(fake: Fake, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("a key")
    (tmp_path / "folder").mkdir()
    (tmp_path / "scratch" / "of-another").mkdir()
    (tmp_path / "scratch" / "of-another" / "packed").write_text("another payload")
    body = f"""
def refused(do, *given):
    try:
        do(*given)
    except OSError as error:
        return error.errno in (1, 13)
    return False
said = [refused(open, name) for name in (
    '{tmp_path}/secret', '../of-another/packed', '/etc/passwd', '/etc/hostname', '/proc/self/environ', '/dev/zero')]
said += [refused(os.listdir, name) for name in ('{tmp_path}', '..', '/', '/etc', '/root', '/proc')]
said += [refused(open, name, 'w') for name in ('{tmp_path}/new', '../new', '/tmp/urltrap-unpacked', '/dev/shm/x')]
said += [refused(os.mkdir, '{tmp_path}/folder/x'), refused(os.rmdir, '{tmp_path}/folder')]
said += [refused(os.unlink, '{tmp_path}/secret'), refused(os.rename, packed, '../moved')]
said += [refused(os.truncate, '{tmp_path}/secret', 0), refused(os.execv, '/usr/bin/env', ['env'])]
open('more', 'w').write('x'); os.unlink('more')
open(out, 'w').write(repr([i for i, right in enumerate(said) if not right]))"""
    assert fake(body).open(b"x") == Opened(b"[]")
    assert (tmp_path / "secret").read_text() == "a key"
    shutil.rmtree(tmp_path / "scratch" / "of-another")


WITHOUT = """
import ctypes, os, platform, struct, sys
landlock, prctl = {"x86_64": (444, 157), "aarch64": (444, 167)}[platform.machine()]
step = lambda code, yes, no, value: struct.pack("HBBI", code, yes, no, value)
program = step(0x20, 0, 0, 0)  # the call's number
program += step(0x15, 0, 1, landlock if "landlock" in sys.argv[1] else 0xFFFF) + step(0x06, 0, 0, 0x00050000 | 38)
program += step(0x15, 0, 3, prctl if "seccomp" in sys.argv[1] else 0xFFFF)
program += step(0x20, 0, 0, 16) + step(0x15, 0, 1, 22) + step(0x06, 0, 0, 0x00050000 | 22)
program += step(0x06, 0, 0, 0x7FFF0000)
buffer = ctypes.create_string_buffer(program, len(program))
libc = ctypes.CDLL(None)
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(buffer)), 0, 0) == 0
os.execv(sys.executable, [sys.executable, "-I", "-S", *sys.argv[2:]])
"""
"""Becomes a Python program on a kernel without what its first argument names."""


@pytest.mark.skipif(
    platform.machine() not in ("x86_64", "aarch64") or not kernel_has_landlock(),
    reason="takes a filter of our own for this machine, and Landlock",
)
@pytest.mark.parametrize(
    ("without", "runs"),
    [("nothing", True), ("landlock", True), ("seccomp", True), ("landlock,seccomp", False)],
)
def test_where_the_kernel_holds_it_back_from_nothing_no_unpacker_is_executed(
    tmp_path: Path, without: str, runs: bool
) -> None:
    work = tmp_path / "work"
    work.mkdir()
    program = tmp_path / "program"
    program.write_text(f"#!{sys.executable} -IS\nopen('ran', 'w')\n")
    program.chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, without, limited.__file__, "5", "300000000", "1000", sys.prefix,
         sys.base_prefix, "--", str(program)],
        cwd=work, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == (0 if runs else limited.NOT_CONFINED)
    assert (work / "ran").exists() is runs


def test_a_program_of_the_system_finds_its_libraries_and_its_work(tmp_path: Path) -> None:
    copy = shutil.which("cp")
    assert copy is not None
    (tmp_path / "packed").write_bytes(b"payload")
    done = subprocess.run(
        [sys.executable, "-I", "-S", limited.__file__, "5", "300000000", "1000", "--", str(Path(copy).resolve()),
         "packed", "unpacked"],
        cwd=tmp_path, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0 and (tmp_path / "unpacked").read_bytes() == b"payload"


def test_what_is_not_confined_is_said_and_is_no_payload_s_fault(
    fake: Fake, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    upx = fake(f"sys.exit({limited.NOT_CONFINED})")
    outer = Analysis(sha256="a" * 64, kind="elf", packer="upx")
    assert unpack(upx, EXAMINER, packed(), outer) == outer
    assert "neither Landlock" in capsys.readouterr().out
    monkeypatch.setattr(Upx, "installed", classmethod(lambda cls, scratch: upx))
    assert _unpacker(Path("unused")) is upx
    monkeypatch.setattr(
        upx, "_command", lambda limit, command: [sys.executable, "-c", f"exit({limited.NOT_CONFINED})"]
    )
    assert _unpacker(Path("unused")) is None and "neither Landlock" in capsys.readouterr().out


def test_what_a_killed_process_left_is_removed_at_the_start_and_never_under_anybody_s_hands(
    fake: Fake, tmp_path: Path
) -> None:
    upx = fake(COPY)
    left = tmp_path / "scratch" / "upx-left"
    left.mkdir()
    (left / "packed").write_bytes(b"MZ")
    (tmp_path / "scratch" / "link").symlink_to("/etc")
    with _lock(tmp_path / "scratch", fcntl.LOCK_SH):  # as one does that is unpacking
        assert upx.sweep() == 0 and left.exists()
        assert upx.open(b"abc") == Opened(b"cba"), "several may unpack at once"
    assert upx.sweep() == 2 and not left.exists() and Path("/etc/passwd").exists()
    assert Upx(upx.program, tmp_path / "nowhere").sweep() == 0


def test_a_program_that_is_not_there_any_more_is_no_payloads_fault(tmp_path: Path) -> None:
    gone = Upx(tmp_path / "gone", tmp_path / "scratch")
    assert gone.open(b"x").problem == "not-started"
    outer = Analysis(sha256="a" * 64, kind="elf", packer="upx")
    assert unpack(gone, EXAMINER, packed(), outer) == outer


def test_small_programs_may_be_dense_and_a_little_that_becomes_much_is_a_bomb(fake: Fake) -> None:
    write = "open(out, 'wb').write(bytes({}))"
    assert len(fake(write.format(999_999)).open(b"x").data) == 999_999
    assert fake(write.format(1_000_001)).open(b"x").problem == "too-large"
    assert fake(write.format(1_000_001)).open(bytes(5_010)).problem == ""


@pytest.mark.parametrize(
    ("broken", "done"),
    [
        ({"magic": b"YTS\x99"}, ["magic"]),
        ({"size": 0}, ["sizes"]),
        ({"magic": b"YTS\x99", "size": 0, "end": b"junk" * 100}, ["magic", "sizes", "end"]),
    ],
)
def test_marks_that_were_broken_on_purpose_are_restored(
    broken: dict[str, bytes | int], done: list[str]
) -> None:
    bad = packed(**broken)  # type: ignore[arg-type]
    assert packer(bad) == "upx-broken"
    assert mended(bad) == (packed(), done)
    assert mended(packed()) is None


@pytest.mark.parametrize("data", [b"", b"MZ" + bytes(100), elf(b"x" * 5000), packed()[:300], packed()[:90]])
def test_nothing_is_restored_where_no_pack_header_is_right(data: bytes) -> None:
    assert mended(data) is None


def test_a_broken_payload_is_unpacked_with_its_marks_restored(fake: Fake) -> None:
    body = f"data = open(packed, 'rb').read()\nif data.count(b'UPX!') < 3: sys.exit(2)\n{COPY}"
    bad = packed(magic=b"YTS\x99")
    found = unpack(fake(body), EXAMINER, bad, EXAMINER.examine(bad, len(bad), "a" * 64).analysis)  # type: ignore[arg-type]
    (layer,) = found.unpacked
    assert (layer.repaired, layer.sha256) == (["magic"], hashlib.sha256(packed()[::-1]).hexdigest())


def test_a_payload_that_is_packed_for_ever_ends(fake: Fake) -> None:
    upx = fake("open(out, 'wb').write(open(packed, 'rb').read() + b'x')")
    outer = EXAMINER.examine(packed(), 1, "a" * 64).analysis
    assert outer is not None
    found = unpack(upx, EXAMINER, packed(), outer)
    assert [layer.problem for layer in found.unpacked] == [""] * (DEEPEST - 1) + ["too-deep"]


BOT = elf(
    b"http://198.51.100.44/next", b"/proc/self/exe", b"c2.botnet.xyz:23", b"/bin/busybox", key=0x22
) + elf(b"http://library.example/docs")  # fmt: skip


def test_urls_and_hosts_of_what_was_packed_are_the_payloads_own(bench: Bench, fake: Fake) -> None:
    bench.workshop.upx = fake(f"open(out, 'wb').write(bytes.fromhex('{BOT.hex()}'))")
    bench.visit(uploads=[packed()])
    bench.fetcher.bodies["http://198.51.100.44/next"] = b"\x7fELF"
    bench.settle()
    assert [request.url for request in bench.fetcher.requests] == [b"http://198.51.100.44/next"]
    hidden = urls.detail(bench.store, "http://198.51.100.44/next")
    plain = urls.detail(bench.store, "http://library.example/docs")
    assert hidden is not None and plain is not None
    assert hidden.sightings[0].sighting.recovered.chain == ["upx", "xor-0x22"]
    assert plain.sightings[0].sighting.recovered.chain == ["upx", "strings"]
    found = artifacts.detail(bench.store, hashlib.sha256(packed()).hexdigest())
    assert found is not None and found.row.analysis is not None
    (layer,) = found.row.analysis.unpacked
    assert (layer.sha256, layer.kind, layer.problem) == (hashlib.sha256(BOT).hexdigest(), "elf", "")
    assert (b"tcp://c2.botnet.xyz:23", "callback", "upx+elf") in [
        (item.text, item.kind, item.how) for item in found.row.analysis.found
    ]


def test_what_was_seen_before_upx_was_installed_is_unpacked_then_and_nothing_else_is(
    bench: Bench, fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.visit(uploads=[packed(), elf(b"another")])
    bench.settle()
    upx = bench.workshop.upx = fake("open(out, 'w').write('x')")
    calls: list[bytes] = []
    really = upx.open
    monkeypatch.setattr(upx, "open", lambda data: (calls.append(data), really(data))[1])
    bench.settle()
    assert calls == [packed()]
    bench.workshop.upx = None
    bench.settle()
    found = artifacts.detail(bench.store, hashlib.sha256(packed()).hexdigest())
    assert found is not None and found.row.analysis is not None and len(found.row.analysis.unpacked) == 1
    assert AGAIN == "-/0/"


REAL = Upx.installed(Path(tempfile.gettempdir()) / f"urltrap-unpacking-{os.getpid()}")


needs_upx = pytest.mark.skipif(
    REAL is None, reason=f"neither {' nor '.join(PROGRAMS)} is installed (Debian: upx-ucl)"
)


@pytest.fixture(scope="module")
def program() -> bytes:
    """A program of two segments, large enough for UPX, that does nothing; a URL and a hidden table in it."""
    shuffle = random.Random(7)
    body = b"\xc3" * 64 + b"".join(
        shuffle.choice((b"mov ", b"call", b"ret\0", b"push")) for _ in range(20_000)
    )
    body += b"\0http://198.51.100.7/bins/next\0"
    body += bytes(byte ^ 0x22 for byte in b"/proc/self/exe\0c2.botnet.xyz:23\0/bin/busybox\0") + bytes(16)
    base, head = 0x400000, 64 + 2 * 56
    size = head + len(body)
    out = b"\x7fELF\x02\x01\x01" + bytes(9)
    out += struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, base + head, 64, 0, 0, 64, 56, 2, 0, 0, 0)
    out += struct.pack("<IIQQQQQQ", 1, 5, 0, base, base, size, size, 0x1000)
    out += struct.pack("<IIQQQQQQ", 1, 6, size, base + 0x100000 + size % 4096, 0, 0, 4096, 0x1000)
    return out + body


@pytest.fixture(scope="module")
def real(program: bytes, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    assert REAL is not None
    folder = tmp_path_factory.mktemp("upx")
    (folder / "program").write_bytes(program)
    (folder / "program").chmod(0o700)
    subprocess.run([str(REAL.program), "-qqq", "-o", "packed", "program"], cwd=folder, check=True, timeout=60)
    data = (folder / "packed").read_bytes()
    shutil.rmtree(folder)
    return data


@needs_upx
@pytest.mark.parametrize("how", ["whole", "magic", "first-magic", "sizes", "end"])
def test_the_very_program_comes_out_however_its_marks_were_broken(
    bench: Bench, program: bytes, real: bytes, how: str
) -> None:
    place = real.index(b"UPX!")
    data = {
        "whole": real,
        "magic": real.replace(b"UPX!", b"YTS\x99"),
        "first-magic": real[:place] + b"\0\0\0\0" + real[place + 4 :],
        "sizes": real[: place + 12] + bytes(8) + real[place + 20 :],
        "end": real + b"junk" * 200,
    }[how]
    bench.workshop.upx = REAL
    bench.visit(uploads=[data])
    bench.settle()
    found = artifacts.detail(bench.store, hashlib.sha256(data).hexdigest())
    assert found is not None and found.row.analysis is not None
    (layer,) = found.row.analysis.unpacked
    assert (layer.sha256, layer.problem) == (hashlib.sha256(program).hexdigest(), "")
    assert "callback" in {item.kind for item in found.row.analysis.found}
    url = urls.detail(bench.store, "http://198.51.100.7/bins/next")
    assert url is not None and url.sightings[0].sighting.recovered.chain == ["upx", "strings"]


@needs_upx
def test_damage_behind_the_marks_is_refused(real: bytes) -> None:
    assert REAL is not None
    middle = len(real) // 2
    assert REAL.open(real[:middle] + os.urandom(200) + real[middle + 200 :]).problem in ("refused", "crashed")
