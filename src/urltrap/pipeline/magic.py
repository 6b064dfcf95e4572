"""libmagic where it is installed; without it payloads are told apart by our own look alone."""

from __future__ import annotations

from collections.abc import Callable

import structlog

log = structlog.get_logger("urltrap.pipeline")


def load_magic() -> Callable[[bytes], tuple[str, str]]:
    """A function from a payload's first bytes to (MIME type, description); empty strings where libmagic is absent."""
    try:
        import magic
    except ImportError as error:
        log.warning("libmagic.missing", error=str(error).splitlines()[0], do="apt-get install libmagic1")
        return lambda head: ("", "")
    kind, words = magic.Magic(mime=True), magic.Magic()

    def look(head: bytes) -> tuple[str, str]:
        if not head:
            return ("application/x-empty", "empty")
        try:
            return (str(kind.from_buffer(head)), str(words.from_buffer(head))[:1000])
        except magic.MagicException as error:
            # A payload that confuses libmagic is still kept and judged.
            log.warning("libmagic.failed", error=str(error)[:200])
            return ("", "")

    return look
