"""The lines that somebody types at a terminal, from the bytes that he sends: what a line editor makes of them."""

from __future__ import annotations

_ESCAPE = 0x1B


class TypedLines:
    """Keeps what is being typed. `limit`: bytes of one line that are kept."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._line = bytearray()
        self._escape = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that `data` ends, without empty ones. Erasing keys work; the history's keys cannot be followed."""
        lines = []
        for byte in data:
            if self._escape:
                self._in_escape(byte)
            elif byte == _ESCAPE:
                self._escape.append(byte)
            elif byte in (0x0D, 0x0A):
                if self._line.strip():
                    lines.append(bytes(self._line))
                self._line.clear()
            elif byte in (0x7F, 0x08):
                del self._line[-1:]
            elif byte in (0x03, 0x15):  # ^C, ^U
                self._line.clear()
            elif byte == 0x17:  # ^W
                kept = self._line.rstrip().rpartition(b" ")
                self._line[:] = kept[0] + kept[1]
            elif (byte >= 0x20 or byte == 0x09) and len(self._line) < self._limit:
                self._line.append(byte)
        return lines

    def _in_escape(self, byte: int) -> None:
        # ESC [ parameters final, ESC O final, ESC and one more (ECMA-48).
        self._escape.append(byte)
        control = self._escape[1] in b"[O" and len(self._escape) < 16
        if not control or (len(self._escape) > 2 and 0x40 <= byte <= 0x7E):
            self._escape.clear()
