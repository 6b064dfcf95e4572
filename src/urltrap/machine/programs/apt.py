"""apt, apt-get, apt-cache: what is installed can be looked at and removed; mirrors are as far as the network says."""

from __future__ import annotations

import fnmatch
import re

from urltrap.machine.api import Process, Run
from urltrap.machine.errors import SysError
from urltrap.machine.programs._net import host_of, split_url
from urltrap.machine.programs._release import upstream_version
from urltrap.machine.programs._removal import remove_package
from urltrap.machine.programs._system import text_of
from urltrap.machine.programs.dpkg import packages
from urltrap.machine.programs.registry import program
from urltrap.machine.reach import WORDS, reach, resolve4

_WARNING = "\nWARNING: apt does not have a stable CLI interface. Use with caution in scripts.\n\n"
_SOURCES_MAX = 40


@program("apt", "apt-get", "apt-cache")
def apt(p: Process) -> Run:
    """Update finds the lists current; install knows what is installed and nothing else."""
    name = p.argv[0].rpartition("/")[2]
    words = [word for word in p.argv[1:] if not word.startswith("-")]
    version = upstream_version(p, "apt", "2.6.1")
    if not words:
        yield from p.out(f"apt {version} (amd64)\nUsage: {name} [options] "
        f"command\n" if "-v" not in p.argv and "--version" not in p.argv
                         else f"apt {version} (amd64)\n")  # fmt: skip
        return 0
    verb, names = words[0], words[1:]
    if name == "apt" and not p.is_tty(1):
        yield from p.err(_WARNING)
    known = {each["Package"]: each for each in packages(p)}
    if verb in ("update", "upgrade", "install", "remove", "purge", "autoremove", "dist-upgrade", "full-upgrade",
    "clean", "autoclean",
                "build-dep", "reinstall") and p.uid:  # fmt: skip
        which = "lists/lock" if verb == "update" else "lock-frontend"
        folder = "/var/lib/apt/" if verb == "update" else "/var/lib/dpkg/"
        yield from p.err(f"E: Could not open lock file "
        f"{folder}{which.rpartition('/')[0] and 'lists/'}{which.rpartition('/')[2]} - open (13: "
                         "Permission denied)\n" + ("E: Unable to lock directory "
                         "/var/lib/apt/lists/\n" if verb == "update" else
                         "E: Unable to acquire the dpkg frontend lock (/var/lib/dpkg/lock-frontend), are you "
                         "root?\n"))  # fmt: skip
        return 100
    if verb == "update":
        return (yield from _update(p, name))
    if verb in (
        "install",
        "reinstall",
        "remove",
        "purge",
        "upgrade",
        "dist-upgrade",
        "full-upgrade",
        "autoremove",
        "build-dep",
    ):
        return (yield from _transaction(p, verb, names, known))
    if verb in ("clean", "autoclean", "check"):
        return 0
    if verb == "list":
        yield from p.out(f"Listing...{_done(p)}\n")
        for each in known.values() if "--upgradable" not in p.argv and "--upgradeable" not in p.argv else ():
            if not names or any(fnmatch.fnmatch(each["Package"], name) for name in names):
                yield from p.out(
                    f"{each['Package']}/now {each.get('Version', '')} {each.get('Architecture', '')} "
                    f"[installed,local]\n"
                )
        return 0
    if verb in ("show", "policy", "showpkg", "search", "depends", "rdepends", "madison"):
        return (yield from _show(p, verb, names, known))
    if verb in ("moo", "help"):
        yield from p.out(f"apt {version} (amd64)\n")
        return 0
    yield from p.err(f"E: Invalid operation {verb}\n")
    return 100


def _done(p: Process) -> str:
    """What apt adds to its progress on a terminal."""
    return " Done" if p.is_tty(1) else ""


def _read_state(p: Process) -> Run:
    yield from p.out(f"Reading package lists...{_done(p)}\n")
    yield from p.sleep(0.25)
    yield from p.out(f"Building dependency tree...{_done(p)}\nReading state information...{_done(p)}\n")
    return 0


def sources(p: Process) -> list[tuple[str, str]]:
    """(URI, suite) of every deb line and stanza below /etc/apt, in apt's order."""
    found = []
    paths = ["/etc/apt/sources.list"]
    try:
        paths += [
            f"/etc/apt/sources.list.d/{name}" for name in sorted(p.fs.listdir("/etc/apt/sources.list.d"))
        ]
    except SysError:
        pass  # there is no such folder
    for path in paths:
        text = text_of(p, path)
        if path.endswith(".sources"):
            for part in text.split("\n\n"):
                fields = dict(
                    line.split(":", 1) for line in part.splitlines() if ":" in line and line[:1] != "#"
                )
                found += [(uri.rstrip("/"), suite) for uri in fields.get("URIs", "").split()
                          for suite in fields.get("Suites", "").split()]  # fmt: skip
            continue
        for line in text.splitlines():
            words = re.sub(r"\[[^]]*\]", "", line.partition("#")[0]).split()
            if words[:1] == ["deb"] and len(words) > 2:
                found.append((words[1].rstrip("/"), words[2]))
    return found[:_SOURCES_MAX]


def _update(p: Process, name: str) -> Run:
    """Ask every mirror: what it says depends on what the machine's network says to everybody."""
    failures, errors = [], []
    for number, (uri, suite) in enumerate(sources(p), 1):
        host = host_of(uri)
        place = split_url(uri)
        port = 80 if isinstance(place, str) else place.port
        address = resolve4(p, host)
        verdict = reach(p, address, port) if address else "timeout"
        if not address:
            reason = f"Temporary failure resolving '{host}'"
        elif verdict == "open":
            reason = f"404  Not Found [IP: {address} {port}]"
        else:
            code = {"refused": 111, "unreachable": 113, "timeout": 110}[verdict]
            reason = f"Could not connect to {host}:{port} ({address}). - connect ({code}: {WORDS[verdict]})"
        failures.append((number, f"{uri} {suite} InRelease", reason))
        errors.append(f"W: Failed to fetch {uri}/dists/{suite}/InRelease  {reason}\n")
    for wait in (1.0, 2.0, 4.0) if failures else ():
        yield from p.sleep(wait)
        yield from p.out("".join(f"Ign:{number} {what}\n" for number, what, _ in failures))
    for number, what, reason in failures:
        yield from p.out(f"Err:{number} {what}\n  {reason}\n")
    if name == "apt":
        yield from _read_state(p)
        yield from p.out("All packages are up to date.\n")
    else:
        yield from p.out(f"Reading package lists...{_done(p)}\n")
    if errors:
        errors.append(
            "W: Some index files failed to download. They have been ignored, or old ones used instead.\n"
        )
        yield from p.err("".join(errors))
    return 0


def _transaction(p: Process, verb: str, names: list[str], known: dict[str, dict[str, str]]) -> Run:
    yield from _read_state(p)
    missing = [name for name in names if name not in known and not name.startswith(("./", "/"))]
    if verb in ("install", "reinstall", "build-dep", "remove", "purge") and missing:
        for name in missing:
            yield from p.err(f"E: Unable to locate package {name}\n")
        return 100
    if verb in ("remove", "purge") and names:
        return (yield from _remove(p, verb, [known[name] for name in names]))
    for name in names:
        if verb == "install" and name in known:
            yield from p.out(f"{name} is already the newest version ({known[name].get('Version', '')}).\n")
    if verb in ("upgrade", "dist-upgrade", "full-upgrade"):
        yield from p.out("Calculating upgrade...\n")
    yield from p.out("0 upgraded, 0 newly installed, 0 to remove and 0 not upgraded.\n")
    return 0


def _remove(p: Process, verb: str, chosen: list[dict[str, str]]) -> Run:
    purge = verb == "purge" or "--purge" in p.argv
    listed = " ".join(each["Package"] + ("*" if purge else "") for each in chosen)
    size = sum(int(each.get("Installed-Size", "0") or 0) for each in chosen)
    freed = f"{size} kB" if size < 10_000 else f"{size / 1000:.1f} MB"
    yield from p.out(
        f"The following packages will be REMOVED:\n  {listed}\n"
        f"0 upgraded, 0 newly installed, {len(chosen)} to remove and 0 not upgraded.\n"
        f"After this operation, {freed} disk space will be freed.\n"
    )
    essential = any(each.get("Essential") == "yes" for each in chosen)
    if essential:
        yield from p.err(
            "E: Essential packages were removed and -y was used without --allow-remove-essential.\n"
        )
        return 100
    agreed = bool({"-y", "-yy", "--yes", "--assume-yes", "-qy", "-yq", "-qqy"} & set(p.argv))
    if not agreed:
        yield from p.out("Do you want to continue? [Y/n] ")
        said = (yield from p.read(0, 64)).strip().lower()
        if said not in (b"", b"y", b"yes") or (not said and not p.is_tty(0)):
            yield from p.out("Abort.\n")
            return 1
    for each in chosen:
        yield from remove_package(p, each, purge=purge)
    return 0


def _show(p: Process, verb: str, names: list[str], known: dict[str, dict[str, str]]) -> Run:
    if verb == "search":
        for each in known.values():
            text = f"{each['Package']} {each.get('Description', '')}"
            if names and all(word.lower() in text.lower() for word in names):
                yield from p.out(f"{each['Package']} - {each.get('Description', '')}\n")
        return 0
    if verb == "policy" and not names:
        yield from p.out("Package files:\n 100 /var/lib/dpkg/status\n     release a=now\nPinned packages:\n")
        return 0
    status = 0
    for name in names:
        fields = known.get(name)
        if fields is None:
            told = f"N: Unable to locate package {name}\n" if p.is_tty(2) or p.argv[0].endswith("apt") else ""
            yield from p.err(told if verb == "policy" else f"{told}E: No packages found\n")
            status = 0 if verb == "policy" else 100
        elif verb == "policy":
            version = fields.get("Version", "")
            yield from p.out(f"{name}:\n  Installed: {version}\n  Candidate: {version}\n  Version table:\n *** "
            f"{version} 100\n"
                             "        100 /var/lib/dpkg/status\n")  # fmt: skip
        else:
            shown = {key: value for key, value in fields.items() if key != "Status"}
            yield from p.out("".join(f"{key}: {value}\n" for key, value in shown.items()) + "\n")
    return status
