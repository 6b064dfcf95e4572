"""A place that keeps backups: a folder, or anything that fsspec reaches (S3, SFTP …)."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import fsspec

from urltrap.ops.backup.errors import TargetError
from urltrap.quarantine.disk import fsync_directory

_T = TypeVar("_T")


class Target:
    """Files by name below one root. A name appears only when its whole content is there.

    Every method raises TargetError where the place cannot be reached, and FileNotFoundError for a missing name.
    """

    def __init__(self, url: str, options: Mapping[str, str] | None = None) -> None:
        self.url = url
        self.local = "://" not in url
        try:
            if self.local:
                self._fs, self._root = None, str(Path(url).absolute())
            else:
                self._fs, self._root = fsspec.core.url_to_fs(
                    url, use_listings_cache=False, **dict(options or {})
                )
                self._root = self._root.rstrip("/")
        except ImportError as error:
            raise TargetError(
                f"{self.label}: {error}. Install that package where urltrap is installed, for S3 with "
                "pip install 'urltrap[s3]', or name another place in backup.targets"
            ) from error
        except (ValueError, TypeError) as error:
            raise TargetError(
                f"{self.label}: {error}. Check backup.targets and its target_options"
            ) from error

    @property
    def label(self) -> str:
        """Its address without a password."""
        scheme, separator, rest = self.url.partition("://")
        return f"{scheme}://{rest.rpartition('@')[2]}" if separator else self.url

    def put(self, source: Path, name: str) -> None:
        """Keep a copy of a local file."""
        if self.local:
            place = self.path(name)
            temporary = place.with_name(f".{secrets.token_hex(8)}.part")

            def copy() -> None:
                place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                try:
                    with open(source, "rb") as reading, open(temporary, "xb") as writing:
                        os.chmod(temporary, 0o600)
                        shutil.copyfileobj(reading, writing, 1 << 20)
                        writing.flush()
                        os.fsync(writing.fileno())
                    os.rename(temporary, place)
                    fsync_directory(place.parent)
                except BaseException:
                    temporary.unlink(missing_ok=True)
                    raise

            self._try("writing", name, copy)
        else:
            self._try("writing", name, lambda: self._put_remote(str(source), name))

    def _put_remote(self, source: str, name: str) -> None:
        fs, path = self._remote(), f"{self._root}/{name}"
        protocols = (fs.protocol,) if isinstance(fs.protocol, str) else fs.protocol
        if {"s3", "s3a", "gs", "gcs", "abfs", "az", "memory"}.intersection(protocols):
            fs.put_file(source, path)  # appears as a whole
            return
        fs.makedirs(path.rpartition("/")[0], exist_ok=True)
        fs.put_file(source, path + ".part")
        fs.mv(path + ".part", path)

    def get(self, name: str, into: Path) -> None:
        """Copy a file from there into the local file `into`."""
        if self.local:
            self._try("reading", name, lambda: shutil.copyfile(self.path(name), into))
        else:
            self._try("reading", name, lambda: self._remote().get_file(f"{self._root}/{name}", str(into)))

    def read(self, name: str) -> bytes:
        """A whole, small file."""
        if self.local:
            return self._try("reading", name, self.path(name).read_bytes)
        return bytes(self._try("reading", name, lambda: self._remote().cat_file(f"{self._root}/{name}")))

    def names(self, folder: str) -> dict[str, int]:
        """All names below a folder with their sizes; empty where there is none."""
        if self.local:
            return self._try("listing", folder, lambda: self._local_names(folder))
        return self._try("listing", folder, lambda: self._remote_names(folder))

    def _local_names(self, folder: str) -> dict[str, int]:
        root, found = Path(self._root), {}
        for base, _, files in os.walk(self.path(folder)):
            for file in files:
                path = Path(base, file)
                if not file.endswith(".part"):
                    try:
                        found[str(path.relative_to(root))] = path.stat().st_size
                    except FileNotFoundError:
                        continue  # removed since
        return found

    def _remote_names(self, folder: str) -> dict[str, int]:
        fs = self._remote()
        fs.invalidate_cache()
        try:
            found = fs.find(f"{self._root}/{folder}", detail=True)
        except FileNotFoundError:
            return {}
        return {
            path[len(self._root) + 1 :]: int(info["size"] or 0)
            for path, info in found.items()
            if not path.endswith(".part")
        }

    def remove(self, names: Iterable[str]) -> None:
        """Remove files; one that is gone already is no error."""
        for name in names:
            if self.local:
                self._try("removing", name, lambda name=name: self.path(name).unlink(missing_ok=True))  # type: ignore[misc]
            else:
                self._try("removing", name, lambda name=name: self._remove_remote(name))  # type: ignore[misc]

    def _remove_remote(self, name: str) -> None:
        try:
            self._remote().rm_file(f"{self._root}/{name}")
        except FileNotFoundError:
            pass  # which is what was asked for

    def _remote(self) -> Any:
        return self._fs

    def path(self, name: str) -> Path:
        """Where a file of a local target is."""
        return Path(self._root, name)

    def _try(self, doing: str, name: str, call: Callable[[], _T]) -> _T:
        try:
            return call()
        except FileNotFoundError:
            raise
        except Exception as error:  # every file system of fsspec has errors of its own
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)[:300]
            raise TargetError(
                f"{self.label}: {doing} {name} failed: {reason or type(error).__name__}. What is there already is "
                "unchanged; check the place, its space and its credentials"
            ) from error
