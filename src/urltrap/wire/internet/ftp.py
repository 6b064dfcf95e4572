"""An FTP server that has whatever is asked of it (RFC 959, 2428), in the words of vsftpd 3.0.3."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

GREETING = b"220 (vsFTPd 3.0.3)\r\n"
MAX_LINE = 4096
_MAX_PATH = 2048

Verb = Literal["RETR", "SIZE", "MDTM", "LIST", "NLST", "STOR", "APPE"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file or folder is asked for: `path` from the root; the user must send `Dialogue.reply_to` of it."""

    verb: Verb
    path: bytes
    argument: bytes


@dataclass(slots=True)
class Dialogue:
    """One control connection. `listen` opens a data connection's port and gives its number; `address` is the server's
    own. Data connections are made by the client alone: one that asks to be called (PORT) is refused."""

    address: str
    listen: Callable[[], int]
    user: bytes = b""
    password: bytes = b""
    folder: bytes = b"/"
    ended: bool = False
    passive: bool = False
    """Whether a data connection was prepared."""
    _logged_in: bool = False
    _data: bytearray = field(default_factory=bytearray)

    def receive(self, data: bytes) -> list[bytes | Wanted]:
        """Replies to what came, and what is wanted; nothing more after QUIT. Raises nothing but `listen`'s errors."""
        self._data += data
        done: list[bytes | Wanted] = []
        while not self.ended:
            line, newline, rest = bytes(self._data).partition(b"\n")
            if not newline:
                if len(self._data) > MAX_LINE:
                    self.ended = True
                    done.append(b"500 Input line too long.\r\n")
                break
            self._data[:] = rest
            done.append(self._command(line.strip(b"\r\n \0")))
        return done

    def _command(self, line: bytes) -> bytes | Wanted:
        verb, _, argument = line.partition(b" ")
        name = verb.upper().decode("latin-1")
        if name == "USER":
            self.user, self._logged_in = argument[:200], False
            return b"331 Please specify the password.\r\n"
        if name == "PASS":
            self.password, self._logged_in = argument[:200], True
            return b"230 Login successful.\r\n"
        if name == "QUIT":
            self.ended = True
            return b"221 Goodbye.\r\n"
        if name == "FEAT":
            return b"211-Features:\r\n EPRT\r\n EPSV\r\n MDTM\r\n PASV\r\n REST STREAM\r\n SIZE\r\n TVFS\r\n211 End\r\n"
        if name in ("AUTH", "PBSZ", "PROT"):
            return b"530 Please login with USER and PASS.\r\n"
        if not self._logged_in:
            return b"530 Please login with USER and PASS.\r\n"
        if name in _FIXED:
            return _FIXED[name]
        return self._inside(name, argument)

    def _inside(self, name: str, argument: bytes) -> bytes | Wanted:
        if name in ("PWD", "XPWD"):
            return b'257 "%s" is the current directory\r\n' % self.folder
        if name in ("CWD", "XCWD", "CDUP", "XCUP"):
            self.folder = self.path(b".." if name.endswith("UP") else argument)
            return b"250 Directory successfully changed.\r\n"
        if name == "TYPE":
            kind = b"ASCII" if argument.upper().startswith(b"A") else b"Binary"
            return b"200 Switching to %s mode.\r\n" % kind
        if name in ("PASV", "EPSV"):
            port = self.listen()
            self.passive = True
            if name == "EPSV":
                return b"229 Entering Extended Passive Mode (|||%d|)\r\n" % port
            host = self.address.replace(".", ",").encode()
            return b"227 Entering Passive Mode (%s,%d,%d).\r\n" % (host, port >> 8, port & 255)
        if name in ("PORT", "EPRT"):
            return b"500 Illegal PORT command.\r\n"
        if name == "REST":
            return (
                b"350 Restart position accepted (0).\r\n"
                if argument == b"0"
                else b"502 REST not allowed.\r\n"
            )
        if name in ("RETR", "LIST", "NLST", "STOR", "APPE", "SIZE", "MDTM"):
            if name in ("LIST", "NLST"):
                argument = re.sub(rb"^-\S+\s*", b"", argument)
            if name not in ("SIZE", "MDTM") and not self.passive:
                return b"425 Use PORT or PASV first.\r\n"
            return Wanted(name, self.path(argument), argument)  # type: ignore[arg-type]
        if name in ("MKD", "XMKD", "RMD", "DELE", "RNFR", "SITE"):
            return b"550 Permission denied.\r\n"
        return b"500 Unknown command.\r\n"

    def path(self, argument: bytes) -> bytes:
        """Where a name leads from the folder that the client is in, without dots."""
        full = argument if argument.startswith(b"/") else self.folder + b"/" + argument
        parts: list[bytes] = []
        for part in full.split(b"/"):
            if part == b"..":
                del parts[-1:]
            elif part not in (b"", b"."):
                parts.append(part)
        return (b"/" + b"/".join(parts))[:_MAX_PATH]


_FIXED = {
    "SYST": b"215 UNIX Type: L8\r\n",
    "NOOP": b"200 NOOP ok.\r\n",
    "MODE": b"200 Mode set to S.\r\n",
    "STRU": b"200 Structure set to F.\r\n",
    "OPTS": b"200 Always in UTF8 mode.\r\n",
    "ALLO": b"202 ALLO command ignored.\r\n",
    "ABOR": b"225 No transfer to ABOR.\r\n",
    "HELP": b"214 Help OK.\r\n",
}
MISSING = b"550 Failed to open file.\r\n"
NO_SIZE = b"550 Could not get file size.\r\n"
LISTING = b"150 Here comes the directory listing.\r\n"
LISTED = b"226 Directory send OK.\r\n"
SENT = b"226 Transfer complete.\r\n"
TAKING = b"150 Ok to send data.\r\n"


def sending(name: bytes, size: int) -> bytes:
    """What is said before a file is sent."""
    return b"150 Opening BINARY mode data connection for %s (%d bytes).\r\n" % (name, size)
