"""What published detectors look for, each rebuilt as a question to the answers that were gathered.

Sources: honeydet's signatures, nuclei's honeypot templates, PotSnitch, checkpot, metasploit's ssh_honeypot, nmap's
service probes, and measurements of the libraries that honeypots are built on.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from urltrap.wire.ssh.fingerprint import KexInit, hassh

_HONEYPOT_HASHES = {
    "92585b26f6634475d2d35bddbcdd1917": "Cowrie",
    "38d91038b3306f392bffd7a5edbaeb59": "Cowrie 3",
    "efd7813a4bf95ea50ce34dc95be6e814": "asyncssh as it comes",
}
_HONEYPOT_BANNERS = (
    b"SSH-2.0-OpenSSH_6.0p1 Debian-4+deb7u2",
    b"SSH-2.0-OpenSSH_5.1p1 Debian-5",
    b"SSH-2.0-libssh-0.6",
    b"SSH-2.0-AsyncSSH",
    b"SSH-2.0-paramiko",
    b"SSH-2.0-Twisted",
)
_MILESTONES = (
    # (from this OpenSSH on and before that one, its server's default list has this name)
    ((6, 5), (99, 0), "curve25519-sha256@libssh.org"),
    ((7, 4), (99, 0), "curve25519-sha256"),
    ((7, 3), (10, 0), "diffie-hellman-group16-sha512"),
    ((9, 0), (99, 0), "sntrup761x25519-sha512@openssh.com"),
    ((9, 9), (99, 0), "mlkem768x25519-sha256"),
)
_GONE = (((8, 0), "diffie-hellman-group1-sha1"), ((8, 9), "diffie-hellman-group14-sha1"))


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of a server: its identification line, its offer, and its answers by probe, as text."""

    banner: bytes
    offered: KexInit
    answers: Mapping[str, str]

    def said(self, *probes: str) -> str:
        """The answers to these probes."""
        return " ".join(self.answers.get(probe, "") for probe in probes)

    @property
    def openssh(self) -> tuple[int, int] | None:
        """The version of OpenSSH that it claims to be."""
        match = re.match(rb"SSH-2\.0-OpenSSH_(\d+)\.(\d+)", self.banner)
        return (int(match[1]), int(match[2])) if match else None


@dataclass(frozen=True, slots=True)
class Signature:
    """One look at the evidence: what is wrong, or empty."""

    detector: str
    look: Callable[[Evidence], str]
    fix: str


def _honeydet(evidence: Evidence) -> str:
    return "says 'bad version 1111'" if "bad version" in evidence.said("protocol 1111") else ""


def _nuclei(evidence: Evidence) -> str:
    said = evidence.said("protocol 1337")
    return (
        "answers version 1337 as Twisted does"
        if "bad version" in said or "major versions differ" in said
        else ""
    )


def _potsnitch_hash(evidence: Evidence) -> str:
    known = _HONEYPOT_HASHES.get(hassh(evidence.offered.server_algorithms))
    return f"has the hasshServer of {known}" if known else ""


def _potsnitch_banner(evidence: Evidence) -> str:
    return "has a honeypot's default banner" if evidence.banner.startswith(_HONEYPOT_BANNERS) else ""


def _potsnitch_lines(evidence: Evidence) -> str:
    said = evidence.said(
        "eight returns", "an identification that was sent twice", "returns behind the identification"
    )
    return (
        "answers stray lines with texts of Twisted"
        if "bad packet" in said or "Protocol mismatch" in said
        else ""
    )


def _metasploit(evidence: Evidence) -> str:
    version = evidence.openssh
    if version is None:
        return ""
    kex = evidence.offered.kex.decode("latin-1").split(",")
    lacks = [name for since, until, name in _MILESTONES if since <= version < until and name not in kex]
    early = [name for since, until, name in _MILESTONES if not since <= version < until and name in kex]
    old = [name for until, name in _GONE if version >= until and name in kex]
    wrong = [*(f"lacks {name}" for name in lacks), *(f"has {name}" for name in (*early, *old))]
    return f"claims OpenSSH {version[0]}.{version[1]} but {', '.join(wrong)}" if wrong else ""


def _kojoney(evidence: Evidence) -> str:
    early = evidence.openssh is not None and "KEXINIT" in evidence.said("nothing")
    return "offers algorithms before the client speaks, which OpenSSH never does" if early else ""


def _twisted(evidence: Evidence) -> str:
    texts = ("bad packet mod", "couldn't match all kex parts", "denial of service", "unknown channel: b'")
    found = [text for text in texts if any(text in answer for answer in evidence.answers.values())]
    return f"speaks as Twisted's Conch: {', '.join(found)}" if found else ""


def _language(evidence: Evidence) -> str:
    tagged = any("656e2d5553" in answer for answer in evidence.answers.values())
    return "names a language in DISCONNECT, as asyncssh and paramiko do" if tagged else ""


def _padding(evidence: Evidence) -> str:
    random = evidence.openssh is not None and "random padding" in evidence.said(
        "protocol 1.99", "protocol 2.1"
    )
    return "pads packets in the clear by chance; OpenSSH uses zeros" if random else ""


def _window(evidence: Evidence) -> str:
    return (
        "opens channels with Conch's window of 131072"
        if "window 131072" in evidence.said("a session")
        else ""
    )


def _order(evidence: Evidence) -> str:
    said = evidence.said("a command")
    late = "CHANNEL_SUCCESS" in said and "DATA" in said and said.index("DATA") < said.index("CHANNEL_SUCCESS")
    return "sends a command's output before it says that the command was started" if late else ""


def _second_service(evidence: Evidence) -> str:
    said = evidence.said("the service twice")
    once = said.count("SERVICE_ACCEPT") == 1 and evidence.openssh is not None
    return "accepts ssh-userauth only once, as asyncssh does" if once else ""


SIGNATURES: tuple[Signature, ...] = (
    Signature("honeydet", _honeydet, "answer with sshd's 'Invalid SSH identification string.'"),
    Signature("nuclei", _nuclei, "answer with sshd's 'Invalid SSH identification string.'"),
    Signature(
        "PotSnitch (hasshServer)", _potsnitch_hash, "offer the algorithms of the claimed build, in its order"
    ),
    Signature("PotSnitch (banner)", _potsnitch_banner, "claim a build that millions of machines have"),
    Signature(
        "PotSnitch (stray lines)", _potsnitch_lines, "judge what follows the identification as packets"
    ),
    Signature("metasploit ssh_honeypot", _metasploit, "take banner and algorithms from one captured server"),
    Signature("nmap (Kojoney)", _kojoney, "wait for the client's identification before KEXINIT"),
    Signature("Twisted", _twisted, "use another engine"),
    Signature("language tags", _language, "leave the language of DISCONNECT empty"),
    Signature("padding", _padding, "pad packets in the clear with zeros"),
    Signature("channel window", _window, "open channels with the window of the claimed build"),
    Signature("order of a command", _order, "answer the request before the command runs"),
    Signature("second service request", _second_service, "accept ssh-userauth again and again"),
)


def hits(evidence: Evidence) -> Sequence[tuple[Signature, str]]:
    """The signatures that match, with what they found."""
    return [(each, words) for each in SIGNATURES if (words := each.look(evidence))]
