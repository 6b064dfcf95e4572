"""Unit files and what ``systemctl enable``, ``mask`` and their kin do to them (systemd.unit(5), systemctl(1))."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Generator, Iterator
from typing import Any

from urltrap.machine.api import Process, Run
from urltrap.machine.errors import SysError
from urltrap.machine.programs._database import exists
from urltrap.machine.programs._system import Reader, text_of

Gen = Generator[Any, Any, int]
OWN = "/etc/systemd/system"
FOLDERS = (OWN, "/lib/systemd/system", "/usr/lib/systemd/system", "/run/systemd/system")
KINDS = (".service", ".socket", ".timer", ".target", ".mount", ".path", ".slice", ".scope")
_NO_INSTALL = (
    "The unit files have no installation config (WantedBy=, RequiredBy=, Also=,",
    "Alias= settings in the [Install] section, and DefaultInstance= for template",
    "units). This means they are not meant to be enabled using systemctl.",
    " ",
    "Possible reasons for having this kind of units are:",
    "• A unit may be statically enabled by being symlinked from another unit's",
    "  .wants/ or .requires/ directory.",
    "• A unit's purpose may be to act as a helper for some other unit which has",
    "  a requirement dependency on it.",
    "• A unit may be started when needed via activation (socket, path, timer,",
    "  D-Bus, udev, scripted systemctl call, ...).",
    "• In case of template units, the unit is meant to be enabled with some",
    "  instance name specified.",
)


def unit_file(p: Reader, unit: str) -> str:
    """The path of a unit; empty where there is none."""
    if unit.startswith("/"):
        return unit if exists(p, unit) else ""
    names = [unit]
    if "@" in unit:
        head, _, tail = unit.partition("@")
        names.append(f"{head}@.{tail.rpartition('.')[2]}")
    return next(
        (f"{folder}/{name}" for name in names for folder in FOLDERS if _there(p, f"{folder}/{name}")), ""
    )


def _there(p: Reader, path: str) -> bool:
    try:
        p.fs.stat(path, follow=False)
    except SysError:
        return False
    return True


def _target(p: Reader, path: str) -> str:
    """Where a link leads; empty where it is none."""
    try:
        return p.fs.readlink(path)
    except SysError:
        return ""


def masked(p: Reader, unit: str) -> bool:
    """True where the unit is a link to /dev/null."""
    return _target(p, unit_file(p, unit)) == "/dev/null"


def sections(text: str) -> dict[str, dict[str, list[str]]]:
    """A unit file's settings by section and key; lines that end in a backslash go on, an empty value forgets."""
    found: dict[str, dict[str, list[str]]] = {}
    section = ""
    for line in re.sub(r"\\\n\s*", " ", text).splitlines():
        line = line.strip()
        if line.startswith("[") and line.endswith("]"):
            section = line[1:-1]
            found.setdefault(section, {})
        elif "=" in line and line[:1] not in "#;":
            key, _, value = (part.strip() for part in line.partition("="))
            values = found.setdefault(section, {}).setdefault(key, [])
            if value:
                values.append(value)
            else:
                values.clear()
    return found


def _install_section(p: Process, path: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    section = ""
    for line in text_of(p, path).splitlines():
        if line.startswith("["):
            section = line.strip()
        elif section == "[Install]" and "=" in line:
            key, _, value = line.partition("=")
            found.setdefault(key.strip(), []).extend(value.split())
    return found


def _links(p: Process, unit: str, path: str) -> Iterator[str]:
    """The links that enabling makes, in systemd's order."""
    section = _install_section(p, path)
    for name in section.get("Alias", []):
        yield f"{OWN}/{name}"
    for key, ending in (("WantedBy", "wants"), ("RequiredBy", "requires")):
        for name in section.get(key, []):
            yield f"{OWN}/{name}.{ending}/{unit}"


def state_of(p: Process, unit: str) -> str:
    """What ``is-enabled`` says; empty where there is no such unit."""
    path = unit_file(p, unit)
    if not path:
        return ""
    target = _target(p, path)
    if target == "/dev/null":
        return "masked"
    if target and target.rpartition("/")[2] != unit:
        return "alias"
    links = list(_links(p, unit, path))
    if any(_there(p, link) for link in links):
        return "enabled"
    return "disabled" if links or _install_section(p, path).get("Also") else "static"


def in_utf8(p: Process) -> bool:
    """True where the locale has arrows and bullets."""
    name = p.env.get("LC_ALL") or p.env.get("LC_CTYPE") or p.env.get("LANG") or ""
    return "utf" in name.lower()


def _arrow(p: Process) -> str:
    return "→" if in_utf8(p) else "->"


def _with_also(p: Process, units: list[str]) -> list[str]:
    found = list(units)
    for unit in found:
        for name in _install_section(p, unit_file(p, unit)).get("Also", []):
            if name not in found:
                found.append(name)
    return found


def change(p: Process, verb: str, units: list[str], quiet: bool) -> Gen:
    """enable, disable, reenable, preset, mask, unmask; the status."""
    for unit in units:
        path = unit_file(p, unit)
        if not path and verb not in ("mask", "unmask"):
            yield from p.err(f"Failed to {verb} unit: Unit file {unit} does not exist.\n")
            return 1
        if verb in ("enable", "reenable", "preset") and masked(p, unit):
            yield from p.err(f"Failed to {verb} unit: Unit file {path} is masked.\n")
            return 1
        if verb == "mask" and path == f"{OWN}/{unit}" and not masked(p, unit):
            yield from p.err(f'Failed to mask unit: File "{path}" already exists.\n')
            return 1
    if verb in ("mask", "unmask"):
        for unit in units:
            yield from _mask(p, unit, verb == "mask", quiet)
        return 0
    chosen = _with_also(p, units)
    if verb in ("disable", "reenable"):
        yield from _unlink(p, chosen, quiet)
    if verb != "disable":
        yield from _link(p, chosen, quiet)
    if (
        not quiet
        and verb in ("enable", "reenable")
        and not any(_install_section(p, unit_file(p, unit)) for unit in units)
    ):
        text = "".join(line + "\n" for line in _NO_INSTALL)
        yield from p.err(text if in_utf8(p) else text.replace("•", "*"))
    return 0


def _link(p: Process, units: list[str], quiet: bool) -> Run:
    for unit in units:
        path = unit_file(p, unit)
        unit = unit.rpartition("/")[2]
        for link in _links(p, unit, path):
            if _there(p, link):
                continue
            folder = link.rpartition("/")[0]
            if not exists(p, folder):
                p.fs.mkdir(folder)
            p.fs.symlink(path, link)
            if not quiet:
                yield from p.err(f"Created symlink {link} {_arrow(p)} {path}.\n")
    return 0


def _unlink(p: Process, units: list[str], quiet: bool) -> Run:
    """Remove every link to these units, folder by folder."""
    names = {unit.rpartition("/")[2] for unit in units}
    targets = {unit_file(p, unit) for unit in units}
    folders = [
        OWN,
        *(f"{OWN}/{name}" for name in sorted(p.fs.listdir(OWN)) if name.endswith((".wants", ".requires"))),
    ]
    for folder in folders:
        for name in sorted(p.fs.listdir(folder)):
            path = f"{folder}/{name}"
            target = _target(p, path)
            if target and (target in targets or (folder != OWN and name in names)):
                p.fs.unlink(path)
                if not quiet:
                    yield from p.err(f'Removed "{path}".\n')
    return 0


def _mask(p: Process, unit: str, on: bool, quiet: bool) -> Run:
    path = f"{OWN}/{unit}"
    if on and not _there(p, path):
        p.fs.symlink("/dev/null", path)
        if not quiet:
            yield from p.err(f"Created symlink {path} {_arrow(p)} /dev/null.\n")
    elif not on and _target(p, path) == "/dev/null":
        p.fs.unlink(path)
        if not quiet:
            yield from p.err(f'Removed "{path}".\n')
    return 0


def list_files(p: Process, patterns: list[str], kinds: list[str], legend: bool) -> Gen:
    """``list-unit-files``."""
    names = {
        name for folder in FOLDERS if exists(p, folder) for name in p.fs.listdir(folder)
        if name.endswith(tuple(f".{kind}" for kind in kinds) or KINDS)
    }  # fmt: skip
    shown = sorted(
        name for name in names if not patterns or any(fnmatch.fnmatch(name, each) for each in patterns)
    )
    rows = [(name, state, "-" if state in ("static", "alias") else "enabled") for name in shown
            if (state := state_of(p, name))]  # fmt: skip
    head = [("UNIT FILE", "STATE", "PRESET")] if legend else []
    widths = [max((len(row[column]) for row in (*head, *rows)), default=0) for column in (0, 1)]
    for name, state, preset in (*head, *rows):
        yield from p.out(f"{name:<{widths[0]}} {state:<{widths[1]}} {preset}\n")
    if legend:
        yield from p.out(f"\n{len(rows)} unit files listed.\n")
    return 0
