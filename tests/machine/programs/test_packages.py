"""apt and dpkg: mirrors are as far as the network says, and what is removed is gone for every program."""

from __future__ import annotations

import pytest
from tests.machine.programs.support import Box, installation

from urltrap.machine.persona import Kind

SERVERS: list[Kind] = ["debian-12", "debian-13", "cloud-small"]


def said(box: Box, line: str) -> str:
    result = box.run(line)
    return (result.out + result.err).decode()


@pytest.mark.parametrize("kind", SERVERS)
def test_update_says_of_the_mirrors_what_wget_says(kind: Kind) -> None:
    persona, _ = installation(kind)
    box = Box(kind)
    suite = "trixie" if kind == "debian-13" else "bookworm"
    host = f"apt.{persona.domain}"
    assert f"deb http://{host}/debian {suite} main" in said(box, "cat /etc/apt/sources.list")
    shown = said(box, "apt-get update; echo $?")
    assert shown.count(f"Ign:1 http://{host}/debian {suite} InRelease\n") == 3
    assert f"Err:1 http://{host}/debian {suite} InRelease\n  Temporary failure resolving '{host}'\n" in shown
    assert f"W: Failed to fetch http://{host}/debian/dists/{suite}/InRelease  Temporary failure" in shown
    assert "Reading package lists...\n0\n" in shown
    assert "Temporary failure in name resolution" in said(box, f"wget http://{host}/")
    assert said(box, "apt-get install -y nmap; echo $?").endswith("100\nE: Unable to locate package nmap\n")
    box.put("/etc/apt/sources.list", b"deb [trusted=yes] http://127.0.0.1:81/x ./\n")
    assert "Could not connect to 127.0.0.1:81 (127.0.0.1). - connect (111: Connection refused)" in said(
        box, "apt update"
    )


def test_a_removed_package_is_gone_everywhere() -> None:
    box = Box("debian-12")
    assert said(box, "which zstd; dpkg -l zstd | tail -1 | cut -c1-8") == "/usr/bin/zstd\nii  zstd\n"
    shown = said(box, "apt-get remove -y zstd")
    assert (
        "The following packages will be REMOVED:\n  zstd\n" in shown
        and "Removing zstd (1.5.4+dfsg2-5) ...\n" in shown
    )
    assert said(box, "which zstd; zstd") == "bash: line 1: zstd: command not found\n"
    assert "no packages found matching zstd" in said(box, "dpkg -l zstd")
    assert "remove zstd:amd64 1.5.4+dfsg2-5 <none>" in said(box, "tail -5 /var/log/dpkg.log")
    assert said(box, "apt-get purge -y zstd; echo $?").endswith("100\nE: Unable to locate package zstd\n")


def test_essential_packages_stay_and_questions_can_be_denied() -> None:
    box = Box("debian-12")
    assert "this is an essential package; it should not be removed" in said(box, "dpkg -r bash")
    assert said(box, "apt-get remove -y bash; echo $?").splitlines()[-2:][0] == "100"
    assert box.run("apt-get remove bc", b"n\n").out.endswith(b"[Y/n] Abort.\n")
    assert said(box, "which bc") == "/usr/bin/bc\n"
    assert said(box, "apt list --upgradable 2>/dev/null") == "Listing...\n"
