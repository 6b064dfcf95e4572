"""``/dev/tcp/HOST/PORT`` and ``/dev/udp/HOST/PORT``.

The machine never connects anywhere: the attempt is journalled, and an HTTP request that is written to the descriptor is
asked of the fetcher (`kernel.socket`); any other use meets a peer that closes at once.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from urltrap.machine.api import encode
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
_HOST = re.compile(r"[0-9A-Za-z_-]{1,63}(?:\.[0-9A-Za-z_-]{1,63})*|[0-9A-Fa-f:.]{2,45}")
_LOCAL = re.compile(r"127\.\d+\.\d+\.\d+|localhost|::1|0\.0\.0\.0")


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
    if _LOCAL.fullmatch(host) and int(number) not in {each.port for each in sh.p.persona.listeners}:
        yield from sh.complain("connect: Connection refused")
        yield from sh.complain(f"{path}: Connection refused")
        raise failure
    return sh.p.connect(host, int(number))
