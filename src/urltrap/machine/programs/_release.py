"""Versions of the installed packages, as the machine's own dpkg tells them: what programs say of themselves agrees."""

from __future__ import annotations

import re

from urltrap.machine.api import Process
from urltrap.machine.programs._system import text_of


def package_version(p: Process, package: str) -> str:
    """The version of an installed package ("1:9.2p1-2+deb12u10"); empty where it is not installed."""
    found = re.search(
        rf"^Package: {re.escape(package)}\n(?:.+\n)*?Version: (\S+)$",
        text_of(p, "/var/lib/dpkg/status"),
        re.M,
    )
    return found[1] if found else ""


def upstream_version(p: Process, package: str, default: str) -> str:
    """The version without Debian's epoch and revision ("9.2p1"); `default` where the package is not installed."""
    known = getattr(p.persona.tools, package, None)
    if isinstance(known, str):  # what every download asks for needs no search
        return known
    version = package_version(p, package)
    return (
        version.partition(":")[2].rpartition("-")[0]
        if ":" in version
        else version.rpartition("-")[0] or default
    )


_OPENSSL_DATES = {"3.0.17": "1 Jul 2025", "3.0.19": "27 Jan 2026", "3.5.1": "1 Jul 2025"}


def openssl_banner(p: Process) -> str:
    """ "OpenSSL 3.0.22 25 Aug 2026", as the installed library tells its version."""
    version = upstream_version(p, "openssl", "3.0.22")
    return f"OpenSSL {version} {_OPENSSL_DATES.get(version, '25 Aug 2026')}"
