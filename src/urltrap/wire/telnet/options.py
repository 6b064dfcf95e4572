"""The Telnet protocol of a server: commands and options out of the stream, data in and out of it.

Source: RFC 854, 855, 857 (ECHO), 858 (SGA), 1073 (NAWS), 1091 (terminal type); first bytes and handling of commands as
BusyBox' networking/telnetd.c has them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

SE, NOP, DATA_MARK, BREAK, IP, AO, AYT, EC, EL, GA, SB, WILL, WONT, DO, DONT, IAC = range(240, 256)
ECHO, SGA, TTYPE, NAWS = 1, 3, 24, 31

BUSYBOX_GREETING = bytes((IAC, DO, ECHO, IAC, DO, NAWS, IAC, WILL, ECHO, IAC, WILL, SGA))
"""What BusyBox telnetd sends at once."""

MAX_SUBNEGOTIATION = 512


@dataclass(frozen=True, slots=True)
class Data:
    """What the client typed; a line end is one carriage return."""

    data: bytes


@dataclass(frozen=True, slots=True)
class WindowSize:
    """The client's window (NAWS)."""

    columns: int
    rows: int


@dataclass(frozen=True, slots=True)
class TerminalType:
    """The client's terminal."""

    name: bytes


@dataclass(frozen=True, slots=True)
class Malformed:
    """Something that the protocol does not allow."""

    what: str
    data: bytes


Event = Data | WindowSize | TerminalType | Malformed


@dataclass(slots=True)
class TelnetServer:
    """The server's side. `receive` takes bytes and returns what they mean; `take` returns what is to be sent."""

    greeting: bytes = BUSYBOX_GREETING
    _out: bytearray = field(default_factory=bytearray)
    _state: str = "data"
    _sub: bytearray = field(default_factory=bytearray)
    _after_return: bool = False
    _oversized: bool = False

    def __post_init__(self) -> None:
        self._out += self.greeting

    def take(self) -> bytes:
        """Bytes for the client, once."""
        out, self._out = bytes(self._out), bytearray()
        return out

    def receive(self, data: bytes) -> list[Event]:
        """What came in, in order."""
        events: list[Event] = []
        text = bytearray()
        for byte in data:
            if self._state == "data" and byte != IAC:
                self._character(byte, text)
                continue
            before = len(events)
            typed = self._special(byte, events)
            if typed is not None:
                text.append(typed)
            if len(events) > before and text:
                events.insert(before, Data(bytes(text)))
                text.clear()
        if text:
            events.append(Data(bytes(text)))
        return events

    def send(self, data: bytes) -> bytes:
        """Output as it goes over the wire: 255 doubled; line ends are the terminal's business."""
        return data.replace(b"\xff", b"\xff\xff")

    def _character(self, byte: int, text: bytearray) -> None:
        # CR NUL, CR LF and a lone LF are all one end of line; a lone CR too, as a terminal in raw mode sends it.
        if self._after_return:
            self._after_return = False
            if byte in (0, 10):
                return
        if byte == 13:
            self._after_return = True
        text.append(13 if byte == 10 else byte)

    def _special(self, byte: int, events: list[Event]) -> int | None:
        """Work on a byte that is not plain data; the character that it stands for, if any."""
        if self._state == "data":
            self._state = "command"
        elif self._state == "command":
            return self._take_command(byte)
        elif self._state == "option":
            self._state = "data"  # BusyBox has said all that it wants, and answers nothing
        elif self._state == "sub":
            if byte == IAC:
                self._state = "sub command"
            elif len(self._sub) < MAX_SUBNEGOTIATION:
                self._sub.append(byte)
            elif not self._oversized:
                self._oversized = True
                events.append(Malformed("subnegotiation too long", bytes(self._sub[:64])))
        elif byte == SE:
            self._state = "data"
            event = self._subnegotiated(bytes(self._sub))
            self._sub.clear()
            if event is not None:
                events.append(event)
        else:
            self._state = "sub"
            if byte == IAC and len(self._sub) < MAX_SUBNEGOTIATION:
                self._sub.append(IAC)
        return None

    def _take_command(self, byte: int) -> int | None:
        self._state = "data"
        if byte == IAC:
            self._after_return = False
            return IAC
        if byte in (WILL, WONT, DO, DONT):
            self._state = "option"
        elif byte == SB:
            self._state = "sub"
        return None

    def _subnegotiated(self, body: bytes) -> Event | None:
        if body[:1] == bytes((NAWS,)) and len(body) == 5:
            return WindowSize(int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big"))
        if body[:2] == bytes((TTYPE, 0)):
            return TerminalType(body[2:66])
        return None
