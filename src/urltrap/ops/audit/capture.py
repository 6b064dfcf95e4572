"""Recording a real server: what it offers, how it answers the probes, how long it takes. The profiles that we ship were
made by this, on loopback."""

from __future__ import annotations

import re
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from urltrap.ops.audit import messages
from urltrap.ops.audit.client import ProbeClient
from urltrap.ops.audit.probe import Answer, Probe
from urltrap.ops.audit.probes import SSH_PROBES
from urltrap.ops.audit.runner import Target, ask_all
from urltrap.wire.ssh.fingerprint import KexInit, parse_kexinit
from urltrap.wire.ssh.groups import Group
from urltrap.wire.ssh.profile import Profile

_SIZES = (2048, 3072, 4096, 6144, 7680, 8192)
_ENVIRONMENT = {"LANG": "LANG", "LC_ALL": "LC_*", "COLORTERM": "COLORTERM", "NO_COLOR": "NO_COLOR"}
_PAM_SECONDS = 1.0
"""A refusal that takes longer than this has waited for PAM, which Debian tells to wait for two seconds."""


@dataclass(frozen=True, slots=True)
class Captured:
    """A profile, the distinct answers to each probe in all runs, and the primes of group exchanges that were seen."""

    profile: Profile
    answers: Mapping[str, Sequence[str]]
    groups: Sequence[Group]


async def capture(target: Target, name: str, *, runs: int = 5, primes: int = 8) -> Captured:
    """Ask everything `runs` times. OSError, ServerEnded or NotSsh where the server cannot be asked at all; what lies
    behind log-in is left out where the target has no way in."""
    banner, offered, delay = await read_offer(target)
    answers = await answers_of(target, SSH_PROBES, runs)
    refusal = await _refusal_seconds(target)
    groups = await _primes(target, primes) if b"group-exchange" in offered.kex else []
    return Captured(_profile(name, banner, offered, delay, refusal, answers), answers, groups)


async def answers_of(target: Target, probes: Sequence[Probe], runs: int) -> dict[str, list[str]]:
    """The distinct answers by probe, in the order in which they were first heard."""
    heard: dict[str, list[str]] = {}
    for _ in range(runs):
        for name, answer in (await ask_all(target, probes)).items():
            known = heard.setdefault(name, [])
            if str(answer) not in known and not answer.end.startswith("not asked"):
                known.append(str(answer))
    return {name: _whole(known) for name, known in heard.items() if known}


def _whole(known: list[str]) -> list[str]:
    """Without those that were cut: a busy server's pause was taken for the end of its answer."""
    cut = {answer: answer.removesuffix("[open]") for answer in known if answer.endswith("[open]")}
    return [
        answer
        for answer in known
        if answer not in cut or not any(each != answer and each.startswith(cut[answer]) for each in known)
    ]


async def read_offer(target: Target) -> tuple[bytes, KexInit, float]:
    """The identification line, what is offered, and the seconds until the line came."""
    delays, banner, payload = [], b"", b""
    for _ in range(3):
        started = time.monotonic()
        async with await ProbeClient.connect(target.host, target.port) as client:
            delays.append(time.monotonic() - started)
            banner = client.banner
            client.send_raw(messages.VERSION)
            payload = await client.receive()
    offered = parse_kexinit(payload) if payload[:1] == b"\x14" else None
    return banner, offered or KexInit(), statistics.median(delays)


async def _refusal_seconds(target: Target) -> float:
    async with await ProbeClient.connect(target.host, target.port) as client:
        client.send_raw(messages.VERSION)
        await client.exchange_keys()
        client.send(messages.service())
        while (await client.receive())[:1] != b"\x06":
            pass
        started = time.monotonic()
        client.send(messages.password("root", "no-such-password"))
        await client.receive()
        return time.monotonic() - started


async def _primes(target: Target, tries: int) -> list[Group]:
    found: dict[int, Group] = {}
    for bits in _SIZES:
        for _ in range(tries):
            async with await ProbeClient.connect(target.host, target.port) as client:
                client.send_raw(messages.VERSION)
                client.send(messages.kexinit(kex="diffie-hellman-group-exchange-sha256"))
                client.send(b"\x22" + messages.u32(bits, bits, 8192))
                await client.receive()
                payload = await client.receive()
            if payload[:1] == b"\x1f":
                size = int.from_bytes(payload[1:5], "big")
                prime = int.from_bytes(payload[5 : 5 + size], "big")
                found[prime] = Group(prime.bit_length(), int.from_bytes(payload[9 + size :], "big"), prime)
    return sorted(found.values(), key=lambda group: (group.bits, group.prime))


def _profile(
    name: str,
    banner: bytes,
    offered: KexInit,
    delay: float,
    refusal: float,
    answers: Mapping[str, Sequence[str]],
) -> Profile:
    def names(text: bytes) -> list[str]:
        return [each for each in text.decode("ascii", "replace").split(",") if each]

    def found(probe: str, pattern: str) -> list[str]:
        return [found for answer in answers.get(probe, ())[:1] for found in re.findall(pattern, answer)]

    def is_marker(each: str) -> bool:
        return each.startswith(("kex-strict", "ext-info", "kexguess"))

    kex = names(offered.kex)
    extensions = [
        tuple(pair.split("=", 1))
        for text in found("what comes with the keys", r"EXT_INFO\((.*?)\)")
        for pair in text.split("; ")
        if "=" in pair
    ]
    accepted = [
        pattern
        for probe, pattern in _ENVIRONMENT.items()
        if any("CHANNEL_SUCCESS" in answer for answer in answers.get(probe, ()))
    ]
    windows = found("a command", r"ADJUST\(0, \+(\d+)\)") or found("a session", r"window (\d+)")
    packets = found("a session", r"packets (\d+)")
    slow = refusal > _PAM_SECONDS
    return Profile(
        name=name,
        version=banner.rstrip(b"\r\n").decode("latin-1"),
        kex=[each for each in kex if not is_marker(each)],
        kex_markers=[each for each in kex if is_marker(each)],
        host_keys=names(offered.host_keys),
        ciphers=names(offered.ciphers_to_client),
        macs=names(offered.macs_to_client),
        compressions=names(offered.compressions_to_client),
        signature_algorithms=[
            each for pair in extensions if pair[0] == "server-sig-algs" for each in pair[1].split(",")
        ],
        extensions=[(pair[0], pair[1]) for pair in extensions if pair[0] != "server-sig-algs"],
        auth_methods=(found("the method none", r"USERAUTH_FAILURE\((.*), False\)") or [""])[0].split(","),
        accepted_env=accepted,
        channel_window=int(windows[0]) if windows else 2_097_152,
        channel_packet=int(packets[0]) if packets else 32_768,
        root_signals=any(
            "exit-signal" in each for each in answers.get("a command that is sent a signal", ())
        ),
        mute=not any("Invalid" in each for each in answers.get("protocol 1337", ("Invalid",))),
        speaks_first=any("KEXINIT" in each for each in answers.get("nothing", ())),
        random_padding=any("random padding" in each for each in answers.get("protocol 1.99", ())),
        whole_refusals=any("\\r\\n' [reset]" in each for each in answers.get("a web request", ())),
        takes_ext_info=all(
            "UNIMPLEMENTED" not in each
            for each in answers.get("EXT_INFO from the client", ("UNIMPLEMENTED",))
        ),
        banner_delay_ms=round(delay * 1000, 1),
        password_check_ms=18.0 if slow else round(refusal * 1000, 1),
        password_refusal_ms=2000.0 if slow else 0.0,
    )


def moduli_lines(groups: Sequence[Group]) -> str:
    """The groups in the form of moduli(5)."""
    lines = [
        f"20260101000000 2 6 100 {group.bits - 1} {group.generator:X} {group.prime:X}\n" for group in groups
    ]
    return "# Time Type Tests Tries Size Generator Modulus\n" + "".join(lines)


def differing(answers: Mapping[str, Answer], recorded: Mapping[str, Sequence[str]]) -> list[str]:
    """The probes whose answer is none of those recorded; what could not be asked or was not recorded is left out."""
    return [
        name
        for name, answer in answers.items()
        if name in recorded and not answer.end.startswith("not asked") and str(answer) not in recorded[name]
    ]
