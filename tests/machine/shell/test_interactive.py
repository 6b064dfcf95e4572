"""Prompts and line editing: transcripts of keys and what the terminal gets, as bash 5.2 and BusyBox 1.35 sent it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.machine.shell import harness
from tests.machine.shell.screen import Screen

from urltrap.machine.effects import Output
from urltrap.model.event import BudgetSpent, CommandEntered

P = b"\x1b[?2004hP$ "
R = b"\r\n\x1b[?2004l\r"


class Typist:
    """Types into a log-in shell and sees what comes back."""

    def __init__(self, shell: str) -> None:
        self.box = harness.ShellBox(shell)
        self.job = self.box.login.shell("xterm", 80, 24)
        self.greeting = self.seen()
        self.type(b"cd /tmp/w; touch alpha1 alpha2 beta; PS1='P$ '; history -c\r")

    def seen(self) -> bytes:
        """What was sent since the last look."""
        before = len(self.box.effects)
        for _ in range(200):
            self.box.effects += self.job.step(self.box.now)
            if not self.job.runnable:
                break
        return b"".join(each.data for each in self.box.effects[before:] if isinstance(each, Output))

    def type(self, keys: bytes) -> bytes:
        """Type, and see the answer."""
        self.job.receive(keys)
        return self.seen()


BASH = [
    (b"echo hi", b"echo hi"), (b"\r", R + b"hi\r\n" + P),
    (b"abc", b"abc"), (b"\x1b[D", b"\x08"), (b"\x1b[D", b"\x08"), (b"X", b"\x1b[1@X"), (b"\x7f", b"\x08\x1b[1P"),
    (b"\x01", b"\x08"), (b"\x05", b"abc"), (b"\x15", b"\x08\x08\x08\x1b[K"),
    (b"\x1b[A", b"echo hi"), (b"\x1b[B", b"\rP$ \x1b[K"), (b"\x17", b"\x07"),
    (b"\x03", b"^C\x1b[?2004l\r\x1b[?2004h\x1b[?2004l\r\r\n" + P),
    (b"cat al", b"cat al"), (b"\t", b"\x07pha"), (b"1\t", b"1 "), (b"\x0c", b"\x1b[H\x1b[2JP$ cat alpha1 "),
    (b"\x15", b"\rP$ \x1b[K"), (b"cat be\t", b"cat beta "), (b"\x15", b"\rP$ \x1b[K"),
    (b"xx\x01\x0b", b"xx\x08\x08\x1b[K"),
    (b"for i in a\r", b"for i in a" + R + b"\x1b[?2004h> "),
    (b"\x03", b"^C\x1b[?2004l\r\x1b[?2004h\x1b[?2004l\r\r\n" + P),
    (b"unamx\t\t", b"unamx\x07\x07"), (b"\x15", b"\rP$ \x1b[K"),
    (b"nonexistent\r", b"nonexistent" + R + b"-bash: nonexistent: command not found\r\n" + P),
    (b"echo )\r", b"echo )" + R + b"-bash: syntax error near unexpected token `)'\r\n" + P),
    (b"sleep 5\r", b"sleep 5" + R), (b"\x03", b"^C\r\n" + P),
    (b"while :; do :; done\r", None), (b"\x03", None),
]  # fmt: skip
ASH = [
    (b"echo hi", b"echo hi"), (b"\r", b"\r\nhi\r\nP$ "),
    (b"abc", b"abc"), (b"\x1b[D", b"\x08"), (b"\x1b[D", b"\x08"), (b"X", b"Xbc\x08\x08"),
    (b"\x7f", b"\x08bc\x1b[J\x08\x08"), (b"\x01", b"\x08"), (b"\x05", b"abc"), (b"\x15", b"\rP$ \x1b[J"),
    (b"\x1b[A", b"\rP$ echo hi\x1b[J"), (b"\x1b[B", b"\rP$ \x1b[J"), (b"\x17", b""), (b"\x03", b"^C\r\nP$ "),
    (b"cat al", b"cat al"), (b"\t", b"\x07\rP$ cat alpha\x1b[J"),
    (b"\t", b"\r\nalpha1  alpha2\r\n\rP$ cat alpha\x1b[J"), (b"1\t", b"1\rP$ cat alpha1 \x1b[J"),
    (b"\x15", b"\rP$ \x1b[J"), (b"sleep 5\r", b"sleep 5\r\n"), (b"\x03", b"^C\r\nP$ "),
    (b"for i in a\r", b"for i in a\r\n> "), (b"\x03", b"^C\r\nP$ "),
    (b"x\r", b"x\r\n-ash: x: not found\r\nP$ "),
]  # fmt: skip


@pytest.mark.parametrize(("shell", "transcript"), [("bash", BASH[:-2]), ("ash", ASH)])
def test_the_terminal_gets_what_the_real_editor_sent(
    shell: str, transcript: list[tuple[bytes, bytes]]
) -> None:
    typist = Typist(shell)
    for keys, answer in transcript:
        assert (keys, typist.type(keys)) == (keys, answer)


RECORDED = json.loads((Path(__file__).parent / "editor.json").read_text("ascii"))


@pytest.mark.parametrize(
    ("shell", "session"),
    [(shell, session) for shell in ("bash", "ash") for session in RECORDED[shell]],
    ids=lambda part: part if isinstance(part, str) else part[0][0].encode("unicode_escape").decode(),
)
def test_the_screen_shows_what_it_showed_with_the_real_editor(
    shell: str, session: list[tuple[str, str]]
) -> None:
    typist = Typist(shell)
    typist.type(b"mkdir sub many\r")
    for number in range(100, 220) if "many" in str(session) else ():
        typist.box.machine.view(0).write(f"/tmp/w/many/f{number}", b"")
    typist.type(b"PS1='P$ '; history -c; clear\r" if shell == "bash" else b"PS1='P$ '; clear\r")
    real, ours = Screen(), Screen()
    for screen in (real, ours):
        screen.feed(b"P$ ")
    for keys, answer in session:
        real.feed(answer.encode("latin-1"))
        told = typist.type(keys.encode("latin-1"))
        ours.feed(
            told.replace(b"-%s: " % shell.encode(), b"%s: " % shell.encode())
        )  # a log-in shell has a dash
        assert (keys, ours.shown) == (keys, real.shown)


def test_two_tabs_list_what_could_follow() -> None:
    typist = Typist("bash")
    typist.type(b"cat al\t")
    assert typist.type(b"\t\t").endswith(b"\r\nalpha1  alpha2  \r\nP$ cat alpha".replace(b"  \r\n", b"\r\n"))


def test_an_endless_loop_ends_with_interrupt_and_the_prompt_comes_back() -> None:
    typist = Typist("bash")
    typist.job.receive(b"while sleep 1; do :; done\r")
    typist.seen()
    assert typist.type(b"\x03").endswith(P)
    typist.job.receive(b"while :; do :; done\r")
    typist.box.effects += typist.job.step(typist.box.now)
    assert typist.type(b"\x03").endswith(P)
    assert b"after" in typist.type(b"echo after\r")


def test_jobs_are_stopped_continued_and_brought_back() -> None:
    typist = Typist("bash")
    typist.type(b"sleep 50\r")
    assert typist.type(b"\x1a") == b"^Z\r\n[1]+  Stopped                 sleep 50\r\n" + P
    assert typist.type(b"bg\r") == b"bg" + R + b"[1]+ sleep 50 &\r\n" + P
    assert typist.type(b"jobs\r") == b"jobs" + R + b"[1]+  Running                 sleep 50 &\r\n" + P
    assert typist.type(b"fg\r") == b"fg" + R + b"sleep 50\r\n"
    assert typist.type(b"\x03") == b"^C\r\n" + P


def test_a_background_job_is_announced_and_its_end_is_told_before_a_prompt() -> None:
    typist = Typist("bash")
    assert typist.type(b"sleep 1 &\r").startswith(b"sleep 1 &" + R + b"[1] ")
    typist.box.now += 2
    typist.seen()
    assert typist.type(b"\r") == R + b"[1]+  Done                    sleep 1\r\n" + P


def test_busybox_greets_with_its_version() -> None:
    greeting = Typist("ash").greeting
    assert greeting.endswith(
        b"\r\n\r\n%s built-in shell (ash)\r\nEnter 'help' for a list of built-in commands.\r\n\r\n~ # "
        % harness.PERSONA.busybox.encode()
    )


def test_end_of_input_logs_out() -> None:
    typist = Typist("bash")
    assert typist.type(b"\x04") == b"\x1b[?2004l\r\r\nlogout\r\n"
    assert typist.job.exit_status == 0


def test_lines_typed_at_the_prompt_are_facts_and_history() -> None:
    typist = Typist("bash")
    typist.type(b"echo one\r")
    typist.type(b"if true\r")
    typist.type(b"then echo two; fi\r")
    texts = [fact["text"] for fact in typist.box.facts(CommandEntered)]
    assert texts[-3:] == [b"echo one", b"if true", b"then echo two; fi"]
    assert b"    1  echo one\r\n" in typist.type(b"history\r")
    assert b"two" in typist.type(b"!if\r")


def test_a_hundred_lines_pasted_at_once_keep_their_order() -> None:
    typist = Typist("bash")
    typist.type(b"".join(b"echo line%d\r" % number for number in range(100)))
    assert typist.type(b"echo end\r").count(b"end") == 2
    output = b"".join(each.data for each in typist.box.effects if isinstance(each, Output))
    places = [output.find(b"\r\nline%d\r\n" % number) for number in range(100)]
    assert -1 not in [output.find(b"line%d\r\n" % number) for number in range(100)]
    assert [place for place in places if place >= 0] == sorted(place for place in places if place >= 0)


def test_a_line_of_a_megabyte_is_taken_whole() -> None:
    typist = Typist("bash")
    shown = typist.type(b"x=")
    for _ in range(50):
        shown += typist.type(b"y" * 20_000)
    assert b"\a" not in shown
    assert typist.type(b"; echo ${#x}\r").endswith(b"\r1000000\r\n" + P)
    (entered,) = [fact for fact in typist.box.facts(CommandEntered) if fact["truncated_from"]]
    assert entered["truncated_from"] == 1_000_014


def test_what_is_typed_ahead_is_the_input_of_the_command_before() -> None:
    typist = Typist("bash")
    typist.type(b"cat > copy\rone\rtwo\r")
    typist.type(b"\x04")
    assert typist.type(b'cat copy; read x; echo "<$x>"\rline\r').endswith(b"one\r\ntwo\r\n<line>\r\n" + P)


def test_history_expansion_cannot_fill_the_memory() -> None:
    typist = Typist("bash")
    typist.type(b": " + b"x" * 60_000 + b"\r")
    typist.type(b"!!" * 30_000 + b"\r")
    assert [fact["what"] for fact in typist.box.facts(BudgetSpent)] == ["line length"]


def test_words_of_the_history_cannot_keep_the_shell_busy() -> None:
    typist = Typist("bash")
    typist.type(b": " + b"x " * 30_000 + b"\r")
    typist.type(b"!!:7" * 30_000 + b"\r")
    assert [fact["what"] for fact in typist.box.facts(BudgetSpent)] == ["line length"]


def test_ash_numbers_its_history_from_nothing() -> None:
    # recorded from BusyBox 1.35's ash: "   0 echo a", "   1 history"
    typist = Typist("ash")
    rows = typist.type(b"history\r").replace(b"\r", b"").splitlines()
    numbered = [row for row in rows if row[:4].strip().isdigit()]
    assert numbered[0].startswith(b"   0 ")
    assert numbered[-1] == b"%4d history" % (len(numbered) - 1)
