"""subprocess, shlex, pty: what starts other programs."""

from __future__ import annotations

import shlex
from typing import Any

from urltrap.machine.errors import SysError
from urltrap.machine.kernel.signals import NAMES
from urltrap.machine.programs.python import _calls
from urltrap.machine.programs.python._files import TextFile
from urltrap.machine.programs.python._imports import functions, lent, module
from urltrap.machine.programs.python._objects import (
    EXCEPTIONS,
    Builtin,
    Class,
    Gen,
    Instance,
    PyError,
    Thing,
)
from urltrap.machine.programs.python._system import Environ, path_text
from urltrap.machine.programs.python._vm import Vm, os_error

PIPE, STDOUT, DEVNULL = -1, -2, -3
_SUBPROCESS_ERROR = Class("SubprocessError", (EXCEPTIONS["Exception"],), module="subprocess")
_CALLED = Class("CalledProcessError", (_SUBPROCESS_ERROR,), module="subprocess")
_EXPIRED = Class("TimeoutExpired", (_SUBPROCESS_ERROR,), module="subprocess")


class Popen(Thing):
    """A child of subprocess."""

    type_name, module = "Popen", "subprocess"

    def __init__(self, args: Any, pid: int) -> None:
        self.args, self.pid = args, pid
        self.returncode: Any = None
        self.files: dict[str, Any] = {"stdin": None, "stdout": None, "stderr": None}

    def attribute(self, name: str) -> Any:
        """pid, args, returncode, the pipes, the methods."""
        if name in self.files:
            return self.files[name]
        return getattr(self, name) if name in ("args", "pid", "returncode") else super().attribute(name)

    def m_wait(self, vm: Vm, timeout: Any = None) -> Gen:
        """wait."""
        if self.returncode is None:
            ended = yield from vm.p.wait(self.pid)
            status = ended[1] if ended is not None else 0
            self.returncode = 128 - status if status > 128 else status
        return self.returncode

    def m_poll(self, vm: Vm) -> Gen:
        """poll."""
        if self.returncode is None and (ended := (yield from vm.p.wait(self.pid, block=False))) is not None:
            self.returncode = 128 - ended[1] if ended[1] > 128 else ended[1]
        return self.returncode

    def m_communicate(self, vm: Vm, input: Any = None, timeout: Any = None) -> Gen:
        """communicate."""
        writer = self.files["stdin"]
        if writer is not None:
            if input:
                yield from writer.m_write(vm, input)
            yield from writer.m_close(vm)
        found = []
        for name in ("stdout", "stderr"):
            reader = self.files[name]
            found.append(None if reader is None else (yield from reader.m_read(vm)))
            if reader is not None:
                yield from reader.m_close(vm)
        yield from self.m_wait(vm)
        return tuple(found)

    def m_kill(self, vm: Vm) -> None:
        """kill."""
        vm.p.kill(self.pid, 9)

    def m_terminate(self, vm: Vm) -> None:
        """terminate."""
        vm.p.kill(self.pid, 15)

    def m___enter__(self, vm: Vm) -> Popen:
        """with."""
        return self

    def m___exit__(self, vm: Vm, *problem: Any) -> Gen:
        """End of with."""
        yield from self.m_wait(vm)


class Completed(Thing):
    """CompletedProcess."""

    type_name, module = "CompletedProcess", "subprocess"

    def __init__(self, args: Any, status: int, out: Any, err: Any) -> None:
        self.args, self.returncode, self.stdout, self.stderr = args, status, out, err

    def attribute(self, name: str) -> Any:
        """args, returncode, stdout, stderr."""
        if name in ("args", "returncode", "stdout", "stderr"):
            return getattr(self, name)
        return super().attribute(name)

    def m_check_returncode(self, vm: Vm) -> None:
        """CalledProcessError for a status other than 0."""
        if self.returncode:
            raise _called(self.args, self.returncode, self.stdout)

    def shown(self) -> str:
        """repr."""
        more = "".join(
            f", {n}={v!r}" for n, v in (("stdout", self.stdout), ("stderr", self.stderr)) if v is not None
        )
        return f"CompletedProcess(args={self.args!r}, returncode={self.returncode}{more})"


def _called(args: Any, status: int, out: Any = None) -> PyError:
    made = Instance(_CALLED)
    _fill(None, made, status, args, out)
    return PyError(made)


def _fill(vm: Any, self: Instance, returncode: int, cmd: Any, output: Any = None, stderr: Any = None) -> None:
    """CalledProcessError.__init__."""
    how = f"returned non-zero exit status {returncode}."
    if returncode < 0:
        name = NAMES.get(-returncode)
        known = f"<Signals.SIG{name}: {-returncode}>" if name else f"unknown signal {-returncode}"
        how = f"died with {known}."
    self.attributes.update({
        "args": (returncode, cmd), "returncode": returncode, "cmd": cmd, "output": output, "stdout": output,
        "stderr": stderr, "__text__": f"Command '{cmd}' {how}",
    })  # fmt: skip


_CALLED.attributes["__init__"] = Builtin("__init__", _fill)


def popen(
    vm: Vm, args: Any, bufsize: int = -1, executable: Any = None, stdin: Any = None, stdout: Any = None,
    stderr: Any = None, shell: Any = False, cwd: Any = None, env: Any = None, universal_newlines: Any = None,
    text: Any = None, encoding: Any = None, errors: Any = None, start_new_session: bool = False,
    preexec_fn: Any = None, close_fds: bool = True, **given: Any,
) -> Gen:  # fmt: skip
    """subprocess.Popen."""
    if isinstance(args, (str, bytes)) or hasattr(args, "text"):
        words = [path_text(args)]
    else:
        words = list(map(path_text, (yield from _calls.listed(vm, args))))
    if shell:
        words = ["/bin/sh", "-c", *words]
    textual = bool(text or universal_newlines or encoding)
    fds: dict[int, int] = {}
    mine: dict[str, int] = {}
    opened: list[int] = []
    for number, (name, wanted) in enumerate((("stdin", stdin), ("stdout", stdout), ("stderr", stderr))):
        if wanted == PIPE and isinstance(wanted, int):
            reader, writer = vm.p.pipe()
            its, mine[name] = (reader, writer) if number == 0 else (writer, reader)
            opened.append(its)
            fds[number] = its
        elif wanted == DEVNULL and isinstance(wanted, int):
            fd = vm.p.open("/dev/null", 2)
            opened.append(fd)
            fds[number] = fd
        elif wanted == STDOUT and isinstance(wanted, int):
            fds[number] = fds.get(1, 1)
        elif wanted is not None:
            fds[number] = wanted if isinstance(wanted, int) else wanted.fd
            if isinstance(wanted, TextFile):
                yield from wanted.m_flush(vm)
    surroundings = env.env if isinstance(env, Environ) else env
    try:
        pid = vm.p.spawn(
            words,
            path=executable or (words[0] if "/" in words[0] else None),
            fds=fds,
            cwd=cwd,
            env=surroundings,
        )
    except SysError as problem:
        for fd in mine.values():
            vm.p.close(fd)
        raise os_error(
            problem.errno, problem.words, cwd if cwd and problem.path == cwd else words[0]
        ) from None
    finally:
        for fd in opened:
            vm.p.close(fd)
    made = Popen(args, pid)
    for name, fd in mine.items():
        mode = ("w" if name == "stdin" else "r") + ("" if textual else "b")
        made.files[name] = TextFile(fd, fd, mode, errors=errors or "strict")
    return made


def _run(vm: Vm, args: Any, *rest: Any, input: Any = None, capture_output: Any = False, timeout: Any = None,
         check: Any = False, **given: Any) -> Gen:  # fmt: skip
    if capture_output:
        given["stdout"] = given["stderr"] = PIPE
    if input is not None:
        given["stdin"] = PIPE
    child = yield from popen(vm, args, *rest, **given)
    out, err = yield from child.m_communicate(vm, input)
    if check and child.returncode:
        raise _called(args, child.returncode, out)
    return Completed(args, child.returncode, out, err)


def _status(vm: Vm, args: Any, *rest: Any, timeout: Any = None, **given: Any) -> Gen:
    child = yield from popen(vm, args, *rest, **given)
    return (yield from child.m_wait(vm))


def _check_call(vm: Vm, args: Any, *rest: Any, **given: Any) -> Gen:
    status = yield from _status(vm, args, *rest, **given)
    if status:
        raise _called(args, status)
    return 0


def _check_output(vm: Vm, args: Any, *rest: Any, **given: Any) -> Gen:
    done = yield from _run(vm, args, *rest, stdout=PIPE, check=True, **given)
    return done.stdout


def _get_status_output(vm: Vm, command: str, **given: Any) -> Gen:
    done = yield from _run(vm, command, **{"shell": True, "stdout": PIPE, "stderr": STDOUT, "text": True})
    return done.returncode, done.stdout.removesuffix("\n")


def _get_output(vm: Vm, command: str, **given: Any) -> Gen:
    return (yield from _get_status_output(vm, command))[1]


@module("subprocess")
def _subprocess(vm: Vm) -> dict[str, Any]:
    return {
        "PIPE": PIPE, "STDOUT": STDOUT, "DEVNULL": DEVNULL, "CalledProcessError": _CALLED,
        "SubprocessError": _SUBPROCESS_ERROR, "TimeoutExpired": _EXPIRED,
        **functions("subprocess", Popen=popen, run=_run, call=_status, check_call=_check_call,
                    check_output=_check_output, getoutput=_get_output, getstatusoutput=_get_status_output),
    }  # fmt: skip


@module("shlex")
def _shlex(vm: Vm) -> dict[str, Any]:
    return lent(split=shlex.split, quote=shlex.quote, join=shlex.join)


@module("pty")
def _pty(vm: Vm) -> dict[str, Any]:
    def spawn(vm: Vm, argv: Any, *rest: Any) -> Gen:
        words = [argv]
        if not isinstance(argv, str):
            words = yield from _calls.listed(vm, argv)
        pid = vm.p.spawn(list(map(path_text, words)))
        ended = yield from vm.p.wait(pid)
        return (ended[1] << 8) if ended is not None else 0

    return functions("pty", spawn=spawn)
