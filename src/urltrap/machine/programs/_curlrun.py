"""One transfer of curl: its options, how it complains and how it saves."""

from __future__ import annotations

import errno
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

from urltrap.machine.api import Process
from urltrap.machine.effects import Content
from urltrap.machine.errors import SysError
from urltrap.machine.programs._cmd import Gen
from urltrap.machine.programs._paths import join


@dataclass(slots=True)
class Transfer:
    """The process, its options by long name, and whether the meter's title was printed."""

    p: Process
    opts: dict[str, list[str]]
    headed: bool = False

    def has(self, name: str) -> bool:
        """Whether an option was given."""
        return name in self.opts

    def value(self, name: str) -> str | None:
        """The last value of an option."""
        return self.opts[name][-1] if name in self.opts else None

    @property
    def silent(self) -> bool:
        """Whether neither meter nor errors are wanted."""
        return self.has("silent")

    @property
    def speaks(self) -> bool:
        """Whether errors are printed."""
        return not self.silent or self.has("show-error")

    def error(self, code: int, text: str) -> Generator[Any, Any, int]:
        """``curl: (code) text``."""
        if self.speaks:
            yield from self.p.err(f"curl: ({code}) {text}\n")
        return code


def put(p: Process, path: str, content: Content) -> Gen:
    """Write a file, a device or with "-" standard output. SysError."""
    if path == "-":
        yield from p.write(1, content.read(0, content.size))
        return
    stat = None
    try:
        stat = p.fs.stat(path)
    except SysError:
        pass  # it will be made
    if stat is not None and not stat.is_file and not stat.is_dir:
        fd = p.open(path, 1)
        try:
            yield from p.write(fd, content.read(0, content.size))
        finally:
            p.close(fd)
        return
    p.fs.put(path, content, mode=0o666 & ~p.umask)


def make_dirs(p: Process, folder: str) -> Gen:
    """Make a folder and those above it, as --create-dirs does. SysError."""
    walked = "/" if folder.startswith("/") else ""
    for part in [each for each in folder.split("/") if each]:
        walked = join(walked, part) if walked else part
        try:
            p.fs.mkdir(walked, 0o750)
        except SysError as problem:
            if problem.errno != errno.EEXIST:
                raise
    yield from p.tick()
