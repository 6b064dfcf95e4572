"""opkg: OpenWrt's packages, from the status file; what it downloads is asked of the fetcher as wget does."""

from __future__ import annotations

import fnmatch

from urltrap.machine.api import Process, Run
from urltrap.machine.programs._net import ask, host_of
from urltrap.machine.programs._system import text_of
from urltrap.machine.programs.registry import program
from urltrap.machine.reach import PATIENCE, is_own, resolve4

_STATUS = "/usr/lib/opkg/status"
_USAGE = """\
opkg must have one sub-command argument
usage: opkg [options...] sub-command [arguments...]
where sub-command is one of:

Package Manipulation:
\tupdate\t\t\tUpdate list of available packages
\tupgrade <pkgs>\t\tUpgrade packages
\tinstall <pkgs>\t\tInstall package(s)
\tconfigure <pkgs>\tConfigure unpacked package(s)
\tremove <pkgs|regexp>\tRemove package(s)
\tflag <flag> <pkgs>\tFlag package(s)
\t <flag>=hold|noprune|user|ok|installed|unpacked (one per invocation)

Informational Commands:
\tlist\t\t\tList available packages
\tlist-installed\t\tList installed packages
\tlist-upgradable\t\tList installed and upgradable packages
\tlist-changed-conffiles\tList user modified configuration files
\tfiles <pkg>\t\tList files belonging to <pkg>
\tsearch <file|regexp>\tList package providing <file>
\tfind <regexp>\t\tList packages whose name or description matches <regexp>
\tinfo [pkg|regexp]\tDisplay all info for <pkg>
\tstatus [pkg|regexp]\tDisplay all status for <pkg>
\tdownload <pkg>\t\tDownload <pkg> to current directory
"""


def _packages(p: Process) -> list[dict[str, str]]:
    found = []
    for part in text_of(p, _STATUS).split("\n\n"):
        fields = dict(line.split(": ", 1) for line in part.splitlines() if ": " in line)
        if "Package" in fields:
            found.append(fields)
    return found


@program("opkg")
def opkg(p: Process) -> Run:
    """Show packages; update and install ask the feeds."""
    words = [word for word in p.argv[1:] if not word.startswith("-")]
    if not words:
        yield from p.err(_USAGE)
        return 1
    verb, names = words[0], words[1:]
    installed = _packages(p)
    if verb in ("list-installed", "list", "find"):
        for each in installed if verb != "find" else []:
            if not names or any(fnmatch.fnmatch(each["Package"], name) for name in names):
                yield from p.out(f"{each['Package']} - {each['Version']}\n")
        return 0
    if verb in ("info", "status"):
        for each in installed:
            if not names or any(fnmatch.fnmatch(each["Package"], name) for name in names):
                yield from p.out("".join(f"{key}: {value}\n" for key, value in each.items()) + "\n")
        return 0
    if verb in ("list-upgradable", "list-changed-conffiles", "search", "configure", "flag"):
        return 0
    if verb == "files" and names:
        version = next((each["Version"] for each in installed if each["Package"] == names[0]), "")
        if not version:
            yield from p.err(f"Package {names[0]} not installed.\n")
            return 255
        yield from p.out(f"Package {names[0]} ({version}) is installed on root and has the following files:\n"
                         + text_of(p, f"/usr/lib/opkg/info/{names[0]}.list"))  # fmt: skip
        return 0
    if verb == "update":
        return (yield from _update(p))
    if verb in ("install", "upgrade", "remove", "download"):
        return (yield from _install(p, verb, names, {each["Package"] for each in installed}))
    yield from p.err(_USAGE.replace("opkg must have one sub-command argument\n", ""))
    return 1


def _update(p: Process) -> Run:
    errors: list[str] = []
    for line in text_of(p, "/etc/opkg/distfeeds.conf").splitlines():
        words = line.split()
        if len(words) != 3:
            continue
        url = f"{words[2]}/Packages.gz"
        yield from p.out(f"Downloading {url}\n")
        address = resolve4(p, host_of(url))
        yield from p.sleep(0.0 if address and is_own(p, address) else PATIENCE)
        yield from p.err("Failed to send request: Operation not permitted\n" if address else "")
        yield from p.err(f"*** Failed to download the package list from {url}\n\n")
        errors.append(f" * opkg_download: Failed to download {url}, wget returned 4.\n")
    if errors:
        yield from p.err("Collected errors:\n" + "".join(errors))
    return len(errors)


def _install(p: Process, verb: str, names: list[str], installed: set[str]) -> Run:
    if p.uid:
        yield from p.err("Collected errors:\n * opkg_conf_load: Could not create lock file /var/lock/opkg.lock: "
                         "Permission denied.\n")  # fmt: skip
        return 255
    status = 0
    for name in names:
        if verb == "remove":
            if name not in installed:
                yield from p.out("No packages removed.\n")
            else:
                yield from p.out(f"Removing package {name} from root...\n")
                kept = [
                    part
                    for part in text_of(p, _STATUS).split("\n\n")
                    if f"Package: {name}\n" not in part + "\n"
                ]
                p.fs.write(_STATUS, "\n\n".join(kept).encode("utf-8", "surrogateescape"))
            continue
        if name in installed:
            yield from p.out(f"Package {name} is up to date.\n" if verb == "upgrade" else "")
            continue
        if name.startswith(("http://", "https://", "ftp://")):
            yield from p.out(f"Downloading {name}\n")
            answer = yield from ask(p, name, "wget", "uclient-fetch")
            if answer.kind == "answer" and answer.status == 200:
                yield from p.err("Collected errors:\n * pkg_init_from_file: Malformed package file "
                                 f"/tmp/opkg-{p.pid:06x}/{name.rpartition('/')[2]}.\n")  # fmt: skip
            else:
                yield from p.err(
                    f"Collected errors:\n * opkg_download: Failed to download {name}, wget returned 4.\n"
                )
        else:
            yield from p.out(f"Unknown package '{name}'.\n")
            yield from p.err(f"Collected errors:\n * opkg_install_cmd: Cannot install package {name}.\n")
        status = 255
    return status
