"""What the machine's rooms see of each other: the system calls, as the shell and the programs use them.

Conventions
- Names, arguments, paths and environment are ``str`` made from bytes with UTF-8 and surrogateescape (`decode`);
  what is read and written is ``bytes`` (`encode` turns text into them). The round trip is lossless.
- A program is a generator: it asks the kernel with ``yield from`` only where it can block; it returns its exit status.
- Calls that cannot block are plain methods. Failures raise `SysError`; nobody prints a traceback at an attacker.
- Long loops call ``yield from p.tick(n)`` so that one attacker never stalls another; it raises BudgetError when the
  job has used up its steps.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from urltrap.machine.effects import Content, FetchReply
from urltrap.model.capture import FetchRequest
from urltrap.model.event import EventBase

if TYPE_CHECKING:
    from urltrap.machine.persona import MountPoint, Persona
    from urltrap.machine.power import PowerPlan
    from urltrap.machine.proc.sockets import Socket
    from urltrap.machine.reach import Heard
    from urltrap.machine.units import UnitRun

Run = Generator[Any, Any, int]
"""A running program: what it yields is the kernel's business; it returns the exit status."""

Program = Callable[["Process"], Run]
"""A program's entry: gets its process, is a generator."""

S_IFMT, S_IFSOCK, S_IFLNK, S_IFREG = 0o170000, 0o140000, 0o120000, 0o100000
S_IFBLK, S_IFDIR, S_IFCHR, S_IFIFO = 0o060000, 0o040000, 0o020000, 0o010000

O_RDONLY, O_WRONLY, O_RDWR = 0, 1, 2
O_CREAT, O_EXCL, O_TRUNC, O_APPEND, O_DIRECTORY, O_NOFOLLOW = 0o100, 0o200, 0o1000, 0o2000, 0o200000, 0o400000


STOPPED = 1000
"""`Process.wait` answers ``STOPPED + signal`` for a child that was stopped rather than ended."""


def decode(data: bytes) -> str:
    """Bytes as text, losslessly."""
    return data.decode("utf-8", "surrogateescape")


def encode(text: str) -> bytes:
    """The inverse of `decode`; a lone surrogate that `decode` cannot have made becomes "?"."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class Stat:
    """What stat(2) answers. `mode` includes the type bits; times are unix seconds; `rdev` is (major, minor)."""

    mode: int
    size: int
    uid: int = 0
    gid: int = 0
    mtime: float = 0.0
    atime: float = 0.0
    ctime: float = 0.0
    inode: int = 0
    nlink: int = 1
    rdev: tuple[int, int] = (0, 0)
    blocks: int = 0
    device: int = 0

    @property
    def is_dir(self) -> bool:
        """True for a directory."""
        return self.mode & S_IFMT == S_IFDIR

    @property
    def is_file(self) -> bool:
        """True for a regular file."""
        return self.mode & S_IFMT == S_IFREG

    @property
    def is_link(self) -> bool:
        """True for a symbolic link."""
        return self.mode & S_IFMT == S_IFLNK


class FileSystem(Protocol):
    """The file tree as one process sees it (its cwd and uid are applied). Every method raises SysError."""

    def stat(self, path: str, *, follow: bool = True) -> Stat: ...
    def listdir(self, path: str) -> list[str]: ...
    def readlink(self, path: str) -> str: ...
    def realpath(self, path: str) -> str: ...
    def read(self, path: str, limit: int = 16_000_000) -> bytes: ...
    def content(self, path: str) -> Content: ...
    def write(
        self, path: str, data: bytes, *, mode: int = 0o644, append: bool = False, told: bool = True
    ) -> None: ...
    def put(self, path: str, content: Content, *, mode: int = 0o644) -> None: ...
    def mkdir(self, path: str, mode: int = 0o755) -> None: ...
    def rmdir(self, path: str) -> None: ...
    def unlink(self, path: str) -> None: ...
    def rename(self, old: str, new: str) -> None: ...
    def link(self, target: str, path: str) -> None: ...
    def symlink(self, target: str, path: str) -> None: ...
    def mknod(self, path: str, mode: int, rdev: tuple[int, int] = (0, 0)) -> None: ...
    def chmod(self, path: str, mode: int, *, follow: bool = True) -> None: ...
    def chown(self, path: str, uid: int, gid: int, *, follow: bool = True) -> None: ...
    def utime(self, path: str, atime: float, mtime: float, *, follow: bool = True) -> None: ...
    def truncate(self, path: str, size: int) -> None: ...
    def attributes(self, path: str) -> str: ...  # flags of lsattr that are set, e.g. "ia"
    def set_attributes(self, path: str, flags: str) -> None: ...  # chattr: all flags, "" removes them
    def shipped(self, path: str) -> bool: ...  # nothing is there, or what the image has, unchanged
    def access(self, path: str, want: int) -> bool: ...  # want: 4 read | 2 write | 1 execute


class Terminal(Protocol):
    """A terminal's settings, as stty and line editors change them. The flags are termios' own, by name.

    Raw mode for a line editor: ``icanon = echo = False`` (``isig = False`` for literally everything); restore after.
    """

    icanon: bool
    echo: bool
    isig: bool
    icrnl: bool
    opost: bool
    onlcr: bool
    columns: int
    rows: int
    foreground: int

    @property
    def name(self) -> str:
        """ "pts/0"."""
        ...

    def give_back(self, data: bytes) -> None:
        """Put back what a line editor has read and not used: it belongs to who reads next."""
        ...


class OpenFile(Protocol):
    """An open file description: regular file, directory, pipe end, terminal, device or socket."""

    path: str
    flags: int

    @property
    def is_tty(self) -> bool: ...
    def stat(self) -> Stat: ...
    def seek(self, offset: int, whence: int = 0) -> int: ...


@dataclass(slots=True)
class ProcessInfo:
    """One row of the process table, as ps and /proc show it."""

    pid: int
    ppid: int
    argv: list[str]
    comm: str
    uid: int
    state: str
    started: float
    tty: str = "?"
    exe: str = ""
    cwd: str = "/"
    session: int = 0
    environ: Mapping[str, str] = field(default_factory=dict)
    cpu_seconds: float = 0.0
    rss_kb: int = 0
    vsz_kb: int = 0
    listening: tuple[tuple[str, str, int, int, int], ...] = ()
    """Where it waits for clients: protocol, address, port, descriptor, inode."""


@dataclass(frozen=True, slots=True)
class Connection:
    """The attacker's own connection, as ss, who, w, last and $SSH_CLIENT show it."""

    protocol: str
    client_ip: str
    client_port: int
    server_ip: str
    server_port: int
    user: str
    since: float
    tty: str = ""
    session: str = ""


class Process(Protocol):
    """The system calls of one process."""

    pid: int
    argv: list[str]
    env: dict[str, str]
    cwd: str
    uid: int
    gid: int
    groups: list[int]
    umask: int

    @property
    def ppid(self) -> int: ...
    @property
    def fs(self) -> FileSystem: ...
    @property
    def fds(self) -> Mapping[int, OpenFile]: ...  # open descriptors; change them with open, close, dup2, pipe
    @property
    def persona(self) -> Persona: ...
    @property
    def connections(self) -> Sequence[Connection]: ...
    @property
    def connection(self) -> Connection: ...
    @property
    def network(self) -> list[list[str]]: ...  # what was changed of the network since the start (`netstate`)
    @property
    def mounts(self) -> list[MountPoint]: ...  # what is mounted, in the order of mounting
    @property
    def swaps(self) -> list[list[str]]: ...  # what was changed of the swap areas since the start
    @property
    def logged(self) -> list[list[str]]: ...  # what programs told syslog (`programs._syslog`)
    @property
    def sockets(self) -> list[Socket]: ...  # those of what was started here, listening or connected
    @property
    def units(self) -> dict[str, UnitRun]: ...  # what systemd knows of units that somebody started
    @property
    def heard(self) -> dict[str, Heard]: ...  # what answers of the fetcher told of hosts
    @property
    def user(self) -> str: ...
    @property
    def boot_time(self) -> float: ...
    @property
    def hostname(self) -> str: ...  # as it is now; starts as persona.hostname
    def sethostname(self, name: str) -> None: ...

    @property
    def grown(self) -> int: ...  # bytes that files take more than when the machine was installed
    @property
    def settings(self) -> dict[str, str]: ...  # what was written to /proc/sys since the start

    # time and chance
    def now(self) -> float: ...
    def slowed(self) -> float: ...  # seconds in which this session had work to do and was made to wait
    def random(self, below: int) -> int: ...
    def random_bytes(self, length: int) -> bytes: ...

    # files
    def open(self, path: str, flags: int = O_RDONLY, mode: int = 0o666) -> int: ...
    def connect(self, host: str, port: int) -> int: ...  # a descriptor that speaks HTTP/1 through the fetcher
    def listen(
        self, protocol: str, address: str, port: int, backlog: int = 128
    ) -> int: ...  # "tcp", "tcp6", "udp", "udp6"
    def shut(self, fd: int) -> None: ...  # shutdown(2) of what is written to a connection
    def peer(self, fd: int) -> tuple[str, int]: ...  # getpeername(2); SysError ENOTCONN
    # mount(2): a memory file system, or another place (fstype "bind")
    def mount(
        self, source: str, path: str, fstype: str, options: str, size_kb: int = 0, mode: int = 0o1777
    ) -> None: ...
    def unmount(self, point: str, *, lazily: bool = False) -> None: ...
    def remount(self, point: str, options: str) -> None: ...
    def close(self, fd: int) -> None: ...
    def dup2(self, old: int, new: int) -> None: ...
    def pipe(self) -> tuple[int, int]: ...
    def chdir(self, path: str) -> None: ...
    def is_tty(self, fd: int) -> bool: ...
    def window(self) -> tuple[int, int]: ...  # (columns, rows); (80, 24) without a terminal
    def tty(self, fd: int) -> Terminal: ...  # SysError ENOTTY where it is none
    def seek(
        self, fd: int, offset: int, whence: int = 0
    ) -> int: ...  # SysError ESPIPE on pipes and terminals
    def fstat(self, fd: int) -> Stat: ...

    # blocking: use with ``yield from``. SysError EINTR where a caught signal came first (see pending_signals).
    # read: EAGAIN after `timeout` seconds without data. write: EPIPE only where SIGPIPE is ignored, else it kills.
    def read(
        self, fd: int, length: int = 65_536, *, timeout: float | None = None
    ) -> Generator[Any, Any, bytes]: ...
    def accept(self, fd: int, *, timeout: float | None = None) -> Generator[Any, Any, int]: ...
    def read_all(self, fd: int, limit: int = 16_000_000) -> Generator[Any, Any, bytes]: ...
    def write(self, fd: int, data: bytes) -> Generator[Any, Any, None]: ...
    def out(self, text: str) -> Generator[Any, Any, None]: ...  # to fd 1
    def err(self, text: str) -> Generator[Any, Any, None]: ...  # to fd 2
    def sleep(self, seconds: float) -> Generator[Any, Any, None]: ...
    # fetch: journals the question (with the name of the file that it is for) and the answer
    def fetch(self, request: FetchRequest, *, output: str = "") -> Generator[Any, Any, FetchReply]: ...
    def tick(self, steps: int = 1) -> Generator[Any, Any, None]: ...
    def advance(self, *, begins: bool = False) -> None:
        """Tell that a loop begins that has an end, and then that it came nearer to it: what it does is work."""
        ...

    def hold(self, amount: int) -> None:
        """Tell that the program holds `amount` more bytes of memory (negative: gave back), where it keeps much:
        variables, a table to sort. BudgetError where the job has used up its memory."""
        ...

    # processes
    def spawn(
        self,
        argv: Sequence[str],
        *,
        path: str | None = None,
        env: Mapping[str, str] | None = None,
        fds: Mapping[int, int] | None = None,
        cwd: str | None = None,
        uid: int | None = None,
        new_group: bool = False,
    ) -> int:
        """Start the program at `path` (argv[0] is looked up in PATH where None); `fds` maps child to own descriptors
        (0, 1, 2 are inherited where None). Returns the pid; SysError ENOENT, EACCES, ENOEXEC as execve(2)."""
        ...

    def fork(self, run: Callable[[Process], Run], *, comm: str | None = None, new_group: bool = False) -> int:
        """Start a child that runs `run` with copies of this process's state (subshells, background jobs)."""
        ...

    def exec(
        self, argv: Sequence[str], *, path: str | None = None, env: Mapping[str, str] | None = None
    ) -> Run:
        """Become another program: ``return (yield from p.exec([...]))``."""
        ...

    def wait(
        self, pid: int | None = None, *, block: bool = True
    ) -> Generator[Any, Any, tuple[int, int] | None]:
        """(pid, status) of an ended child; status 128 + N after signal N; None where `block` is False and none ended.
        A stopped child (^Z, SIGSTOP, SIGTSTP) is answered once with status `STOPPED` + signal and stays a child.
        SysError ECHILD where there is none, EINTR where a caught signal came first."""
        ...

    def kill(self, pid: int, signal: int) -> None:
        """kill(2): pid > 0 a process, 0 the own group, < -1 the group -pid, -1 all he may; signal 0 only asks.
        SysError ESRCH, EPERM."""
        ...

    def trap_signal(self, signal: int, action: str | None) -> None:
        """ "ignore", "default" (None) or "catch": caught ones are fetched with `pending_signals`."""
        ...

    def pending_signals(self) -> list[int]: ...
    def processes(self) -> list[ProcessInfo]: ...
    def process_row(self, pid: int) -> ProcessInfo | None: ...
    def descriptors(self, pid: int) -> Mapping[int, str]: ...  # number to "/path", "pipe:[N]", "/dev/pts/0"

    group: int  # process group; assign to it as setpgid(2) does
    session: int

    def set_foreground(self, group: int) -> None:
        """Give the terminal to a process group (``new_group=True`` makes one whose number is the child's pid)."""
        ...

    def new_session(self) -> None:
        """setsid(2): a new session and group without terminal."""
        ...

    # identity
    def set_user(self, uid: int) -> None:
        """setuid(2) with the groups that the user is in; nobody asks here whether this one may."""
        ...

    def sink(self, take: Callable[[bytes], None]) -> int:
        """A descriptor whose writes are handed to `take`: a service's way to the journal."""
        ...

    def crypt(self, password: bytes, setting: str) -> str | None:
        """crypt(3); None for a kind of hash that is not known here."""
        ...

    def password_opens(self, user: str, password: str) -> bool:
        """Whether this is the user's password, as PAM finds out for whoever asks."""
        ...

    @property
    def owner_fs(self) -> FileSystem:
        """The file tree with the rights of the program's owner where its file is set-uid; else the own one."""
        ...

    @property
    def set_uid(self) -> bool: ...  # the program's file belongs to root and is set-uid

    @property
    def power(self) -> PowerPlan | None: ...  # what is planned: reboot, power-off, halt

    def watch(self, pid: int, tell: Callable[[int], None]) -> None:
        """Let init know how a process ends: `tell` gets its status (128 + signal)."""
        ...

    def set_power(self, plan: PowerPlan | None) -> None:
        """Plan to go down, or take it back; nobody asks here whether this user may."""
        ...

    # telling the outside
    def recorded_usage(self, applet: str) -> str | None:
        """BusyBox's usage of an applet from the words behind "Usage: " on; None where there is none."""
        ...

    def recorded_answer(self, name: str, word: str) -> list[Any] | None:
        """What the real program said when it was called so, see `programs._answers`."""
        ...

    def unwritten(self) -> None:
        """Nobody wrote this part of the program yet: it is counted as such (`urltrap gaps`)."""
        ...

    def mute_programs(self, muted: bool) -> None:
        """Journal no programs of this job (True), or those from now on: what the system itself does at a log-in."""
        ...

    def fact(self, event: type[EventBase], **fields: Any) -> None: ...
