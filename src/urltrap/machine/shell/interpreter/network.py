"""``/dev/tcp/HOST/PORT`` and ``/dev/udp/HOST/PORT``.

The machine never connects anywhere: the attempt is journalled, and an HTTP request that is written to the descriptor is
asked of the fetcher (`kernel.socket`); any other use meets a peer that closes at once. The machine's own ports answer
where somebody listens, hosts that the fetcher could not reach, or ports that no web server has, not at all (`reach`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from urltrap.machine.api import encode
from urltrap.machine.reach import PATIENCE, WORDS, attempt, is_neighbour, is_own, resolve4
from urltrap.model.event import DownloadAsked

if TYPE_CHECKING:
    from urltrap.machine.shell.interpreter.shell import Gen, Shell

_SERVICES = {
    "http": "80",
    "https": "443",
    "ssh": "22",
    "ftp": "21",
    "smtp": "25",
    "telnet": "23",
    "domain": "53",
}
_KEPT = 2048
_UNRESOLVED = "Temporary failure in name resolution"
_HOST = re.compile(r"[0-9A-Za-z_-]{1,63}(?:\.[0-9A-Za-z_-]{1,63})*|[0-9A-Fa-f:.]{2,45}")
_NO_WEB = frozenset(
    (22, 23, 25, 53, 110, 111, 135, 139, 143, 389, 445, 587, 993, 995, 1433, 3306, 3389, 5432, 5900, 6379)
)
"""Ports where nobody serves files: a connection there only asks whether somebody is at home."""


def open_socket(sh: Shell, path: str, kind: str, host: str, port: str, failure: type[Exception]) -> Gen[int]:
    """The descriptor; a wrong port or a name that cannot exist fails with bash's two lines."""
    number = _SERVICES.get(port, port)
    if not number.isdecimal() or not 0 <= int(number[:9]) <= 65_535:
        yield from sh.complain(f"{port}: Servname not supported for ai_socktype")
        yield from sh.complain(f"{path}: Invalid argument")
        raise failure
    sh.p.fact(
        DownloadAsked,
        url=encode(f"{kind}://{host}:{number}"[:_KEPT]),
        client="dev-tcp",
        argv=[encode(path[:_KEPT])],
    )
    if not _HOST.fullmatch(host):
        yield from sh.complain(f"{host}: Name or service not known")
        yield from sh.complain(f"{path}: Invalid argument")
        raise failure
    words = "" if kind == "udp" else (yield from _refusal(sh, host, int(number)))
    if words:
        named = words == _UNRESOLVED
        yield from sh.complain(f"{host if named else 'connect'}: {words}")
        yield from sh.complain(f"{path}: {'Invalid argument' if named else words}")
        raise failure
    return sh.p.connect(host, int(number))


def _refusal(sh: Shell, host: str, port: int) -> Gen[str]:
    """Why no connection comes to be, after the time that it takes to find out; "" where one does."""
    p = sh.p
    address = resolve4(p, host)
    heard = p.heard.get(address or host.lower())
    if not address and (port in _NO_WEB or heard is not None):
        yield from p.sleep(PATIENCE)
        return _UNRESOLVED
    if address and (is_own(p, address) or heard is not None or port in _NO_WEB or is_neighbour(p, address)):
        verdict = attempt(p, address, port)
        if verdict in ("unreachable", "timeout"):
            yield from p.sleep(PATIENCE)
        return "" if verdict == "open" else WORDS[verdict]
    return ""
