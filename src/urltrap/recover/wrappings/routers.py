"""Command lines of devices that have no Unix shell: MikroTik's RouterOS and Windows' download verbs.

Source: RouterOS manual, "Fetch": ``/tool fetch url=… | address=… src-path=… mode=… dst-path=…``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from urltrap.recover.ask import Ask
from urltrap.recover.static.text import mentions

_FETCH = re.compile(rb"/?tool[ \t/]+fetch\b([^\r\n;]*)", re.IGNORECASE)
_PAIR = re.compile(rb"([a-z-]+)=(?:\\?\"([^\"\\]*)\\?\"|([^\s\"\\;]*))", re.IGNORECASE)
_WINDOWS_WORDS = (b"powershell", b"pwsh", b"certutil", b"invoke-webrequest", b"bitsadmin", b"mshta", b"regsvr32",
                  b"iwr", b"start-bitstransfer", b"downloadstring", b"downloadfile", b"msiexec")  # fmt: skip
_WINDOWS = re.compile(
    rb"(?i)\b(powershell(?:\.exe)?|pwsh|certutil(?:\.exe)?|bitsadmin(?:\.exe)?|mshta|regsvr32|"
    rb"invoke-webrequest|iwr|start-bitstransfer|downloadstring|downloadfile|msiexec)\b"
)


def mikrotik(text: bytes) -> Iterator[Ask]:
    """``/tool fetch`` of RouterOS, wherever it stands in the text."""
    for match in _FETCH.finditer(text):
        pairs = {name.lower(): quoted or bare for name, quoted, bare in _PAIR.findall(match[1])}
        target = pairs.get(b"dst-path", b"").decode("utf-8", "replace")
        if url := pairs.get(b"url"):
            yield Ask(url, "mikrotik-fetch", target)
        elif pairs.get(b"address") and pairs.get(b"src-path"):
            mode = pairs.get(b"mode", b"http").decode("latin-1")
            port = b":" + pairs[b"port"] if b"port" in pairs else b""
            scheme = mode if mode in ("http", "https", "ftp", "tftp", "sftp") else "http"
            url = scheme.encode() + b"://" + pairs[b"address"] + port + b"/" + pairs[b"src-path"].lstrip(b"/")
            yield Ask(url, "mikrotik-fetch", target, from_words=True)


def windows(lowered: bytes) -> bool:
    """Whether a text, given in lower case, uses Windows' ways to download."""
    return mentions(lowered, *_WINDOWS_WORDS) and bool(_WINDOWS.search(lowered))
