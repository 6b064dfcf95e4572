"""Artifacts: captured payloads, named by their SHA-256, and what analysis says of them."""

from __future__ import annotations

from urltrap.model.base import Model


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
