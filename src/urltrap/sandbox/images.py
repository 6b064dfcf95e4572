"""The trees on disk that boxes stand on: opened for as long as they are used, replaced without taking them away.

Whoever has a tree open holds a shared lock on its folder; who wants to remove it needs the exclusive one.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from urltrap.sandbox import kernel
from urltrap.sandbox.driver import SandboxError
from urltrap.sandbox.init import NAME

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
_OLD = ".old-"
_ATTEMPTS = 10
_REMEDY = "urltrap image build --sandbox makes it"


def open_image(image: Path) -> int:
    """A descriptor of the tree's folder; the tree stays until it is closed. SandboxError where there is none.

    Whoever owns the data folder can put another in its place: only one that root has made, and which is no link, is
    taken.
    """
    with _parent(image) as parent:
        for _ in range(_ATTEMPTS):
            try:
                folder = os.open(image.name, _FOLDER, dir_fd=parent)
            except OSError as error:
                raise SandboxError(
                    f"there is no root file system in {image} ({error.strerror}); {_REMEDY}"
                ) from error
            if _locked(folder, fcntl.LOCK_SH) and _is_still(folder, image.name, parent):
                return folder
            os.close(folder)  # it was replaced just now
    raise SandboxError(f"{image} is being replaced; start again when that is done")


def read_init(image: Path) -> bytes:
    """The program that was compiled beside the tree. SandboxError where there is none of this version."""
    with _parent(image) as parent:
        try:
            with open(os.open(NAME, _FILE, dir_fd=parent), "rb") as file:
                return file.read()
        except OSError as error:
            raise SandboxError(
                f"the boxes' first process is not compiled for this version ({error.strerror}); {_REMEDY}"
            ) from error


def replace_image(new: Path, place: Path) -> list[Path]:
    """Put `new` into its place in one step. What was there, and what earlier calls left, is removed unless boxes stand
    on it; the trees that are left therefore."""
    if place.exists():
        kernel.exchange(new, place)
        new.rename(place.with_name(f"{place.name}{_OLD}{secrets.token_hex(4)}"))
    else:
        new.rename(place)
    return [old for old in sorted(place.parent.glob(f"{place.name}{_OLD}*")) if not _removed(old)]


def _removed(tree: Path) -> bool:
    folder = os.open(tree, _FOLDER)
    try:
        if not _locked(folder, fcntl.LOCK_EX):
            return False
        shutil.rmtree(tree)
        return True
    finally:
        os.close(folder)


def _locked(folder: int, how: int) -> bool:
    try:
        fcntl.flock(folder, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_still(folder: int, name: str, parent: int) -> bool:
    try:
        there = os.stat(name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return os.path.samestat(os.fstat(folder), there)


@contextlib.contextmanager
def _parent(image: Path) -> Iterator[int]:
    try:
        parent = os.open(image.parent, _FOLDER)
    except OSError as error:
        raise SandboxError(
            f"there is no root file system in {image} ({error.strerror}); {_REMEDY}"
        ) from error
    try:
        if os.fstat(parent).st_uid != 0:
            raise SandboxError(
                f"{image.parent} is not root's; remove it and run urltrap image build --sandbox"
            )
        yield parent
    finally:
        os.close(parent)
