"""The line editors of bash (readline) and BusyBox, pure: keys in, bytes for the terminal out.

Output is what the real editors sent to an xterm: appended characters are echoed, changes in the middle use insert and
delete character sequences (bash) or rewrite the rest (BusyBox).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from urltrap.machine.api import decode, encode
from urltrap.machine.shell.isearch import Search
from urltrap.machine.shell.keys import CONTROL, KEYS, PASTE_END, columnize, common_prefix

Complete = Callable[[str, bool], list[str]]
"""(the word before the cursor, whether it is in command position) → candidates, sorted."""

_MAX_LINE = 2 << 20
"""readline takes a line of any length; what one costs here has to end somewhere."""
_OF_BASH = frozenset({"yank", "transpose", "search", "last-argument", "tilde"})
"""Commands that BusyBox has not."""
_WORD_BREAKS = " \t\n\"'><=;|&("


class Editor:
    """Edits one line. `text` is the line so far, `at` the cursor in it."""

    def __init__(
        self,
        prompt: str,
        *,
        columns: int,
        history: Sequence[str],
        bracketed: bool,
        complete: Complete,
        bash: bool,
    ) -> None:
        self.prompt = prompt
        self.columns = columns
        self.history = history
        self.bracketed = bracketed
        self.complete = complete
        self.bash = bash
        self.text = ""
        self.at = 0
        self.place = len(history)
        self.draft = ""
        self.killed = ""
        self.killing = False
        self.tabs = 0
        self.pasting = False
        self.search: Search | None = None
        self.asking: list[str] | None = None

    # -- the ends of a line

    def begin(self) -> bytes:
        """What is sent before the first key."""
        return (b"\x1b[?2004h" if self.bracketed else b"") + encode(self.prompt)

    def interrupted(self) -> bytes:
        """^C, delivered as a signal (the terminal has echoed "^C" where it does)."""
        if self.bracketed:
            return b"^C\x1b[?2004l\r\x1b[?2004h\x1b[?2004l\r\n"
        return b"^C\n"

    def closed(self) -> bytes:
        """The input ended."""
        return b"\x1b[?2004l\r" if self.bracketed else b""

    def _finish(self) -> bytes:
        return b"\n\x1b[?2004l\r" if self.bracketed else b"\n"

    # -- keys

    def feed(self, data: bytes) -> tuple[int, bytes, str]:
        """Use keys from `data`: (bytes used, bytes for the terminal, "" or "line", "end", "interrupt").

        Stops behind the key that ends the line; an incomplete escape sequence at the end is used up with the rest.
        """
        out = bytearray()
        pos = 0
        while pos < len(data):
            if self.asking is not None:
                out += self._answer(data[pos])
                pos += 1
                continue
            byte = data[pos]
            if byte == 0x1B:
                used, name = self._sequence(data, pos)
                pos += used
                if self.search is not None:
                    out += self._leave_search()
                out += self._command(name) if name else b""
                continue
            if self.search is not None:
                taken = self.search.key(byte)
                if taken is not None:
                    out += taken
                    pos += 1
                    continue
                out += self._leave_search()
            if byte in (10, 13) and not self.pasting:
                pos += 1
                out += self._to_end() + self._finish()
                return pos, bytes(out), "line"
            if byte == 3:
                out += self.interrupted()
                return pos + 1, bytes(out), "interrupt"
            if byte == 4 and not self.pasting:
                pos += 1
                if not self.text:
                    out += b"\x1b[?2004l\r\n" if self.bracketed else b""
                    return pos, bytes(out), "end"
                out += self._command("delete")
                continue
            if byte < 32 or byte == 127:
                pos += 1
                if self.pasting:
                    out += self._insert(chr(byte) if byte != 13 else "\n")
                    continue
                name = CONTROL.get(byte, "")
                if name != "tab":
                    self.tabs = 0
                out += self._command(name) if name else b""
                continue
            end = pos + 1
            while end < len(data) and data[end] >= 32 and data[end] != 127:
                end += 1
            self.tabs = 0
            out += self._insert(decode(data[pos:end]))
            pos = end
        return pos, bytes(out), ""

    def _leave_search(self) -> bytes:
        self.search = None
        return b"\r" + encode(self.prompt + self.text) + b"\x1b[K" + self._back(len(self.text) - self.at)

    def _sequence(self, data: bytes, pos: int) -> tuple[int, str]:
        for sequence, name in KEYS.items():
            if name in _OF_BASH and not self.bash:
                continue
            if data.startswith(sequence, pos):
                return len(sequence), name
        if data.startswith(PASTE_END, pos):
            self.pasting = False
            return len(PASTE_END), ""
        if data[pos + 1 : pos + 2] == b"[":
            end = pos + 2
            while end < len(data) and not 0x40 <= data[end] <= 0x7E:
                end += 1
            # readline gives up at the second digit and takes the rest as text.
            return min(end + 1, len(data)) - pos, "tilde" if data[end : end + 1] == b"~" else ""
        if not self.bash and data[pos + 1 : pos + 2] not in (b"", b"O"):
            return 1, ""  # BusyBox takes the character for itself
        return min(2, len(data) - pos), ""

    # -- drawing

    def _erase_line(self) -> bytes:
        return b"\x1b[K" if self.bash else b"\x1b[J"

    def _back(self, count: int) -> bytes:
        return b"\x08" * count

    def _to_end(self) -> bytes:
        rest = self.text[self.at :]
        self.at = len(self.text)
        return encode(rest) if not self.bash or rest else b""

    def _insert(self, piece: str) -> bytes:
        self.killing = False
        if len(self.text) + len(piece) > _MAX_LINE:
            return b"\x07"
        rest = self.text[self.at :]
        self.text = self.text[: self.at] + piece + rest
        self.at += len(piece)
        if self.pasting and self.bash:
            return (
                b"\x1b[7m"
                + encode(piece.replace("\n", "\r\n"))
                + b"\x1b[27m"
                + encode(rest)
                + self._back(len(rest))
            )
        if not rest:
            return encode(piece)
        if self.bash and "\n" not in piece:
            return b"\x1b[%d@" % len(piece) + encode(piece)
        return encode(piece + rest) + self._back(len(rest))

    def _delete(self, begin: int, end: int) -> bytes:
        """Remove text[begin:end]; the cursor goes to `begin`."""
        if begin >= end:
            return b"\x07" if self.bash else b""
        back = self._back(self.at - begin)
        rest = self.text[end:]
        self.text = self.text[:begin] + rest
        self.at = begin
        if not rest:
            return back + self._erase_line()
        if self.bash:
            return back + b"\x1b[%dP" % (end - begin)
        return back + encode(rest) + b"\x1b[J" + self._back(len(rest))

    def _replace(self, text: str) -> bytes:
        """Show another line."""
        old = self.text
        shown = self.at
        self.text, self.at = text, len(text)
        if self.bash:
            if not old:
                return encode(text)
            common = 0
            while common < min(len(old), len(text)) and old[common] == text[common]:
                common += 1
            if not text:
                return b"\r" + encode(self.prompt) + b"\x1b[K"
            move = self._back(shown - common) if shown >= common else encode(old[shown:common])
            tail = encode(text[common:])
            return move + tail + (b"\x1b[K" if len(old) > len(text) else b"")
        return b"\r" + encode(self.prompt + text) + b"\x1b[J"

    # -- commands

    def _command(self, name: str) -> bytes:
        if name == "paste":
            self.pasting = True
            return b""
        before, self.killing = self.killing, False
        if name in _OF_BASH and not self.bash:
            return b""
        if name.startswith(("kill", "word-delete", "word-rubout")):
            self.killing = before
        method = getattr(self, "_do_" + name.replace("-", "_"), None)
        return method() if method is not None else b""

    def _do_left(self) -> bytes:
        if not self.at:
            return b"\x07" if self.bash else b""
        self.at -= 1
        return b"\x08"

    def _do_right(self) -> bytes:
        if self.at >= len(self.text):
            return b"\x07" if self.bash else b""
        self.at += 1
        return encode(self.text[self.at - 1]) if not self.bash else b"\x1b[C"

    def _do_home(self) -> bytes:
        count, self.at = self.at, 0
        return self._back(count)

    def _do_end(self) -> bytes:
        return self._to_end()

    def _do_rubout(self) -> bytes:
        return self._delete(self.at - 1, self.at) if self.at else (b"\x07" if self.bash else b"")

    def _do_delete(self) -> bytes:
        return self._delete(self.at, min(self.at + 1, len(self.text)))

    def _kill(self, begin: int, end: int) -> bytes:
        """Remove text to be yanked; what is killed at once behind another kill joins it, on the side that it was on."""
        if begin < end:
            piece = self.text[begin:end]
            forward = begin == self.at
            if not self.killing:
                self.killed = piece
            else:
                self.killed = self.killed + piece if forward else piece + self.killed
        self.killing = True
        return self._delete(begin, end)

    def _do_kill_end(self) -> bytes:
        if self.at >= len(self.text):
            return b""
        return self._kill(self.at, len(self.text))

    def _do_kill_start(self) -> bytes:
        if not self.at:
            return b"\x07" if self.bash else b""
        whole = self.at == len(self.text) and (not self.bash or self.at > 4)
        drawn = self._kill(0, self.at)
        return b"\r" + encode(self.prompt) + self._erase_line() if whole else drawn

    def _do_kill_word(self) -> bytes:
        begin = self.at
        while begin and self.text[begin - 1] in " \t":
            begin -= 1
        while begin and self.text[begin - 1] not in " \t":
            begin -= 1
        return self._kill(begin, self.at)

    def _word_start(self) -> int:
        begin = self.at
        while begin and not self.text[begin - 1].isalnum():
            begin -= 1
        while begin and self.text[begin - 1].isalnum():
            begin -= 1
        return begin

    def _word_end(self) -> int:
        end, size = self.at, len(self.text)
        while end < size and not self.text[end].isalnum():
            end += 1
        while end < size and self.text[end].isalnum():
            end += 1
        return end

    def _do_word_left(self) -> bytes:
        begin = self._word_start()
        count, self.at = self.at - begin, begin
        return self._back(count)

    def _do_word_right(self) -> bytes:
        end = self._word_end()
        moved = self.text[self.at : end]
        self.at = end
        return encode(moved)

    def _do_word_delete(self) -> bytes:
        return self._kill(self.at, self._word_end())

    def _do_word_rubout(self) -> bytes:
        return self._kill(self._word_start(), self.at)

    def _do_yank(self) -> bytes:
        return self._insert(self.killed) if self.killed else b""

    def _do_transpose(self) -> bytes:
        if self.at < 1 or len(self.text) < 2:
            return b"\x07"
        at = self.at if self.at < len(self.text) else self.at - 1
        swapped = self.text[at] + self.text[at - 1]
        back = self._back(self.at - (at - 1))
        self.text = self.text[: at - 1] + swapped + self.text[at + 1 :]
        self.at = at + 1
        return back + encode(swapped)

    def _do_clear(self) -> bytes:
        rest = self.text[self.at :]
        head = b"\x1b[H\x1b[2J" if self.bash else b"\x1b[H\x1b[J\r"
        return (
            head + encode(self.prompt + self.text) + (b"" if self.bash else b"\x1b[J") + self._back(len(rest))
        )

    def _do_tilde(self) -> bytes:
        return b"\x07" + self._insert("~")

    def _do_last_argument(self) -> bytes:
        words = self.history[-1].split() if self.history else []
        return self._insert(words[-1]) if words else b"\x07"

    # -- history

    def _do_up(self) -> bytes:
        if not self.place:
            return b"\x07" if self.bash else b"\x07\x07"
        if self.place == len(self.history) and (self.text or self.bash):
            self.draft = self.text  # BusyBox keeps an older one where there is nothing
        self.place -= 1
        return self._replace(self.history[self.place])

    def _do_down(self) -> bytes:
        if self.place >= len(self.history):
            return b"\x07" if self.bash else b"\x07\x07"
        self.place += 1
        return self._replace(self.draft if self.place == len(self.history) else self.history[self.place])

    def _do_search(self) -> bytes:
        self.search = Search(self)
        return self.search.begin()

    # -- completion

    def _do_tab(self) -> bytes:
        head = self.text[: self.at]
        begin = len(head)
        while begin and head[begin - 1] not in _WORD_BREAKS:
            begin -= 1
        word = head[begin:]
        before = head[:begin].rstrip()
        first = not before or before[-1] in ";|&("
        if not word and first:
            return b"\x07" if self.bash else b""
        found = self.complete(word, first)
        if not found:
            self.tabs = 0
            return b"\x07"
        common = common_prefix(found)
        if len(found) == 1:
            self.tabs = 0
            tail = found[0][len(word) :]
            # readline puts no blank behind a file's name where the line goes on.
            if not tail.endswith("/") and (
                not self.bash or self.at == len(self.text) or (first and "/" not in word)
            ):
                tail += " "
            return self._show_tail(tail)
        if len(common) > len(word):
            self.tabs = 0 if self.bash else 1
            return b"\x07" + self._show_tail(common[len(word) :])
        self.tabs += 1
        if self.tabs < 2:
            return b"\x07"
        if len(found) > 100 and self.bash:
            self.asking = found
            return b"\nDisplay all %d possibilities? (y or n)" % len(found)
        return self._listing(found)

    def _show_tail(self, tail: str) -> bytes:
        drawn = self._insert(tail)
        if self.bash:
            return drawn
        rest = self.text[self.at :]
        return b"\r" + encode(self.prompt + self.text) + b"\x1b[J" + self._back(len(rest))

    def _answer(self, byte: int) -> bytes:
        found, self.asking = self.asking or [], None
        if chr(byte) in "yY ":
            return self._listing(found)
        return b"\n" + encode(self.prompt + self.text) + self._back(len(self.text) - self.at)

    def _listing(self, found: list[str]) -> bytes:
        names = [item.rstrip("/").rpartition("/")[2] + ("/" if item.endswith("/") else "") for item in found]
        table = columnize(names, self.columns)
        rest = self.text[self.at :]
        lead = b"\n" + encode(table)
        if not self.bash:
            return lead + b"\r" + encode(self.prompt + self.text) + b"\x1b[J" + self._back(len(rest))
        return lead + encode(self.prompt + self.text) + self._back(len(rest))
