"""New password hashes as this machine's programs make them."""

from __future__ import annotations

from urltrap.machine.api import Process, encode
from urltrap.machine.programs._system import is_device
from urltrap.machine.unix_crypt import new_setting

METHODS = {"MD5": "1", "SHA256": "5", "SHA512": "6", "YESCRYPT": "y"}


def new_hash(p: Process, password: str, method: str | None = None) -> str:
    """A hash with a fresh salt: yescrypt on Debian (pam_unix(8)), MD5 on a device, or the kind of `METHODS`."""
    kind = METHODS[method] if method is not None else "1" if is_device(p) else "y"
    data = encode(password)
    made = p.crypt(data, new_setting(kind, p.random))
    if made is None:  # where this host's crypt(3) knows no yescrypt: what Debian made before
        made = p.crypt(data, new_setting("6", p.random))
    assert made is not None
    return made
