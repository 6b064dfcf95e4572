"""Our reasons in words for everyone: nothing that a provider said, and nothing of who showed what to whom."""

from __future__ import annotations

from urltrap.judge.calibration import SIGNS

_REASONS = {
    "listed.few": "a few engines of a multi-scanner name it",
    "listed.report": "somebody reported it elsewhere",
    "listed.hint": "it is mentioned elsewhere",
    "listed.url": "other sources name this URL",
    "listed.payload": "other sources name its payload",
    "listed.host": "other sources name other URLs of this host",
    "payload.known-file": "its payload is a file of a system or package",
    "payload.antivirus": "an antivirus knows its payload",
    "payload.family": "its payload is of a known family",
    "payload.role": "its payload's part in an attack is known",
    "payload.none": "the server answered without a payload",
    "payload.elf": "it serves an ELF program",
    "payload.pe": "it serves a Windows program",
    "payload.script": "it serves a script",
    "payload.archive": "it serves an archive",
    "payload.html": "it serves a web page",
    "payload.image": "it serves an image",
    "payload.empty": "it serves an empty file",
    "payload.text": "it serves text",
    "payload.data": "it serves data",
    "payload.architectures": "it has served programs for several processors",
    "payload.packed": "it is packed, the packer's marks broken on purpose",
    "payload.test": "its payload is a test file of antivirus testers",
    "asked": "a program in an attacker's session asked for it",
    "commanded": "an attacker's command names it as a download",
    "run": "what came was run or made executable there",
    "second-stage": "a payload of a malicious URL fetches it",
    "sources": "several independent networks came with it",
    "flooding": "whoever showed it names very many hosts: nothing follows from that",
    "decided.malicious": "a person looked at it and found it malicious",
}


def reason(code: str) -> str:
    """What a code means; empty for one that says nothing to everyone."""
    if code in _REASONS:
        return _REASONS[code]
    if code.startswith("url."):
        return SIGNS.get(code.removeprefix("url."), "")
    if code.startswith("capture."):
        return "nothing was captured at the last try"
    if code.startswith("context."):
        return "lists say something of its host that speaks for caution"
    return ""


RISKS = {
    "low": "blocking it will hardly hit anybody innocent",
    "medium": "block the URL rather than the whole host",
    "high": "its host has innocent content too: block the URL only",
}
