"""``/dev/tcp/HOST/PORT``: what bash says where the connection does not come about.

The machine never connects anywhere. The attempt is told as a download that was asked for, and answered as a host
that refuses.
"""

from __future__ import annotations

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


def open_socket(sh: Shell, path: str, kind: str, host: str, port: str, failure: type[Exception]) -> Gen[int]:
    """Always fails, with bash's two lines; the address is journalled first."""
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
    if not all(char in "0123456789.:" for char in host):
        yield from sh.complain(f"{host}: Name or service not known")
        yield from sh.complain(f"{path}: Invalid argument")
        raise failure
    yield from sh.complain("connect: Connection refused")
    yield from sh.complain(f"{path}: Connection refused")
    raise failure
