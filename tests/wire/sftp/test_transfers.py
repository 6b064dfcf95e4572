"""SFTP and scp as transcripts over a small file tree, and with nonsense."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.machine.programs.support import NOW, Box
from tests.wire.sftp.record_server import REQUESTS

from urltrap.sensors.ssh.files import MachineFiles
from urltrap.wire.sftp.files import Attributes, TransferError
from urltrap.wire.sftp.packing import mode_text, string, u32
from urltrap.wire.sftp.scp import ScpCommand, ScpSink, ScpSource, parse_scp
from urltrap.wire.sftp.server import MAX_HANDLES, MAX_PACKET, ProtocolViolation, SftpServer


class MemoryFile:
    def __init__(self, files: MemoryFiles, path: bytes) -> None:
        self.files, self.path = files, path

    def attributes(self) -> Attributes:
        return self.files.attributes(self.path, follow=True)

    def read(self, offset: int, length: int) -> bytes:
        return self.files.data[self.path][offset : offset + length]

    def write(self, offset: int, data: bytes) -> None:
        if offset + len(data) > 100_000:
            raise TransferError(4, "No space left on device")
        kept = self.files.data[self.path].ljust(offset, b"\0")
        self.files.data[self.path] = kept[:offset] + data + kept[offset + len(data) :]

    def change(self, attributes: Attributes) -> None:
        self.files.changed.append((self.path, attributes))

    def close(self, *, complete: bool) -> None:
        self.files.closed.append((self.path, complete))


class MemoryFiles:
    """Files by path; folders are the paths in `folders`."""

    def __init__(self) -> None:
        self.data: dict[bytes, bytes] = {b"/etc/motd": b"hello"}
        self.folders = {b"/", b"/tmp", b"/etc"}
        self.closed: list[tuple[bytes, bool]] = []
        self.changed: list[tuple[bytes, Attributes]] = []

    def realpath(self, path: bytes) -> bytes:
        return b"/root" if path == b"." else path

    def attributes(self, path: bytes, *, follow: bool) -> Attributes:
        if path.rstrip(b"/") in self.folders or path == b"/":
            return Attributes(4096, 0, 0, 0o040755, 0, 0)
        if path not in self.data:
            raise TransferError(2, "No such file or directory")
        return Attributes(len(self.data[path]), 0, 0, 0o100644, 0, 0)

    def names(self, path: bytes) -> list[bytes]:
        base = path.rstrip(b"/") + b"/"
        return [name[len(base) :] for name in self.data if name.startswith(base)]

    def open(
        self, path: bytes, *, read: bool, write: bool, create: bool, truncate: bool, exclusive: bool, append: bool,
        mode: int,
    ) -> MemoryFile:  # fmt: skip
        if not create:
            self.attributes(path, follow=True)
        if truncate or (create and path not in self.data):
            self.data[path] = b""
        return MemoryFile(self, path)

    def change(self, path: bytes, attributes: Attributes) -> None:
        self.changed.append((path, attributes))

    def remove(self, path: bytes) -> None:
        if self.data.pop(path, None) is None:
            raise TransferError(2, "No such file or directory")

    def mkdir(self, path: bytes, mode: int) -> None:
        self.folders.add(path)

    def rmdir(self, path: bytes) -> None:
        self.folders.discard(path)

    def rename(self, old: bytes, new: bytes, *, replace: bool) -> None:
        self.data[new] = self.data.pop(old, b"")

    def readlink(self, path: bytes) -> bytes:
        raise TransferError(4, "Invalid argument")

    def symlink(self, target: bytes, path: bytes) -> None:
        self.data[path] = target

    def link(self, target: bytes, path: bytes) -> None:
        self.data[path] = self.data.get(target, b"")

    def owner(self, uid: int) -> str:
        return "root"

    def group(self, gid: int) -> str:
        return "root"

    def home(self) -> bytes:
        return b"/root"


def packet(kind: int, body: bytes) -> bytes:
    return u32(1 + len(body)) + bytes((kind,)) + body


def started() -> tuple[SftpServer, MemoryFiles]:
    files = MemoryFiles()
    server = SftpServer(files, lambda: 0.0)
    server.receive(packet(1, u32(3)))
    return server, files


def ask(server: SftpServer, kind: int, body: bytes) -> tuple[int, bytes]:
    reply = server.receive(packet(kind, u32(7) + body))
    assert reply[:4] == u32(len(reply) - 4) and reply[5:9] == u32(7)
    return reply[4], reply[9:]


def test_the_greeting_is_version_3_with_openssh_extensions_in_order() -> None:
    reply = SftpServer(MemoryFiles(), lambda: 0.0).receive(packet(1, u32(6)))
    assert reply[4:9] == b"\x02" + u32(3)
    assert reply[9:].startswith(
        string(b"posix-rename@openssh.com") + string(b"1") + string(b"statvfs@openssh.com")
    )


def test_a_file_is_opened_written_read_and_closed() -> None:
    server, files = started()
    kind, body = ask(server, 3, string(b"/tmp/x") + u32(2 | 8 | 16) + u32(4) + u32(0o755))
    handle = body[4:]
    assert kind == 102
    assert ask(server, 6, string(handle) + bytes(8) + string(b"data")) == (
        101,
        u32(0) + string(b"Success") + u32(0),
    )
    assert ask(server, 5, string(handle) + bytes(8) + u32(100)) == (103, string(b"data"))
    assert ask(server, 5, string(handle) + struct.pack(">Q", 4) + u32(100))[1][:4] == u32(1)
    assert ask(server, 4, string(handle))[1][:4] == u32(0)
    assert files.data[b"/tmp/x"] == b"data" and files.closed == [(b"/tmp/x", True)]


def test_what_is_open_when_the_client_leaves_is_closed_as_incomplete() -> None:
    server, files = started()
    ask(server, 3, string(b"/tmp/x") + u32(2 | 8) + u32(0))
    server.close()
    assert files.closed == [(b"/tmp/x", False)]


def test_a_folder_is_listed_with_long_names_and_ends() -> None:
    server, _ = started()
    handle = ask(server, 11, string(b"/etc"))[1][4:]
    kind, body = ask(server, 12, string(handle))
    assert kind == 104 and body[:4] == u32(1)  # "." cannot be asked for in this small tree, ".." neither
    assert b"-rw-r--r--    1 root     root            5 Jan  1 00:00 motd" in body
    assert ask(server, 12, string(handle))[1][:4] == u32(1)


@pytest.mark.parametrize(
    ("kind", "body", "code"),
    [
        (17, string(b"/none"), 2),
        (13, string(b"/none"), 2),
        (19, string(b"/etc/motd"), 4),
        (5, string(b"none") + bytes(12), 4),
        (12, string(b"none"), 4),
        (4, string(b"none"), 2),
        (200, string(b"unknown@example.net"), 8),
    ],
)
def test_failures_have_the_codes_of_sftp_server(kind: int, body: bytes, code: int) -> None:
    answer, reply = ask(started()[0], kind, body)
    assert (answer, reply[:4]) == (101, u32(code))


def test_a_message_that_nobody_knows_is_not_answered() -> None:
    assert started()[0].receive(packet(99, u32(7))) == b""


def test_handles_are_bounded() -> None:
    server, _ = started()
    codes = [ask(server, 11, string(b"/etc"))[0] for _ in range(MAX_HANDLES + 1)]
    assert codes[-2:] == [102, 101]


@pytest.mark.parametrize("data", [u32(MAX_PACKET + 1) + b"\x01", u32(0) + b"\x01", packet(3, b"")])
def test_what_makes_sftp_server_end_is_a_violation(data: bytes) -> None:
    with pytest.raises(ProtocolViolation):
        SftpServer(MemoryFiles(), lambda: 0.0).receive(data)


@given(st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=60)), max_size=20))
def test_no_request_breaks_the_server(requests: list[tuple[int, bytes]]) -> None:
    server, _ = started()
    for kind, body in requests:
        try:
            server.receive(packet(kind, body))
        except ProtocolViolation:
            return


def test_modes_are_shown_as_ls_shows_them() -> None:
    assert [mode_text(mode) for mode in (0o104755, 0o041777, 0o120777, 0o100640, 0o102644)] == [
        "-rwsr-xr-x", "drwxrwxrwt", "lrwxrwxrwx", "-rw-r-----", "-rw-r-Sr--",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("command", "parsed"),
    [
        (b"scp -t /tmp", ScpCommand(True, False, False, (b"/tmp",))),
        (b"/usr/bin/scp -r -p -d -t -- '/tmp/a b'", ScpCommand(True, True, True, (b"/tmp/a b",))),
        (b"scp -qrf x y", ScpCommand(False, True, False, (b"x", b"y"))),
        (b"scp a b", None),
        (b"scp -t /tmp; id", None),
        (b"scp -t $(id)", None),
        (b"scp -t 'unclosed", None),
        (b"scp", None),
        (b"uname -a", None),
    ],
)
def test_scp_command_lines(command: bytes, parsed: ScpCommand | None) -> None:
    assert parse_scp(command) == parsed


def test_a_sink_takes_folders_and_files_in_any_pieces() -> None:
    stream = b"T0 0 0 0\nD0755 0 kit\nC0644 3 a\nabc\0E\nC0600 0 empty\n\0"
    for size in (1, 7, 1000):
        files = MemoryFiles()
        sink = ScpSink(files, b"/tmp")
        for at in range(0, len(stream), size):
            sink.receive(stream[at : at + size])
        assert sink.take() == b"\0" * 8
        assert files.data[b"/tmp/kit/a"] == b"abc" and files.data[b"/tmp/empty"] == b""
        sink.end()
        assert sink.status == 0


def test_a_sink_refuses_names_that_leave_the_folder_and_nonsense() -> None:
    for stream in (b"C0644 3 ../x\n", b"C0644 3 ..\n", b"hello\n", b"E\n", b"x" * 5000):
        sink = ScpSink(MemoryFiles(), b"/tmp")
        sink.receive(stream)
        assert sink.take().startswith(b"\0\x01scp: ")
        assert sink.status == 1


def test_a_file_that_does_not_fit_is_read_to_its_end_and_refused() -> None:
    files = MemoryFiles()
    sink = ScpSink(files, b"/tmp/x")
    sink.receive(b"C0644 200000 x\n" + bytes(200_000) + b"\0")
    assert sink.take() == b"\0\0\x01scp: No space left on device\n"
    assert files.closed == [(b"/tmp/x", False)]


def test_a_source_gives_a_folder() -> None:
    source = ScpSource(MemoryFiles(), ScpCommand(False, True, False, (b"/etc",)))
    out = b""
    for _ in range(8):
        source.receive(b"\0")
        while piece := source.take():
            out += piece
    assert out == b"D0755 0 etc\nC0644 5 motd\nhello\0E\n"
    assert source.status == 0


@given(st.lists(st.binary(max_size=200), max_size=10))
def test_no_bytes_break_scp(chunks: list[bytes]) -> None:
    sink = ScpSink(MemoryFiles(), b"/tmp")
    source = ScpSource(MemoryFiles(), ScpCommand(False, True, False, (b"/etc", b"/none")))
    for chunk in chunks:
        sink.receive(chunk)
        sink.take()
        source.receive(chunk)
        source.take()
    sink.end()
    source.end()
    assert sink.status is not None and source.status is not None


RECORDED = [
    bytes.fromhex(reply) for reply in json.loads((Path(__file__).parent / "server.json").read_text("ascii"))
]


def test_the_server_answers_over_a_machine_as_openssh_s_did() -> None:
    box = Box()
    box.run("rm -rf /tmp/*; cd /tmp; printf hello > motd; mkdir sub")
    server = SftpServer(
        MachineFiles(box.machine.view(0), "/root", "sftp", lambda *_: None, 1000), lambda: NOW
    )
    assert server.receive(packet(1, u32(3)))[4:] == RECORDED[0]
    for number, (kind, body) in enumerate(REQUESTS, 1):
        reply, real = server.receive(packet(kind, u32(number) + body))[4:], RECORDED[number]
        if real[0] == 105:  # attributes end with the times of access and change
            reply, real = reply[:-8], real[:-8]
        assert (kind, body, reply) == (kind, body, real)


def test_volumes_are_told_by_path_and_by_handle() -> None:
    server, _ = started()
    kind, by_path = ask(server, 200, string(b"statvfs@openssh.com") + string(b"/tmp"))
    assert kind == 201 and len(by_path) == 11 * 8 and by_path[:8] == struct.pack(">Q", 4096)
    ask(server, 3, string(b"/etc/motd") + u32(1) + u32(0))
    assert ask(server, 200, string(b"fstatvfs@openssh.com") + string(u32(0))) == (201, by_path)
    assert ask(server, 200, string(b"statvfs@openssh.com") + string(b"/none"))[1][:4] == u32(2)


def test_a_copy_without_a_length_goes_to_the_end() -> None:
    server, files = started()
    ask(server, 3, string(b"/etc/motd") + u32(1) + u32(0))
    ask(server, 3, string(b"/tmp/copy") + u32(2 | 8) + u32(0))
    copied = string(b"copy-data") + string(u32(0)) + bytes(16) + string(u32(1)) + bytes(8)
    assert ask(server, 200, copied)[1][:4] == u32(0)
    assert files.data[b"/tmp/copy"] == b"hello"
