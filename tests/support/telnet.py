"""A small telnet client that negotiates as a real one does."""

from __future__ import annotations

import re
import socket

IAC, DONT, DO, WONT, WILL, SB, SE = 255, 254, 253, 252, 251, 250, 240


class TelnetClient:
    """Refuses every option but echo and suppress-go-ahead; everything read is kept as text."""

    def __init__(self, host: str, port: int, timeout: float = 30) -> None:
        self.socket = socket.create_connection((host, port), timeout=timeout)
        self.text = b""
        self._raw = b""
        self._mark = 0

    def __enter__(self) -> TelnetClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def _negotiate(self) -> None:
        data, out, index = self._raw, bytearray(), 0
        while index < len(data):
            if data[index] != IAC:
                out.append(data[index])
                index += 1
                continue
            if index + 1 >= len(data):
                break
            command = data[index + 1]
            if command in (DO, DONT, WILL, WONT):
                if index + 2 >= len(data):
                    break
                option = data[index + 2]
                if command == DO:
                    self.socket.sendall(bytes((IAC, WILL if option == 3 else WONT, option)))
                elif command == WILL:
                    self.socket.sendall(bytes((IAC, DO if option in (1, 3) else DONT, option)))
                index += 3
            elif command == SB:
                end = data.find(bytes((IAC, SE)), index)
                if end < 0:
                    break
                index = end + 2
            else:
                index += 2
        self._raw = data[index:]
        self.text += bytes(out)

    def until(self, pattern: str) -> str:
        """Read until the text since the last call matches; returns that text."""
        while True:
            match = re.search(pattern.encode(), self.text[self._mark :])
            if match:
                end = self._mark + match.end()
                found = self.text[self._mark : end].decode("utf-8", "replace")
                self._mark = end
                return found
            data = self.socket.recv(65536)
            if not data:
                raise AssertionError(f"closed while waiting for {pattern!r}: {self.text!r}")
            self._raw += data
            self._negotiate()

    def send(self, line: str) -> None:
        """Send a line as a terminal does."""
        self.socket.sendall(line.encode() + b"\r\0")

    def login(self, user: str, password: str) -> None:
        """Go through the log-in dialogue to the prompt."""
        self.until("login: ")
        self.send(user)
        self.until("[Pp]assword: ")
        self.send(password)
        self.until(r"[#$] ")

    def run(self, command: str) -> str:
        """Run one command; returns what came until the next prompt."""
        self.send(command)
        return self.until(r"\n[^\n]*[#$] $")
