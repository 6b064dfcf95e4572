"""Services that a sensor offers beside those that a persona has from the start: the machine knows of them, too."""

from __future__ import annotations

from urltrap.machine.persona.model import Listener, Persona, Resident

TELNET_PORT = 23
_INETD_FD = 4


def with_telnet(persona: Persona) -> Persona:
    """The persona with something that listens for Telnet: inetd on a server (a device has its telnetd anyway)."""
    if not persona.is_server or any(each.port == TELNET_PORT for each in persona.listeners):
        return persona
    digest = int(persona.fingerprint[:12], 16)
    user_space = [each for each in persona.residents if each.ppid == 1]
    last = max((each for each in user_space if each.after < 60), key=lambda each: each.pid)
    taken = {each.pid for each in persona.residents}
    pid = next(number for number in range(last.pid + 2 + digest % 9, last.pid + 4000) if number not in taken)
    inetd = Resident(
        pid=pid, ppid=1, comm="inetd", argv=("/usr/sbin/inetd",), exe="/usr/sbin/inetd", state="Ss",
        rss_kb=1_700 + 4 * (digest % 60), vsz_kb=6_980, cpu=round(0.02 * (1 + digest % 7), 2), after=last.after + 0.3,
        unit="inetd.service",
    )  # fmt: skip
    listener = Listener(
        protocol="tcp", address="0.0.0.0", port=TELNET_PORT, pid=pid, fd=_INETD_FD,
        inode=max((each.inode for each in persona.listeners), default=15_000) + 3 + digest % 400,
    )  # fmt: skip
    residents = sorted((*persona.residents, inetd), key=lambda each: each.pid)
    return persona.model_copy(
        update={"residents": tuple(residents), "listeners": (*persona.listeners, listener)}
    )
