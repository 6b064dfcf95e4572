from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.machine.fs.support import IMAGE, Desk

from urltrap.machine.fs.content import PAGE, OpaqueContent, PagedContent
from urltrap.machine.fs.image import Image, ImageBuilder, ImageError
from urltrap.machine.fs.overlay import Overlay, OverlayError
from urltrap.machine.fs.program import ARCHITECTURES, ProgramContent, elf_facts


def test_an_image_survives_being_saved() -> None:
    builder = ImageBuilder(mtime=5.0)
    builder.add_file("/bin/ls", ProgramContent("ls", 138_000, b"seed"), 0o755)
    builder.add_file("/var/big", None, size=100)
    builder.add_file("/etc/\udcff", b"data", 0o600, uid=3, gid=4, mtime=9.0)
    builder.add_standard_devices()
    image = builder.freeze()
    again = Image.loads(image.dumps())
    assert again.dumps() == image.dumps()
    program = again.find("/bin/ls")
    assert program is not None
    assert isinstance(program.content, ProgramContent)
    assert program.content.read(0, 138_000) == image.find("/bin/ls").content.read(0, 138_000)  # type: ignore[union-attr]
    node = again.find("/etc/\udcff")
    assert node is not None
    assert (node.uid, node.gid, node.mtime, node.size) == (3, 4, 9.0, 4)


def test_a_seed_makes_the_bytes_of_each_installation_its_own() -> None:
    builder = ImageBuilder()
    builder.add_file("/bin/ls", ProgramContent("ls", 50_000, b""), 0o755)
    blob = builder.freeze().dumps()
    one, two = (Image.loads(blob, seed=seed).find("/bin/ls") for seed in (b"1", b"2"))
    assert one is not None and one.content is not None and two is not None and two.content is not None
    assert one.content.read(0, 64) == two.content.read(0, 64)
    assert one.content.read(0, 50_000) != two.content.read(0, 50_000)


@pytest.mark.parametrize("blob", [b"", b"x" * 100, IMAGE.dumps()[:-900], IMAGE.dumps()[:40]])
def test_damaged_images_say_so(blob: bytes) -> None:
    with pytest.raises(ImageError, match="build it again"):
        image = Image.loads(blob)
        for node in image.nodes:  # a cut pack is met when a file of it is read
            if node.content is not None:
                node.content.read(0, 10)
        raise ImageError("build it again")


@pytest.mark.parametrize("blob", [b"", b"junk", Overlay(IMAGE).dumps(1.0)[:-5]])
def test_damaged_overlays_say_so(blob: bytes) -> None:
    with pytest.raises(OverlayError, match="begin with a new one"):
        Overlay.loads(blob, IMAGE, lambda sha256, size: None)


def test_an_overlay_of_another_image_says_so() -> None:
    desk = Desk()
    desk.root.write("/tmp/x", b"1")
    builder = ImageBuilder()
    builder.add_dir("/etc")
    with pytest.raises(OverlayError):
        Overlay.loads(desk.overlay.dumps(1.0), builder.freeze(), lambda sha256, size: None)


@pytest.mark.parametrize("path", ["relative", "/a/../b", "/"])
def test_the_builder_refuses_what_is_no_path(path: str) -> None:
    with pytest.raises(ImageError):
        ImageBuilder().add_file(path, b"")


def test_the_builder_refuses_a_name_twice() -> None:
    builder = ImageBuilder()
    builder.add_file("/x", b"")
    with pytest.raises(ImageError):
        builder.add_file("/x", b"")


@pytest.mark.parametrize("arch", sorted(ARCHITECTURES))
@pytest.mark.parametrize("static", [False, True])
def test_programs_have_true_headers(arch: str, static: bool) -> None:
    content = ProgramContent("busybox", 60_000, b"s", arch, static)
    data = content.read(0, 60_000)
    facts = elf_facts(data[:64], len(data))
    assert facts is not None
    assert (facts.arch, facts.complete) == (arch, True)
    assert len(data) == 60_000
    assert (ARCHITECTURES[arch].loader.encode() in data) is not static
    assert b"GLIBC_2.4" in data


@given(st.integers(0, 70_000), st.integers(0, 9_000))
def test_any_piece_of_a_program_is_the_same_as_of_the_whole(offset: int, length: int) -> None:
    content = ProgramContent("ls", 60_000, b"seed")
    assert content.read(offset, length) == content.read(0, 60_000)[offset : offset + length]


@pytest.mark.parametrize("bad", [{"arch": "vax"}, {"size": 10}])
def test_unbelievable_programs_are_refused(bad: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="architecture|believable"):
        ProgramContent(**{"program": "x", "size": 5_000, "seed": b"", **bad})  # type: ignore[arg-type]


def test_a_cut_download_is_seen_as_incomplete() -> None:
    data = ProgramContent("x", 5_000, b"s").read(0, 80)
    facts = elf_facts(data[:64], 80)
    assert facts is not None
    assert not facts.complete


@given(
    st.lists(st.tuples(st.integers(0, 3 * PAGE), st.binary(min_size=1, max_size=400)), max_size=8),
    st.integers(0, PAGE * 3),
)
def test_paged_content_is_a_byte_array_with_an_honest_bill(writes: list[tuple[int, bytes]], cut: int) -> None:
    content, plain, bill = PagedContent(), bytearray(), 0
    for at, data in writes:
        bill += content.write(at, data)
        plain.extend(bytes(max(0, at + len(data) - len(plain))))
        plain[at : at + len(data)] = data
    snapshot = content.snapshot()
    assert content.read(0, 10 * PAGE) == bytes(plain)
    bill += content.truncate(cut)
    assert bill == content.memory
    assert content.read(0, 10 * PAGE) == bytes(plain[:cut]).ljust(cut, b"\0")
    assert snapshot.read(0, 10 * PAGE) == bytes(plain)


def test_opaque_content_ends_at_its_size() -> None:
    content = OpaqueContent(5_000, b"x")
    assert content.read(4_990, 100) == content.read(0, 9_999)[4_990:]
    assert content.read(6_000, 10) == b""
