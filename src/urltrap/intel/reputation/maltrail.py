"""maltrail's static trails: hosts, addresses and URLs by malware family (MIT). Source: github.com/stamparm/maltrail.

Its lines that begin with a slash are pieces of paths, which match strangers: they are passed over.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from urltrap.intel.reputation.dump import Dump, DumpCount
from urltrap.intel.reputation.index import Entry
from urltrap.model.url import UrlError, parse_url


def read_trail(lines: Iterator[str], count: DumpCount, name: str) -> Iterator[Entry]:
    """The entries of the trail of this name (``elf_mirai``); the nearest reference above a line is its own."""
    family = name.removeprefix("elf_").replace("_", "-")
    reference = ""
    for number, line in enumerate(lines, 1):
        value = line.strip()
        if value.startswith("#"):
            if "Reference:" in value:
                reference = value.partition("Reference:")[2].strip()[:300]
            continue
        value = value.partition(" #")[0].strip()
        if not value or value.startswith("/"):
            continue
        try:
            url = parse_url(value)
        except UrlError:
            count.bad(number, line)
            continue
        if "." not in url.host and ":" not in url.host:
            count.bad(number, line)
            continue
        count.entries += 1
        # "host" and "host:port" speak of the host; "host/path" of a URL.
        bare = url.path == "/" and not value.endswith("/")
        yield Entry(url, "", "", "", [family], reference, host_only=bare)


def maltrail(trails: Sequence[Path], index: Path) -> Dump:
    """The trails (files named by their family, ``elf_mirai.txt``), indexed together at `index`."""
    return Dump("maltrail", trails, index, read_trail)
