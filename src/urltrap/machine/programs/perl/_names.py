# ruff: noqa: E501 - tables and messages read best with several on a line
"""The names of perl's functions by how they take arguments, and what else a name can be."""

from __future__ import annotations

import re


def words(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


UNARY = words(
    "defined ref scalar lc uc lcfirst ucfirst length chr ord int abs sqrt sin cos exp log hex oct rand srand quotemeta "
    "chdir rmdir readlink stat lstat exit umask sleep localtime gmtime caller shift pop fc each keys values delete "
    "exists undef lock alarm require chroot readline close closedir readdir rewinddir fileno eof tell getc getpwnam "
    "getpwuid getgrnam getgrgid gethostbyname getprotobyname chomp chop study pos lcfirst getpgrp "
    "getsockname getpeername prototype"
)
NONE = words("time times wait wantarray getppid fork getlogin break")
LIST = words(
    "join split push unshift splice reverse unpack pack sprintf die warn system exec kill unlink mkdir chmod chown utime "
    "rename link symlink open opendir binmode seek read sysread syswrite sysopen sysseek truncate index rindex "
    "substr bless select socket connect bind listen accept send recv shutdown setsockopt getsockopt atan2 vec "
    "waitpid crypt flock fcntl ioctl pipe formline glob tie untie tied gethostbyaddr getservbyname "
    "setpgrp setpriority getpriority syscall telldir seekdir socketpair"
)
QUOTES = frozenset({"q", "qq", "qw", "qx", "qr", "m", "s", "tr", "y"})
HANDLES = frozenset({"STDIN", "STDOUT", "STDERR", "ARGV", "DATA"})
FIRST_HANDLE = words(
    "open opendir binmode seek read sysread syswrite sysopen sysseek truncate socket connect bind listen accept send recv "
    "shutdown setsockopt getsockopt flock fcntl ioctl pipe close closedir readdir rewinddir fileno eof tell getc "
    "readline select stat lstat getsockname getpeername"
)
NO_TERM = words("x lt gt le ge eq ne cmp and or not xor if unless while until for foreach isa")
SORTED = re.compile(r"\s+(?:[@($\d\"'<]|[a-z]\w*\b)(?!\s*=>)")
PRINT_HANDLE = re.compile(
    r"(\$[A-Za-z_]\w*)(?=\s+(?:[\"'$@%A-Za-z_\d\\<]|-[A-Za-z]))"
    r"(?!\s+(?:x|eq|ne|lt|gt|le|ge|cmp|and|or|if|unless|for|foreach|while|until|xor|isa)\b)"
)
LEAST = {
    **dict.fromkeys(words("open keys values each delete exists splice push unshift sprintf unpack pack join bless scalar "
                          "closedir readdir rewinddir fileno getpwnam getpwuid getgrnam getgrgid gethostbyname binmode "
                          "getprotobyname getsockname getpeername prototype"), 1),
    **dict.fromkeys(words("opendir connect bind listen accept syswrite substr index rindex rename link symlink pipe "
                          "truncate waitpid atan2 crypt flock gethostbyaddr getservbyname shutdown"), 2),
    **dict.fromkeys(words("send read sysread sysopen seek sysseek vec getsockopt fcntl ioctl"), 3),
    **dict.fromkeys(words("socket recv setsockopt"), 4),
}  # fmt: skip
"""How many arguments a function needs."""
