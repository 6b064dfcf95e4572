"""perl: an interpreter of a useful part of the language, on the machine's own files, programs and network.

`_parser` reads a program, `_eval` and `_statements` walk its tree as generators, `_vm` drives them within the session's
budgets; `_functions`, `_lists`, `_files`, `_tree` and `_system` are perl's functions, `_modules` what can be used.
Nothing is ever given to an interpreter of the host. What is outside of it ends as a crash does and is counted
(`urltrap gaps`).
"""

from __future__ import annotations

import errno
import re
from dataclasses import dataclass, field
from typing import Any

from urltrap.machine.api import S_IFCHR, S_IFMT, S_IFREG, Process, Run, decode, encode
from urltrap.machine.errors import SysError
from urltrap.machine.programs.perl import (
    _calls,
    _carp,
    _dumper,
    _files,
    _functions,
    _kinds,
    _library,
    _lists,
    _matching,
    _modules,
    _network,
    _posix,
    _sockets,
    _statements,
    _streams,
    _system,
    _tree,
    _universal,
    _web,
)
from urltrap.machine.programs.perl._compile import compile_program
from urltrap.machine.programs.perl._handles import Handle
from urltrap.machine.programs.perl._lexing import Refused
from urltrap.machine.programs.perl._posix import configuration
from urltrap.machine.programs.perl._switches import USAGE, Switches, parse_switches, version_text
from urltrap.machine.programs.perl._values import (
    Array,
    Gen,
    Hash,
    Jump,
    Leave,
    PerlDie,
    Return,
    Scalar,
    Unsupported,
    string,
)
from urltrap.machine.programs.perl._vm import Frame, Vm
from urltrap.machine.programs.registry import program

_PARTS = (
    _carp, _dumper, _files, _functions, _kinds, _library, _lists, _matching, _modules, _network, _posix, _sockets,
    _streams, _system, _tree, _web,
)  # fmt: skip
"""Each of these adds what it has to a table when it is imported."""
_MAX_CODE = 1_000_000
_CRASH = 139


@dataclass
class _Start:
    """A program that is about to run."""

    text: str
    name: str
    args: list[str]
    line: int = 1
    given: Switches = field(default_factory=Switches)


@program("perl", "perl5.36.0", "perl5.40.1")
def perl(p: Process) -> Run:
    """Run one-liners, a script or standard input."""
    given = parse_switches(p.argv[1:])
    if given.says is not None:
        yield from p.err(given.says)
        return _complained(p)
    version = _version(p)
    if given.asks == "v":
        yield from p.out(version_text(p.persona.tools.perl))
        return 0
    if given.asks.startswith("V:"):
        known = configuration(Vm(p, "-e", version))
        for name in given.asks[2:].split(","):
            value = known.get(name)
            yield from p.out(f"{name}='{value}';\n" if value is not None else f"{name}='UNKNOWN';\n")
        return 0
    if given.asks == "h":
        yield from p.out(USAGE.replace("{0}", p.argv[0]))
        return 0
    if given.asks == "V":
        p.unwritten()
        return _CRASH
    words = given.words
    if given.code is not None:
        return (
            yield from _run(p, _Start("".join(each + "\n" for each in given.code), "-e", words, given=given))
        )
    if words and words[0] != "-":
        return (yield from _script(p, words, given))
    text = (yield from p.read_all(0, _MAX_CODE)).decode("latin-1")
    return (yield from _run(p, _Start(text, "-", words[1:], given=given)))


def _complained(p: Process) -> int:
    """The status of a complaint at the start: perl leaves with what looking at its streams left in errno."""
    try:
        plain = p.fstat(2).mode & S_IFMT in (S_IFREG, S_IFCHR) and not p.is_tty(2)
    except SysError:
        plain = True
    return errno.ENOTTY if plain else errno.ESPIPE


def _version(p: Process) -> tuple[int, int, int]:
    parts = [int(each) for each in re.findall(r"\d+", p.persona.tools.perl)[:3]]
    return (parts[0], parts[1], parts[2]) if len(parts) == 3 else (5, 36, 0)


def _script(p: Process, words: list[str], given: Switches) -> Run:
    name = words[0]
    try:
        if p.fs.stat(name).is_dir:
            yield from p.err(f'Can\'t open perl script "{name}": Is a directory\n')
            return _complained(p)
        fd = p.open(name)
        text = (yield from p.read_all(fd, _MAX_CODE)).decode("latin-1")
        p.close(fd)
    except SysError as problem:
        yield from p.err(f'Can\'t open perl script "{name}": {problem.words}\n')
        return problem.errno
    line = 1
    if given.extract:
        found = re.search(r"^#!.*perl", text, re.MULTILINE)
        if found is None:
            yield from p.err("No Perl script found in input\n")
            return 255
        line = 1
        text = text[found.start() :]
    shebang = re.match(r"#!\s*(\S+)[ \t]*([^\n\r]*)", text)
    if shebang is not None and "perl" in text.partition("\n")[0]:
        rest = text.partition("\n")[0].partition("perl")[2]
        given.add(re.sub(r"^\S*", "", rest).split())
        if given.says is not None:
            yield from p.err(given.says)
            return _complained(p)
    elif shebang is not None and "indir" not in shebang[0]:
        try:
            yield from p.exec([shebang[1], *shebang[2].split()[:1], *words])
        except SysError as problem:
            yield from p.err(f"Can't exec {shebang[1]}\n")
            return problem.errno
    return (yield from _run(p, _Start(text, encode(name).decode("latin-1"), words[1:], line, given)))


def _start(p: Process, start: _Start) -> Vm:
    """An interpreter with its streams and variables."""
    given = start.given
    vm = Vm(p, start.name, _version(p))
    vm.warnings = given.warnings and not given.quiet
    vm.state[(-9, 0)] = given.quiet
    vm.state[(-6, 0)] = given.new
    streams = {"STDIN": Handle(0, "STDIN"), "STDOUT": Handle(1, "STDOUT", reads=False, writes=True),
               "STDERR": Handle(2, "STDERR", reads=False, writes=True)}  # fmt: skip
    streams["STDERR"].at_once = True
    streams["STDOUT"].by_line = p.is_tty(1)
    for name, handle in streams.items():
        if handle.fd in p.fds:
            vm.glob(f"main::{name}").io = handle
    vm.selected = vm.glob("main::STDOUT")
    _universal.start(vm)
    environment = {
        encode(key).decode("latin-1"): Scalar(encode(value).decode("latin-1")) for key, value in p.env.items()
    }
    vm.hashes["main::ENV"] = Hash(environment)
    vm.arrays["main::ARGV"] = Array([Scalar(encode(each).decode("latin-1")) for each in start.args])
    major = f"{vm.version[0]}.{vm.version[1]}"
    full = ".".join(map(str, vm.version))
    machine = "x86_64-linux-gnu"
    folders = ["/etc/perl", f"/usr/local/lib/{machine}/perl/{full}", f"/usr/local/share/perl/{full}",
               f"/usr/lib/{machine}/perl5/{major}", "/usr/share/perl5", f"/usr/lib/{machine}/perl-base",
               f"/usr/lib/{machine}/perl/{major}", f"/usr/share/perl/{major}", "/usr/local/lib/site_perl"]  # fmt: skip
    more = [each for each in p.env.get("PERL5LIB", "").split(":") if each]
    vm.arrays["main::INC"] = Array([Scalar(each) for each in [*given.folders, *more, *folders]])
    vm.sv("main::,")
    if given.separator is not None or given.slurps:
        vm.sv("main::/").v = None if given.slurps else given.separator
    if given.lines:
        vm.sv("main::\\").v = given.line_end if given.line_end is not None else vm.sv("main::/").v
        if given.line_end is None and given.separator_after_l:
            vm.sv("main::\\").v = "\n"
    if given.in_place is not None:
        vm.state[(-5, 0)] = given.in_place
    return vm


def _wrapped(start: _Start) -> tuple[str, int]:
    """The text with the loop of -n and -p around it and the modules of -M before it; its first line."""
    given = start.given
    head = "".join(given.modules)
    if given.new:
        head = "use feature ':5.36'; " + head
    # What is put before the program is on line 0, which no message names.
    if not given.loops:
        return (f"{head}\n{start.text}", start.line - 1) if head else (start.text, start.line)
    inner = "chomp;" if given.lines else ""
    if given.splits:
        how = "' '" if given.pattern is None else _pattern(given.pattern)
        inner += f"our @F=split({how});"
    tail = '}continue{die "-p destination: $!\\n" unless print $_;}' if given.prints else "}"
    return f"{head}LINE: while (defined($_ = readline ARGV)) {{{inner}\n{start.text}\n;{tail}", start.line - 1


def _pattern(text: str) -> str:
    if re.fullmatch(r"(?:/.*/|\".*\"|'.*')", text, re.DOTALL):
        return text
    return "/" + text.replace("/", "\\/") + "/"


def _run(p: Process, start: _Start) -> Run:
    vm = _start(p, start)
    text, line = _wrapped(start)
    yield from p.tick(1 + len(text) // 64)
    try:
        tree, sub, data = compile_program(vm, text, start.name, line)
    except Refused as problem:
        words = str(problem)
        if start.given.checks:
            words = words.replace(f"Execution of {start.name} aborted due to compilation errors.\n",
                                  f"{start.name} had compilation errors.\n")  # fmt: skip
        yield from p.err(decode(words.encode("latin-1", "replace")))
        return vm.errno or 255
    except Unsupported:
        p.unwritten()
        return _CRASH
    except RecursionError:
        p.unwritten()
        return _CRASH
    for full in vm.state.pop((-10, 0), ()):
        vm.line = 0
        yield from vm.warn(
            f'Name "{full}" used only once: possible typo at {start.name} line {vm.compiling.lines[full]}.\n'
        )
    if start.given.checks:
        yield from p.err(f"{start.name} syntax OK\n")
        return 0
    if start.name != "-e":
        vm.errno = 0  # reading the program to its end came last
    if data is not None:
        handle = Handle(-1, "DATA")
        handle.buffer += data.encode("latin-1")
        handle.ended = True
        vm.glob("main::DATA").io = handle
    frame = Frame(sub.size, Array(), None, None, "main", 0)
    vm.frames.append(frame)

    def body() -> Gen:
        yield from _calls.begin(vm, frame, sub)
        vm.package = "main"
        yield from _statements.block(vm, frame, tree)

    return (yield from finish(vm, body()))


def run_copy(vm: Vm, frames: Any, child: Process) -> Run:
    """The child of a fork: what was left to run when it was made."""
    vm.p = child
    vm.fork_answer = 0
    return (yield from finish(vm, _statements.go_on(vm, frames)))


def finish(vm: Vm, body: Gen) -> Run:
    """Run a program to its end: its exit status, with what perl says of what nobody caught."""
    status = yield from _guarded(vm, body)
    if status == _CRASH and vm.state.get((-7, 0)):
        return status
    for code in reversed(vm.at_end):
        vm.sv("main::?").v = status
        vm.at_end = []
        ended = yield from _guarded(vm, _calls.call_code(vm, code, [], None))
        status = ended if ended else status
    yield from _streams.end_in_place(vm)
    yield from vm.flush()
    return status


def _guarded(vm: Vm, body: Gen) -> Run:
    try:
        yield from vm.drive(body)
    except Leave as left:
        return left.status
    except PerlDie as problem:
        return (yield from _died(vm, problem))
    except Jump as jump:
        words = (
            f'Label not found for "{jump.how} {jump.label}"'
            if jump.label
            else f'Can\'t "{jump.how}" outside a loop block'
        )
        return (yield from _died(vm, vm.die(words)))
    except Return:
        return (yield from _died(vm, vm.die("Can't return outside a subroutine")))
    except (Unsupported, RecursionError):
        yield from vm.flush()
        vm.p.unwritten()
        vm.state[(-7, 0)] = True
        return _CRASH
    return 0


def _died(vm: Vm, problem: PerlDie) -> Run:
    value = problem.value
    text = string(value) if problem.located else f"{string(value)}{vm.place()}\n"
    if text.startswith("Out of memory"):
        text = "Out of memory!\n"
    status = vm.errno & 255 or (int(vm.sv("main::?").v or 0) >> 8) & 255 or 255
    yield from vm.flush()
    handle = vm.glob("main::STDERR").io
    if handle is not None:
        yield from handle.put(vm, text)
    vm.frames[1:] = []
    return 1 if text == "Out of memory!\n" else status
