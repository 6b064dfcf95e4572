"""Records survive, damaged ones are refused, and an image carries the persona's own files."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import pytest

from urltrap.machine.fs.image import Image
from urltrap.machine.fs.program import ARCHITECTURES, ProgramContent
from urltrap.machine.image import (
    RECORDS,
    Entry,
    RecordError,
    ScriptProgram,
    Tree,
    dump_record,
    load_image,
    load_record,
)
from urltrap.machine.image.logs import read_utmp, utmp_record
from urltrap.machine.persona import Kind, generate

NOW = 1_790_000_000.0
SEED = b"a seed for image tests"
KINDS: tuple[Kind, ...] = ("debian-12", "debian-13", "busybox-mips", "busybox-arm", "cloud-small")


def blob(kind: Kind) -> bytes:
    return files("urltrap.machine").joinpath("data", RECORDS[kind]).read_bytes()


@cache
def image(kind: Kind, seed: bytes = SEED) -> Image:
    return load_image(blob(kind), generate(seed, kind, NOW), {"ed25519": b"ssh-ed25519 AAAATEST"})


def text(kind: Kind, path: str, seed: bytes = SEED) -> str:
    node = image(kind, seed).find(path)
    assert node is not None and node.content is not None, path
    return node.content.read(0, 1_000_000).decode()


ENTRIES = [
    Entry("/a", "d", 0o755, mtime=5),
    Entry("/a/file", "f", 0o600, 3, 4, 6, 5, data=b"hello"),
    Entry("/a/prog", "f", 0o755, size=2048, program="prog", elf=True),
    Entry("/a/same", "h", target="/a/file"),
    Entry("/b", "l", 0o777, target="a"),
    Entry("/c", "c", 0o666, rdev=(1, 3)),
]


def test_a_record_comes_back_as_it_was() -> None:
    assert load_record(dump_record(ENTRIES, level=3)) == ENTRIES


@pytest.mark.parametrize("cut", [0, 10, 40, -5])
def test_a_cut_record_is_refused_with_what_to_do(cut: int) -> None:
    data = dump_record(ENTRIES, level=3)
    with pytest.raises(RecordError, match="again"):
        load_record(data[:cut])


def test_a_record_that_claims_too_much_is_refused() -> None:
    huge = [Entry("/x", "f", data=b"\0" * 70_000_000)]
    with pytest.raises(RecordError):
        load_record(dump_record(huge, level=1))


@pytest.mark.parametrize("kind", KINDS)
def test_shipped_records_are_small(kind: Kind) -> None:
    assert len(blob(kind)) < 1_500_000


@pytest.mark.parametrize("kind", KINDS)
def test_no_machine_code_and_no_key_is_shipped(kind: Kind) -> None:
    for entry in load_record(blob(kind)):
        assert not (entry.elf and entry.data is not None)
        assert entry.data is None or b"\x7fELF" not in entry.data[:4]
        assert entry.data is None or b"PRIVATE KEY" not in entry.data
        assert "ssh_host_" not in entry.path


@pytest.mark.parametrize("kind", ["debian-12", "debian-13", "cloud-small"])
def test_the_server_is_named_the_same_everywhere(kind: Kind) -> None:
    persona = generate(SEED, kind, NOW)
    assert text(kind, "/etc/hostname") == persona.hostname + "\n"
    assert f"{persona.fqdn}\t{persona.hostname}\n" in text(kind, "/etc/hosts")
    assert text(kind, "/etc/machine-id") == persona.machine_id + "\n"
    assert text(kind, "/usr/lib/os-release") == persona.os_release
    assert "AAAATEST root@" + persona.hostname in text(kind, "/etc/ssh/ssh_host_ed25519_key.pub")
    root = next(part for part in persona.disks[0].partitions if part.mountpoint == "/")
    assert (root.partuuid if kind == "cloud-small" else root.uuid) in text(kind, "/etc/fstab")
    assert image(kind).find(f"/boot/vmlinuz-{persona.kernel.release}") is not None


@pytest.mark.parametrize("kind", ["debian-12", "debian-13", "cloud-small"])
def test_accounts_agree_in_all_their_files(kind: Kind) -> None:
    persona = generate(SEED, kind, NOW)
    passwd = {line.split(":")[0]: line.split(":") for line in text(kind, "/etc/passwd").splitlines()}
    shadow = {line.split(":")[0]: line.split(":") for line in text(kind, "/etc/shadow").splitlines()}
    assert passwd.keys() == shadow.keys()
    for user in persona.users:
        assert passwd[user.name][2] == str(user.uid)
        assert shadow[user.name][1] == user.password_hash
        assert 19_000 < int(shadow[user.name][2]) <= NOW // 86_400
        node = image(kind).find(user.home)
        assert node is not None and node.uid == user.uid
    assert shadow["root"][1].startswith("$y$j9T$")
    for resident in persona.residents:
        assert passwd[resident.user][2] == str(resident.uid)
    lines = [line.split(":") for line in text(kind, "/etc/group").splitlines()]
    assert all(len(fields) == 4 for fields in lines)
    assert persona.users[1].name in next(fields[3] for fields in lines if fields[0] == "sudo")


def test_two_installations_have_different_files() -> None:
    other = b"another seed altogether"
    for path in ("/etc/hostname", "/etc/shadow", "/root/.bash_history", "/etc/machine-id", "/etc/fstab"):
        assert text("debian-12", path) != text("debian-12", path, other)
    mine, its = image("debian-12").find("/usr/bin/ls"), image("debian-12", other).find("/usr/bin/ls")
    assert mine is not None and its is not None and mine.content is not None and its.content is not None
    assert mine.content.size == its.content.size
    assert mine.content.read(0, 4) == b"\x7fELF"
    assert mine.content.read(30_000, 400) != its.content.read(30_000, 400)


def test_programs_know_what_they_run() -> None:
    for path, program in (("/usr/bin/ls", "ls"), ("/usr/bin/mawk", "awk"), ("/usr/bin/dash", "dash")):
        node = image("debian-12").find(path)
        assert node is not None and isinstance(node.content, ProgramContent)
        assert node.content.program == program


def test_a_script_that_is_played_still_reads_as_a_script() -> None:
    node = image("debian-12").find("/usr/sbin/service")
    assert node is not None and isinstance(node.content, ScriptProgram)
    assert node.content.read(0, 9) == b"#!/bin/sh"
    assert node.content.program == "service"


@pytest.mark.parametrize(("kind", "arch"), [("busybox-mips", "mips"), ("busybox-arm", "arm")])
def test_a_device_is_busybox_of_its_architecture(kind: Kind, arch: str) -> None:
    node = image(kind).find("/bin/busybox")
    assert node is not None and isinstance(node.content, ProgramContent)
    head = node.content.read(0, 20)
    expected = ARCHITECTURES[arch]
    assert int.from_bytes(head[18:20], "big" if expected.big_endian else "little") == expected.machine
    for applet in ("/bin/sh", "/bin/ls", "/usr/bin/wget", "/usr/bin/tftp"):
        link = image(kind).find(applet)
        assert link is not None and link.target.endswith("busybox")


def test_later_entries_replace_earlier_ones_and_removal_takes_everything_below() -> None:
    tree = Tree(ENTRIES)
    tree.put("/a/file", "new")
    assert tree.text("/a/file") == "new"
    assert tree.entries["/a/file"].mtime == 6
    tree.remove("/a")
    assert "/a/prog" not in tree and "/b" in tree


def test_log_in_records_survive_and_a_cut_one_is_left_out() -> None:
    record = utmp_record(7, 123, "pts/0", "ts/0", "anna", "10.0.0.9", NOW + 0.5, "10.0.0.9")
    assert len(record) == 384
    assert read_utmp(record + record[:100]) == [(7, 123, "pts/0", "anna", "10.0.0.9", NOW + 0.5)]
