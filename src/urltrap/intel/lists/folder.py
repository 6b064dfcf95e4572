"""The downloaded lists of a data folder, the list that ships with the package, and the index of both."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.resources import files
from pathlib import Path

import structlog

from urltrap.intel.download import Downloader, Kept, kept
from urltrap.intel.errors import ProviderError
from urltrap.intel.lists.catalogue import EXACT, MASS_SCANNERS, MISP, RESEARCH, kind_of
from urltrap.intel.lists.index import SHARED, ContextLabel, ListIndex
from urltrap.intel.lists.parse import ListError, parse_list
from urltrap.judge import Label
from urltrap.model.intel_settings import IntelSettings

SHIPPED = "known-hosts"
_RETRY = timedelta(hours=1)

log = structlog.get_logger("urltrap.intel")


@dataclass(frozen=True, slots=True)
class Source:
    """A list and where it is downloaded from."""

    name: str
    url: str
    file: Path


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an update did with one list: "changed", "same" or "failed" with the reason."""

    name: str
    result: str
    reason: str = ""


def sources(settings: IntelSettings, folder: Path) -> list[Source]:
    """All lists that the settings name; the ISC's only with a contact, which it wants to know."""
    lists = settings.lists
    found = [
        Source(name, lists.misp.replace("{name}", name), folder / f"{name}.json")
        for name in (lists.misp_names or MISP)
        if lists.misp
    ]
    if lists.mass_scanners:
        found.append(Source(MASS_SCANNERS, lists.mass_scanners, folder / f"{MASS_SCANNERS}.txt"))
    if lists.research and settings.contact:
        found.append(Source(RESEARCH, lists.research, folder / f"{RESEARCH}.json"))
    return found


async def update(
    settings: IntelSettings,
    folder: Path,
    now: datetime,
    *,
    force: bool = False,
    tell: Callable[[Outcome], None] = lambda outcome: None,
) -> list[Outcome]:
    """Download what is older than intel.lists.hours (all: `force`), one after the other."""
    outcomes = []
    async with Downloader(settings.contact, 64_000_000, 120) as downloader:
        for source in sources(settings, folder):
            if not force and not is_due(kept(source.file), now, timedelta(hours=settings.lists.hours)):
                continue

            def check(path: Path, name: str = source.name) -> None:
                parse_list(name, path.read_bytes())

            try:
                changed = await downloader.fetch(source.url, source.file, check, now)
                outcome = Outcome(source.name, "changed" if changed else "same")
            except ProviderError as error:
                outcome = Outcome(source.name, "failed", str(error))
                log.warning(
                    "list.failed", list=source.name, error=str(error), do="the one before stays in use"
                )
            outcomes.append(outcome)
            tell(outcome)
    return outcomes


def is_due(known: Kept, now: datetime, every: timedelta) -> bool:
    """Whether a file is to be downloaded: it is older than `every`, and no failure or wish of the server forbids it."""
    if known.waits_until and datetime.fromisoformat(known.waits_until) > now:
        return False
    if known.problem and known.last_try and known.last_try > now - min(every, _RETRY):
        return False
    return known.age_from is None or known.age_from <= now - every


class Context:
    """Labels of hosts, addresses and hashes from the shipped list and a folder of downloaded ones.

    `refresh` takes changed files in; reading goes on with the index before meanwhile. `version` changes with it.
    """

    def __init__(self, folder: Path | None, expire: timedelta = timedelta(days=14)) -> None:
        self._folder = folder
        self._expire = expire
        self._state: tuple[tuple[str, int, int], ...] | None = None
        self.index = ListIndex()
        self.problems: list[str] = []
        self.version = ""

    def refresh(self, now: datetime) -> bool:
        """Build the index again where a list changed or expired; whether it did."""
        state = tuple(self._files(now))
        if state == self._state:
            return False
        index = ListIndex()
        problems = []
        index_shipped(index)
        for name, _, _ in state:
            path = self._path(name)
            known = kept(path)
            expires = (known.age_from or now) + self._expire
            try:
                kind = kind_of(path.stem)
                parsed = parse_list(path.stem, path.read_bytes(), below=kind not in EXACT)
            except (ListError, OSError) as error:
                problems.append(str(error))
                continue
            index.add(
                ContextLabel(kind, path.stem, parsed.version or known.modified[:64], expires),
                parsed.values,
            )
        for problem in problems:
            log.warning("list.unusable", error=problem, do="urltrap lists update")
        self.index, self.problems, self._state = index, problems, state
        self.version = f"{len(state)}-{hashlib.sha256(repr(state).encode()).hexdigest()[:12]}"
        return True

    def labels(self, host: str) -> tuple[Label, ...]:
        """All labels of a canonical host that rules know, as the judge wants them.

        Where anybody can put files, being popular or well known excuses nothing: those labels are left out there.
        """
        found = self.index.of_host(host)
        shared = any(label.kind in SHARED for label in found)
        judged = (
            label.judged() for label in found if not (shared and label.kind in (*EXACT, "false-positive"))
        )
        return tuple(dict.fromkeys(label for label in judged if label is not None))

    def _path(self, name: str) -> Path:
        assert self._folder is not None
        return self._folder / name

    def _files(self, now: datetime) -> Iterator[tuple[str, int, int]]:
        if self._folder is None or not self._folder.is_dir():
            return
        for path in sorted(self._folder.iterdir()):
            if path.suffix not in (".json", ".txt") or not path.is_file():
                continue
            known = kept(path)
            if known.age_from is not None and known.age_from + self._expire <= now:
                continue  # labels of addresses that changed hands meanwhile do harm
            status = path.stat()
            yield path.name, status.st_mtime_ns, status.st_size


def index_shipped(index: ListIndex) -> None:
    """Add the hand-written list that ships with the package: ``KIND HOST`` lines."""
    text = (files("urltrap.intel.lists") / "known-hosts.txt").read_text("utf-8")
    by_kind: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line.strip() and not line.startswith("#"):
            kind, _, host = line.strip().partition(" ")
            by_kind.setdefault(kind, []).append(host)
    for kind, hosts in by_kind.items():
        index.add(ContextLabel(kind, SHIPPED, "shipped"), hosts)
