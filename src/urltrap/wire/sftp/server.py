"""SFTP version 3 as OpenSSH's sftp-server speaks it.

Source: draft-ietf-secsh-filexfer-02, OpenSSH PROTOCOL and sftp-server.c (extensions in their order, words of the
statuses, limits).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from urltrap.wire.sftp.files import Attributes, Files, OpenFile, TransferError
from urltrap.wire.sftp.packing import Reader, Truncated, attributes, long_name, string, u32, u64

OK, EOF, NO_SUCH_FILE, PERMISSION_DENIED, FAILURE, BAD_MESSAGE, UNSUPPORTED = 0, 1, 2, 3, 4, 5, 8
_WORDS = {
    OK: b"Success",
    EOF: b"End of file",
    NO_SUCH_FILE: b"No such file",
    PERMISSION_DENIED: b"Permission denied",
    FAILURE: b"Failure",
    BAD_MESSAGE: b"Bad message",
    UNSUPPORTED: b"Operation unsupported",
}
MAX_PACKET = 256 * 1024
MAX_HANDLES = 256
_MAX_READ = MAX_PACKET - 1024
_NAMES_AT_ONCE = 100

INIT, VERSION = 1, 2
STATUS, HANDLE, DATA, NAME, ATTRS, EXTENDED_REPLY = 101, 102, 103, 104, 105, 201

EXTENSIONS = (
    (b"posix-rename@openssh.com", b"1"),
    (b"statvfs@openssh.com", b"2"),
    (b"fstatvfs@openssh.com", b"2"),
    (b"hardlink@openssh.com", b"1"),
    (b"fsync@openssh.com", b"1"),
    (b"lsetstat@openssh.com", b"1"),
    (b"limits@openssh.com", b"1"),
    (b"expand-path@openssh.com", b"1"),
    (b"copy-data", b"1"),
    (b"home-directory", b"1"),
    (b"users-groups-by-id@openssh.com", b"1"),
)


class ProtocolViolation(Exception):
    """sftp-server ends here; `status` is how (11 where it cannot go on reading, 255 where it gives up)."""

    def __init__(self, what: str, status: int = 11) -> None:
        super().__init__(what)
        self.status = status


@dataclass(slots=True)
class _Listing:
    path: bytes
    names: list[bytes]
    at: int = 0


Reply = bytes
_Operation = Callable[["SftpServer", Reader], Reply]


class SftpServer:
    """One SFTP session over `files`. `now` is asked for the time (unix seconds) of directory listings."""

    def __init__(self, files: Files, now: Callable[[], float]) -> None:
        self._files = files
        self._now = now
        self._buffer = bytearray()
        self._started = False
        self._open: dict[bytes, OpenFile | _Listing] = {}
        self._free: list[int] = []

    def receive(self, data: bytes) -> bytes:
        """Bytes from the client in, replies out. ProtocolViolation where sftp-server would end."""
        self._buffer += data
        out = bytearray()
        while len(self._buffer) >= 5:
            length = int.from_bytes(self._buffer[:4], "big")
            if not 1 <= length <= MAX_PACKET:
                raise ProtocolViolation(f"packet of {length} bytes")
            if len(self._buffer) < 4 + length:
                break
            packet = bytes(self._buffer[4 : 4 + length])
            del self._buffer[: 4 + length]
            out += self._answer(packet)
        return bytes(out)

    def close(self) -> None:
        """The client is gone: what it was writing is kept as far as it came."""
        for held in self._open.values():
            if not isinstance(held, _Listing):
                held.close(complete=False)
        self._open.clear()

    def _answer(self, packet: bytes) -> bytes:
        kind, reader = packet[0], Reader(packet[1:])
        if not self._started:
            if kind != INIT:
                raise ProtocolViolation("the first packet is no INIT", 255)
            self._started = True
            body = u32(3) + b"".join(string(name) + string(value) for name, value in EXTENSIONS)
            return _framed(VERSION, body)
        try:
            number = reader.u32()
        except Truncated as error:
            raise ProtocolViolation("a packet without a number") from error
        try:
            operation = _OPERATIONS.get(kind)
            if operation is None:
                return b""  # sftp-server logs it and says nothing
            reply = operation(self, reader)
        except TransferError as error:
            return _status(number, error.code)
        except Truncated as error:
            raise ProtocolViolation("a packet that is too short") from error
        return _framed(reply[0], u32(number) + reply[1:]) if reply else _status(number, OK)

    # ---- handles ----

    def _hold(self, held: OpenFile | _Listing) -> Reply:
        if len(self._open) >= MAX_HANDLES:
            if not isinstance(held, _Listing):
                held.close(complete=False)
            raise TransferError(FAILURE, "too many handles")
        handle = u32(self._free.pop() if self._free else len(self._open))  # the one that was closed last
        self._open[handle] = held
        return bytes((HANDLE,)) + string(handle)

    def _file(self, handle: bytes) -> OpenFile:
        held = self._open.get(handle)
        if held is None or isinstance(held, _Listing):
            raise TransferError(FAILURE, "not an open file")
        return held

    # ---- operations ----

    def _do_open(self, reader: Reader) -> Reply:
        path, flags, wanted = reader.string(), reader.u32(), reader.attributes()
        mode = 0o666 if wanted.mode is None else wanted.mode & 0o7777
        return self._hold(
            self._files.open(
                path,
                read=bool(flags & 1),
                write=bool(flags & 2),
                append=bool(flags & 4),
                create=bool(flags & 8),
                truncate=bool(flags & 16),
                exclusive=bool(flags & 32),
                mode=mode,
            )
        )

    def _do_close(self, reader: Reader) -> Reply:
        handle = reader.string()
        held = self._open.pop(handle, None)
        if held is None:
            raise TransferError(NO_SUCH_FILE, "no such handle")
        self._free.append(int.from_bytes(handle, "big"))
        if not isinstance(held, _Listing):
            held.close(complete=True)
        return b""

    def _do_read(self, reader: Reader) -> Reply:
        file, offset, length = self._file(reader.string()), reader.u64(), reader.u32()
        data = file.read(offset, min(length, _MAX_READ))
        if not data:
            raise TransferError(EOF, "end of file")
        return bytes((DATA,)) + string(data)

    def _do_write(self, reader: Reader) -> Reply:
        file, offset, data = self._file(reader.string()), reader.u64(), reader.string()
        file.write(offset, data)
        return b""

    def _do_lstat(self, reader: Reader) -> Reply:
        return bytes((ATTRS,)) + attributes(self._files.attributes(reader.string(), follow=False))

    def _do_stat(self, reader: Reader) -> Reply:
        return bytes((ATTRS,)) + attributes(self._files.attributes(reader.string(), follow=True))

    def _do_fstat(self, reader: Reader) -> Reply:
        return bytes((ATTRS,)) + attributes(self._file(reader.string()).attributes())

    def _do_setstat(self, reader: Reader) -> Reply:
        path = reader.string()
        self._files.change(path, reader.attributes())
        return b""

    def _do_fsetstat(self, reader: Reader) -> Reply:
        file = self._file(reader.string())
        file.change(reader.attributes())
        return b""

    def _do_opendir(self, reader: Reader) -> Reply:
        path = reader.string()
        return self._hold(_Listing(path, [b".", b"..", *self._files.names(path)]))

    def _do_readdir(self, reader: Reader) -> Reply:
        listing = self._open.get(reader.string())
        if not isinstance(listing, _Listing):
            raise TransferError(FAILURE, "not an open directory")
        names = listing.names[listing.at : listing.at + _NAMES_AT_ONCE]
        if not names:
            raise TransferError(EOF, "end of the directory")
        listing.at += len(names)
        rows = []
        for name in names:
            try:
                found = self._files.attributes(listing.path.rstrip(b"/") + b"/" + name, follow=False)
            except TransferError:
                continue  # removed since it was listed
            owner, group = self._files.owner(found.uid or 0), self._files.group(found.gid or 0)
            rows.append(
                string(name) + string(long_name(name, found, owner, group, self._now())) + attributes(found)
            )
        return bytes((NAME,)) + u32(len(rows)) + b"".join(rows)

    def _do_remove(self, reader: Reader) -> Reply:
        self._files.remove(reader.string())
        return b""

    def _do_mkdir(self, reader: Reader) -> Reply:
        path, wanted = reader.string(), reader.attributes()
        self._files.mkdir(path, 0o777 if wanted.mode is None else wanted.mode & 0o7777)
        return b""

    def _do_rmdir(self, reader: Reader) -> Reply:
        self._files.rmdir(reader.string())
        return b""

    def _do_realpath(self, reader: Reader) -> Reply:
        return _one_name(self._files.realpath(reader.string() or b"."))

    def _do_rename(self, reader: Reader) -> Reply:
        old, new = reader.string(), reader.string()
        self._files.rename(old, new, replace=False)
        return b""

    def _do_readlink(self, reader: Reader) -> Reply:
        return _one_name(self._files.readlink(reader.string()))

    def _do_symlink(self, reader: Reader) -> Reply:
        # OpenSSH has the arguments in the order of symlink(2), unlike the draft.
        target, path = reader.string(), reader.string()
        self._files.symlink(target, path)
        return b""

    def _do_extended(self, reader: Reader) -> Reply:
        operation = _EXTENDED.get(reader.string())
        if operation is None:
            raise TransferError(UNSUPPORTED, "no such extension")
        return operation(self, reader)

    def _do_posix_rename(self, reader: Reader) -> Reply:
        old, new = reader.string(), reader.string()
        self._files.rename(old, new, replace=True)
        return b""

    def _do_hardlink(self, reader: Reader) -> Reply:
        target, path = reader.string(), reader.string()
        self._files.link(target, path)
        return b""

    def _do_fsync(self, reader: Reader) -> Reply:
        if isinstance(self._open.get(reader.string()), _Listing | None):
            raise TransferError(NO_SUCH_FILE, "not an open file")
        return b""

    def _do_limits(self, reader: Reader) -> Reply:
        return bytes((EXTENDED_REPLY,)) + u64(MAX_PACKET) + u64(_MAX_READ) + u64(_MAX_READ) + u64(1019)

    def _do_expand_path(self, reader: Reader) -> Reply:
        path = reader.string()
        if path == b"~" or path.startswith(b"~/"):
            path = self._files.home() + path[1:]
        return _one_name(self._files.realpath(path))

    def _do_home_directory(self, reader: Reader) -> Reply:
        return _one_name(self._files.home())

    def _do_users(self, reader: Reader) -> Reply:
        uids, gids = Reader(reader.string()), Reader(reader.string())
        users = b"".join(string(self._files.owner(uid).encode()) for uid in _numbers(uids))
        groups = b"".join(string(self._files.group(gid).encode()) for gid in _numbers(gids))
        return bytes((EXTENDED_REPLY,)) + string(users) + string(groups)

    def _do_copy_data(self, reader: Reader) -> Reply:
        source, offset, length = self._file(reader.string()), reader.u64(), reader.u64()
        target, at = self._file(reader.string()), reader.u64()
        while data := source.read(offset, min(length or _MAX_READ, _MAX_READ)):
            target.write(at, data)
            offset, at = offset + len(data), at + len(data)
            if length:
                length -= len(data)
                if not length:
                    break
        return b""

    def _do_statvfs(self, reader: Reader) -> Reply:
        self._files.attributes(reader.string(), follow=True)
        return _volume()

    def _do_fstatvfs(self, reader: Reader) -> Reply:
        self._file(reader.string())
        return _volume()


_OPERATIONS: dict[int, _Operation] = {
    3: SftpServer._do_open,
    4: SftpServer._do_close,
    5: SftpServer._do_read,
    6: SftpServer._do_write,
    7: SftpServer._do_lstat,
    8: SftpServer._do_fstat,
    9: SftpServer._do_setstat,
    10: SftpServer._do_fsetstat,
    11: SftpServer._do_opendir,
    12: SftpServer._do_readdir,
    13: SftpServer._do_remove,
    14: SftpServer._do_mkdir,
    15: SftpServer._do_rmdir,
    16: SftpServer._do_realpath,
    17: SftpServer._do_stat,
    18: SftpServer._do_rename,
    19: SftpServer._do_readlink,
    20: SftpServer._do_symlink,
    200: SftpServer._do_extended,
}
_EXTENDED: dict[bytes, _Operation] = {
    b"posix-rename@openssh.com": SftpServer._do_posix_rename,
    b"hardlink@openssh.com": SftpServer._do_hardlink,
    b"fsync@openssh.com": SftpServer._do_fsync,
    b"lsetstat@openssh.com": SftpServer._do_setstat,
    b"limits@openssh.com": SftpServer._do_limits,
    b"expand-path@openssh.com": SftpServer._do_expand_path,
    b"home-directory": SftpServer._do_home_directory,
    b"users-groups-by-id@openssh.com": SftpServer._do_users,
    b"copy-data": SftpServer._do_copy_data,
    b"statvfs@openssh.com": SftpServer._do_statvfs,
    b"fstatvfs@openssh.com": SftpServer._do_fstatvfs,
}


def _numbers(reader: Reader) -> list[int]:
    found: list[int] = []
    while len(found) < 1024:
        try:
            found.append(reader.u32())
        except Truncated:
            break
    return found


def _framed(kind: int, body: bytes) -> bytes:
    return u32(1 + len(body)) + bytes((kind,)) + body


def _status(number: int, code: int) -> bytes:
    return _framed(STATUS, u32(number) + u32(code) + string(_WORDS.get(code, _WORDS[FAILURE])) + string(b""))


def _one_name(path: bytes) -> Reply:
    return bytes((NAME,)) + u32(1) + string(path) + string(path) + attributes(Attributes())


def _volume() -> Reply:
    """A file system of 40 GB, half of it free (statvfs(3) fields in OpenSSH's order)."""
    blocks, inodes = 10_240_000, 2_560_000
    fields = (4096, 4096, blocks, blocks // 2, blocks // 2 - 500_000, inodes, inodes - 90_000, inodes - 90_000,
              0x8D5A2F11, 0, 255)  # fmt: skip
    return bytes((EXTENDED_REPLY,)) + b"".join(u64(field) for field in fields)
