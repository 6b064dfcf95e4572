"""apt, apt-get, apt-cache: believable, without any archive behind them."""

from __future__ import annotations

from urltrap.machine.api import Process, Run
from urltrap.machine.programs.dpkg import packages
from urltrap.machine.programs.registry import program

_WARNING = "\nWARNING: apt does not have a stable CLI interface. Use with caution in scripts.\n\n"
_VERSIONS = {"debian-13": "3.0.3"}


@program("apt", "apt-get", "apt-cache")
def apt(p: Process) -> Run:
    """Update finds the lists current; install knows what is installed and nothing else."""
    name = p.argv[0].rpartition("/")[2]
    words = [word for word in p.argv[1:] if not word.startswith("-")]
    version = _VERSIONS.get(p.persona.kind, "2.6.1")
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
        yield from p.sleep(0.6)
        yield from p.out("Reading package lists...\n" + ("Building dependency tree...\nReading state "
        "information...\nAll packages are up to "
                         "date.\n" if name == "apt" else ""))  # fmt: skip
        return 0
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
    if verb in ("clean", "autoclean"):
        return 0
    if verb == "list":
        yield from p.out("Listing...\n")
        for each in known.values():
            if not names or each["Package"] in names:
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


def _transaction(p: Process, verb: str, names: list[str], known: dict[str, dict[str, str]]) -> Run:
    yield from p.out("Reading package lists...\n")
    yield from p.sleep(0.25)
    yield from p.out("Building dependency tree...\nReading state information...\n")
    missing = [name for name in names if name not in known and not name.startswith(("./", "/"))]
    if verb in ("install", "reinstall", "build-dep") and missing:
        for name in missing:
            yield from p.err(f"E: Unable to locate package {name}\n")
        return 100
    for name in names:
        if verb == "install":
            yield from p.out(
                f"{name} is already the newest version ({known[name].get('Version', '')}).\n"
                if name in known
                else ""
            )
        elif name not in known:
            yield from p.err(f"E: Unable to locate package {name}\n")
            return 100
    if verb in ("remove", "purge") and any(name in known for name in names):
        yield from p.err("E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process "
                         f"{p.pid - 61} (unattended-upgr)\nE: Unable to acquire the dpkg frontend lock "
                         f"(/var/lib/dpkg/lock-frontend), is "
                         "another process using it?\n")  # fmt: skip
        return 100
    if verb in ("upgrade", "dist-upgrade", "full-upgrade"):
        yield from p.out("Calculating upgrade...\n")
    yield from p.out("0 upgraded, 0 newly installed, 0 to remove and 0 not upgraded.\n")
    return 0


def _show(p: Process, verb: str, names: list[str], known: dict[str, dict[str, str]]) -> Run:
    if verb == "search":
        for each in known.values():
            text = f"{each['Package']} {each.get('Description', '')}"
            if names and all(word.lower() in text.lower() for word in names):
                yield from p.out(f"{each['Package']} - {each.get('Description', '')}\n")
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
