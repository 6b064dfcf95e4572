"""`urltrap init`: a data folder with settings, fresh host keys, an installation secret and a persona of its own."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import asyncssh

from urltrap.machine.persona import Kind, generate
from urltrap.ops.data_folder import DataFolder, DataFolderError
from urltrap.ops.settings_file import settings_file

HOST_KEYS = {
    "ssh_host_rsa_key": ("ssh-rsa", 3072),
    "ssh_host_ecdsa_key": ("ecdsa-sha2-nistp256", None),
    "ssh_host_ed25519_key": ("ssh-ed25519", None),
}
"""What ssh-keygen -A makes on Debian, by file name."""


@dataclass(frozen=True, slots=True)
class InitReport:
    """What `init` did: the folder, and the names of what it made and of what was there already."""

    folder: DataFolder
    made: list[str]
    kept: list[str]


def init_data_folder(root: Path, *, persona_kind: Kind = "debian-12") -> InitReport:
    """Make a data folder at `root`, or add to it what is missing; what exists is never changed.

    Raises DataFolderError where the place cannot be written or is something else.
    """
    folder = DataFolder(root.resolve())
    if folder.root.exists() and not folder.root.is_dir():
        raise DataFolderError(f"{root} is a file; name a folder")
    if (
        folder.root.is_dir()
        and any(folder.root.iterdir())
        and not folder.settings.exists()
        and not folder.keys.exists()
    ):
        raise DataFolderError(f"{root} holds other files; name an empty or new folder")
    made: list[str] = []
    kept: list[str] = []
    try:
        folder.root.mkdir(mode=0o755, parents=True, exist_ok=True)
        for path in folder.folders:
            path.mkdir(mode=0o700, exist_ok=True)
        _keep_or_make(folder.settings, lambda: settings_file().encode(), 0o600, made, kept)
        _keep_or_make(folder.keys / "secret", lambda: secrets.token_bytes(32), 0o600, made, kept)
        for name, (algorithm, bits) in HOST_KEYS.items():
            _keep_or_make(folder.keys / name, partial(_host_key, algorithm, bits), 0o600, made, kept)
        persona = folder.persona
        _keep_or_make(
            persona,
            lambda: (
                generate(secrets.token_bytes(32), persona_kind, time.time())
                .model_dump_json(indent=1)
                .encode()
            ),
            0o644,
            made,
            kept,
        )
    except OSError as error:
        raise DataFolderError(f"{root} cannot be written: {error.strerror} ({error.filename})") from error
    return InitReport(folder, made, kept)


def _host_key(algorithm: str, bits: int | None) -> bytes:
    if bits is None:
        return asyncssh.generate_private_key(algorithm).export_private_key()
    return asyncssh.generate_private_key(algorithm, key_size=bits).export_private_key()


def _keep_or_make(path: Path, make: Callable[[], bytes], mode: int, made: list[str], kept: list[str]) -> None:
    if path.exists():
        kept.append(path.name)
        return
    content = make()
    temporary = path.with_name(path.name + ".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)
    made.append(path.name)
