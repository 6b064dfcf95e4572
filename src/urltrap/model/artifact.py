"""Artifacts: captured payloads, named by their SHA-256, and what analysis says of them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from urltrap.model.base import Model, RawBytes


class Artifact(Model):
    """A payload in the quarantine. `size` in bytes, hashes in lower-case hexadecimal."""

    sha256: str
    size: int
    md5: str = ""
    sha1: str = ""
    complete: bool = True


class Analysis(Model):
    """What a payload is: libmagic's description and MIME type, and our short name of its kind.

    `kind` is one of elf, script, archive, html, text, image, pe, empty, data; `architecture` only for ELF files
    (for example "x86-64", "mips", "arm").
    """

    sha256: str
    mime: str = ""
    description: str = ""
    kind: str
    architecture: str = ""
    bits: int | None = None
    endian: str = ""
    interpreter: str = ""
    version: str = Field(
        default="", description="version of the analysis; empty: only the first bytes were seen"
    )
    problem: str = Field(
        default="", description="why the analysis is not whole: timed-out, crashed, out-of-memory, cut"
    )
    entropy: float = Field(default=0.0, description="bits per byte, 0 to 8")
    tlsh: str = ""
    packer: str = ""
    elf: ElfFacts | None = None
    matches: list[RuleMatch] = []
    family: str = ""
    action: str = ""
    role: str = ""
    found: list[FoundText] = Field(default=[], description="URLs and addresses that stand in it")
    members: list[Member] = Field(default=[], description="files of an archive")
    unpacked: list[Unpacked] = Field(default=[], description="what was packed in it, outermost first")
    antivirus: str = Field(default="", description="what ClamAV calls it, where one is configured")


class ElfFacts(Model):
    """What is behind an ELF header. `damaged` says what of it cannot be read, and is empty where all can."""

    static: bool | None = None
    stripped: bool | None = None
    interpreter: str = ""
    libraries: list[str] = []
    segments: int = 0
    sections: int = 0
    compiler: str = ""
    damaged: str = ""


class RuleMatch(Model):
    """One YARA rule that hit. `source` is the rules file; family, action and role come from the rule's own metadata."""

    rule: str
    source: str = ""
    family: str = ""
    action: str = ""
    role: str = ""


class FoundText(Model):
    """A URL or address in a payload, or a host of a bot's hidden table ("callback", ``tcp://HOST:PORT``).

    `how` is plain, xor-0xNN or elf (read from code or tables), after "upx+" for each time that it was unpacked;
    `member` is the archive's file that holds it.
    """

    text: RawBytes
    kind: Literal["url", "address", "callback"] = "url"
    how: str = "plain"
    member: str = ""


class Member(Model):
    """A file in an archive: `path` as the archive names it, nested ones joined by ``!``; sizes in bytes."""

    path: str
    size: int
    sha256: str = ""
    kind: str = ""
    architecture: str = ""
    family: str = ""
    problem: str = Field(
        default="", description="encrypted, too-large, damaged, too-deep: its content was not seen"
    )


class Unpacked(Model):
    """A program that was packed in a payload; its URLs and rules are the payload's own. Not kept: only this is.

    `repaired` names the packer's marks that were restored before: magic, sizes, end. `problem`: why nothing came
    out (refused, timed-out, out-of-memory, too-large, crashed), why it is not analysed, or too-deep.
    """

    packer: str
    sha256: str = ""
    size: int = 0
    kind: str = ""
    architecture: str = ""
    tlsh: str = ""
    family: str = ""
    repaired: list[str] = []
    problem: str = ""


Analysis.model_rebuild()
