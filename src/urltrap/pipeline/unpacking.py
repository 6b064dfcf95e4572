"""What a packer hid: the program in a payload, analysed as the payload is, and told as the payload's own."""

from __future__ import annotations

import hashlib

import structlog

from urltrap import recover
from urltrap.analysis import HEAD_BYTES, analyse, mended
from urltrap.model.artifact import Analysis, FoundText, Unpacked
from urltrap.pipeline.laboratory import Examiner
from urltrap.pipeline.laboratory.upx import UNCONFINED, Opened, Upx

DEEPEST = 3
"""Times that one payload is unpacked: what is still packed then was packed to keep us busy."""

_MOST_FOUND = 500
_LARGEST_READ = 2_000_000
_PACKED = ("upx", "upx-broken")

log = structlog.get_logger("urltrap.pipeline")


def is_packed(analysis: Analysis) -> bool:
    """Whether UPX may unpack this payload."""
    return analysis.packer in _PACKED


def unpack(upx: Upx, examiner: Examiner, data: bytes, outer: Analysis) -> Analysis:
    """`outer`, with what came out of its payload `data`: layers, URLs, hosts, rules and family.

    Texts of the n-th layer have n "upx+" before their `how`. Never raises for any bytes.
    """
    told, inner, content = outer, outer, data
    for depth in range(1, DEEPEST + 2):
        if depth > DEEPEST:
            last = told.unpacked[-1].model_copy(update={"problem": "too-deep"})
            return told.model_copy(update={"unpacked": [*told.unpacked[:-1], last]})
        opened, repaired = _open(upx, content, inner.packer)
        if opened.problem == "not-started":
            log.warning("upx.unusable", program=str(upx.program), do="payloads are analysed without it")
            return told
        if opened.problem == "not-confined":
            log.error("upx.unconfined", program=str(upx.program), why=UNCONFINED)
            return told
        if opened.problem:
            failed = Unpacked(packer="upx", repaired=repaired, problem=opened.problem)
            return told.model_copy(update={"unpacked": [*told.unpacked, failed]})
        content = opened.data
        sha256 = hashlib.sha256(content).hexdigest()
        looked = examiner.examine(content, len(content), sha256)
        inner = looked.analysis or analyse(content[:HEAD_BYTES], len(content), sha256)
        inner = with_endpoints(inner, content, downloads=True)
        told = _joined(told, inner, "upx+" * depth, Unpacked(
            packer="upx", sha256=sha256, size=len(content), kind=inner.kind, architecture=inner.architecture,
            tlsh=inner.tlsh, family=inner.family, repaired=repaired, problem=looked.problem,
        ))  # fmt: skip
        if not is_packed(inner):
            return told
    return told


def with_endpoints(analysis: Analysis, data: bytes, *, downloads: bool = False) -> Analysis:
    """`analysis` of a program, with the hosts of its hidden tables and those that a stub's code calls back to.

    `downloads`: also URLs that a stub's code puts together, which stand nowhere in it.
    """
    if analysis.kind != "elf" or len(data) > _LARGEST_READ:
        return analysis
    known = {item.text for item in analysis.found}
    found: list[FoundText] = []
    for item in recover.read(data).found:
        text = item.url.encode()
        put_together = downloads and item.kind == "payload" and item.span[0] < 0
        if text not in known and (put_together or item.kind == "callback"):
            found.append(FoundText(text=text, kind="url" if put_together else "callback", how="elf"))
    return analysis.model_copy(update={"found": [*analysis.found, *found][:_MOST_FOUND]})


def _open(upx: Upx, data: bytes, packer: str) -> tuple[Opened, list[str]]:
    """As UPX itself does it; where it refuses, with its marks restored."""
    opened = upx.open(data)
    if opened.problem == "refused":
        repair = mended(data)
        if repair is not None:
            return upx.open(repair[0]), repair[1]
    return opened, []


def _joined(outer: Analysis, inner: Analysis, before: str, layer: Unpacked) -> Analysis:
    known = {(match.source, match.rule) for match in outer.matches}
    found = [item.model_copy(update={"how": before + item.how}) for item in inner.found]
    return outer.model_copy(
        update={
            "unpacked": [*outer.unpacked, layer],
            "matches": [
                *outer.matches, *(match for match in inner.matches if (match.source, match.rule) not in known),
            ],
            "family": outer.family or inner.family,
            "action": outer.action or inner.action,
            "role": outer.role or inner.role,
            "found": [*outer.found, *found][:_MOST_FOUND],
        }
    )  # fmt: skip
