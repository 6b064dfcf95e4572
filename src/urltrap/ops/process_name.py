"""What a process is called in lists of processes."""

from __future__ import annotations

import ctypes

_PR_SET_NAME = 15


def set_process_name(name: str) -> None:
    """Set the name that `ps` and `top` show; the kernel keeps its first 15 bytes."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_NAME, name.encode()[:15] + b"\0", 0, 0, 0)
