"""Scripts from files and standard input, facts for the journal, and what the loaders ask."""

from __future__ import annotations

import gc

import pytest
from tests.machine.shell import harness

from urltrap.machine.shell.interpreter.shell import Shell
from urltrap.model.event import DownloadAsked, ProgramRun


def _stdin(dialect: str, script: str, *arguments: str) -> tuple[int | None, str, str]:
    box = harness.ShellBox()
    status = box.drive(box.start([dialect, *arguments], stdin=script.encode()))
    return status, box.take(1), box.take(2)


def test_bash_reads_commands_from_standard_input_line_by_line_and_leaves_the_rest_to_programs() -> None:
    assert _stdin("bash", "echo one\ncat\nfrom cat\n") == (0, "one\nfrom cat\n", "")


@pytest.mark.parametrize("dialect", ["bash", "dash", "ash"])
def test_a_construct_over_many_lines_is_read_from_standard_input(dialect: str) -> None:
    script = "if true\nthen\n  for i in 1 2\n  do\n    echo $i\n  done\nfi\ncat <<E\nbody $((1+1))\nE\necho 'a\nb'\n"
    assert _stdin(dialect, script) == (0, "1\n2\nbody 2\na\nb\n", "")


def test_messages_from_standard_input_carry_the_line() -> None:
    status, _, err = _stdin("bash", "echo\nnonexistent\n")
    assert (status, err) == (127, "bash: line 2: nonexistent: command not found\n")


def test_a_failed_expansion_in_a_file_drops_only_its_line() -> None:
    assert _stdin("bash", "echo ${a b}\necho next\n")[:2] == (0, "next\n")


def test_a_script_file_is_named_in_its_messages() -> None:
    box = harness.ShellBox()
    box.run("bash", "printf 'echo $0 $1\\nnonexistent\\nif\\n' > s.sh; bash s.sh arg; dash s.sh; ash s.sh")
    assert box.take(1) == "s.sh arg\ns.sh\ns.sh\n"
    assert box.take(2) == (
        "s.sh: line 2: nonexistent: command not found\n"
        "s.sh: line 4: syntax error: unexpected end of file\n"
        "s.sh: 2: nonexistent: not found\n"
        's.sh: 4: Syntax error: end of file unexpected (expecting "then")\n'
        "s.sh: line 2: nonexistent: not found\n"
        's.sh: line 4: syntax error: unexpected end of file (expecting "then")\n'
    )


def test_a_missing_script_is_answered_as_each_shell_does() -> None:
    box = harness.ShellBox()
    box.run("bash", "bash none; echo $?; dash none; echo $?; ash none; echo $?")
    assert box.take(1) == "127\n2\n2\n"
    assert box.take(2) == (
        "bash: none: No such file or directory\n"
        "dash: 0: cannot open none: No such file\n"
        "ash: can't open 'none': No such file or directory\n"
    )


def test_builtins_and_unknown_names_are_told_once_each() -> None:
    box = harness.ShellBox()
    box.run("bash", "for i in 1 2 3; do echo same; nonexistent x; done; uname")
    told = [(fact["argv"], fact["outcome"], fact["status"]) for fact in box.facts(ProgramRun)]
    assert told.count(([b"echo", b"same"], "builtin", 0)) == 1
    assert told.count(([b"nonexistent", b"x"], "not-found", 127)) == 1
    assert any(argv == [b"uname"] and outcome == "ran" for argv, outcome, _ in told)


def test_dev_tcp_is_recorded_and_a_peer_that_is_no_web_server_closes() -> None:
    box = harness.ShellBox()
    status = box.run(
        "bash", "exec 3<>/dev/tcp/192.0.2.9/4444; echo $?; echo hello >&3; read -t 1 x <&3; echo $?"
    )
    assert status == 0
    assert box.take(1) == "0\n1\n"
    assert [fact["url"] for fact in box.facts(DownloadAsked)] == [b"tcp://192.0.2.9:4444"]


def test_dev_tcp_to_the_machine_itself_is_refused_where_nothing_listens() -> None:
    box = harness.ShellBox()
    box.run("bash", "exec 3<>/dev/tcp/127.0.0.1/9; echo $?")
    assert box.take(1) == "1\n"
    assert box.take(2) == (
        "bash: line 1: connect: Connection refused\nbash: line 1: /dev/tcp/127.0.0.1/9: Connection refused\n"
    )


def test_the_arithmetic_probe_and_the_elf_header_loop_of_loaders() -> None:
    box = harness.ShellBox()
    box.run("bash", "echo $((0x41+1)); while read i; do echo $i; done < /usr/bin/cat | head -c4")
    assert box.take(1).encode("utf-8", "surrogateescape") == b"66\n\x7fELF"


def test_hex_pieces_are_appended_as_mirai_does() -> None:
    box = harness.ShellBox("ash")
    box.run("ash", ">f; echo -ne '\\x7f\\x45\\x4c' >> f; echo -ne \"\\x46\\x01\" >> f; cat f")
    assert box.take(1) == "\x7fELF\x01"


def test_positional_parameters_and_the_name_come_from_the_command_line() -> None:
    box = harness.ShellBox()
    box.drive(box.start(["bash", "-c", 'echo "$0" "$1" $#', "name", "a b"]))
    assert box.take(1) == "name a b 1\n"


def test_a_login_shell_reads_its_profile() -> None:
    box = harness.ShellBox()
    box.run(
        "bash",
        "echo 'FROM=profile' > /root/.profile; bash -lc 'echo $FROM'; HOME=/nonexistent bash -lc 'echo [$FROM]'",
    )
    assert box.take(1) == "profile\n[]\n"


def test_a_subshell_does_not_change_its_parents_variables_and_the_parent_not_the_childs() -> None:
    box = harness.ShellBox()
    box.run(
        "bash",
        "a=(1 2); x=1; (a[0]=9; x=2; unset 'a[1]'; echo ${a[@]} $x); echo ${a[@]} $x; (sleep 1; echo $x) & x=7; wait",
    )
    assert box.take(1) == "9 2\n1 2 1\n1\n"


@pytest.mark.parametrize("dialect", ["bash", "dash", "ash"])
def test_a_shell_that_has_ended_is_freed_without_a_search_for_garbage(dialect: str) -> None:
    gc.collect()
    before = _shells()
    gc.disable()
    try:
        assert _stdin(dialect, "x=$(echo a)\n(echo $x) | cat\n") == (0, "a\n", "")
        assert _shells() == before
    finally:
        gc.enable()


def _shells() -> int:
    return sum(type(each) is Shell for each in gc.get_objects())


def test_computed_variables_take_assignments_as_bashs_do_and_become_ordinary_when_they_are_unset() -> None:
    seeds = "RANDOM=5; a=$RANDOM$RANDOM; RANDOM=5; [ $a = $RANDOM$RANDOM ] && echo same\n"
    others = "SECONDS=100; echo $SECONDS; BASHPID=1; [ $BASHPID = $$ ] && echo mine; echo $LINENO\n"
    unset = "unset RANDOM; echo [$RANDOM]; RANDOM=7; echo $RANDOM; SECONDS=1; echo $SECONDS\n"
    assert _stdin("bash", seeds + others + unset)[:2] == (0, "same\n100\nmine\n2\n[]\n7\n1\n")
