# ruff: noqa: E501 - tables of names read best with several on a line
"""sys, os, platform, pwd, shutil, glob, getpass, tempfile: the machine as Python sees it."""

from __future__ import annotations

import errno as host_errno
import posixpath
from typing import Any

from urltrap.machine.api import Stat, decode, encode
from urltrap.machine.errors import STRERROR, SysError
from urltrap.machine.programs.python import _calls
from urltrap.machine.programs.python._files import TextFile
from urltrap.machine.programs.python._imports import functions, lent, module
from urltrap.machine.programs.python._objects import (
    OBJECT,
    Builtin,
    Class,
    Gen,
    Thing,
    Unsupported,
    Yielded,
    error,
)
from urltrap.machine.programs.python._records import Record, VersionInfo
from urltrap.machine.programs.python._vm import Vm, os_error


@module("sys")
def _sys(vm: Vm) -> dict[str, Any]:
    major, minor, micro = vm.version
    built = vm.builtins["__built__"]
    info = Record("version_info", "sys", {
        "major": major, "minor": minor, "micro": micro, "releaselevel": "final", "serial": 0,
    })  # fmt: skip
    flags = Record("flags", "sys", {
        "debug": 0, "inspect": 0, "interactive": 0, "optimize": 0, "dont_write_bytecode": 0, "no_user_site": 0,
        "no_site": 0, "ignore_environment": 0, "verbose": 0, "bytes_warning": 0, "quiet": 0, "hash_randomization": 1,
        "isolated": 0, "dev_mode": False, "utf8_mode": 0, "warn_default_encoding": 0, "safe_path": False,
        "int_max_str_digits": 4300,
    })  # fmt: skip
    return {
        "argv": vm.argv, "path": vm.path, "stdin": vm.stdin, "stdout": vm.stdout, "stderr": vm.stderr,
        "version": f"{major}.{minor}.{micro} (main, {built}]", "version_info": VersionInfo(info), "platform": "linux",
        "executable": f"/usr/bin/python{major}", "prefix": "/usr", "exec_prefix": "/usr", "byteorder": "little",
        "maxsize": 9_223_372_036_854_775_807, "maxunicode": 1_114_111, "modules": vm.modules, "hexversion":
        major << 24 | minor << 16 | micro << 8 | 0xF0, "flags": flags, "api_version": 1013, "copyright":
        "Copyright (c) 2001-2023 Python Software Foundation.\nAll Rights Reserved.", "__stdout__": vm.stdout,
        "__stderr__": vm.stderr, "__stdin__": vm.stdin, "ps1": ">>> ", "ps2": "... ", "dont_write_bytecode": False,
        **functions(
            "sys", exit=lambda vm, code=None: _exit(code), getrecursionlimit=lambda vm: 1000,
            setrecursionlimit=lambda vm, limit: None, getdefaultencoding=lambda vm: "utf-8",
            getfilesystemencoding=lambda vm: "utf-8", getsizeof=unknown("sys.getsizeof"), exc_info=_exc_info,
            settrace=lambda vm, what: None, intern=lambda vm, text: text, _getframe=unknown("sys._getframe"),
        ),
    }  # fmt: skip


def _exit(code: Any) -> Any:
    raise error("SystemExit", *(() if code is None else (code,)))


def unknown(what: str) -> Any:
    def refuse(vm: Vm, *args: Any, **given: Any) -> Any:
        raise Unsupported(what)

    return refuse


def _exc_info(vm: Vm) -> Any:
    handled = vm.handled
    return (None, None, None) if handled is None else (handled.value.cls, handled.value, None)


def path_text(value: Any) -> str:
    """A path as text; TypeError as os.fspath words it."""
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return decode(value)
    if hasattr(value, "text"):
        return str(value.text())
    from urltrap.machine.programs.python._objects import class_of

    raise error("TypeError", f"expected str, bytes or os.PathLike object, not {class_of(value).name}")


def call_path(vm: Vm, path: Any, does: Any, *rest: Any) -> Any:
    """A call of the file tree; its errors carry the path as it was given."""
    vm.steps += 10
    try:
        return does(path_text(path), *rest)
    except SysError as problem:
        raise os_error(problem.errno, problem.words, path) from None


class Environ(Thing):
    """os.environ: what is set goes to the programs that are started."""

    type_name, module = "_Environ", "os"

    def __init__(self, vm: Vm) -> None:
        self.env = vm.p.env

    def attribute(self, name: str) -> Any:
        """The methods of a dictionary."""
        if name in ("get", "keys", "values", "items", "pop", "setdefault", "update", "copy"):
            return Builtin(name, lambda vm, *args: getattr(self.env, name)(*args))
        return super().attribute(name)

    def item(self, index: Any) -> Any:
        """environ[name]."""
        return self.env[index]

    def set_item(self, vm: Vm, index: Any, value: Any) -> None:
        """environ[name] = value."""
        if not isinstance(value, str):
            raise error("TypeError", f"str expected, not {type(value).__name__}")
        self.env[index] = value

    def delete_item(self, vm: Vm, index: Any) -> None:
        """del environ[name]."""
        del self.env[index]

    def contains(self, name: Any) -> bool:
        """name in environ."""
        return name in self.env

    def length(self) -> int:
        """How many."""
        return len(self.env)

    def iterate(self, vm: Vm) -> Gen:
        """The names."""
        for each in list(self.env):
            yield Yielded(each)

    def shown(self) -> str:
        """repr."""
        return f"environ({self.env!r})"


def _system(vm: Vm, command: Any) -> Gen:
    pid = vm.p.spawn(["sh", "-c", path_text(command)], path="/bin/sh")
    ended = yield from vm.p.wait(pid)
    status = ended[1] if ended is not None else 0
    return status - 128 if status > 128 else status << 8


def _popen(vm: Vm, command: Any, mode: str = "r", buffering: int = -1) -> Popened:
    reader, writer = vm.p.pipe()
    mine, its = (reader, writer) if mode == "r" else (writer, reader)
    pid = vm.p.spawn(["sh", "-c", path_text(command)], path="/bin/sh", fds={1 if mode == "r" else 0: its})
    vm.p.close(its)
    return Popened(mine, mode, pid)


class Popened(TextFile):
    """What os.popen gives."""

    def __init__(self, fd: int, mode: str, pid: int) -> None:
        super().__init__(fd, fd, mode, errors="surrogateescape")
        self.pid = pid
        self.type_name, self.module = "_wrap_close", "os"

    def m_close(self, vm: Vm) -> Gen:
        """Close and wait: None for success."""
        if self.closed:
            return None
        yield from super().m_close(vm)
        ended = yield from vm.p.wait(self.pid)
        return (ended[1] << 8) or None if ended is not None else None


def stat_result(stat: Stat) -> Record:
    """os.stat_result."""
    names = {
        "st_mode": stat.mode, "st_ino": stat.inode, "st_dev": stat.device, "st_nlink": stat.nlink,
        "st_uid": stat.uid, "st_gid": stat.gid, "st_size": stat.size, "st_atime": int(stat.atime),
        "st_mtime": int(stat.mtime), "st_ctime": int(stat.ctime),
    }  # fmt: skip
    made = Record("stat_result", "os", names)
    return made


def _walk(vm: Vm, top: Any, topdown: bool = True, onerror: Any = None, followlinks: bool = False) -> Any:
    def body() -> Gen:
        pending = [path_text(top)]
        while pending:
            folder = pending.pop()
            try:
                names = vm.p.fs.listdir(folder)
            except SysError:
                continue
            folders: list[str] = []
            files: list[str] = []
            for name in names:
                yield from vm.p.tick(5)
                try:
                    there = vm.p.fs.stat(posixpath.join(folder, name)).is_dir
                except SysError:
                    there = False
                (folders if there else files).append(name)
            yield Yielded((folder, folders, files))
            for name in reversed(folders):
                path = posixpath.join(folder, name)
                if followlinks or not vm.p.fs.stat(path, follow=False).is_link:
                    pending.append(path)

    return _calls.lazily(body(), "generator")


def _makedirs(vm: Vm, path: Any, mode: int = 0o777, exist_ok: bool = False) -> None:
    parts = path_text(path).split("/")
    for at in range(1, len(parts) + 1):
        folder = "/".join(parts[:at])
        if not folder:
            continue
        try:
            vm.p.fs.mkdir(folder, mode & ~vm.p.umask)
        except SysError as problem:
            if problem.errno != host_errno.EEXIST or (at == len(parts) and not exist_ok):
                raise os_error(problem.errno, problem.words, folder) from None


def _fork(vm: Vm) -> Gen:
    return (yield Fork())


class Fork:
    """Asks whoever runs the program to go on in a child."""


def _execl(vm: Vm, path: Any, *argv: Any) -> Gen:
    return (yield from _execv(vm, path, argv))


def _execv(vm: Vm, path: Any, argv: Any, env: Any = None) -> Gen:
    words = yield from _calls.listed(vm, argv)
    try:
        given = env.env if isinstance(env, Environ) else env
        name = path_text(path)
        yield from vm.p.exec(
            [path_text(each) for each in words], path=name if "/" in name else None, env=given
        )
    except SysError as problem:
        raise os_error(problem.errno, problem.words) from None


def _wait(vm: Vm, pid: int = -1, options: int = 0) -> Gen:
    found = yield from vm.p.wait(None if pid < 1 else pid, block=not options & 1)
    if found is None:
        return (0, 0)
    return (found[0], found[1] - 128 if found[1] > 128 else found[1] << 8)


def uname_result(vm: Vm) -> Record:
    kernel = vm.p.persona.kernel
    return Record("uname_result", "posix", {
        "sysname": "Linux", "nodename": vm.p.hostname, "release": kernel.release, "version": kernel.version,
        "machine": kernel.machine,
    })  # fmt: skip


def _login(vm: Vm) -> str:
    """The user who logged in, as glibc's getlogin(3) finds it: by the audit system's number."""
    from urltrap.machine.programs.python._places import name_of

    number = decode(vm.p.fs.read("/proc/self/loginuid")).strip()
    name = name_of(vm, number)
    if name is None:
        raise os_error(6, "No such device or address")
    return name


def _of_two(does: Any) -> Any:
    """A call of the file tree whose error names both of its paths."""

    def call(vm: Vm, old: Any, new: Any) -> None:
        vm.steps += 10
        try:
            does(path_text(old), path_text(new))
        except SysError as problem:
            raise os_error(problem.errno, problem.words, old, new) from None

    return call


def _os_exit(vm: Vm, code: int) -> None:
    raise Leave(code)


class Leave(Exception):
    """os._exit: nothing is flushed, nobody is told."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def _fd_read(vm: Vm, fd: int, length: int) -> Gen:
    return (yield from vm.p.read(fd, length))


def _fd_write(vm: Vm, fd: int, data: Any) -> Gen:
    yield from vm.p.write(fd, bytes(data))
    return len(data)


@module("os")
def _os(vm: Vm) -> dict[str, Any]:
    p = vm.p
    fs = p.fs
    path = vm.modules.get("os.path") or _path_module(vm)
    return {
        "environ": Environ(vm), "path": path, "name": "posix", "sep": "/", "linesep": "\n", "pathsep": ":",
        "curdir": ".", "pardir": "..", "extsep": ".", "devnull": "/dev/null", "F_OK": 0, "R_OK": 4, "W_OK": 2,
        "X_OK": 1, "O_RDONLY": 0, "O_WRONLY": 1, "O_RDWR": 2, "O_CREAT": 64, "O_EXCL": 128, "O_TRUNC": 512,
        "O_APPEND": 1024, "WNOHANG": 1, "error": vm.builtins["OSError"], "PathLike": Class("PathLike", (OBJECT,)),
        **functions(
            "os", system=_system, popen=_popen, walk=_walk, makedirs=_makedirs, fork=_fork, wait=_wait,
            getcwd=lambda vm: p.cwd, getpid=lambda vm: vm.p.pid, getppid=lambda vm: vm.p.ppid,
            getuid=lambda vm: p.uid, geteuid=lambda vm: p.uid, getgid=lambda vm: p.gid, getegid=lambda vm: p.gid,
            getgroups=lambda vm: list(p.groups), getlogin=_login, uname=uname_result, waitpid=_wait,
            getenv=lambda vm, name, default=None: p.env.get(name, default),
            putenv=lambda vm, name, value: p.env.__setitem__(name, value),
            unsetenv=lambda vm, name: p.env.pop(name, None),
            chdir=lambda vm, path: call_path(vm, path, p.chdir),
            listdir=lambda vm, path=None: call_path(vm, "." if path is None else path, fs.listdir),
            mkdir=lambda vm, path, mode=0o777: call_path(vm, path, fs.mkdir, mode & ~p.umask),
            rmdir=lambda vm, path: call_path(vm, path, fs.rmdir), remove=lambda vm, path: call_path(vm, path, fs.unlink),
            unlink=lambda vm, path: call_path(vm, path, fs.unlink), rename=_of_two(fs.rename), replace=_of_two(fs.rename),
            chmod=lambda vm, path, mode: call_path(vm, path, fs.chmod, mode),
            chown=lambda vm, path, uid, gid: call_path(vm, path, fs.chown, uid, gid),
            readlink=lambda vm, path: call_path(vm, path, fs.readlink),
            symlink=_of_two(fs.symlink), link=_of_two(fs.link),
            stat=lambda vm, path: stat_result(call_path(vm, path, fs.stat)),
            lstat=lambda vm, path: stat_result(call_path(vm, path, lambda path: fs.stat(path, follow=False))),
            access=lambda vm, path, want: accessible(vm, path, want),
            kill=lambda vm, pid, signal: p.kill(int(pid), int(signal)), execl=_execl, execlp=_execl, execv=_execv,
            execvp=_execv, execve=_execv, execvpe=_execv, _exit=_os_exit, setsid=lambda vm: vm.p.new_session(),
            umask=_umask, urandom=lambda vm, size: _random(vm, size), dup2=lambda vm, old, new: vm.p.dup2(old, new),
            close=lambda vm, fd: vm.p.close(fd), pipe=lambda vm: vm.p.pipe(), isatty=lambda vm, fd: vm.p.is_tty(fd),
            read=_fd_read, write=_fd_write, cpu_count=lambda vm: p.persona.cpu.count, nice=lambda vm, by: by,
            open=lambda vm, path, flags, mode=0o777: call_path(vm, path, vm.p.open, flags, mode),
            setuid=lambda vm, uid: None if not p.uid else _refused(), setgid=lambda vm, gid: None if not p.uid
            else _refused(), fspath=lambda vm, path: path_text(path), fsencode=lambda vm, text: encode(text),
            fsdecode=lambda vm, data: path_text(data), strerror=lambda vm, number: STRERROR.get(
                number, f"Unknown error {number}"), getpgid=lambda vm, pid: vm.p.group,
        ),
    }  # fmt: skip


def _refused() -> Any:
    raise os_error(1, "Operation not permitted")


def _random(vm: Vm, size: int) -> bytes:
    vm.grow(size)
    return vm.p.random_bytes(size)


def _umask(vm: Vm, mask: int) -> int:
    old, vm.p.umask = vm.p.umask, mask & 0o777
    return old


def accessible(vm: Vm, path: Any, want: int) -> bool:
    try:
        vm.p.fs.stat(path_text(path))
        return vm.p.fs.access(path_text(path), want)
    except SysError:
        return False


def _path_module(vm: Vm) -> Any:
    from urltrap.machine.programs.python._objects import Module

    made = Module("posixpath", _path(vm))
    vm.modules["os.path"] = made
    return made


@module("os.path")
def _path(vm: Vm) -> dict[str, Any]:
    fs = vm.p.fs

    def asked(does: Any) -> Any:
        def ask(vm: Vm, path: Any) -> bool:
            vm.steps += 10
            try:
                return bool(does(path_text(path)))
            except SysError:
                return False

        return ask

    def expanded(vm: Vm, path: str) -> str:
        if not path.startswith("~"):
            return path
        user, slash, rest = path[1:].partition("/")
        from urltrap.machine.programs.python._places import home_of

        home = vm.p.env.get("HOME", "/") if not user else home_of(vm, user)
        return path if home is None else home.rstrip("/") + slash + rest

    return {
        "sep": "/", "__name__": "posixpath",
        **lent(join=posixpath.join, basename=posixpath.basename, dirname=posixpath.dirname, split=posixpath.split,
               splitext=posixpath.splitext, normpath=posixpath.normpath, isabs=posixpath.isabs,
               commonprefix=posixpath.commonprefix),
        **functions(
            "os.path", exists=asked(lambda path: fs.stat(path)), lexists=asked(lambda path: fs.stat(path, follow=False)),
            isfile=asked(lambda path: fs.stat(path).is_file), isdir=asked(lambda path: fs.stat(path).is_dir),
            islink=asked(lambda path: fs.stat(path, follow=False).is_link), expanduser=expanded,
            abspath=lambda vm, path: posixpath.normpath(posixpath.join(vm.p.cwd, path_text(path))),
            realpath=lambda vm, path: _real(vm, path_text(path)),
            getsize=lambda vm, path: call_path(vm, path, fs.stat).size,
            getmtime=lambda vm, path: float(call_path(vm, path, fs.stat).mtime),
            relpath=lambda vm, path, start=".": _relative(vm, path, start),
            expandvars=lambda vm, path: path if "$" not in path else unknown("expandvars")(vm),
        ),
    }  # fmt: skip


def _relative(vm: Vm, path: str, start: str) -> str:
    full = [posixpath.normpath(posixpath.join(vm.p.cwd, each)) for each in (path, start)]
    return posixpath.relpath(full[0], full[1])


def _real(vm: Vm, path: str) -> str:
    try:
        return vm.p.fs.realpath(path)
    except SysError:
        return posixpath.normpath(posixpath.join(vm.p.cwd, path))
