"""Looking a root file system over: what is kept, what is only counted, and what stays out."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from urltrap.machine.image import Entry
from urltrap.ops.image_build import BuildError, build_image, busybox_applets, record

OLD = 1_600_000_000


@pytest.fixture
def root(tmp_path: Path) -> Path:
    def file(path: str, data: bytes, mode: int = 0o644) -> None:
        place = tmp_path / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
        place.chmod(mode)
        os.utime(place, (OLD, OLD))

    file("etc/machine-id", b"0123456789abcdef0123456789abcdef\n")
    os.utime(tmp_path / "etc/machine-id", (OLD + 10_000, OLD + 10_000))
    file("etc/passwd", b"root:x:0:0::/root:/bin/sh\n")
    file("etc/ssh/ssh_host_rsa_key", b"a key of the building machine")
    file("etc/hostname", b"builder\n")
    file("etc/apt/notes", b"fetched from " + b"deb" + b".example.org yesterday\n")
    file("usr/bin/tool", b"\x7fELF" + bytes(3000), 0o755)
    file("usr/bin/mawk", b"\x7fELF" + bytes(3000), 0o755)
    file("usr/bin/script", b"#!/bin/sh\necho hi\n", 0o755)
    file("usr/share/doc/tool/copyright", b"long text\n")
    file(
        "var/lib/dpkg/status",
        b"Package: tool\nStatus: install ok installed\nVersion: 1\nHomepage: x\nDescription: a tool\n longer\n\n",
    )
    file("proc/version", b"the building machine's own")
    (tmp_path / "usr/bin/link").symlink_to("tool")
    os.link(tmp_path / "usr/bin/tool", tmp_path / "usr/bin/twin")
    return tmp_path


def entries(root: Path) -> dict[str, Entry]:
    return {entry.path: entry for entry in record(root)}


def test_texts_are_kept_and_machine_programs_are_only_named(root: Path) -> None:
    found = entries(root)
    assert found["/etc/passwd"].data == b"root:x:0:0::/root:/bin/sh\n"
    tool = found["/usr/bin/tool"]
    assert (tool.elf, tool.data, tool.size, tool.mtime) == (True, None, 3004, OLD)
    assert found["/usr/bin/mawk"].program == "awk"
    assert found["/usr/bin/script"].program == "script"
    assert found["/usr/bin/script"].data == b"#!/bin/sh\necho hi\n"
    assert found["/usr/share/doc/tool/copyright"].data is None
    assert found["/usr/bin/link"].target == "tool"
    assert found["/usr/bin/twin"].kind == "h" and found["/usr/bin/twin"].target == "/usr/bin/tool"


def test_the_building_machine_leaves_no_trace(root: Path) -> None:
    found = entries(root)
    for path in ("/etc/ssh/ssh_host_rsa_key", "/etc/hostname", "/etc/machine-id", "/proc/version"):
        assert path not in found
    assert found["/etc/apt/notes"].data is None


def test_the_package_database_is_shortened(root: Path) -> None:
    assert entries(root)["/var/lib/dpkg/status"].data == (
        b"Package: tool\nStatus: install ok installed\nVersion: 1\nDescription: a tool\n\n"
    )


def test_what_the_build_itself_made_has_no_time_of_its_own(root: Path) -> None:
    (root / "etc/fresh").write_bytes(b"made now")
    assert entries(root)["/etc/fresh"].mtime == 0
    assert entries(root)["/etc/passwd"].mtime == OLD


def test_an_unknown_kind_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="debian-12"):
        build_image("slackware", tmp_path / "x.img.zst")


def test_without_busybox_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(BuildError, match="apt-get install busybox"):
        busybox_applets()
