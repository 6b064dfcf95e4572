"""pwd, platform, stat, shutil, glob, getpass, tempfile."""

from __future__ import annotations

import fnmatch
import posixpath
import stat
from typing import Any

from urltrap.machine.api import decode
from urltrap.machine.errors import SysError
from urltrap.machine.programs.python._imports import functions, lent, module
from urltrap.machine.programs.python._objects import (
    Gen,
    Unsupported,
    error,
)
from urltrap.machine.programs.python._records import Record
from urltrap.machine.programs.python._system import (
    accessible,
    call_path,
    path_text,
    uname_result,
    unknown,
)
from urltrap.machine.programs.python._vm import Vm


def _accounts(vm: Vm) -> list[list[str]]:
    lines = decode(vm.p.fs.read("/etc/passwd")).splitlines()
    return [fields for line in lines if len(fields := line.split(":")) == 7]


def home_of(vm: Vm, user: str) -> str | None:
    return next((fields[5] for fields in _accounts(vm) if fields[0] == user), None)


def name_of(vm: Vm, uid: str) -> str | None:
    return next((fields[0] for fields in _accounts(vm) if fields[2] == uid), None)


def _entry(fields: list[str]) -> Record:
    names = ("pw_name", "pw_passwd", "pw_uid", "pw_gid", "pw_gecos", "pw_dir", "pw_shell")
    values: list[Any] = [*fields[:2], int(fields[2]), int(fields[3]), *fields[4:]]
    return Record("struct_passwd", "pwd", dict(zip(names, values, strict=True)))


@module("pwd")
def _pwd(vm: Vm) -> dict[str, Any]:
    def by(vm: Vm, at: int, wanted: Any, words: str) -> Record:
        found = next((each for each in _accounts(vm) if each[at] == str(wanted)), None)
        if found is None:
            raise error("KeyError", words)
        return _entry(found)

    return functions(
        "pwd", getpwnam=lambda vm, name: by(vm, 0, name, f"getpwnam(): name not found: '{name}'"),
        getpwuid=lambda vm, uid: by(vm, 2, uid, f"getpwuid(): uid not found: {uid}"),
        getpwall=lambda vm: [_entry(each) for each in _accounts(vm)],
    )  # fmt: skip


@module("platform")
def _platform(vm: Vm) -> dict[str, Any]:
    kernel = vm.p.persona.kernel
    version = ".".join(map(str, vm.version))
    libc = "glibc2.41" if vm.version >= (3, 13) else "glibc2.36"

    def uname(vm: Vm) -> Record:
        fields = dict(uname_result(vm).fields)
        names = {
            "system": "sysname",
            "node": "nodename",
            "release": "release",
            "version": "version",
            "machine": "machine",
        }
        return Record(
            "uname_result", "platform", {name: fields[key] for name, key in names.items()}, "uname_result"
        )

    return functions(
        "platform", system=lambda vm: "Linux", node=lambda vm: vm.p.hostname, release=lambda vm: kernel.release,
        version=lambda vm: kernel.version, machine=lambda vm: kernel.machine, processor=lambda vm: "",
        architecture=lambda vm: ("64bit", "ELF"), python_version=lambda vm: version, uname=uname,
        platform=lambda vm, *rest: f"Linux-{kernel.release}-{kernel.machine}-with-{libc}",
        python_implementation=lambda vm: "CPython", libc_ver=lambda vm: ("glibc", libc[5:]),
    )  # fmt: skip


@module("stat")
def _stat(vm: Vm) -> dict[str, Any]:
    names = {
        name: getattr(stat, name)
        for name in dir(stat)
        if name.startswith(("S_", "ST_")) or name == "filemode"
    }
    return {
        **{name: value for name, value in names.items() if not callable(value)},
        **lent(**{name: value for name, value in names.items() if callable(value)}),
    }


@module("shutil")
def _shutil(vm: Vm) -> dict[str, Any]:
    def which(vm: Vm, name: str, mode: int = 1, path: Any = None) -> Any:
        for folder in (path or vm.p.env.get("PATH", "/bin:/usr/bin")).split(":"):
            full = name if "/" in name else posixpath.join(folder, name)
            if accessible(vm, full, 1) and not vm.p.fs.stat(full).is_dir:
                return full
        return None

    def program(*words: str) -> Any:
        def run(vm: Vm, *args: Any, **given: Any) -> Gen:
            for each in args[:1]:
                call_path(vm, each, vm.p.fs.stat)
            pid = vm.p.spawn([*words, *(path_text(each) for each in args[:2])])
            yield from vm.p.wait(pid)
            return args[1] if len(args) > 1 else None

        return run

    return functions(
        "shutil", which=which, copy=program("cp"), copyfile=program("cp"), copy2=program("cp", "-p"),
        move=program("mv"), rmtree=program("rm", "-rf", "--"), copytree=program("cp", "-a"),
        get_terminal_size=lambda vm, *rest: Record(
            "terminal_size", "os", dict(zip(("columns", "lines"), vm.p.window(), strict=True))),
    )  # fmt: skip


@module("glob")
def _glob(vm: Vm) -> dict[str, Any]:
    def find(vm: Vm, pattern: str, recursive: bool = False, **given: Any) -> list[str]:
        if "**" in pattern:
            raise Unsupported("glob **")
        found = ["/"] if pattern.startswith("/") else [""]
        for part in [each for each in pattern.split("/") if each]:
            following = []
            for base in found:
                if not any(char in part for char in "*?["):
                    names = [part]
                else:
                    try:
                        names = vm.p.fs.listdir(base or ".")
                    except SysError:
                        continue
                    names = [
                        name for name in fnmatch.filter(names, part) if part[:1] == "." or name[:1] != "."
                    ]
                following += [posixpath.join(base, name) for name in names]
                vm.steps += 10 + len(names)
            found = [each for each in following if _exists(vm, each)]
        return found

    return functions("glob", glob=find, iglob=lambda vm, pattern, **given: iter(find(vm, pattern)))


def _exists(vm: Vm, path: str) -> bool:
    try:
        vm.p.fs.stat(path, follow=False)
    except SysError:
        return False
    return True


@module("getpass")
def _getpass(vm: Vm) -> dict[str, Any]:
    def user(vm: Vm) -> str:
        named = (vm.p.env.get(name) for name in ("LOGNAME", "USER", "LNAME", "USERNAME"))
        return next((name for name in named if name), vm.p.user)

    return functions("getpass", getuser=user, getpass=unknown("getpass.getpass"))


@module("tempfile")
def _tempfile(vm: Vm) -> dict[str, Any]:
    letters = "abcdefghijklmnopqrstuvwxyz0123456789_"

    def name(vm: Vm) -> str:
        return "/tmp/tmp" + "".join(letters[each % 37] for each in vm.p.random_bytes(8))

    def folder(vm: Vm, *args: Any, **given: Any) -> str:
        path = name(vm)
        vm.p.fs.mkdir(path, 0o700)
        return path

    def file(vm: Vm, *args: Any, **given: Any) -> tuple[int, str]:
        path = name(vm)
        return vm.p.open(path, 0o102 | 0o200, 0o600), path

    return functions("tempfile", gettempdir=lambda vm: "/tmp", mkdtemp=folder, mkstemp=file, mktemp=name)
