"""GNU wget's figures: time stamps, lengths, speeds, the dots and the bar."""

from __future__ import annotations

from urltrap.machine.api import Process
from urltrap.machine.programs._net import Answer, Place
from urltrap.machine.programs._zone import local


def stamp(p: Process) -> str:
    """ "2026-11-24 04:59:11"."""
    return local(p, p.now()).clock.isoformat(" ", "seconds")


def hundred(size: float) -> str:
    """A size as in "(1.2K)"."""
    if size < 1024:
        return str(int(size))
    value = float(size)
    for unit in "KMGT":
        value /= 1024
        if value < 1024 or unit == "T":
            return f"{value:.1f}{unit}" if value < 10 else f"{int(value + 0.5)}{unit}"
    return str(int(size))


def length_words(answer: Answer, place: Place) -> str:
    """What stands behind "Length: "."""
    if place.scheme == "ftp":
        size = answer.size
        return f"{size}{f' ({hundred(size)})' if size >= 1024 else ''} (unauthoritative)"
    kind = answer.header("content-type").partition(";")[0].strip()
    tail = f" [{kind}]" if kind else ""
    text = answer.header("content-length")
    if not text.isdecimal():
        if answer.header("transfer-encoding") or answer.capture.headers or answer.body is None:
            return "unspecified" + tail
        size = answer.size
    else:
        size = int(text[:18])
    return f"{size}{f' ({hundred(size)})' if size >= 1024 else ''}{tail}"


def speed_words(size: int, seconds: float) -> str:
    """ "309 MB/s"."""
    rate = size / seconds if seconds > 0 else float(size)
    units = ("B/s", "KB/s", "MB/s", "GB/s")
    step = 0
    while rate >= 1024 and step < 3:
        rate /= 1024
        step += 1
    digits = 2 if rate < 9.995 else 1 if rate < 99.95 else 0
    return f"{rate:.{digits}f} {units[step]}"


def _short_speed(size: int, seconds: float) -> str:
    rate = size / seconds if seconds > 0 else float(size)
    units = (" ", "K", "M", "G")
    step = 0
    while rate >= 1024 and step < 3:
        rate /= 1024
        step += 1
    digits = 2 if rate < 9.995 else 1 if rate < 99.95 else 0
    return f"{rate:4.{digits}f}{units[step]}"


def _elapsed(seconds: float) -> str:
    if seconds >= 100:
        return f"{int(seconds) // 60}m{int(seconds) % 60}s"
    digits = 0 if seconds >= 10 or seconds < 0.001 else 1 if seconds >= 1 else 2 if seconds >= 0.1 else 3
    return f"{seconds:.{digits}f}".rstrip("0").rstrip(".") + "s" if digits > 1 else f"{seconds:.{digits}f}s"


def body_progress(answer: Answer, name: str, seconds: float, columns: int) -> str:
    """What is shown while the body comes: dots, or with `columns` the finished bar."""
    size = answer.size
    known = bool(answer.header("content-length")) or not answer.capture.headers
    if columns:
        return (
            _bar("STDOUT" if name == "-" else name.rpartition("/")[2], size, seconds, columns, known) + "\n\n"
        )
    return "\n".join(_dots(size, seconds, known)) + "\n\n"


_ROW = 51_200
"""Bytes that a row of fifty dots stands for."""


def _dots(size: int, seconds: float, known: bool) -> list[str]:
    """Rows of dots, one for each kilobyte that came whole; the last one is shown even where nothing is in it."""
    lines = []
    for row in range(min(size // _ROW, 3000) + 1):
        begin = row * _ROW
        last = begin + _ROW > size
        here = min(size - begin, _ROW)
        cells = "." * (here // 1024)
        line = f"{begin // 1024:6d}K" + "".join(" " + cells[n : n + 10].ljust(10) for n in range(0, 50, 10))
        if known and size:
            line += f"{(begin + here) * 100 // size:3d}%"
        # Each row came at the average speed, as far as anybody can tell.
        line += f" {_short_speed(here, seconds * here / size) if size and here else '0.00 '}"
        if last:
            line += f"={_elapsed(seconds if size else 0.0)}"
        elif known:
            line += f" {round(seconds * (size - begin - here) / (begin + here))}s"
        lines.append(line)
    return lines


def _bar(name: str, size: int, seconds: float, columns: int, known: bool) -> str:
    shown = name if len(name) <= 19 else name[:19]
    width = max(5, columns - 58)
    amount = hundred_bar(size)
    if known:
        bar = "100%[" + "=" * (width - 3) + ">]"
    else:
        space = width - 2
        bar = "    [" + (" <=>").ljust(space) + "]"
    rate = _rate(size, seconds)
    empty = f"\r{shown:<19}   0%[{'':{width - 2}}]       0  --.-KB/s               " if known else ""
    return f"{empty}\r{shown:<19} {bar} {amount:>7}  {rate:>8}    in {_elapsed(seconds):<7}"


def hundred_bar(size: int) -> str:
    """A size as the bar shows it, with two decimals below ten."""
    if size < 1024:
        return str(size)
    value = float(size)
    for unit in "KMGT":
        value /= 1024
        if value < 1024 or unit == "T":
            return (
                f"{value:.2f}{unit}"
                if value < 9.995
                else f"{value:.1f}{unit}"
                if value < 99.95
                else f"{value:.0f}{unit}"
            )
    return str(size)


def _rate(size: int, seconds: float) -> str:
    if seconds < 0.15 and size < 200_000:
        return "--.-KB/s"
    text = speed_words(size, seconds).replace(" ", "")
    return text
