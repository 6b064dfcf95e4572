"""sysctl and getconf: settings of kernel and system."""

from __future__ import annotations

from urltrap.machine.api import Process, Run
from urltrap.machine.errors import SysError
from urltrap.machine.programs._system import is_device, option_problem, text_of
from urltrap.machine.programs.registry import program

_USAGE = """
Usage:
 sysctl [options] [variable[=value] ...]

Options:
  -a, --all            display all variables
  -A                   alias of -a
  -X                   alias of -a
      --deprecated     include deprecated parameters to listing
      --dry-run        Print the key and values but do not write
  -b, --binary         print value without new line
  -e, --ignore         ignore unknown variables errors
  -N, --names          print variable names without values
  -n, --values         print only values of the given variable(s)
  -p, --load[=<file>]  read values from file
  -f                   alias of -p
      --system         read values from all system directories
  -r, --pattern <expression>
                       select setting that match expression
  -q, --quiet          do not echo variable set
  -w, --write          enable writing a value to variable
  -o                   does nothing
  -x                   does nothing
  -d                   alias of -h

 -h, --help     display this help and exit
 -V, --version  output version information and exit

For more details see sysctl(8).
"""


@program("sysctl")
def sysctl(p: Process) -> Run:
    """Show or set kernel parameters."""
    flags = {
        letter
        for word in p.argv[1:]
        if word.startswith("-") and not word.startswith("--")
        for letter in word[1:]
    }
    words = [word for word in p.argv[1:] if not word.startswith("-")]
    if not words and not flags & set("aAXp") and "--system" not in p.argv and "--all" not in p.argv:
        yield from p.err(_USAGE)
        return 1
    if flags & set("aAX") or "--all" in p.argv:
        for path in _all(p, "/proc/sys"):
            yield from _show(p, path, flags)
        return 0
    if "p" in flags or "--system" in p.argv:
        source = words[0] if words else "/etc/sysctl.conf"
        try:
            p.fs.stat(source)
        except SysError as error:
            yield from p.err(f'sysctl: cannot open "{source}": {error.words}\n')
            return 1
        for line in text_of(p, source).splitlines():
            name, equals, value = line.partition("=")
            if equals and not line.lstrip().startswith(("#", ";")):
                yield from p.out(f"{name.strip()} = {value.strip()}\n")
        return 0
    status = 0
    for word in words:
        name, equals, value = word.partition("=")
        if "w" in flags and not equals:
            yield from p.err("sysctl: command line(0): invalid syntax, continuing...\n")
            status = 1
            continue
        path = "/proc/sys/" + name.strip().replace(".", "/")
        try:
            found = p.fs.stat(path)
        except SysError as error:
            if "e" not in flags:
                unknown = f"error: '{name.strip()}' is an unknown key"
                yield from p.err(
                    f"sysctl: {unknown if is_device(p) else f'cannot stat {path}: {error.words}'}\n"
                )
                status = 1
            continue
        if not equals:
            for each in _all(p, path) if found.is_dir else [path]:
                yield from _show(p, each, flags)
            continue
        try:
            p.fs.write(path, (value + "\n").encode("utf-8", "replace"))
        except SysError as error:
            what = "permission denied on key" if error.errno in (1, 13) else "setting key"
            yield from p.err(
                f'sysctl: {what} "{name}"{"" if error.errno in (1, 13) else f": {error.words}"}\n'
            )
            status = 1
            continue
        if "q" not in flags:
            yield from p.out(f"{name} = {value}\n" if "n" not in flags else f"{value}\n")
    return status


def _all(p: Process, path: str) -> list[str]:
    out = []
    for name in p.fs.listdir(path):
        below = f"{path}/{name}"
        out += _all(p, below) if p.fs.stat(below).is_dir else [below]
    return out


def _show(p: Process, path: str, flags: set[str]) -> Run:
    name = path.removeprefix("/proc/sys/").replace("/", ".")
    value = text_of(p, path).rstrip("\n")
    if "N" in flags:
        yield from p.out(f"{name}\n")
    else:
        yield from p.out(f"{value}\n" if "n" in flags else f"{name} = {value}\n")
    return 0


_CONF = {
    "LONG_BIT": "64", "WORD_BIT": "32", "CHAR_BIT": "8", "PAGESIZE": "4096", "PAGE_SIZE": "4096", "ARG_MAX": "2097152",
    "CLK_TCK": "100", "OPEN_MAX": "1024", "CHILD_MAX": "15458", "HOST_NAME_MAX": "64", "LOGIN_NAME_MAX": "256",
    "PATH": "/bin:/usr/bin", "GNU_LIBC_VERSION": "glibc 2.36", "GNU_LIBPTHREAD_VERSION": "NPTL 2.36",
    "LINE_MAX": "2048",
    "IOV_MAX": "1024", "INT_MAX": "2147483647", "UINT_MAX": "4294967295", "NAME_MAX": "255", "PATH_MAX": "4096",
    "LINK_MAX": "65000", "PIPE_BUF": "4096", "_POSIX_VERSION": "200809", "NGROUPS_MAX": "65536", "SYMLOOP_MAX": "",
    "LEVEL1_DCACHE_LINESIZE": "64",
}  # fmt: skip


_OF_PATHS = frozenset({"LINK_MAX", "MAX_CANON", "MAX_INPUT", "NAME_MAX", "PATH_MAX", "PIPE_BUF", "_POSIX_VDISABLE",
                       "_POSIX_CHOWN_RESTRICTED", "_POSIX_NO_TRUNC", "FILESIZEBITS", "SYMLINK_MAX"})  # fmt: skip
"""Variables that depend on a file (pathconf(3))."""


@program("getconf")
def getconf(p: Process) -> Run:
    """System limits and constants."""
    words = [word for word in p.argv[1:] if word not in ("-v",)]
    persona = p.persona
    values = dict(_CONF)
    if persona.kind == "debian-13":
        values |= {"GNU_LIBC_VERSION": "glibc 2.41", "GNU_LIBPTHREAD_VERSION": "NPTL 2.41"}
    if persona.kernel.machine != "x86_64":
        values["LONG_BIT"] = "32"
    pages = str(persona.memory.total_kb // 4)
    values |= {"_NPROCESSORS_ONLN": str(persona.cpu.count), "_NPROCESSORS_CONF": str(persona.cpu.count),
    "_PHYS_PAGES": pages,
               "_AVPHYS_PAGES": str(persona.memory.free_kb // 4)}  # fmt: skip
    if words == ["-a"]:
        for name, value in values.items():
            yield from p.out(f"{name:<35}{value}\n")
        return 0
    if not words or len(words) > 2:
        yield from p.err(
            "Usage: getconf [-v specification] variable_name [pathname]\n       getconf -a [pathname]\n"
        )
        return 2
    if len(words) == 2 and words[0] not in _OF_PATHS:
        yield from p.err(
            "Usage: getconf [-v specification] variable_name [pathname]\n       getconf -a [pathname]\n"
        )
        return 2
    if words[0] not in values:
        yield from p.err(f"getconf: Unrecognized variable `{words[0]}'\n")
        return 2
    yield from p.out(f"{values[words[0]] or 'undefined'}\n")
    return 0


@program("locale")
def locale(p: Process) -> Run:
    """The language settings."""
    if problem := option_problem(p, "acckmvV", "all-locales all-charmaps category-name keyword-name verbose"):
        yield from p.err(f"{problem}Try `locale --help' or `locale --usage' for more information.\n")
        return 64
    if p.argv[1:] in (["-a"], ["--all-locales"]):
        yield from p.out("C\nC.utf8\nPOSIX\n")
        return 0
    if p.argv[1:] == ["charmap"]:
        yield from p.out(
            "UTF-8\n" if "UTF" in p.env.get("LC_ALL", p.env.get("LANG", "")).upper() else "ANSI_X3.4-1968\n"
        )
        return 0
    lang, every = p.env.get("LANG", ""), p.env.get("LC_ALL", "")
    wanted = every or lang
    if wanted and wanted not in ("C", "POSIX", "C.UTF-8", "C.utf8"):
        for name in ("LC_CTYPE", "LC_MESSAGES", "LC_ALL"):
            yield from p.err(f"locale: Cannot set {name} to default locale: No such file or directory\n")
    yield from p.out(f"LANG={lang}\nLANGUAGE={p.env.get('LANGUAGE', '')}\n")
    for name in ("CTYPE", "NUMERIC", "TIME", "COLLATE", "MONETARY", "MESSAGES", "PAPER", "NAME", "ADDRESS",
    "TELEPHONE", "MEASUREMENT",
                 "IDENTIFICATION"):  # fmt: skip
        own = p.env.get(f"LC_{name}", "")
        yield from p.out(
            f"LC_{name}={own}\n" if own and not every else f'LC_{name}="{every or lang or "POSIX"}"\n'
        )
    yield from p.out(f"LC_ALL={every}\n")
    return 0
