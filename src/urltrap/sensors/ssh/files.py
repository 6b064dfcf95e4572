"""A machine's file tree for file transfers: what is written goes onto the machine and into the quarantine."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from urltrap.machine.api import FileSystem, Stat, decode, encode
from urltrap.machine.effects import BytesContent, Content
from urltrap.machine.errors import SysError
from urltrap.model.event import UploadVia
from urltrap.wire.sftp.files import Attributes, OpenFile, TransferError
from urltrap.wire.sftp.server import BAD_MESSAGE, FAILURE, NO_SUCH_FILE, PERMISSION_DENIED

Uploaded = Callable[[UploadVia, bytes, bytes, bool], None]
"""Told (way, path, content, complete) of each file that a client wrote."""

_CODES = {
    errno.ENOENT: NO_SUCH_FILE,
    errno.ENOTDIR: NO_SUCH_FILE,
    errno.EBADF: NO_SUCH_FILE,
    errno.ELOOP: NO_SUCH_FILE,
    errno.EPERM: PERMISSION_DENIED,
    errno.EACCES: PERMISSION_DENIED,
    errno.EFAULT: PERMISSION_DENIED,
    errno.ENAMETOOLONG: BAD_MESSAGE,
    errno.EINVAL: BAD_MESSAGE,
}
_MAX_NAMES = 50_000


@contextmanager
def _translated() -> Iterator[None]:
    """The machine's errors in SFTP's terms (sftp-server.c, errno_to_portable)."""
    try:
        yield
    except SysError as error:
        raise TransferError(_CODES.get(error.errno, FAILURE), error.words) from error


class MachineFiles:
    """`wire.sftp.Files` over a machine. `limit` bounds the bytes that all files being written hold together; `full` is
    called where they are met."""

    def __init__(
        self,
        view: FileSystem,
        home: str,
        via: UploadVia,
        uploaded: Uploaded,
        limit: int,
        full: Callable[[], None] = lambda: None,
    ) -> None:
        self.view = view
        self._home = home
        self.via = via
        self.uploaded = uploaded
        self.room = limit
        self.full = full
        self._names: dict[str, dict[int, str]] = {}

    def path(self, path: bytes) -> str:
        """A client's path as the machine takes it."""
        if b"\0" in path:
            raise TransferError(NO_SUCH_FILE, "No such file or directory")
        text = decode(path) or "."
        return text if text.startswith("/") else f"{self._home.rstrip('/')}/{text}"

    def realpath(self, path: bytes) -> bytes:
        with _translated():
            text = self.path(path)
            try:
                return encode(self.view.realpath(text))
            except SysError as error:
                if error.errno != errno.ENOENT:
                    raise
                # Like realpath(3) of sftp-server, the last name need not exist.
                parent, _, name = text.rstrip("/").rpartition("/")
                return encode(self.view.realpath(parent or "/").rstrip("/") + "/" + name)

    def attributes(self, path: bytes, *, follow: bool) -> Attributes:
        with _translated():
            return _attributes(self.view.stat(self.path(path), follow=follow))

    def names(self, path: bytes) -> list[bytes]:
        with _translated():
            return [encode(name) for name in self.view.listdir(self.path(path))[:_MAX_NAMES]]

    def open(
        self,
        path: bytes,
        *,
        read: bool,
        write: bool,
        create: bool,
        truncate: bool,
        exclusive: bool,
        append: bool,
        mode: int,
    ) -> OpenFile:
        text = self.path(path)
        with _translated():
            try:
                stat = self.view.stat(text)
            except SysError as error:
                if error.errno != errno.ENOENT or not (create and write):
                    raise
                stat = None
            if stat is not None and exclusive and create:
                raise SysError(errno.EEXIST, text)
            if not write:
                return _Reading(self, text, self.view.content(text))
            if stat is not None and stat.is_dir:
                raise SysError(errno.EISDIR, text)
            before = b"" if stat is None or truncate else self.view.read(text, self.room)
            if stat is None:
                self.view.write(text, b"", mode=mode)
            elif truncate:
                self.view.write(text, b"")
            return _Writing(self, text, path, before, append)

    def change(self, path: bytes, attributes: Attributes) -> None:
        with _translated():
            self.apply(self.path(path), attributes)

    def apply(self, text: str, attributes: Attributes) -> None:
        """Change what is given; raises SysError."""
        if attributes.size is not None:
            self.view.truncate(text, attributes.size)
        if attributes.mode is not None:
            self.view.chmod(text, attributes.mode & 0o7777)
        if attributes.uid is not None and attributes.gid is not None:
            self.view.chown(text, attributes.uid, attributes.gid)
        if attributes.atime is not None and attributes.mtime is not None:
            self.view.utime(text, attributes.atime, attributes.mtime)

    def remove(self, path: bytes) -> None:
        with _translated():
            self.view.unlink(self.path(path))

    def mkdir(self, path: bytes, mode: int) -> None:
        with _translated():
            self.view.mkdir(self.path(path), mode)

    def rmdir(self, path: bytes) -> None:
        with _translated():
            self.view.rmdir(self.path(path))

    def rename(self, old: bytes, new: bytes, *, replace: bool) -> None:
        with _translated():
            if not replace:
                try:
                    self.view.stat(self.path(new), follow=False)
                except SysError:
                    pass
                else:
                    raise SysError(errno.EEXIST, self.path(new))
            self.view.rename(self.path(old), self.path(new))

    def readlink(self, path: bytes) -> bytes:
        with _translated():
            return encode(self.view.readlink(self.path(path)))

    def symlink(self, target: bytes, path: bytes) -> None:
        with _translated():
            self.view.symlink(decode(target), self.path(path))

    def link(self, target: bytes, path: bytes) -> None:
        with _translated():
            self.view.link(self.path(target), self.path(path))

    def owner(self, uid: int) -> str:
        return self._name("/etc/passwd", uid)

    def group(self, gid: int) -> str:
        return self._name("/etc/group", gid)

    def home(self) -> bytes:
        return encode(self._home)

    def _name(self, file: str, number: int) -> str:
        if file not in self._names:
            try:
                text = decode(self.view.read(file, 1_000_000))
            except SysError:
                text = ""
            rows = [line.split(":") for line in text.splitlines()]
            self._names[file] = {
                int(row[2]): row[0]
                for row in rows
                if len(row) > 2 and row[2].isdecimal() and len(row[2]) < 12
            }
        return self._names[file].get(number, str(number))


class _Reading:
    """A file opened for reading: its content as it was when it was opened."""

    def __init__(self, files: MachineFiles, path: str, content: Content) -> None:
        self._files = files
        self._path = path
        self._content = content

    def attributes(self) -> Attributes:
        with _translated():
            return _attributes(self._files.view.stat(self._path))

    def read(self, offset: int, length: int) -> bytes:
        with _translated():
            return self._content.read(offset, length)

    def write(self, offset: int, data: bytes) -> None:
        raise TransferError(FAILURE, "Bad file descriptor")

    def change(self, attributes: Attributes) -> None:
        with _translated():
            self._files.apply(self._path, attributes)

    def close(self, *, complete: bool) -> None:
        """Nothing to do."""


class _Writing:
    """A file being written: held in memory until it is closed."""

    def __init__(self, files: MachineFiles, path: str, named: bytes, before: bytes, append: bool) -> None:
        self._files = files
        self._path = path
        self._named = named
        self._data = bytearray(before)
        self._append = append
        self._held = 0
        self._cut = False

    def attributes(self) -> Attributes:
        with _translated():
            stat = self._files.view.stat(self._path)
        found = _attributes(stat)
        return Attributes(
            len(self._data), found.uid, found.gid, found.mode, found.atime, found.mtime, found.nlink
        )

    def read(self, offset: int, length: int) -> bytes:
        return bytes(self._data[offset : offset + length])

    def write(self, offset: int, data: bytes) -> None:
        if self._append:
            offset = len(self._data)
        grown = offset + len(data) - len(self._data)
        if grown > self._files.room:
            self._cut = True
            self._files.full()
            raise TransferError(FAILURE, "No space left on device")
        if grown > 0:
            self._files.room -= grown
            self._held += grown
            self._data += bytes(grown)
        self._data[offset : offset + len(data)] = data

    def change(self, attributes: Attributes) -> None:
        if attributes.size is not None:
            if attributes.size > len(self._data):
                self.write(attributes.size - 1, b"\0")
            del self._data[attributes.size :]
        with _translated():
            self._files.apply(
                self._path,
                Attributes(
                    None, attributes.uid, attributes.gid, attributes.mode, attributes.atime, attributes.mtime
                ),
            )

    def close(self, *, complete: bool) -> None:
        data = bytes(self._data)
        self._files.room += self._held
        self._held = 0
        # The artifact is kept even where the machine has no room for the file.
        self._files.uploaded(self._files.via, self._named, data, complete and not self._cut)
        with _translated():
            stat = self._files.view.stat(self._path)
            self._files.view.put(self._path, BytesContent(data), mode=stat.mode & 0o7777)


def _attributes(stat: Stat) -> Attributes:
    return Attributes(stat.size, stat.uid, stat.gid, stat.mode, int(stat.atime), int(stat.mtime), stat.nlink)


def machine_files(connection: Any, channel: int, via: UploadVia) -> MachineFiles:
    """The file tree of a connection's user."""
    account = connection.login.account
    machine = connection.machine
    machine.pass_time(time.time())

    def uploaded(way: UploadVia, path: bytes, data: bytes, complete: bool) -> None:
        connection.files.uploaded(way, path, data, channel, complete=complete)

    limit = connection.budget.limits.upload_bytes

    def full() -> None:
        connection.session.spent("upload_bytes", limit, channel)

    return MachineFiles(machine.view(account.uid), account.home, via, uploaded, limit, full)
