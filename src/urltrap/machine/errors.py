"""Errors of the machine's system calls, with the numbers and words of Linux."""

from __future__ import annotations

import errno

# Linux' own words (strerror of glibc), a table so that they do not depend on the host's C library.
STRERROR = {
    errno.EPERM: "Operation not permitted",
    errno.ENOENT: "No such file or directory",
    errno.ESRCH: "No such process",
    errno.EINTR: "Interrupted system call",
    errno.EIO: "Input/output error",
    errno.E2BIG: "Argument list too long",
    errno.ENOEXEC: "Exec format error",
    errno.EBADF: "Bad file descriptor",
    errno.ECHILD: "No child processes",
    errno.EAGAIN: "Resource temporarily unavailable",
    errno.ENOMEM: "Cannot allocate memory",
    errno.EACCES: "Permission denied",
    errno.EBUSY: "Device or resource busy",
    errno.EEXIST: "File exists",
    errno.EXDEV: "Invalid cross-device link",
    errno.ENOTDIR: "Not a directory",
    errno.EISDIR: "Is a directory",
    errno.EINVAL: "Invalid argument",
    errno.EMFILE: "Too many open files",
    errno.ENOTTY: "Inappropriate ioctl for device",
    errno.ETXTBSY: "Text file busy",
    errno.EFBIG: "File too large",
    errno.ENOSPC: "No space left on device",
    errno.ESPIPE: "Illegal seek",
    errno.EROFS: "Read-only file system",
    errno.EPIPE: "Broken pipe",
    errno.ERANGE: "Numerical result out of range",
    errno.ENAMETOOLONG: "File name too long",
    errno.ENOTEMPTY: "Directory not empty",
    errno.ELOOP: "Too many levels of symbolic links",
    errno.EDQUOT: "Disk quota exceeded",
    errno.ENXIO: "No such device or address",
    errno.ENODEV: "No such device",
    errno.ENOMEDIUM: "No medium found",
    errno.EOPNOTSUPP: "Operation not supported",
    errno.EMLINK: "Too many links",
    errno.ENETUNREACH: "Network is unreachable",
    errno.EHOSTUNREACH: "No route to host",
    errno.ECONNREFUSED: "Connection refused",
    errno.ECONNRESET: "Connection reset by peer",
    errno.ETIMEDOUT: "Connection timed out",
    errno.EADDRINUSE: "Address already in use",
}


class SysError(Exception):
    """A system call failed: `errno` (Linux number) and the path it was about; `words` as strerror gives them."""

    def __init__(self, number: int, path: str = "") -> None:
        super().__init__(number, path)
        self.errno = number
        self.path = path

    @property
    def words(self) -> str:
        """The text that programs print behind the colon."""
        return STRERROR.get(self.errno, f"Unknown error {self.errno}")


class BudgetError(Exception):
    """A budget of the session is used up; the kernel ends the job and journals `BudgetSpent`."""

    def __init__(self, what: str, limit: int) -> None:
        super().__init__(f"budget of {what} is used up ({limit})")
        self.what = what
        self.limit = limit
