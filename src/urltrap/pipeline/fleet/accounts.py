"""Who may send: one credential per sensor, of which only a hash is kept."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import os
import secrets
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from urltrap.journal.shipping.broker import BrokerKey
from urltrap.journal.shipping.chunk import sensor_name

FOLDER = "fleet"
"""Below the data folder's keys/, so that backups hold it."""

_FILE = "accounts.json"


class AccountError(Exception):
    """The accounts cannot be changed or read as asked; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Account:
    """One sensor's: its name, when it was added (ISO 8601, UTC), the hash of its token, and its key at a broker."""

    name: str
    added: str
    sha256: str
    nkey: str


class Accounts:
    """The accounts of a collector, below keys/ of its data folder; their folder is made where it is missing.

    It is held open and belongs to whom the journal belongs to: a process that gave up root afterwards still sees what
    `urltrap fleet add` changes, though it cannot pass keys/ any more.
    """

    def __init__(self, data: Path) -> None:
        self.folder = data / "keys" / FOLDER
        try:
            self.folder.mkdir(mode=0o700, exist_ok=True)
            self._fd = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
            if os.geteuid() == 0:
                owner = (data / "journal").stat()
                os.fchown(self._fd, owner.st_uid, owner.st_gid)
                with contextlib.suppress(FileNotFoundError):
                    os.chown(_FILE, owner.st_uid, owner.st_gid, dir_fd=self._fd, follow_symlinks=False)
        except OSError as error:
            raise AccountError(f"{self.folder} cannot be used: {error.strerror}") from error
        self._read: tuple[int, int, int] | None = None
        self._accounts: dict[str, Account] = {}

    def names(self) -> list[str]:
        """All sensors, sorted."""
        self._refresh()
        return sorted(self._accounts)

    def all(self) -> list[Account]:
        """All accounts, by name."""
        self._refresh()
        return [self._accounts[name] for name in sorted(self._accounts)]

    def add(self, name: str, now: datetime | None = None) -> str:
        """Make an account; its token, which nobody can tell again. AccountError where there is one of that name."""
        try:
            sensor_name(name)
        except ValueError as error:
            raise AccountError(str(error)) from error
        self._refresh()
        if name in self._accounts:
            raise AccountError(
                f"there is a sensor {name!r}; for a new token: urltrap fleet remove {name}, then add it again"
            )
        # 256 random bits: nothing can be guessed, so a plain hash is enough.
        token = f"{name}.{secrets.token_urlsafe(32)}"
        added = (now or datetime.now(UTC)).isoformat(timespec="seconds")
        account = Account(name, added, _hash(token), BrokerKey(token.encode()).public)
        self._write({**self._accounts, name: account})
        return token

    def remove(self, name: str) -> None:
        """Forget a sensor: its token is refused from now on, what it sent stays. AccountError for an unknown one."""
        self._refresh()
        if name not in self._accounts:
            raise AccountError(
                f"no sensor {name[:40]!r}; there are: {', '.join(sorted(self._accounts)) or 'none'}"
            )
        self._write({key: account for key, account in self._accounts.items() if key != name})

    def whose(self, token: str) -> str | None:
        """The sensor that this token belongs to; None for a wrong one."""
        self._refresh()
        account = self._accounts.get(token.partition(".")[0])
        # Compared also where there is no such sensor: how long an answer takes tells nobody which there are.
        wanted = account.sha256 if account else "0" * 64
        return account.name if hmac.compare_digest(_hash(token), wanted) and account else None

    def close(self) -> None:
        """Let the folder go."""
        os.close(self._fd)

    def _refresh(self) -> None:
        try:
            fd = os.open(_FILE, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=self._fd)
        except FileNotFoundError:
            self._accounts, self._read = {}, None
            return
        except OSError as error:
            raise AccountError(f"{self.folder / _FILE} cannot be read: {error.strerror}") from error
        with os.fdopen(fd, "rb") as file:
            status = os.fstat(file.fileno())
            version = (status.st_ino, status.st_mtime_ns, status.st_size)
            if version == self._read:
                return
            try:
                found = [Account(**entry) for entry in json.load(file)]
            except (ValueError, TypeError) as error:
                raise AccountError(
                    f"{self.folder / _FILE} is damaged; restore it from a backup, or remove it and add sensors again"
                ) from error
        self._accounts = {account.name: account for account in found}
        self._read = version

    def _write(self, accounts: dict[str, Account]) -> None:
        body = [asdict(account) for account in accounts.values()]
        temporary = f"{_FILE}.{secrets.token_hex(8)}.new"
        owner = os.fstat(self._fd)
        try:
            fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=self._fd)
            with os.fdopen(fd, "w", encoding="ascii") as file:
                json.dump(body, file, indent=1)
                file.flush()
                if os.geteuid() == 0:
                    os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
                os.fsync(file.fileno())
            os.rename(temporary, _FILE, src_dir_fd=self._fd, dst_dir_fd=self._fd)
            os.fsync(self._fd)
        except OSError as error:
            raise AccountError(f"{self.folder} cannot be written: {error.strerror}") from error
        self._refresh()


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).hexdigest()
