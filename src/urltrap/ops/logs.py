"""Logs: structlog on standard error, human where it is a terminal, JSON lines elsewhere.

Attackers' bytes in values are shown with control characters escaped, in both forms.
"""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog


def _visible(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    for key, value in event.items():
        if isinstance(value, bytes):
            event[key] = repr(value)[2:-1]
        elif isinstance(value, str) and not value.isprintable() and key != "exception":
            event[key] = value.encode("unicode_escape").decode("ascii")
    return event


def configure_logs(process: str, *, verbose: bool = False) -> None:
    """Set up structlog for this process; `process` is bound to every line."""
    terminal = sys.stderr.isatty()
    renderer: Any = (
        structlog.dev.ConsoleRenderer(colors=terminal) if terminal else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _visible,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG if verbose else logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(process=process)
    # Libraries that log attackers' doings line by line must not flood ours.
    for noisy in ("asyncssh", "aiohttp", "uvicorn.access", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
