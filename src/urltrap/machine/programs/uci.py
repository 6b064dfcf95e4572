"""uci: OpenWrt's configuration, read from and written to the files of /etc/config (openwrt.org, "The UCI system")."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field

from urltrap.machine.api import Process, Run, encode
from urltrap.machine.errors import SysError
from urltrap.machine.programs._getopt import OptionError, getopt
from urltrap.machine.programs._system import text_of
from urltrap.machine.programs.registry import program

_USAGE = """\
Usage: uci [<options>] <command> [<arguments>]

Commands:
\tbatch
\texport     [<config>]
\timport     [<config>]
\tchanges    [<config>]
\tcommit     [<config>]
\tadd        <config> <section-type>
\tadd_list   <config>.<section>.<option>=<string>
\tdel_list   <config>.<section>.<option>=<string>
\tshow       [<config>[.<section>[.<option>]]]
\tget        <config>.<section>[.<option>]
\tset        <config>.<section>[.<option>]=<value>
\tdelete     <config>[.<section>[[.<option>][=<id>]]]
\trename     <config>.<section>[.<option>]=<name>
\trevert     <config>[.<section>[.<option>]]
\treorder    <config>.<section>=<position>

Options:
\t-c <path>  set the search path for config files (default: /etc/config)
\t-d <str>   set the delimiter for list values in uci show
\t-f <file>  use <file> as input instead of stdin
\t-m         when importing, merge data into an existing package
\t-n         name unnamed sections on export (default)
\t-N         don't name unnamed sections
\t-p <path>  add a search path for config change files
\t-P <path>  add a search path for config change files and use as default
\t-t <path>  set save path for config change files
\t-q         quiet mode (don't print error messages)
\t-s         force strict mode (stop on parser errors, default)
\t-S         disable strict mode
\t-X         do not use extended syntax on 'show'

"""
_CHANGES = "/tmp/.uci"
_NAME = re.compile(r"[A-Za-z0-9_]+\Z")
_MISSING = "uci: Entry not found\n"
_INVALID = "uci: Invalid argument\n"


@dataclass(slots=True)
class Section:
    """A section: type, name ("" for anonymous ones), options in order (a list's values, or one)."""

    kind: str
    name: str = ""
    options: dict[str, list[str]] = field(default_factory=dict)
    lists: set[str] = field(default_factory=set)


def parse(text: str) -> list[Section]:
    """The sections of a configuration file; lines that are none of the language are left out."""
    found: list[Section] = []
    for line in text.splitlines():
        try:
            words = shlex.split(line, comments=True)
        except ValueError:
            continue
        if words[:1] == ["config"] and len(words) > 1:
            found.append(Section(words[1], words[2] if len(words) > 2 else ""))
        elif words[:1] in (["option"], ["list"]) and len(words) > 2 and found:
            values = found[-1].options.setdefault(words[1], [])
            if words[0] == "option":
                values[:] = [words[2]]
            else:
                values.append(words[2])
                found[-1].lists.add(words[1])
    return found


def render(sections: list[Section]) -> str:
    """A configuration file as uci writes it."""
    out = []
    for each in sections:
        out.append(f"\nconfig {each.kind}{f' {_quoted(each.name)}' if each.name else ''}\n")
        for name, values in each.options.items():
            word = "list" if name in each.lists else "option"
            out += [f"\t{word} {name} {_quoted(value)}\n" for value in values]
    return "".join(out) + "\n"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


@program("uci")
def uci(p: Process) -> Run:
    """Show and change the configuration."""
    try:
        options, words = getopt(p.argv[1:], "+c:d:f:LmnNp:P:qsSt:X")
    except OptionError:
        yield from p.err(_USAGE)
        return 1
    given = dict(options)
    folder = given.get("c", "/etc/config").rstrip("/")
    quiet = "q" in given
    if not words:
        yield from p.err(_USAGE)
        return 255
    verb, rest = words[0], words[1:]
    status, text = _run(p, folder, verb, rest, "X" in given)
    if text:
        error = status != 0
        if not (quiet and error):
            yield from (p.err(text) if error else p.out(text))
    return status


def _load(p: Process, folder: str, name: str) -> list[Section] | None:
    changed = f"{_CHANGES}/{name}"
    path = changed if _exists(p, changed) else f"{folder}/{name}"
    return parse(text_of(p, path)) if _exists(p, path) else None


def _exists(p: Process, path: str) -> bool:
    try:
        return p.fs.stat(path).is_file
    except SysError:
        return False


def _packages(p: Process, folder: str) -> list[str]:
    try:
        return sorted(p.fs.listdir(folder))
    except SysError:
        return []


def _run(p: Process, folder: str, verb: str, rest: list[str], plain: bool) -> tuple[int, str]:
    if verb in ("show", "export", "changes"):
        names = [rest[0].partition(".")[0]] if rest else _packages(p, folder)
        loaded = [(name, _load(p, folder, name)) for name in names]
        if rest and loaded[0][1] is None:
            return 1, _MISSING
        if verb == "changes":
            return 0, "".join(_differences(p, folder, name) for name in names)
        if verb == "export":
            return 0, "".join(f"package {name}\n{render(sections or [])}" for name, sections in loaded)
        out = "".join(
            _shown(name, sections or [], rest[0] if rest else "", plain) for name, sections in loaded
        )
        return (0, out) if out or not rest else (1, _MISSING)
    if verb == "get" and rest:
        return _get(p, folder, rest[0])
    if verb in ("commit", "revert"):
        for name in [rest[0].partition(".")[0]] if rest else _packages(p, folder):
            if _exists(p, f"{_CHANGES}/{name}"):
                if verb == "commit":
                    p.fs.write(f"{folder}/{name}", p.fs.read(f"{_CHANGES}/{name}"))
                p.fs.unlink(f"{_CHANGES}/{name}")
        return 0, ""
    if verb in ("set", "add_list", "del_list", "delete", "del", "add", "rename") and rest:
        return _change(p, folder, verb, rest)
    if verb in ("batch", "import", "reorder"):
        return 0, ""
    return 1, _USAGE


def _title(sections: list[Section], each: Section, plain: bool) -> str:
    if each.name:
        return each.name
    alike = [other for other in sections if other.kind == each.kind]
    place = next(number for number, other in enumerate(alike) if other is each)
    if plain:
        draw = sum(ord(char) * (number + 7) for number, char in enumerate(each.kind)) + place * 97
        return f"cfg{sections.index(each) + 1:02x}{draw * 2_654_435_761 & 0xFFFF:04x}"
    return f"@{each.kind}[{place}]"


def _find(sections: list[Section], name: str) -> Section | None:
    match = re.fullmatch(r"@([\w-]+)\[(-?\d+)\]", name)
    if match is None:
        return next(
            (each for each in sections if each.name == name or _title(sections, each, True) == name), None
        )
    alike = [each for each in sections if each.kind == match[1]]
    number = int(match[2][:6])
    return alike[number] if -len(alike) <= number < len(alike) else None


def _shown(package: str, sections: list[Section], path: str, plain: bool) -> str:
    _, _, rest = path.partition(".")
    wanted, _, option = rest.partition(".")
    chosen = sections if not wanted else [each for each in [_find(sections, wanted)] if each is not None]
    out = []
    for each in chosen:
        name = f"{package}.{_title(sections, each, plain)}"
        if not option:
            out.append(f"{name}={each.kind}\n")
        for key, values in each.options.items():
            if not option or key == option:
                out.append(f"{name}.{key}={' '.join(map(_quoted, values))}\n")
    return "".join(out)


def _get(p: Process, folder: str, path: str) -> tuple[int, str]:
    package, _, rest = path.partition(".")
    name, _, option = rest.partition(".")
    sections = _load(p, folder, package)
    found = _find(sections, name) if sections is not None else None
    if found is None:
        return 1, _MISSING
    if not option:
        return 0, f"{found.kind}\n"
    values = found.options.get(option)
    return (0, " ".join(values) + "\n") if values else (1, _MISSING)


def _change(p: Process, folder: str, verb: str, rest: list[str]) -> tuple[int, str]:
    path, equals, value = rest[0].partition("=")
    package, _, where = path.partition(".")
    name, _, option = where.partition(".")
    sections = _load(p, folder, package)
    if sections is None:
        return 1, _MISSING
    out = ""
    if verb == "add":
        if len(rest) < 2:
            return 255, _USAGE
        sections.append(Section(rest[1]))
        out = _title(sections, sections[-1], True) + "\n"
    elif verb in ("set", "add_list", "rename") and (not equals or not name):
        return 1, _INVALID
    else:
        found = _find(sections, name)
        if verb == "set" and not option:
            if found is not None:
                found.kind = value
            elif _NAME.match(name):
                sections.append(Section(value, name))
            else:
                return 1, _INVALID
        elif found is None:
            return 1, _MISSING if verb.startswith("del") or name.startswith("@") else _INVALID
        elif verb == "set":
            found.options[option] = [value]
            found.lists.discard(option)
        elif verb == "add_list":
            found.options.setdefault(option, []).append(value)
            found.lists.add(option)
        elif verb == "del_list":
            found.options[option] = [each for each in found.options.get(option, []) if each != value]
        elif verb == "rename":
            found.name = value if not option else found.name
        elif not option:
            sections.remove(found)
        elif found.options.pop(option, None) is None:
            return 1, _MISSING
    if p.uid:
        return 1, "uci: I/O error\n"
    if not _exists_folder(p):
        p.fs.mkdir(_CHANGES, 0o700)
    p.fs.write(f"{_CHANGES}/{package}", encode(render(sections)))
    return 0, out


def _exists_folder(p: Process) -> bool:
    try:
        return p.fs.stat(_CHANGES).is_dir
    except SysError:
        return False


def _differences(p: Process, folder: str, name: str) -> str:
    if not _exists(p, f"{_CHANGES}/{name}"):
        return ""
    before = _shown(name, parse(text_of(p, f"{folder}/{name}")), "", True).splitlines()
    after = _shown(name, parse(text_of(p, f"{_CHANGES}/{name}")), "", True).splitlines()
    gone = {line.partition("=")[0] for line in before} - {line.partition("=")[0] for line in after}
    return "".join(f"{line}\n" for line in after if line not in before) + "".join(
        f"-{path}\n" for path in sorted(gone)
    )
