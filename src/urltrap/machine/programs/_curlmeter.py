"""curl's progress meter."""

from __future__ import annotations

_HEAD = (
    "  % Total    % Received % Xferd  Average Speed   Time    Time     Time  Current\n"
    "                                 Dload  Upload   Total   Spent    Left  Speed\n"
)


def header_lines() -> str:
    """The two title lines."""
    return _HEAD


def amount(value: int) -> str:
    """A number in five characters."""
    if value < 100_000:
        return f"{value:5d}"
    if value < 10_000 * 1024:
        return f"{value // 1024:4d}k"
    if value < 100 * 1024 * 1024:
        return f"{value // 1048576:2d}.{value % 1048576 // 104858 % 10:d}M"
    if value < 10_000 * 1048576:
        return f"{value // 1048576:4d}M"
    return f"{value // 1073741824:4d}G"


def zero(newline: bool = False, total: int = 0) -> str:
    """The line before anything came."""
    line = f"\r  0 {amount(total)}    0     0    0     0      0      0 --:--:-- --:--:-- --:--:--     0"
    return line + ("\n" if newline else "")


def _clock(seconds: float) -> str:
    whole = int(seconds)
    if whole <= 0:
        return "--:--:--"
    return f"{whole // 3600:2d}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def finished(size: int, seconds: float, head: bool, sent: int = 0) -> str:
    """The last line; with `head` the body was only announced; `sent` bytes went the other way."""
    if head or not size:
        return zero(newline=True, total=size)
    speed = int(size / max(seconds, 0.001))
    spent = _clock(seconds)
    shown = amount(size)
    upload = int(sent / max(seconds, 0.001))
    share = f"{100 if sent else 0:3d} {sent:5d}  {amount(speed)} {upload:6d}"
    return f"\r100 {amount(size + sent)}  100 {shown}  {share} {spent} {spent} --:--:-- {amount(speed + upload)}\n"
