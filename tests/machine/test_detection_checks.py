"""The shell's part of the list of what gives a honeypot away, as one table: number, what is asked, what a real machine
answers, on which personas. `test_belief_checks` looks deeper into single ones; what only the whole trap can answer is
named in `ELSEWHERE` with the test that asks it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tests.machine.loaders.dialogue import Visit

from urltrap.machine.persona import Kind

SERVER: Kind = "debian-12"
DEVICE: Kind = "busybox-mips"
CLOUD: Kind = "cloud-small"
ALL: tuple[Kind, ...] = (SERVER, DEVICE, CLOUD)
SERVERS: tuple[Kind, ...] = (SERVER, CLOUD)
DEVICES: tuple[Kind, ...] = (DEVICE,)
NUMBERS = range(83, 130)


class Check(NamedTuple):
    """One question. `answer` is a regular expression for all that comes, both streams; typed: on a terminal."""

    number: int
    line: str
    answer: str
    kinds: tuple[Kind, ...] = ALL
    typed: bool = False


CHECKS = (
    Check(83, "nonexistent", r"bash: line 1: nonexistent: command not found\n", SERVERS),
    Check(83, "nonexistent", r"ash: nonexistent: not found\n", DEVICES),
    Check(83, "nonexistent; echo =$?", r"-bash: nonexistent: command not found\r\n[^=]*=127", SERVERS, True),
    Check(83, "nonexistent; echo =$?", r"-ash: nonexistent: not found\r\n[^=]*=127", DEVICES, True),
    Check(83, "sh -c nonexistent; echo $?", r"(?s)(?=.*sh: 1: nonexistent: not found\n).*127\n", SERVERS),
    Check(84, "nonexistent 2>/dev/null; ls /nowhere 2>/dev/null", r""),
    Check(85, "echo $0 $$ $PPID $RANDOM", r"b?ash \d+ \d+ \d+\n"),
    Check(85, "echo $SHELL", r"/bin/b?ash\n"),
    Check(86, "echo $((0x41+1))", r"66\n"),
    Check(87, "type cd", r"cd is a shell builtin\n"),
    Check(87, "echo v | { read x; echo $x; }; set | grep -c ^PATH=; help | wc -l", r"v\n1\n[1-9]\d*\n"),
    Check(87, "enable | head -2", r"enable \.\nenable :\n", SERVERS),
    Check(87, "enable", r"ash: enable: not found\n", DEVICES),
    Check(88, "while read i; do echo $i; done < /proc/self/exe | head -c4", r"\x7fELF"),
    Check(89, "dd bs=52 count=1 if=/bin/ls 2>/dev/null | wc -c", r"52\n"),
    Check(89, "dd bs=52 count=1 if=/bin/ls 2>&1 >/dev/null",
          r"1\+0 records in\n1\+0 records out\n52 bytes copied, [\d.e-]+ s, [\d.]+ [kMG]?B/s\n", SERVERS),
    Check(89, "dd bs=52 count=1 if=/bin/ls 2>&1 >/dev/null", r"1\+0 records in\n1\+0 records out\n", DEVICES),
    Check(89, "dd if=/bin/ls bs=52 count=1 >/dev/null 2>&1 || echo went on", r""),
    Check(90, "dd if=/proc/self/exe bs=22 count=1 2>/dev/null | head -c 4", r"\x7fELF"),
    Check(90, "readlink /proc/self/exe", r"/usr/bin/readlink\n", SERVERS),
    Check(90, "readlink /proc/self/exe", r"/bin/busybox\n", DEVICES),
    Check(91, "/bin/busybox ECCHI; echo $?", r"(?s)(?=.*ECCHI: applet not found\n).*127\n", (SERVER, DEVICE)),
    Check(91, "/bin/busybox ECCHI; echo $?",
          r"(?s)(?=.*(applet not found|/bin/busybox: No such file or directory)\n).*127\n", (CLOUD,)),
    Check(92, "/bin/busybox wget; /bin/busybox tftp",
          r"(?s)(BusyBox v[^\n]* multi-call binary\.\n\nUsage: (wget|tftp) .*){2}", (SERVER, DEVICE)),
    Check(93, "/bin/busybox | head -1", r"BusyBox v\d\.\d+\.\d+ \(.*\) multi-call binary\.\n", (SERVER, DEVICE)),
    Check(94, r'echo -ne "\x6b\x61\x6d\x69"', r"kami"),
    Check(94, r'echo -e "\x6F\x6B"', r"ok\n"),
    Check(94, r"""sh -c 'echo -e "\0101"'""", r"-e A\n", SERVERS),
    Check(95, "cat /proc/mounts | grep -c ' rw'", r"[1-9]\d*\n"),
    Check(95, "echo kami > /tmp/.nippon; cat /tmp/.nippon; rm /tmp/.nippon; ls /tmp/.nippon",
          r"kami\nls: .*/tmp/\.nippon'?: No such file or directory\n"),
    Check(96, "echo x > /proc/x", r".*No such file or directory\n|.*nonexistent directory\n|.*Permission denied\n"),
    Check(96, "echo x > /sys/x", r".*Permission denied\n"),
    Check(97, "cat /bin/echo | head -c 4", r"\x7fELF"),
    Check(97, "test $(cat /bin/busybox | wc -c) = $(ls -lL /bin/busybox | awk '{print $5}') && echo same", r"same\n",
          (SERVER, DEVICE)),
    Check(98, "ls -la /proc/self/exe", r"lrwxrwxrwx .* /proc/self/exe -> /(usr/bin/ls|bin/busybox)\n"),
    Check(99, r"cat /proc/self/cmdline | tr '\0' ' '", r"cat /proc/self/cmdline "),
    Check(99, "grep -c ^Name /proc/self/status; cat /proc/loadavg", r"1\n(\d+\.\d\d ){3}\d+/\d+ \d+\n"),
    Check(99, r"cat /proc/1/cmdline | tr '\0' ' '", r"/sbin/(init|procd).*"),
    Check(99, "cat /proc/net/arp | head -1; cat /proc/net/tcp | wc -l", r"IP address .*\n([2-9]|\d\d+)\n"),
    Check(99, "cat /proc/1/cgroup", r"0::/init\.scope\n", SERVERS),
    Check(100, "a=$(cut -d. -f1 /proc/uptime); sleep 3; b=$(cut -d. -f1 /proc/uptime); echo $((b - a))", r"[34]\n"),
    Check(100, "uptime; w | head -1", r"(?s) \d\d:\d\d:\d\d up .*load average: .*", ALL),
    Check(101, "test $(free | awk '/Mem/{print $2}') = $(awk '/MemTotal/{print $2}' /proc/meminfo) && echo same",
          r"same\n"),
    Check(102, "test $(nproc) = $(grep -c ^processor /proc/cpuinfo) && echo same", r"same\n", SERVERS),
    Check(102, "grep -c E8200 /proc/cpuinfo", r"0\n"),
    Check(103, "grep -qF \"$(uname -r)\" /proc/version && echo same", r"same\n"),
    Check(103, ". /etc/os-release; echo $ID", r"(debian|openwrt)\n"),
    Check(104, "test $(df / | awk 'END{print $1}') = $(mount | awk '$3==\"/\"{d=$1} END{print d}') && echo same",
          r"same\n", SERVERS),
    Check(104, "df -h | head -1", r"Filesystem +Size +Used +Avail(able)? +Use% +Mounted on\n"),
    Check(105, "netstat -tn | grep -c 192.0.2.7:40000", r"1\n"),
    Check(105, "ss -tn | grep -c 192.0.2.7:40000; echo $SSH_CLIENT", r"1\n192\.0\.2\.7 40000 22\n", SERVERS),
    Check(106, "grep -c \"^$(ip route | awk '/^default/{print $3}') \" /proc/net/arp", r"1\n"),
    Check(107, "a=$(sh -c 'echo $$'); b=$(sh -c 'echo $$'); test $b -gt $a && echo grows", r"grows\n"),
    Check(107, "ps aux | wc -l", r"([6-9]\d|\d{3})\n", SERVERS),
    Check(107, "ps | wc -l", r"[2-9]\d\n", DEVICES),
    Check(107, "ps aux | grep -c ' ps au[x]$'", r"1\n", SERVERS),
    Check(108, "ls -la / | head -1", r"total \d+\n"),
    Check(108, "ls / | head -2 | wc -l; ls / | tr -d 'a-z0-9.+\\n' | wc -c", r"2\n0\n"),
    Check(109, "ls /home; cat /etc/passwd | grep -cE '^(phil|richard):'", r"(?s)(?!.*(phil|richard)).*0\n"),
    Check(110, "ls /.dockerenv", r"ls: .*/\.dockerenv'?: No such file or directory\n"),
    Check(110, "systemd-detect-virt", r"kvm\n", SERVERS),
    Check(111, "md5sum /etc/passwd; sha256sum /etc/passwd",
          r"[0-9a-f]{32}  /etc/passwd\n[0-9a-f]{64}  /etc/passwd\n"),
    Check(111, "stat /etc/passwd | grep -c Access; tty; date +%s", r"[12]\nnot a tty\n\d{10}\n"),
    Check(111, "od -An -tx1 -N4 /bin/ls; file /bin/ls; readlink -f /bin/sh",
          r" 7f 45 4c 46\n/bin/ls: ELF 64-bit LSB pie executable, x86-64.*\n/usr/bin/dash\n", SERVERS),
    Check(111, "dmesg | grep -c '0.000000. Linux version'; lsmod | head -1", r"1\nModule .*\n"),
    Check(111, "curl --version | head -1; wget --version | head -1; perl -e 'print 6*7'; python3 -c 'print(6*7)'",
          r"curl \d.*\nGNU Wget 1\..*\n4242\n", SERVERS),
    Check(112, "rm nofile", r"rm: (cannot remove|can't remove) 'nofile': No such file or directory\n"),
    Check(112, "touch /tmp/x112; ls /tmp/x112", r"/tmp/x112\n"),
    Check(113, "chattr -ia .ssh; lockr -ia .ssh; echo $?", r"(?s)(?=.*lockr: (command )?not found\n).*127\n"),
    Check(114, "crontab -l", r"no crontab for root\n", SERVERS),
    Check(114, "crontab -l", r"crontab: can't open 'root': No such file or directory\n", DEVICES),
    Check(114, "echo '* * * * * /tmp/x' | crontab -; crontab -l; crontab -r", r"\* \* \* \* \* /tmp/x\n"),
    Check(115, "passwd", r"(?s)passwd\r\n.*New password: ", SERVERS, True),
    Check(115, "passwd", r"(?s)passwd\r\nChanging password for root\r\nNew password: ", DEVICES, True),
    Check(115, "echo root:Yy71Zz82Aa | chpasswd", r"", SERVERS),
    Check(116, "unset HISTFILE; export HISTFILE=/dev/null; echo =$HISTFILE", r"(?s).*=/dev/null\r\n.*", ALL, True),
    Check(116, "history | tail -1", r"(?s).*\d+  ?history \| tail -1\r\n.*", SERVERS, True),
    Check(117, "a=$(date +%s); sleep 5; b=$(date +%s); echo $((b - a))", r"5\n"),
    Check(117, "a=$(date +%s); ping -c 3 8.8.8.8 >/dev/null; b=$(date +%s); echo $((b - a))", r"[23]\n"),
    Check(119, "echo text > /tmp/t119; /tmp/t119; /tmp/none119",
          r"(?s)(?=.*/tmp/t119: Permission denied\n).*/tmp/none119: (No such file or directory|not found)\n"),
    Check(120, "sleep 300 & jobs; kill %1; echo done", r"(?s).*\[1\] \d*.*sleep 300.*done\r\n.*", SERVERS, True),
    Check(120, "sleep 300 & kill -9 $!; wait; ps | grep -c 'sleep 30[0]$'", r"(?s).*0\n"),
    Check(121, "ping -c 1 8.8.8.8 | grep -c '1 .*received'", r"1\n"),
    Check(123, "head -1 /etc/shadow | cut -c1-10", r"root:\$y\$j9\n", SERVERS),
    Check(123, "head -1 /etc/shadow | cut -d: -f1,3", r"root:\d+\n"),
    Check(124, "date -u +%Y-%m-%d", r"2026-09-21\n"),
    Check(125, "tty; stty size", r"(?s).*/dev/pts/\d+\r\n24 80\r\n.*", SERVERS, True),
    Check(125, "tty", r"(?s).*/dev/pts/\d+\r\n.*", DEVICES, True),
    Check(126, f"echo {'a' * 4_000} | wc -c", r"4001\n"),
    Check(126, "; ".join(f"echo {number}" for number in range(200)) + " | tail -1", r"(?s)0\n1\n2\n.*198\n199\n"),
    Check(127, "if [ $(ls /home | head -1) == richard ]; then echo yes; else echo no; fi 2>/dev/null", r"(?s).*no\n"),
    Check(127, "[ -f /proc/version ] && echo there; f() { case $1 in a*) echo A;; esac; }; f abc", r"there\nA\n"),
    Check(127, "a=(1 2 3); echo ${#a[@]}; cat <(echo sub)", r"3\nsub\n", SERVERS),
    Check(127, "cat <<E\n$((1+1))\nE", r"2\n"),
    Check(128, "test \"$(/bin/./uname -s -v -n -r -m)\" = \"$(uname -svnrm)\" && echo same", r"same\n"),
    Check(128, "test \"$(busybox uname -a | cut -d' ' -f1-3)\" = \"$(uname -a | cut -d' ' -f1-3)\" && echo same",
          r"same\n", (SERVER, DEVICE)),
    Check(129, "ulimit -n", r"\d+\n"),
    Check(129, "ulimit -a | head -2 | wc -l", r"2\n"),
    Check(129, "getconf LONG_BIT", r"64\n", SERVERS),
)  # fmt: skip
ELSEWHERE = {
    118: ("test_belief_checks.py", "test_118_downloads_speak_by_tty_and_end_with_the_real_status"),
    122: ("test_belief_checks.py", "test_122_a_canary_is_asked_for_with_the_programs_own_agent"),
}
"""Checks of the network's way: the machine's side is asked there, the fetcher's in the tests of the egress."""
PROBES = ("enable", "system", "shell", "linuxshell", "config terminal", "/ip cloud print",
          "/tool fetch url=http://192.0.2.9/x", "sh", "/bin/busybox ECCHI")  # fmt: skip


def cases() -> Iterator[Any]:
    for check in CHECKS:
        for kind in check.kinds:
            yield pytest.param(check, kind, id=f"{check.number} {kind}: {check.line[:40]}")


@pytest.mark.parametrize(("check", "kind"), list(cases()))
def test_the_answer_is_a_real_machines(check: Check, kind: Kind) -> None:
    visit = Visit(kind, protocol="ssh")
    if check.typed:
        talk = visit.terminal()
        talk.send(check.line)
        assert re.search(check.answer, talk.text)
    else:
        assert re.fullmatch(check.answer, visit.exec(check.line))


def test_every_number_is_asked() -> None:
    assert {check.number for check in CHECKS} | ELSEWHERE.keys() == set(NUMBERS)
    for name, test in ELSEWHERE.values():
        assert f"def {test}(" in Path(__file__).with_name(name).read_text("utf-8")


@pytest.mark.parametrize("kind", ALL)
def test_a_loader_that_tries_vendors_shells_gets_through_to_its_token(kind: Kind) -> None:
    """Loaders send these in a row and look at the last answer only; the others must be the shell's own."""
    talk = Visit(kind).terminal()
    said = {}
    for line in PROBES:
        before = len(talk.text)
        talk.send(line)
        said[line] = talk.text[before:]
    device = kind == DEVICE
    shell, words = ("-ash", "not found") if device else ("-bash", "command not found")
    assert ("-ash: enable: not found" if device else "enable .\r\nenable :") in said["enable"]
    for name in ("system", "shell", "linuxshell"):
        assert f"{shell}: {name}: {words}\r\n" in said[name]
    assert f"{shell}: config: {words}\r\n" in said["config terminal"]
    nothing = "not found" if device else "No such file or directory"
    assert f"{shell}: /ip: {nothing}\r\n" in said["/ip cloud print"]
    assert f"{shell}: /tool: {nothing}\r\n" in said["/tool fetch url=http://192.0.2.9/x"]
    assert re.search("ECCHI: applet not found|busybox: not found", said["/bin/busybox ECCHI"])
