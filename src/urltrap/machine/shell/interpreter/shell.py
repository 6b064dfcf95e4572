"""The state of one shell process, and what every part of the interpreter asks of it."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any, TypeVar

from urltrap.machine.api import Process, encode
from urltrap.machine.errors import SysError
from urltrap.machine.shell.ast import Compound, FunctionDef, Node
from urltrap.machine.shell.dialect import Dialect
from urltrap.machine.shell.errors import DiscardLine, ExitShell, ExpansionError
from urltrap.machine.shell.jobs import JobTable
from urltrap.machine.shell.variables import ReadOnlyError, Var, Variables
from urltrap.model.event import ProgramRun

T = TypeVar("T")
Gen = Generator[Any, Any, T]

MAX_FUNCTION_DEPTH = 100
_MAX_FACTS = 4096

SHOPT_ON = frozenset((
    "checkwinsize", "cmdhist", "complete_fullquote", "extquote", "force_fignore", "globasciiranges",
    "globskipdots", "hostcomplete", "interactive_comments", "patsub_replacement", "progcomp", "promptvars",
    "sourcepath",
))  # fmt: skip


@dataclass(slots=True)
class Frame:
    """A running function or sourced file, for FUNCNAME, BASH_SOURCE and messages."""

    function: str
    source: str
    line: int


@dataclass(slots=True)
class Shell:
    """One shell: its variables, functions, options, jobs, and the process that it lives in."""

    p: Process
    dialect: Dialect
    arg0: str = "bash"
    vars: Variables = field(default_factory=Variables)
    functions: dict[str, FunctionDef] = field(default_factory=dict)
    exported_functions: set[str] = field(default_factory=set)
    aliases: dict[str, str] = field(default_factory=dict)
    options: set[str] = field(default_factory=set)
    shopts: set[str] = field(default_factory=lambda: set(SHOPT_ON))
    disabled: set[str] = field(default_factory=set)
    positional: list[str] = field(default_factory=list)
    traps: dict[str, str] = field(default_factory=dict)
    jobs: JobTable = field(default_factory=JobTable)
    dirs: list[str] = field(default_factory=list)
    hashed: dict[str, tuple[str, int]] = field(default_factory=dict)
    history: list[str] = field(default_factory=list)
    frames: list[Frame] = field(default_factory=list)
    status: int = 0
    subst_status: int | None = None
    last_background: int | None = None
    last_argument: str = ""
    line: int = 0
    shell_pid: int = 0
    interactive: bool = False
    login: bool = False
    command_string: bool = False
    reads_stdin: bool = False
    in_subshell: int = 0
    in_pipeline: bool = False
    loop_depth: int = 0
    function_depth: int = 0
    source_depth: int = 0
    quiet_errors: int = 0
    apart: int | None = None  # how far the two numbers were apart that were compared last
    pipe_status: list[int] = field(default_factory=lambda: [0])
    private_fds: set[int] = field(default_factory=set)
    temporary_fds: list[int] = field(default_factory=list)
    seconds_base: float = 0.0
    told: set[int] = field(default_factory=set)
    builtin_name: str = ""
    in_trap: bool = False
    getopts_state: tuple[str, int] = ("", 0)
    final: object = (
        None  # the simple command behind which a -c string ends: its program takes the process over
    )
    extra: dict[str, Any] = field(default_factory=dict)

    # -- options

    def option(self, name: str) -> bool:
        """True where ``set -o name`` is on."""
        return name in self.options

    @property
    def extglob(self) -> bool:
        """True under ``shopt -s extglob``."""
        return "extglob" in self.shopts

    @property
    def flags(self) -> str:
        """``$-``."""
        letters = {"allexport": "a", "notify": "b", "errexit": "e", "noglob": "f", "hashall": "h", "keyword": "k",
                   "monitor": "m", "noexec": "n", "privileged": "p", "nounset": "u", "verbose": "v", "xtrace": "x",
                   "braceexpand": "B", "noclobber": "C", "errtrace": "E", "histexpand": "H", "physical": "P",
                   "functrace": "T"}  # fmt: skip
        found = "".join(sorted((letters[name] for name in self.options if name in letters), key=_flag_order))
        if self.dialect.bash:
            lower = "".join(c for c in found if c.islower())
            upper = "".join(c for c in found if c.isupper())
            inter = "i" if self.interactive else ""
            lower = "".join(sorted(lower + inter))
            return lower + upper + ("c" if self.command_string else "") + ("s" if self.reads_stdin else "")
        tail = ("i" if self.interactive else "") + ("s" if self.reads_stdin else "")
        return ("c" if self.command_string and self.dialect.name == "ash" else "") + found + tail

    # -- messages

    @property
    def message_name(self) -> str:
        """What messages begin with: the sourced file, else $0."""
        for frame in reversed(self.frames):
            if not frame.function:
                return frame.source
        return self.arg0

    def prefix(self, builtin: str = "") -> str:
        """The beginning of a message, as the dialect writes it."""
        name = self.message_name
        if self.dialect.bash:
            if self.interactive:
                head = f"{self.arg0}: "  # of a file that it reads, too
            else:
                quiet = "quiet_line" in self.extra and not self._in_file()
                head = f"{name}: " if quiet else f"{name}: line {self.line}: "
            return head + (f"{builtin}: " if builtin else "")
        if self.dialect.name == "dash":
            return f"{name}: {self.line}: " + (f"{builtin}: " if builtin else "")
        if builtin:
            return f"{name}: {builtin}: " + ("" if self.interactive else f"line {self.ash_line}: ")
        with_line = self._ash_script or (self.extra.get("named") and not self.interactive)
        return f"{name}: line {self.ash_line}: " if with_line else f"{name}: "

    @property
    def _ash_script(self) -> bool:
        return bool(self.extra.get("script"))

    @property
    def ash_line(self) -> int:
        """The line that BusyBox reports: the one before the line being run in a -c string."""
        return self.line if self._ash_script else max(0, self.line - 1)

    def _in_file(self) -> bool:
        return any(not frame.function for frame in self.frames)

    def complain(self, message: str, builtin: str = "") -> Gen[None]:
        """A message on standard error."""
        yield from self.p.err(f"{self.prefix(builtin)}{message}\n")

    def fail_expansion(self, problem: ExpansionError, builtin: str = "") -> Gen[None]:
        """Print an expansion's message and leave as the dialect does (always raises)."""
        yield from self.complain(problem.message, builtin)
        self.status = 1 if self.dialect.bash else 2
        if problem.fatal_status is not None and not self.interactive:
            raise ExitShell(problem.fatal_status if self.dialect.bash or problem.fatal_status != 127 else 2)
        if self.interactive or self.dialect.bash:
            raise DiscardLine(self.status)
        raise ExitShell(2)

    def readonly_error(self, name: str) -> ExpansionError:
        """The message for assigning to a read-only variable."""
        text = "readonly variable" if self.dialect.bash else "is read only"
        return ExpansionError(f"{name}: {text}", fatal_status=None if self.dialect.bash else 2)

    # -- facts

    def tell(self, argv: list[str], outcome: str, status: int | None, path: str = "") -> None:
        """Journal a builtin or an unknown command. The same words are told once per shell, so that a loop over a
        file does not flood the journal."""
        key = hash((outcome, tuple(argv)))
        if key in self.told or len(self.told) >= _MAX_FACTS:
            return
        self.told.add(key)
        self.p.fact(
            ProgramRun,
            argv=[encode(word)[:65_536] for word in argv[:1024]],
            path=path,
            outcome=outcome,
            status=status,
        )

    # -- variables

    def set_var(self, name: str, value: str) -> None:
        """Assign with the variable's attributes; ExpansionError where it is read-only."""
        try:
            scope_var = self.vars.find(name)
            if scope_var is not None and (scope_var.integer or scope_var.case):
                value = self.with_attributes(scope_var, value)
            self.vars.set(name, value, export="allexport" in self.options)
        except ReadOnlyError:
            raise self.readonly_error(name) from None
        if name == "PATH":
            self.hashed.clear()

    def with_attributes(self, var: Var, value: str) -> str:
        """`value` as the attributes of `var` turn it."""
        if var.integer:
            from urltrap.machine.shell.arithmetic import evaluate
            from urltrap.machine.shell.expansion.names import ShellNames

            return str(evaluate(value, ShellNames(self), self.dialect.name))
        if var.case == "l":
            return value.lower()
        if var.case == "u":
            return value.upper()
        return value

    @property
    def ifs(self) -> str:
        """The separators of fields."""
        value = self.vars.get("IFS")
        return " \t\n" if value is None else value

    def getvar(self, name: str, default: str = "") -> str:
        """The value of a variable or `default`."""
        value = self.vars.get(name)
        return default if value is None else value

    # -- processes

    def fork(self, process: Process) -> Shell:
        """The shell in a child process: everything copied, no jobs, traps reset."""
        child = Shell(process, self.dialect, self.arg0)
        child.vars = self.vars.fork()
        child.functions = dict(self.functions)
        child.exported_functions = set(self.exported_functions)
        child.aliases = dict(self.aliases)
        child.options = set(self.options)
        child.options.discard("monitor")
        child.shopts = set(self.shopts)
        child.disabled = set(self.disabled)
        child.positional = list(self.positional)
        child.dirs = list(self.dirs)
        child.hashed = dict(self.hashed)
        child.history = self.history
        child.frames = list(self.frames)
        child.status = self.status
        child.last_background = self.last_background
        child.last_argument = self.last_argument
        child.line = self.line
        child.shell_pid = self.shell_pid
        child.login = self.login
        child.command_string = self.command_string
        child.reads_stdin = self.reads_stdin
        child.interactive = False
        child.extra = dict(self.extra)
        if self.interactive:
            child.extra["quiet_line"] = True
        child.in_subshell = self.in_subshell + 1
        child.loop_depth = self.loop_depth
        child.function_depth = self.function_depth
        child.source_depth = self.source_depth
        child.quiet_errors = self.quiet_errors
        child.private_fds = set(self.private_fds)
        child.temporary_fds = list(self.temporary_fds)
        child.seconds_base = self.seconds_base
        child.told = self.told
        child.traps = {name: action for name, action in self.traps.items() if action == ""}
        child.extra["parent_traps"] = dict(self.traps)
        child.bind_dynamic()
        for name in self.traps:
            if self.traps[name] and name not in ("EXIT", "ERR", "DEBUG", "RETURN"):
                from urltrap.machine.shell.signals import number_of

                number = number_of(name)
                if number:
                    process.trap_signal(number, None)
        if self.interactive:
            for number in (2, 3, 15, 20):
                if self.extra.get("caught"):
                    process.trap_signal(number, None)
        return child

    def wait_for(self, pid: int) -> Gen[int]:
        """Wait for one child; its status."""
        while True:
            try:
                ended = yield from self.p.wait(pid)
            except SysError as problem:
                if problem.errno == 4:  # EINTR: a trap may run, then the wait goes on
                    yield from self.run_traps()
                    continue
                known = self.jobs.ended.pop(pid, None)
                return 127 if known is None else known
            if ended is not None:
                return ended[1]

    def child_fds(self) -> dict[int, int] | None:
        """The descriptors that a program inherits; None: just 0, 1 and 2."""
        fds = self.p.fds
        if len(fds) <= 3 and not self.private_fds and 0 in fds and 1 in fds and 2 in fds:
            return None
        return {fd: fd for fd in fds if fd not in self.private_fds}

    # -- hooks filled in by the modules that own them

    def bind_dynamic(self) -> None:
        """Bind $RANDOM, $SECONDS and their kind to this shell."""
        self.vars.hold = self.p.hold
        self.vars.dynamic.bind(self)

    def run_traps(self) -> Gen[None]:
        """Run the traps of signals that arrived."""
        from urltrap.machine.shell.traps import run_pending

        yield from run_pending(self)

    def run(self, node: Node) -> Gen[int]:
        """Run one node."""
        from urltrap.machine.shell.interpreter.run import EXECUTE

        return EXECUTE[type(node)](self, node)


def _flag_order(letter: str) -> str:
    return letter.lower() + letter


Executor = Callable[[Shell, Any], Gen[int]]
CompoundNode = Compound
