"""Signal names, numbers and what bash prints when one ends a child."""

from __future__ import annotations

NAMES = (
    "EXIT", "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM",
    "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH",
    "IO", "PWR", "SYS",
)  # fmt: skip
_RT_MIN, _RT_MAX = 34, 64
_ALIASES = {"CLD": 17, "POLL": 29, "IOT": 6}

DESCRIPTIONS = {
    1: "Hangup", 2: "", 3: "Quit", 4: "Illegal instruction", 5: "Trace/breakpoint trap", 6: "Aborted",
    7: "Bus error", 8: "Floating point exception", 9: "Killed", 10: "User defined signal 1",
    11: "Segmentation fault", 12: "User defined signal 2", 13: "", 14: "Alarm clock", 15: "Terminated",
    16: "Stack fault", 24: "CPU time limit exceeded", 25: "File size limit exceeded", 26: "Virtual timer expired",
    27: "Profiling timer expired", 29: "I/O possible", 30: "Power failure", 31: "Bad system call",
}  # fmt: skip


def name_of(number: int) -> str | None:
    """The name without SIG of signal `number`."""
    if 0 <= number < len(NAMES):
        return NAMES[number]
    if _RT_MIN <= number <= _RT_MAX:
        middle = _RT_MIN + 15
        if number == _RT_MIN:
            return "RTMIN"
        if number == _RT_MAX:
            return "RTMAX"
        return f"RTMIN+{number - _RT_MIN}" if number <= middle else f"RTMAX-{_RT_MAX - number}"
    return None


def number_of(text: str) -> int | None:
    """The signal that a name (with or without SIG, any case) or a number means; None where there is none."""
    if text.isdecimal():
        number = int(text[:6])
        return number if name_of(number) is not None else None
    name = text.upper().removeprefix("SIG")
    if name in NAMES:
        return NAMES.index(name)
    if name in _ALIASES:
        return _ALIASES[name]
    if name.startswith("RTM"):
        for number in range(_RT_MIN, _RT_MAX + 1):
            if name_of(number) == name:
                return number
    return None


def listing() -> str:
    """What ``kill -l`` prints in bash."""
    rows: list[str] = []
    cells: list[str] = []
    for number in [*range(1, 32), *range(34, 65)]:
        cells.append(f"{number:2d}) SIG{name_of(number)}")
        if len(cells) == 5:
            rows.append("\t".join(_pad(cell) for cell in cells[:-1]) + "\t" + cells[-1])
            cells = []
    if cells:
        rows.append(
            "\t".join(_pad(cell) for cell in cells[:-1]) + ("\t" if len(cells) > 1 else "") + cells[-1] + "\t"
        )
    return "\n".join(rows) + "\n"


def _pad(cell: str) -> str:
    return cell
