"""execve(2): from a path to a running program, its interpreter, or the right error."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from typing import TYPE_CHECKING

from urltrap.machine.api import S_IFREG, Program
from urltrap.machine.effects import Content
from urltrap.machine.errors import SysError
from urltrap.machine.fs.program import ProgramContent, elf_facts
from urltrap.machine.fs.view import content_of
from urltrap.machine.kernel.strangers import stranger, unwritten
from urltrap.machine.kernel.stubs import layout
from urltrap.machine.programs import registry
from urltrap.machine.programs._answers import recorded, saying

if TYPE_CHECKING:
    from urltrap.machine.kernel.state import ProcessState

_INTERPRETERS_MAX = 4
_LINE_MAX = 255
_S_ISUID = 0o4000
DEFAULT_PATH = "/bin:/usr/bin"


@dataclass(frozen=True, slots=True)
class Executable:
    """What will run: the program, its arguments (with an interpreter's put in front), and how the journal calls it."""

    program: Program
    argv: list[str]
    path: str
    comm: str
    outcome: str
    name: str
    number: int
    asked: list[str]
    set_uid: bool = False

    def enter(self, process: ProcessState) -> None:
        """Make the process show this program."""
        process.argv = list(self.argv)
        process.comm = self.comm
        process.exe = self.path
        process.outcome = self.outcome
        process.program_name = self.name
        process.set_uid = self.set_uid
        process.kernel.running(process, self.number)


def find_program(process: ProcessState, argv: list[str], path: str | None) -> Executable:
    """The executable for `argv`; `path` None looks argv[0] up in PATH.

    SysError ENOENT (also of the linker that an ELF file names), EACCES, ENOEXEC (text without "#!", or an ELF file of
    another machine or without its headers).
    """
    if not argv:
        raise SysError(errno.EINVAL)
    if path is None:
        path = search(process, argv[0])
    given = list(argv)
    comm = path.rpartition("/")[2][:15]
    for _ in range(_INTERPRETERS_MAX):
        spot = process.kernel.tree.find(process, path)
        if spot.node is None or spot.node.kind != S_IFREG:
            raise SysError(errno.EACCES, path)
        process.kernel.tree.require(process, spot, 1, path)
        if process.kernel.tree.volume(spot.path).no_exec:
            raise SysError(errno.EACCES, path)
        content = content_of(spot.node)
        if isinstance(content, ProgramContent):
            set_uid = spot.node.mode & _S_ISUID != 0 and spot.node.uid == 0
            return _known(process, content, argv, spot.path, comm, spot.node.number, given, set_uid)
        head = content.read(0, _LINE_MAX + 1)
        if head[:2] == b"#!":
            script = path
            said = _of_the_image(process, spot.path, path, content, given)
            if said is not None:
                return Executable(said, argv, spot.path, comm, "ran", "", spot.node.number, given)
            path, argument = _interpreter(head, script)
            argv = [path, *argument, script, *argv[1:]]
            continue
        facts = elf_facts(head, content.size)
        if facts is None:
            raise SysError(errno.ENOEXEC, path)
        # A file that was written with the bytes of one of the image's programs (cat, dd, scp of busybox) is it.
        copied = process.kernel.tree.image.program_like(content)
        if copied is not None:
            return _known(process, copied, argv, spot.path, comm, spot.node.number, given)
        found = layout(content)
        if not facts.complete or facts.arch not in process.kernel.architectures or found is None:
            raise SysError(errno.ENOEXEC, path)
        if found.interpreter and not _is_there(process, found.interpreter):
            raise SysError(errno.ENOENT, path)
        return Executable(stranger(content, found), argv, spot.path, comm, "ran", "", spot.node.number, given)
    raise SysError(errno.ELOOP, path)


def _is_there(process: ProcessState, path: str) -> bool:
    """Whether the dynamic linker that a program names is on this machine."""
    try:
        return process.kernel.tree.find(process, path).node is not None
    except SysError:
        return False


def search(process: ProcessState, name: str) -> str:
    """execvp(3)'s way: a name with a slash is a path; else the first executable in PATH. ENOENT, or EACCES where one
    was found that may not be run."""
    if "/" in name:
        return name
    if not name:
        raise SysError(errno.ENOENT, name)
    refused = False
    for directory in process.env.get("PATH", DEFAULT_PATH).split(":"):
        candidate = f"{directory or '.'}/{name}"
        try:
            spot = process.kernel.tree.find(process, candidate)
            if spot.node is None or spot.node.kind != S_IFREG:
                continue
            process.kernel.tree.require(process, spot, 1, candidate)
        except SysError as problem:
            refused = refused or problem.errno == errno.EACCES
            continue
        return candidate
    raise SysError(errno.EACCES if refused else errno.ENOENT, name)


def _interpreter(head: bytes, path: str) -> tuple[str, list[str]]:
    line = head[2:_LINE_MAX].split(b"\n", 1)[0].strip(b" \t")
    words = line.decode("utf-8", "surrogateescape").split(None, 1)
    if not words or "\0" in words[0]:
        raise SysError(errno.ENOEXEC, path)
    return words[0], [words[1].strip()] if len(words) > 1 else []


def _of_the_image(
    process: ProcessState, path: str, called: str, content: Content, given: list[str]
) -> Program | None:
    """What a script that came with the machine says of itself; None where it was changed, or asked for more.

    What it says without an option may hold facts of the machine that it was recorded on.
    """
    image = process.kernel.tree.image
    original = image.find(path)
    if len(given) != 2 or not given[1].startswith("-") or original is None or original.content is not content:
        return None
    names = (called.rpartition("/")[2], path.rpartition("/")[2])  # a link has words of its own
    row = next(filter(None, (image.answers.get(f"{name}\0{given[1]}") for name in names)), None)
    return saying(row) if row is not None else None


def _known(
    process: ProcessState,
    content: ProgramContent,
    argv: list[str],
    path: str,
    comm: str,
    number: int,
    given: list[str],
    set_uid: bool = False,
) -> Executable:
    entry = registry.lookup(content.program)
    outcome = "ran"
    answers = process.kernel.tree.image.answers
    told = recorded(answers, given[0], given, content.program, written=entry is not None)
    if told is not None:
        entry = told
    elif entry is None:
        entry, outcome = unwritten(content.program), "not-implemented"
    return Executable(entry, argv, path, comm, outcome, content.program, number, given, set_uid)
