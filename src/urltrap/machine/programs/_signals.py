"""Signals by name and number, as kill and its kin take them."""

from __future__ import annotations

NAMES = (
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM", "TERM",
    "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "POLL",
    "PWR", "SYS",
)  # fmt: skip
"""Linux' signals from 1 on."""


def number_of(text: str) -> int | None:
    """The number of a signal's name (with or without SIG) or number; None where there is none."""
    if text.isdigit():
        return int(text) if int(text) <= 64 else None
    name = text.upper().removeprefix("SIG")
    return NAMES.index(name) + 1 if name in NAMES else {"EXIT": 0, "IO": 29, "CLD": 17}.get(name)


def take_signal(words: list[str]) -> tuple[int, list[str]]:
    """The signal that a leading "-9", "-KILL" or "-SIGKILL" names (15 where none does), and the other words."""
    rest, signal = [], 15
    for word in words:
        found = (
            number_of(word[1:])
            if word.startswith("-") and len(word) > 1 and not word.startswith("--")
            else None
        )
        if found is not None:
            signal = found
        else:
            rest.append(word)
    return signal, rest


def name_list() -> str:
    """All names, sixteen to a line, as kill -l of procps and killall -l print them."""
    return " ".join(NAMES[:16]) + "\n" + " ".join(NAMES[16:]) + "\n"
