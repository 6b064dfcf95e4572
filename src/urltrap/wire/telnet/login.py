"""The log-in dialogue of BusyBox' login: prompts, echo, tries and time-out.

Source: BusyBox loginutils/login.c (60 s, 3 tries, texts), libbb/ask_password.c.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from urltrap.wire.telnet.options import Malformed

MAX_TRIES = 3
MAX_FIELD = 255
"""Characters of a name or password that are taken; BusyBox' own buffers are not longer."""
MAX_LINE = 4095
"""Characters that a terminal keeps of a line (N_TTY_BUF_SIZE - 1). Who sends more without ending it does not log in."""
MAX_AHEAD = 65_536
"""Characters that may wait for an answer to what was typed before them; a driver stops reading above it."""


@dataclass(frozen=True, slots=True)
class Tried:
    """A name and a password were entered: answer with `accepted` or `refused`."""

    user: bytes
    password: bytes


@dataclass(frozen=True, slots=True)
class GaveUp:
    """The last try failed, or the client ended its input: close the connection."""


Outcome = Tried | GaveUp | Malformed
"""`Malformed`: a line without end, told once; close the connection."""


@dataclass(slots=True)
class LoginDialogue:
    """Typed characters in, prompts and echo out, a `Tried` for each pair.

    `issue` is what is shown before the first prompt. After the dialogue is over, `rest` holds what was typed ahead.
    """

    hostname: str
    issue: bytes = b""
    tries: int = 0
    _out: bytearray = field(default_factory=bytearray)
    _line: bytearray = field(default_factory=bytearray)
    _user: bytes | None = None
    _waiting: bytearray = field(default_factory=bytearray)
    _length: int = 0
    _asked: bool = False
    _empty: int = 0

    def __post_init__(self) -> None:
        self._out += (
            b"\r\r\n" + self.issue
        )  # telnetd starts a new line before the issue, also before an empty one
        self._prompt()

    def take(self) -> bytes:
        """What is to be shown, once."""
        out, self._out = bytes(self._out), bytearray()
        return out

    @property
    def rest(self) -> bytes:
        """What was typed behind the password that was asked about last."""
        return bytes(self._waiting)

    @property
    def backlog(self) -> int:
        """How many characters wait; above `MAX_AHEAD` no more should be read from the client."""
        return len(self._waiting)

    def receive(self, data: bytes) -> Outcome | None:
        """Typed characters, in which a line ends with CR. Characters behind a `Tried` wait for its answer."""
        self._waiting += data
        return None if self._asked else self._work()

    def accepted(self) -> None:
        """The pair was right."""
        self._asked = False

    def refused(self) -> Outcome | None:
        """The pair was wrong: say so and ask again, up to the last try."""
        self._asked = False
        self._out += b"Login incorrect\r\n"
        self.tries += 1
        self._user = None
        if self.tries >= MAX_TRIES:
            return GaveUp()
        self._prompt()
        return self._work()

    def timed_out(self, seconds: float) -> None:
        """Nobody logged in within the time."""
        self._out += b"\r\nLogin timed out after %d seconds\r\n" % seconds

    def _prompt(self) -> None:
        self._out += f"{self.hostname} login: ".encode()

    def _work(self) -> Outcome | None:
        typed, self._waiting = self._waiting, bytearray()
        for used, byte in enumerate(typed, 1):
            outcome = self._key(byte)
            if outcome is not None:
                self._waiting = typed[used:]
                return outcome
        return None

    def _key(self, byte: int) -> Outcome | None:
        if byte == 13:
            return self._line_ended()
        if byte == 4 and not self._line:
            return GaveUp()
        if byte == 3:  # login ignores the signal; the terminal forgets the line
            self._line.clear()
            self._length = 0
            self._out += b"^C"
            return None
        self._length += 1
        if self._length > MAX_LINE:
            return Malformed("line without end at log-in", bytes(self._line))
        if byte in (8, 127):
            if self._line:
                self._line.pop()
                if self._user is None:
                    self._out += b"\b \b"
        elif byte == 21:
            if self._user is None:
                self._out += b"\b \b" * len(self._line)
            self._line.clear()
            self._length = 0
        elif len(self._line) < MAX_FIELD:
            self._line.append(byte)
            if self._user is None:
                self._out += bytes((byte,)) if byte >= 32 else bytes((94, byte + 64))
        return None

    def _line_ended(self) -> Outcome | None:
        line = bytes(self._line)
        self._line.clear()
        self._length = 0
        self._out += b"\r\n"
        if self._user is None:
            if not line.strip():
                # login asks for the name a few times and then gives up, so that an endless stream of line ends stops.
                self._empty += 1
                if self._empty > 10:
                    return GaveUp()
                self._prompt()
                return None
            self._user = line.strip()
            self._out += b"Password: "
            return None
        self._asked = True
        return Tried(self._user, line)
