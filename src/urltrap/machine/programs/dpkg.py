"""dpkg and dpkg-query: the packages that are installed, from dpkg's own database in the image."""

from __future__ import annotations

import fnmatch

from urltrap.machine.api import Process, Run
from urltrap.machine.programs._database import exists
from urltrap.machine.programs._removal import remove_package
from urltrap.machine.programs._system import text_of
from urltrap.machine.programs.registry import program

_LIST_HEAD = (
    "Desired=Unknown/Install/Remove/Purge/Hold\n"
    "| Status=Not/Inst/Conf-files/Unpacked/halF-conf/Half-inst/trig-aWait/Trig-pend\n"
    "|/ Err?=(none)/Reinst-required (Status,Err: uppercase=bad)\n"
)
_HINT = (
    "\nType dpkg --help for help about installing and deinstalling packages [*];\n"
    "Use 'apt' or 'aptitude' for user-friendly package management;\n"
    "Type dpkg -Dhelp for a list of dpkg debug flag values;\n"
    "Type dpkg --force-help for a list of forcing options;\n"
    "Type dpkg-deb --help for help about manipulating *.deb files;\n\n"
    "Options marked [*] produce a lot of output - pipe it through 'less' or 'more' !\n"
)
_INFO = "/var/lib/dpkg/info"


def packages(p: Process) -> list[dict[str, str]]:
    """The installed packages by name, as fields of dpkg's status file."""
    found = []
    for paragraph in text_of(p, "/var/lib/dpkg/status").split("\n\n"):
        fields: dict[str, str] = {}
        for line in paragraph.splitlines():
            name, colon, value = line.partition(": ")
            if colon:
                fields[name] = value
        if fields.get("Package"):
            found.append(fields)
    return sorted(found, key=lambda each: each["Package"])


@program("dpkg", "dpkg-query")
def dpkg(p: Process) -> Run:
    """Show packages; nothing can be installed from a file."""
    name = p.argv[0].rpartition("/")[2]
    words = [word for word in p.argv[1:] if word not in ("--no-pager", "--force-all")]
    if not words:
        hint = _HINT if name == "dpkg" else "\nUse --help for help about querying packages.\n"
        yield from p.err(f"{name}: error: need an action option\n{hint}")
        return 2
    verb, rest = words[0], [word for word in words[1:] if not word.startswith("-")]
    yield from p.tick(2000)
    if verb in ("-l", "--list"):
        return (yield from _list(p, rest))
    if verb in ("-s", "--status", "-p", "--print-avail"):
        return (yield from _show(p, rest))
    if verb in ("-L", "--listfiles"):
        return (yield from _files(p, rest))
    if verb in ("-S", "--search"):
        return (yield from _search(p, rest))
    if verb in ("-W", "--show") or verb.startswith("-W"):
        return (yield from _query(p, words, rest))
    if verb == "--get-selections":
        for each in packages(p):
            if not rest or any(fnmatch.fnmatch(each["Package"], pattern) for pattern in rest):
                tabs = "\t" * max(1, 6 - len(each["Package"]) // 8)
                yield from p.out(f"{each['Package']}{tabs}install\n")
        return 0
    if verb == "--print-architecture":
        yield from p.out("amd64\n")
        return 0
    if verb in ("-V", "--verify", "-C", "--audit"):
        known = {each["Package"] for each in packages(p)}
        missing = [package for package in rest if package not in known]
        for package in missing:
            yield from p.err(f"dpkg: package '{package}' is not installed\n")
        return 1 if missing else 0
    if verb == "--print-foreign-architectures":
        return 0
    if verb == "--version":
        yield from p.out("Debian 'dpkg' package management program version 1.21.22 (amd64).\n")
        return 0
    if verb in ("-i", "--install", "-r", "--remove", "-P", "--purge", "--configure", "--unpack", "-a"):
        return (yield from _change(p, verb, rest))
    yield from p.err(f"{name}: error: unknown option {verb}\n{_HINT if name == 'dpkg' else ''}")
    return 2


def _matching(p: Process, patterns: list[str]) -> tuple[list[dict[str, str]], list[str]]:
    found = packages(p)
    if not patterns:
        return found, []
    hits = [
        each
        for each in found
        if any(fnmatch.fnmatchcase(each["Package"], pattern.partition(":")[0]) for pattern in patterns)
    ]
    missing = [pattern for pattern in patterns
               if not any(fnmatch.fnmatchcase(each["Package"],
               pattern.partition(":")[0]) for each in found)]  # fmt: skip
    return hits, missing


def _list(p: Process, patterns: list[str]) -> Run:
    hits, missing = _matching(p, patterns)
    for pattern in missing:
        yield from p.err(f"dpkg-query: no packages found matching {pattern}\n")
    if hits:
        cells = [(each["Package"] + (f":{each['Architecture']}" if each.get("Multi-Arch") == "same" else ""),
        each.get("Version", ""),
                  each.get("Architecture", ""), each.get("Description", "")) for each in hits]  # fmt: skip
        widths = [
            max(minimum, *(len(cell[number]) for cell in cells))
            for number, minimum in enumerate((14, 12, 12))
        ]
        columns = p.window()[0] if p.is_tty(1) else 80
        last = (
            max(33, *(len(cell[3]) for cell in cells))
            if not p.is_tty(1)
            else max(33, columns - sum(widths) - 8)
        )
        heads = [
            f"{title:<{width}}"
            for title, width in zip(("Name", "Version", "Architecture"), widths, strict=True)
        ]
        yield from p.out(_LIST_HEAD + f"||/ {' '.join(heads)} Description\n")
        yield from p.out("+++-" + "-".join("=" * width for width in widths) + "-" + "=" * last + "\n")
        for cell in cells:
            row = " ".join(f"{text:<{width}}" for text, width in zip(cell, widths, strict=False))
            yield from p.out(f"ii  {row} {cell[3][:last]}\n")
    return 1 if missing else 0


def _show(p: Process, names: list[str]) -> Run:
    known = {each["Package"]: each for each in packages(p)}
    status = 0
    for number, name in enumerate(names):
        each = known.get(name.partition(":")[0])
        if each is None:
            yield from p.err(f"dpkg-query: package '{name}' is not installed and no information is available\n"
                             "Use dpkg --info (= dpkg-deb --info) to examine archive files.\n")  # fmt: skip
            status = 1
            continue
        yield from p.out(
            ("\n" if number else "") + "".join(f"{key}: {value}\n" for key, value in each.items())
        )
    return status


def _list_path(p: Process, name: str) -> str:
    for path in (f"{_INFO}/{name}.list", f"{_INFO}/{name}:amd64.list"):
        if exists(p, path):
            return path
    return ""


def _files(p: Process, names: list[str]) -> Run:
    status = 0
    for name in names:
        path = _list_path(p, name)
        if not path:
            yield from p.err(f"dpkg-query: package '{name}' is not installed\nUse dpkg --contents (= dpkg-deb "
            f"--contents) to list archive "
                             "files contents.\n")  # fmt: skip
            status = 1
            continue
        yield from p.out(text_of(p, path))
    return status


def _search(p: Process, patterns: list[str]) -> Run:
    status = 0
    lists = [name for name in p.fs.listdir(_INFO) if name.endswith(".list")]
    for pattern in patterns:
        found = False
        for name in lists:
            yield from p.tick(50)
            for line in text_of(p, f"{_INFO}/{name}").splitlines():
                if line == pattern or (not pattern.startswith("/") and pattern in line):
                    yield from p.out(f"{name.removesuffix('.list')}: {line}\n")
                    found = True
        if not found:
            yield from p.err(f"dpkg-query: no path found matching pattern {pattern}\n")
            status = 1
    return status


def _query(p: Process, words: list[str], rest: list[str]) -> Run:
    pattern = next((word[2:].lstrip("=") for word in words if word.startswith("-f") and len(word) > 2), "")
    pattern = next((word.partition("=")[2] for word in words if word.startswith("--showformat=")), pattern)
    if "-f" in words[:-1]:
        pattern = words[words.index("-f") + 1]
        rest = [word for word in rest if word != pattern]
    hits, missing = _matching(p, rest)
    for each in hits:
        text = pattern or "${Package}\\t${Version}\\n"
        for key, value in {**each, "binary:Package": each["Package"], "db:Status-Abbrev": "ii "}.items():
            text = text.replace(f"${{{key}}}", value)
        yield from p.out(text.replace("\\n", "\n").replace("\\t", "\t"))
    for name in missing:
        yield from p.err(f"dpkg-query: no packages found matching {name}\n")
    return 1 if missing else 0


def _change(p: Process, verb: str, names: list[str]) -> Run:
    if p.uid:
        yield from p.err("dpkg: error: requested operation requires superuser privilege\n")
        return 2
    known = {each["Package"]: each for each in packages(p)}
    for name in names:
        if verb in ("-i", "--install", "--unpack"):
            if not exists(p, name):
                yield from p.err(f"dpkg: error: cannot access archive '{name}': No such file or directory\n")
                return 2
            else:
                yield from p.err(f"dpkg-deb: error: '{name}' is not a Debian format archive\ndpkg: error "
                f"processing archive {name} "
                                 f"(--install):\n dpkg-deb --control subprocess returned error exit status 2\n"
                                 f"Errors were encountered while processing:\n {name}\n")  # fmt: skip
            return 1
        if name not in known:
            yield from p.err(f"dpkg: warning: ignoring request to remove {name} which isn't installed\n")
        elif verb in ("-r", "--remove", "-P", "--purge"):
            if known[name].get("Essential") == "yes" and not any(
                word.startswith("--force") for word in p.argv
            ):
                yield from p.err(f"dpkg: error processing package {name} (--{'purge' if 'P' in verb else 'remove'}):\n"
                                 " this is an essential package; it should not be removed\n"
                                 f"Errors were encountered while processing:\n {name}\n")  # fmt: skip
                return 1
            yield from remove_package(p, known[name], purge=verb in ("-P", "--purge"))
    return 0
