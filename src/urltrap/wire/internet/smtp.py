"""A mail server that takes any mail and lets none go (RFC 5321), in the words of Postfix."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

MAX_LINE = 4096
KEPT_BODY = 4096
"""Bytes of a mail that are kept; the rest is counted."""


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail as it was handed in. `body`: its beginning; `size`: all of it."""

    sender: bytes
    recipients: tuple[bytes, ...]
    body: bytes
    size: int


@dataclass(slots=True)
class Dialogue:
    """One connection; `host`: what the server calls itself; `secure`: whether it is under TLS already."""

    host: bytes
    secure: bool = False
    ended: bool = False
    wants_tls: bool = False
    """Set after STARTTLS was agreed to: what follows is a TLS client's first record, and a new dialogue."""
    _data: bytearray = field(default_factory=bytearray)
    _in_body: bool = False
    _sender: bytes = b""
    _recipients: list[bytes] = field(default_factory=list)
    _body: bytes = b""
    _size: int = 0

    def greeting(self) -> bytes:
        """What the server says first."""
        return b"220 %s ESMTP Postfix (Debian/GNU)\r\n" % self.host

    def receive(self, data: bytes) -> list[bytes | Mail]:
        """Replies to what came, and mails that are complete. Raises nothing."""
        self._data += data
        done: list[bytes | Mail] = []
        while not self.ended and not self.wants_tls:
            line, newline, rest = bytes(self._data).partition(b"\n")
            if not newline:
                if len(self._data) > MAX_LINE and not self._in_body:
                    self.ended = True
                    done.append(b"500 5.5.2 Error: line too long\r\n")
                elif len(self._data) > MAX_LINE:
                    self._keep(bytes(self._data))
                    self._data.clear()
                break
            self._data[:] = rest
            if self._in_body:
                done += self._line_of_body(line + newline)
            else:
                done.append(self._command(line.strip()))
        return done

    def _line_of_body(self, line: bytes) -> list[bytes | Mail]:
        if line.rstrip(b"\r\n") != b".":
            self._keep(line)
            return []
        mail = Mail(self._sender, tuple(self._recipients), self._body, self._size)
        self._in_body, self._sender, self._recipients, self._body, self._size = False, b"", [], b"", 0
        return [mail, b"250 2.0.0 Ok: queued as 4Xq3Lw2n7Jz1\r\n"]

    def _keep(self, data: bytes) -> None:
        self._body += data[: KEPT_BODY - len(self._body)]
        self._size += len(data)

    def _command(self, line: bytes) -> bytes:
        verb, _, argument = line.partition(b" ")
        name = verb.upper()
        if name == b"EHLO":
            offers = [
                b"PIPELINING",
                b"SIZE 10240000",
                b"VRFY",
                b"ETRN",
                b"ENHANCEDSTATUSCODES",
                b"8BITMIME",
                b"DSN",
            ]
            if not self.secure:
                offers.insert(4, b"STARTTLS")
            lines = [self.host, *offers, b"CHUNKING"]
            return b"".join(b"250-%s\r\n" % each for each in lines[:-1]) + b"250 %s\r\n" % lines[-1]
        if name == b"HELO":
            return b"250 %s\r\n" % self.host
        if name == b"STARTTLS" and not self.secure:
            self.wants_tls = True
            self._data.clear()
            return b"220 2.0.0 Ready to start TLS\r\n"
        if name == b"MAIL":
            self._sender = _address(argument)
            return b"250 2.1.0 Ok\r\n"
        if name == b"RCPT":
            if len(self._recipients) >= 100:
                return b"452 4.5.3 Error: too many recipients\r\n"
            self._recipients.append(_address(argument))
            return b"250 2.1.5 Ok\r\n"
        if name == b"DATA":
            if not self._recipients:
                return b"503 5.5.1 Error: need RCPT command\r\n"
            self._in_body = True
            return b"354 End data with <CR><LF>.<CR><LF>\r\n"
        if name == b"RSET":
            self._sender, self._recipients = b"", []
            return b"250 2.0.0 Ok\r\n"
        if name == b"NOOP":
            return b"250 2.0.0 Ok\r\n"
        if name == b"QUIT":
            self.ended = True
            return b"221 2.0.0 Bye\r\n"
        if name == b"AUTH":
            return b"503 5.5.1 Error: authentication not enabled\r\n"
        return b"502 5.5.2 Error: command not recognized\r\n"


def _address(argument: bytes) -> bytes:
    found = re.search(rb"<([^>]{0,320})>", argument)
    return found[1] if found else argument.partition(b":")[2].strip()[:320]
