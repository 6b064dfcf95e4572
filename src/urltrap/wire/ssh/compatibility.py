"""What sshd does differently for clients that it knows by their software's name.

Source: OpenSSH compat.c (compat_banner), nchan.c (chan_send_eow2).
"""

from __future__ import annotations

_OLD = (b"OpenSSH_2", b"OpenSSH_3", b"OpenSSH_4")


def knows_end_of_writing(software: bytes) -> bool:
    """True for clients that are told with ``eow@openssh.com`` that nothing reads their input any more: OpenSSH from 5
    on. `software` is the identification behind ``SSH-2.0-``."""
    return software.startswith(b"OpenSSH") and not software.startswith(_OLD)
