"""Playing a recorded terminal on the operator's own, without what could harm it.

Only what draws is let through: text, line ends, cursor movement, erasing and colours. Everything that talks to the
terminal itself (titles, clipboard, answers to queries, printer, file transfer, mode switches) is dropped.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

_TOKEN = re.compile(
    r"\x1b\[(?P<params>[0-9;]*)(?P<final>[A-Za-z@`])"  # CSI with plain parameters
    r"|\x1b\[[0-?]*[ -/]*[@-~]"  # any other CSI
    r"|\x1b[\]PX^_].*?(?:\x07|\x1b\\|\Z)"  # OSC, DCS, SOS, PM, APC up to their end
    r"|\x1b[ -/]*[0-~]?"  # other escapes
    r"|[\x80-\x9f]"  # eight-bit controls
    r"|[\x00-\x06\x0e-\x1a\x1c-\x1f\x7f]",  # controls but BEL BS HT LF VT FF CR
    re.DOTALL,
)
_DRAWING = set("ABCDEFGHJKLMPSTX@dfmsur`")
"""Final bytes of the control sequences that only draw or move the cursor."""


def safe_screen(data: bytes) -> str:
    """Recorded bytes as text that may be written to a terminal."""

    def judge(match: re.Match[str]) -> str:
        return match[0] if match["final"] in _DRAWING else ""

    return _TOKEN.sub(judge, data.decode("utf-8", "replace")).replace("\x07", "")


def play(
    frames: Iterable[tuple[int, str, bytes]],
    speed: float,
    longest_pause: float,
    sleep: Callable[[float], object],
    write: Callable[[str], object],
) -> None:
    """Write the output frames at their own pace; `frames` are (milliseconds, "i" or "o", bytes) in order."""
    last: int | None = None
    for at, direction, body in frames:
        if direction != "o":
            continue
        if last is not None and at > last:
            sleep(min((at - last) / 1000 / speed, longest_pause))
        last = at
        write(safe_screen(body))
