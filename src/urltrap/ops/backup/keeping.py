"""Which backups are kept (grandfather, father, son), and what is swept when one goes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta

from urltrap.model.settings import BackupSettings
from urltrap.ops.backup.manifest import Manifest, list_manifests
from urltrap.ops.backup.sealing import object_name
from urltrap.ops.backup.target import Target

_BY_HAND = timedelta(days=7)


def keep(manifests: Sequence[Manifest], settings: BackupSettings) -> set[str]:
    """Names of the backups to keep: the newest of each of the last hours, days, weeks and months that have one.

    Those that somebody made by hand are kept for a week besides: they were made before something. They take the place
    of none that is made by itself, and are left where those are missing.
    Counted are periods in which a backup was made, so that a machine that was off for a month loses none.
    """
    rules: list[tuple[int, Callable[[datetime], object]]] = [
        (settings.keep_hourly, lambda made: (made.date(), made.hour)),
        (settings.keep_daily, lambda made: made.date()),
        (settings.keep_weekly, lambda made: made.isocalendar()[:2]),
        (settings.keep_monthly, lambda made: (made.year, made.month)),
    ]
    newest_first = sorted(manifests, key=lambda manifest: manifest.made, reverse=True)
    kept = {
        manifest.name
        for manifest in newest_first
        if manifest.kind == "manual" and newest_first[0].made - manifest.made < _BY_HAND
    }
    by_itself = [manifest for manifest in newest_first if manifest.kind != "manual"]
    for count, period in rules:
        for counted in (newest_first, by_itself):
            seen: set[object] = set()
            for manifest in counted:
                key = period(manifest.made)
                if key not in seen and len(seen) < count:
                    seen.add(key)
                    kept.add(manifest.name)
    return kept


def prune(target: Target, settings: BackupSettings, spare: str = "") -> list[str]:
    """Remove what the rule does not keep (never `spare`); names of the backups removed."""
    manifests, damaged = list_manifests(target)
    kept = keep(manifests, settings) | {spare}
    gone = [manifest for manifest in manifests if manifest.name not in kept]
    remove(target, [manifest.name for manifest in gone], sweep=not damaged)
    return [manifest.name for manifest in gone]


def remove(target: Target, names: Sequence[str], sweep: bool = True) -> None:
    """Remove backups, and the objects that no other one needs.

    `sweep` false leaves all objects: while a manifest is damaged, nobody knows which ones it needs.
    """
    target.remove(names)
    if not sweep:
        return
    left, _ = list_manifests(target)
    needed = {object_name(stored) for manifest in left for stored in manifest.objects}
    target.remove(name for name in target.names("objects") if name not in needed)


def mirror(source: Target, target: Target, again: Collection[str] = ()) -> list[str]:
    """Copy every backup of `source` that `target` lacks, and those named in `again`, objects first; their names."""
    mine, _ = list_manifests(source)
    theirs, _ = list_manifests(target)
    missing = {manifest.name for manifest in mine} - ({manifest.name for manifest in theirs} - set(again))
    if not missing:
        return []
    have = target.names("objects")
    for manifest in mine:
        if manifest.name not in missing:
            continue
        for stored, size in manifest.objects.items():
            name = object_name(stored)
            if have.get(name) != size:
                target.put(source.path(name), name)
                have[name] = size
        target.put(source.path(manifest.name), manifest.name)
    return sorted(missing)
