"""The dumps of a data folder: downloaded on schedule, indexed, looked up without asking anybody."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import structlog

from urltrap.intel.download import Downloader, kept
from urltrap.intel.errors import ProviderError
from urltrap.intel.lists.folder import Outcome, is_due
from urltrap.intel.reputation.dump import Dump, DumpCount, DumpError
from urltrap.intel.reputation.maltrail import maltrail
from urltrap.intel.reputation.phishing_feeds import openphish, phishtank
from urltrap.intel.reputation.threatfox import threatfox
from urltrap.intel.reputation.tweetfeed import tweetfeed
from urltrap.intel.reputation.urlhaus import UrlhausDump
from urltrap.model.intel_settings import IntelSettings

log = structlog.get_logger("urltrap.intel")

_OPENPHISH_HOURS = 12.0
"""Its community feed changes no oftener."""


@dataclass(frozen=True, slots=True)
class Part:
    """One file of a dump. The address may hold a key: it is shown nowhere."""

    provider: str
    url: str
    file: Path
    hours: float


def parts(settings: IntelSettings, folder: Path) -> list[Part]:
    """The files that the settings name. What needs a key that is missing, or is in intel.skip, is left out."""
    dumps = settings.dumps
    key = settings.keys.abuse_ch.get_secret_value()
    wanted = [
        Part("urlhaus", dumps.urlhaus, folder / "urlhaus.csv", dumps.hours),
        Part("threatfox", dumps.threatfox, folder / "threatfox.csv", dumps.hours),
        Part("openphish", dumps.openphish, folder / "openphish.txt", max(dumps.hours, _OPENPHISH_HOURS)),
        Part("phishtank", dumps.phishtank, folder / "phishtank.csv", dumps.hours),
        Part("tweetfeed", dumps.tweetfeed, folder / "tweetfeed.csv", dumps.hours),
        *(
            Part(
                "maltrail",
                dumps.maltrail.replace("{name}", name),
                folder / f"{name}.txt",
                max(dumps.hours, 24),
            )
            for name in dumps.maltrail_names
        ),
    ]
    return [
        Part(part.provider, part.url.replace("{key}", key), part.file, part.hours)
        for part in wanted
        if part.url and part.provider not in settings.skip and (key or "{key}" not in part.url)
    ]


def dumps(settings: IntelSettings, folder: Path) -> list[Dump]:
    """All dumps that are there, and the URLhaus dump that the operator put somewhere himself."""
    found: list[Dump] = []
    files: dict[str, list[Path]] = {}
    for part in parts(settings, folder):
        if part.file.is_file():
            files.setdefault(part.provider, []).append(part.file)
    if settings.urlhaus_dump:
        found.append(UrlhausDump(Path(settings.urlhaus_dump), folder.parent / "urlhaus.db"))
        files.pop("urlhaus", None)
    for provider, paths in files.items():
        found.append(_make(provider, paths, folder / f"{provider}.db"))
    return found


def _make(provider: str, paths: list[Path], index: Path) -> Dump:
    if provider == "urlhaus":
        return UrlhausDump(paths[0], index, "the dump of urlhaus")
    if provider == "maltrail":
        return maltrail(paths, index)
    makers = {"threatfox": threatfox, "openphish": openphish, "phishtank": phishtank, "tweetfeed": tweetfeed}
    return makers[provider](paths[0], index)


async def update(
    settings: IntelSettings,
    folder: Path,
    now: datetime,
    *,
    force: bool = False,
    tell: Callable[[Outcome], None] = lambda outcome: None,
) -> list[Outcome]:
    """Download what is older than its hours (all: `force`), one after the other. What fails stays as it was."""
    outcomes = []
    async with Downloader(settings.contact, settings.dumps.max_bytes) as downloader:
        for part in parts(settings, folder):
            if not force and not is_due(kept(part.file), now, timedelta(hours=part.hours)):
                continue
            try:
                changed = await downloader.fetch(part.url, part.file, _checker(part.provider), now)
                outcome = Outcome(part.file.stem, "changed" if changed else "same")
            except ProviderError as error:
                outcome = Outcome(part.file.stem, "failed", str(error))
                log.warning(
                    "dump.failed", dump=part.file.stem, error=str(error), do="the one before stays in use"
                )
            outcomes.append(outcome)
            tell(outcome)
    return outcomes


def _checker(provider: str) -> Callable[[Path], None]:
    def check(path: Path) -> None:
        count = DumpCount()
        try:
            for _ in _make(provider, [path], path).entries(count):
                return  # one entry makes it a dump; the lines after it are counted when it is indexed
        except DumpError as error:
            raise ValueError(str(error)) from None

    return check


def refresh(dump: Dump) -> None:
    """Take changed files in; the old index stays in use where that fails."""
    try:
        dump.refresh()
    except DumpError as error:
        log.error("dump.unusable", error=str(error), do="the index made before stays in use")
