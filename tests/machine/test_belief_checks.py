"""Is this a real machine? The questions that bots and researchers ask of a shell, numbered as they were collected.

A check that a pure machine cannot hold by itself (the network's way, the real clock) is held where it is decided: the
sensors' and the fetcher's tests.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from tests.machine.loaders.dialogue import PAYLOAD, Visit
from tests.machine.programs.support import installation

from urltrap.machine.persona import Kind
from urltrap.model.event import ProgramRun

KINDS: list[Kind] = ["debian-12", "debian-13", "cloud-small", "busybox-mips", "busybox-arm"]
SERVERS: list[Kind] = ["debian-12", "debian-13", "cloud-small"]


@pytest.fixture
def server() -> Visit:
    return Visit("debian-12", protocol="ssh")


@pytest.fixture
def router() -> Visit:
    return Visit("busybox-mips")


def prompt_of(text: str) -> Iterator[str]:
    yield from (line for line in text.split("\r\n") if line)


def test_083_an_unknown_name_gets_each_shells_own_words(server: Visit, router: Visit) -> None:
    assert server.exec("nonexistent; echo $?") == "127\nbash: line 1: nonexistent: command not found\n" or (
        "bash: line 1: nonexistent: command not found\n" in server.exec("nonexistent")
    )
    assert "sh: 1: nonexistent: not found\n" in server.exec("sh -c nonexistent")
    assert "-bash: nonexistent: command not found" in server.terminal().ask("nonexistent", "not found")
    assert "-ash: nonexistent: not found" in router.terminal().ask("nonexistent", "not found")
    assert server.exec("nonexistent 2>/dev/null; echo $?") == "127\n"


def test_084_errors_can_be_thrown_away(server: Visit) -> None:
    assert server.exec("nonexistent 2>/dev/null") == ""
    assert server.exec("ls /nowhere 2>/dev/null; cat /nowhere 2>&-") == ""


def test_085_special_parameters_are_numbers_that_change(server: Visit) -> None:
    first, second = (server.exec("echo $0 $$ $PPID $RANDOM $SHELL").split() for _ in range(2))
    assert first[0] == "bash" and first[4] == "/bin/bash"
    assert all(word.isdigit() for word in first[1:4])
    assert first[1:4] != second[1:4]


def test_086_arithmetic(server: Visit, router: Visit) -> None:
    for visit in (server, router):
        assert visit.exec("echo $((0x41+1)) $((7*6)) $((1<<10))") == "66 42 1024\n"


def test_087_builtins_exist(server: Visit) -> None:
    assert (
        server.exec("type read; type ls; type -t cd")
        == "read is a shell builtin\nls is /usr/bin/ls\nbuiltin\n"
    )
    assert server.exec("help | head -1").startswith("GNU bash, version 5.2.")
    assert server.exec("enable | head -2") == "enable .\nenable :\n"
    assert "BASH_VERSION=" in server.exec("set")


def test_088_a_loop_reads_the_head_of_its_own_program(server: Visit, router: Visit) -> None:
    for visit in (server, router):
        assert visit.exec("while read i; do echo $i; done < /proc/self/exe | head -c4") == "\x7fELF"


def test_089_dd_reads_a_header_and_the_chain_stops(server: Visit, router: Visit) -> None:
    line = "dd bs=52 count=1 if=/bin/ls || cat /bin/ls || while read i; do echo $i; done < /bin/ls"
    came = server.exec(line)
    assert came.startswith("\x7fELF") or "\x7fELF" in came
    assert re.search(
        r"1\+0 records in\n1\+0 records out\n52 bytes copied, [\d.e-]+ s, [\d.]+ [kMG]?B/s\n", came
    )
    assert len(came.encode("latin-1")) < 200
    came = router.exec(line)
    assert "1+0 records in\n1+0 records out\n" in came and "copied" not in came


def test_090_proc_self_exe_is_the_program_that_asks(server: Visit) -> None:
    size = len(server.exec("dd if=/proc/self/exe bs=22 count=1 2>/dev/null"))
    assert size == 22
    assert server.exec("readlink /proc/self/exe") == "/usr/bin/readlink\n"
    assert server.exec("busybox readlink /proc/self/exe") == "/usr/bin/busybox\n"


@pytest.mark.parametrize("kind", KINDS)
def test_091_busybox_refuses_a_token(kind: Kind) -> None:
    visit = Visit(kind, protocol="ssh")
    came = visit.exec("/bin/busybox ECCHI; echo $?")
    if "No such file" not in came:
        assert "ECCHI: applet not found\n" in came
    assert "127\n" in came


@pytest.mark.parametrize("kind", ["debian-12", "busybox-mips", "busybox-arm"])
def test_092_applets_without_arguments_show_usage_with_the_banner(kind: Kind) -> None:
    came = Visit(kind).exec("/bin/busybox wget; /bin/busybox tftp; /bin/busybox TOKEN")
    assert came.count("multi-call binary.") == 2
    assert "Usage: wget" in came and "Usage: tftp" in came and came.count("applet not found") == 1


def test_093_busybox_shows_its_version_and_functions(server: Visit, router: Visit) -> None:
    assert (
        server.exec("busybox | head -1")
        == "BusyBox v1.35.0 (Debian 1:1.35.0-4+deb12u1+b1) multi-call binary.\n"
    )
    assert router.exec("busybox | head -1") == f"{router.persona.busybox} multi-call binary.\n"


def test_094_echo_escapes_by_shell(server: Visit, router: Visit) -> None:
    assert server.exec(r'echo -ne "\x6b\x61\x6d\x69"') == "kami"
    assert server.exec(r'echo -e "\x6F\x6B"') == "ok\n"
    assert server.exec(r"""sh -c 'echo -e "\101"'""") in ("-e A\n", "-e \\101\n")
    assert router.exec(r'echo -e "\x6F\x6B\101"') == "okA\n"


@pytest.mark.parametrize("kind", KINDS)
def test_095_mounts_are_there_and_writable_ones_can_be_written(kind: Kind) -> None:
    visit = Visit(kind, protocol="ssh")
    rows = [line.split() for line in visit.exec("cat /proc/mounts").splitlines()]
    assert len(rows) > 5 and all(len(row) == 6 for row in rows)
    stored = [
        row[1]
        for row in rows
        if row[3].startswith("rw") and row[2] in ("ext4", "tmpfs", "overlay", "devtmpfs")
    ]
    assert stored
    for point in stored:
        path = f"{point.rstrip('/')}/.nippon"
        came = visit.exec(f"echo -e '\\x6b\\x61\\x6d\\x69{point}' > {path}; cat {path}; rm {path}")
        assert came == f"kami{point}\n", point


def test_096_generated_trees_refuse_new_files(server: Visit) -> None:
    assert "Permission denied" in server.exec("echo x > /sys/x")
    assert "No such file or directory" in server.exec("echo x > /proc/x")
    assert "Operation not permitted" in server.exec("mkdir /sys/x")
    assert server.exec("mkdir /proc/x 2>&1").endswith("No such file or directory\n")


@pytest.mark.parametrize("kind", KINDS)
def test_097_programs_are_elf_files_of_the_claimed_machine(kind: Kind) -> None:
    visit = Visit(kind, protocol="ssh")
    real = visit.exec("readlink -f /bin/echo || echo /bin/busybox").strip()
    data = visit.read(real)
    assert data[:4] == b"\x7fELF"
    order = "little" if data[5] == 1 else "big"
    machine = {"x86_64": 62, "mips": 8, "armv7l": 40, "aarch64": 183, "armv5tejl": 40}[
        visit.persona.kernel.machine
    ]
    assert int.from_bytes(data[18:20], order) == machine  # type: ignore[arg-type]
    assert visit.exec(f"cat {real} | wc -c").strip() == str(len(data))
    assert visit.exec(f"ls -l {real}").split()[4] == str(len(data))
    assert visit.exec(f"cat {real} | md5sum").split()[0] == visit.exec(f"md5sum {real}").split()[0]


def test_098_proc_self_exe_is_a_link(server: Visit) -> None:
    assert re.match(
        r"lrwxrwxrwx 1 root root 0 .* /proc/self/exe -> /usr/bin/ls\n", server.exec("ls -la /proc/self/exe")
    )


def test_099_the_files_of_proc_agree(server: Visit) -> None:
    assert server.exec("cat /proc/self/cmdline") == "cat\0/proc/self/cmdline\0"
    assert re.search(r"^Name:\tcat\n", server.exec("cat /proc/self/status"), re.MULTILINE)
    assert server.exec("cat /proc/1/cmdline").startswith("/sbin/init")
    assert server.exec("cat /proc/1/comm") == "systemd\n"
    assert server.exec("cat /proc/1/cgroup") == "0::/init.scope\n"
    gateway = server.exec("ip route | grep default").split()[2]
    assert gateway in server.exec("cat /proc/net/arp")
    local = server.exec("hostname -I").split()[0]
    shown = "".join(f"{int(part):02X}" for part in reversed(local.split(".")))
    assert f"{shown}:0016" in server.exec("cat /proc/net/tcp")
    assert re.match(r"(\d+\.\d\d ){3}\d+/\d+ \d+\n", server.exec("cat /proc/loadavg"))


def test_100_uptime_grows_and_is_one_figure_everywhere(server: Visit) -> None:
    first = float(server.exec("cat /proc/uptime").split()[0])
    server.exec("sleep 120")
    second = float(server.exec("cat /proc/uptime").split()[0])
    assert 119 < second - first < 125
    minutes = int(second // 60)
    expected = f"{minutes // 1440} day" if minutes >= 1440 else f"{minutes // 60}:{minutes % 60:02d}"
    assert expected in server.exec("uptime") and expected in server.exec("w | head -1")
    boot = int(server.exec('date -d "$(uptime -s)" +%s'))
    assert abs(boot - (server.now - second)) <= 2
    assert abs(int(server.exec("stat -c %Y /proc/1")) - boot) < 60
    assert abs(int(server.exec("grep btime /proc/stat").split()[1]) - boot) <= 2


@pytest.mark.parametrize("kind", SERVERS)
def test_101_memory_is_one_figure_everywhere(kind: Kind) -> None:
    visit = Visit(kind, protocol="ssh")
    total = int(visit.exec("grep MemTotal /proc/meminfo").split()[1])
    assert visit.exec("free | grep Mem").split()[1] == str(total)
    assert visit.exec("free -m | grep Mem").split()[1] == str(total // 1024)
    shown = re.search(r"MiB Mem :\s+([\d.]+) total", visit.exec("TERM=xterm top -bn1"))
    assert shown is not None and abs(float(shown[1]) - total / 1024) < 0.1


@pytest.mark.parametrize("kind", SERVERS)
def test_102_the_cpu_is_one_everywhere_and_of_this_age(kind: Kind) -> None:
    visit = Visit(kind, protocol="ssh")
    info = visit.exec("cat /proc/cpuinfo")
    assert visit.exec("nproc").strip() == str(info.count("processor\t:"))
    model = re.search(r"model name\t: (.*)", info)
    assert model is not None and model[1] in visit.exec("lscpu") and "E8200" not in model[1]
    assert re.search(r"^CPU\(s\):\s+" + visit.exec("nproc").strip() + "$", visit.exec("lscpu"), re.MULTILINE)
    assert {"sse4_2", "lm"} <= set(re.search(r"flags\t+: (.*)", info)[1].split())  # type: ignore[index]


@pytest.mark.parametrize("kind", SERVERS)
def test_103_kernel_and_distribution_agree(kind: Kind) -> None:
    visit = Visit(kind, protocol="ssh")
    release = visit.exec("uname -r").strip()
    assert release in visit.exec("cat /proc/version") and release in visit.exec("uname -a")
    version = re.search(r'VERSION_ID="(\d+)"', visit.exec("cat /etc/os-release"))
    assert version is not None
    assert f"Debian GNU/Linux {version[1]} " in visit.exec("cat /etc/issue")
    assert visit.exec("cat /etc/debian_version").startswith(version[1] + ".")
    assert f"Debian {version[1]}" in visit.exec("cat /proc/version") or "debian-kernel" in visit.exec(
        "cat /proc/version"
    )
    assert visit.exec(f"ls /boot/vmlinuz-{release}") == f"/boot/vmlinuz-{release}\n"


@pytest.mark.parametrize("kind", SERVERS)
def test_104_disks_mounts_and_sizes_agree(kind: Kind) -> None:
    visit = Visit(kind, protocol="ssh")
    device = visit.exec("df / | tail -1").split()[0]
    assert visit.exec("mount | grep ' on / '").split()[0] == device
    assert device.removeprefix("/dev/") in visit.exec("lsblk") and device.removeprefix("/dev/") in visit.exec(
        "cat /proc/partitions"
    )
    blocks = int(visit.exec(f"cat /proc/partitions | grep -w {device.removeprefix('/dev/')}").split()[2])
    assert int(visit.exec("df / | tail -1").split()[1]) < blocks


def test_105_he_sees_his_own_connection(server: Visit) -> None:
    local = server.exec("hostname -I").split()[0]
    assert f"inet {local}/" in server.exec("ip a") and f"inet {local} " in server.exec("ifconfig")
    talk = server.terminal()
    came = talk.ask("ss -tn; echo $SSH_CLIENT; echo $SSH_CONNECTION; who; w; tty", "pts/0")
    assert re.search(rf"ESTAB +\d+ +\d+ +{re.escape(local)}:22 +192\.0\.2\.7:40000", came)
    assert "192.0.2.7 40000 22\r\n" in came
    assert f"192.0.2.7 40000 {local} 22\r\n" in came
    assert came.count("192.0.2.7") >= 5
    assert "192.0.2.7:40000" in server.exec("netstat -tn")


def test_106_the_gateway_is_a_neighbour(server: Visit) -> None:
    gateway = server.exec("ip route | grep default").split()[2]
    assert gateway in server.exec("arp -an") and gateway in server.exec("ip neigh")


def test_107_the_process_table_is_full_and_he_is_in_it(server: Visit) -> None:
    first, second = (server.exec("ps aux") for _ in range(2))
    rows = [line.split(None, 10) for line in first.splitlines()[1:]]
    assert len(rows) > 60
    names = [row[10] for row in rows]
    assert "ps aux" in names and any(name.startswith("sshd: root") for name in names)
    assert any(name.startswith("sshd: /usr/sbin/sshd -D") for name in names)

    def last_pid(text: str) -> int:
        return max(int(line.split()[1]) for line in text.splitlines()[1:])

    assert last_pid(second) > last_pid(first)


def test_108_ls_looks_like_ls(server: Visit) -> None:
    came = server.exec("ls -la /etc | head -4").splitlines()
    assert re.match(r"total \d+$", came[0]) and came[1].endswith(" .") and came[2].endswith(" ..")
    assert "\t" not in server.exec("ls /etc") and len(server.exec("ls /").splitlines()) > 15
    assert int(server.exec("ls -ld /usr").split()[1]) > 5
    assert len(set(server.exec("stat -c %Y /etc/*").split())) > 10


@pytest.mark.parametrize("kind", SERVERS)
def test_109_homes_belong_to_the_users_of_passwd(kind: Kind) -> None:
    visit = Visit(kind, protocol="ssh")
    homes = visit.exec("ls /home").split()
    assert not {"phil", "richard"} & set(homes)
    passwd = visit.exec("cut -d: -f1,6 /etc/passwd").split()
    assert all(any(line.endswith(f":/home/{name}") for line in passwd) for name in homes)
    assert len(visit.exec("cat /root/.bash_history").splitlines()) > 5


def test_110_no_sign_of_a_container(server: Visit) -> None:
    assert "No such file" in server.exec("ls /.dockerenv")
    assert server.exec("cat /proc/1/cgroup") == "0::/init.scope\n"
    assert server.exec("systemd-detect-virt") == "kvm\n"
    assert "docker" not in server.exec("cat /proc/mounts; cat /proc/1/mountinfo; env")


@pytest.mark.parametrize(
    ("line", "wants"),
    [
        ("md5sum /etc/passwd", r"^[0-9a-f]{32}  /etc/passwd\n$"),
        ("sha256sum /etc/passwd", r"^[0-9a-f]{64}  /etc/passwd\n$"),
        ("stat /etc/passwd", r"Access: \(0644/-rw-r--r--\)"),
        ("readlink -f /bin/sh", r"^/usr/bin/dash\n$"),
        ("od -An -tx1 -N4 /bin/ls", r"^ 7f 45 4c 46\n$"),
        ("file /bin/ls", r"ELF 64-bit LSB pie executable, x86-64"),
        ("tty", r"^not a tty\n$"),
        ("df", r"^Filesystem"),
        ("dmesg | head -1", r"Linux version"),
        ("lsmod", r"^Module +Size +Used by"),
        ("date +%s", r"^\d{10}\n$"),
        ("uptime -p", r"^up .*(day|hour|minute)"),
        ("curl --version", r"^curl 7\.88\.1 "),
        ("wget --version", r"^GNU Wget 1\.21\.3 "),
        ("perl -e 'print \"hi\\n\"'", r"^hi\n$"),
        ("python3 -c 'print(\"hi\")'", r"^hi\n$"),
        ("getconf LONG_BIT", r"^64\n$"),
    ],
)
def test_111_everyday_programs_work(server: Visit, line: str, wants: str) -> None:
    assert re.search(wants, server.exec(line)), line


def test_112_files_come_and_go_and_last_until_the_next_visit(server: Visit) -> None:
    assert server.exec("rm nofile") == "rm: cannot remove 'nofile': No such file or directory\n"
    assert "it is dangerous to operate recursively on '/'" in server.exec("rm -rf /")
    assert server.exec("touch /x && ls /x") == "/x\n"
    assert server.exec("cat /x; rm /x; ls /x") == "ls: cannot access '/x': No such file or directory\n"
    assert "No such file" in Visit("debian-12", protocol="ssh").exec("ls /x")


def test_113_chattr_is_there_and_lockr_is_not(server: Visit) -> None:
    came = server.exec("chattr -ia .ssh; lockr -ia .ssh; echo $?")
    assert "lockr: command not found" in came and "127\n" in came
    assert server.exec("touch /f; chattr +i /f; rm /f; lsattr /f").startswith(
        "----i---------e------- /f\n"
    ) or ("Operation not permitted" in server.exec("rm /f"))


def test_114_crontabs_are_kept(server: Visit) -> None:
    assert server.exec("crontab -l; echo $?") == "1\nno crontab for root\n" or (
        "no crontab for root" in server.exec("crontab -l")
    )
    server.exec("(crontab -l 2>/dev/null; echo '* * * * * /tmp/x') | crontab -")
    assert server.exec("crontab -l") == "* * * * * /tmp/x\n"


def test_115_passwd_is_a_dialogue_and_chpasswd_is_silent(server: Visit) -> None:
    talk = server.terminal()
    talk.ask("passwd", r"New password: $")
    talk.ask("Zz19Qq28Ww", r"Retype new password: $")
    talk.ask("Zz19Qq28Ww", r"passwd: password updated successfully")
    assert server.exec("echo root:Aa82Bb71Cc | chpasswd") == ""


def test_116_history_is_kept_and_can_be_turned_off(server: Visit) -> None:
    talk = server.terminal()
    talk.send("echo first")
    assert re.search(r"\d+  echo first\r\n", talk.ask("history | tail -3", "history"))
    talk.send("unset HISTFILE; export HISTFILE=/dev/null; history -c")
    assert "echo first" not in talk.ask("history", "history")


def test_117_time_passes(server: Visit) -> None:
    before = server.now
    server.exec("sleep 5")
    assert server.now - before == pytest.approx(5, abs=0.1)
    before = server.now
    server.exec("ping -c 3 8.8.8.8")
    assert 1.9 < server.now - before < 3
    assert re.search(r"real\t0m2\.0", server.exec("bash -c 'time sleep 2'"))


def test_118_downloads_speak_by_tty_and_end_with_the_real_status(server: Visit) -> None:
    assert server.exec("wget -q http://192.0.2.80/x; echo $?").split()[-1] in ("4", "1")
    assert server.exec("curl -s http://192.0.2.80/x; echo $?").split()[-1] in ("7", "28", "6")
    visit = Visit("debian-12", protocol="ssh", bodies={b"/x": PAYLOAD})
    assert "50K ..." not in visit.exec("wget http://192.0.2.80/x") and b"/x" in visit.urls[0]
    assert "100%[" in visit.terminal().ask("wget http://192.0.2.80/x", "saved")


def test_119_what_is_brought_in_is_silent_or_of_a_foreign_machine(server: Visit) -> None:
    elf = bytearray(server.read("/usr/bin/ls")[:64]) + bytes(400)
    elf[18:20] = (40).to_bytes(2, "little")
    server.machine.view(0).write("/tmp/arm", bytes(elf), mode=0o755)
    assert "Exec format error" in server.exec("/tmp/arm")
    server.machine.view(0).write("/tmp/text", b"just text\n", mode=0o644)
    assert "Permission denied" in server.exec("/tmp/text")
    assert "No such file or directory" in server.exec("/tmp/none")


def test_120_jobs_and_kill(server: Visit) -> None:
    talk = server.terminal()
    came = talk.ask("nohup sleep 300 &", r"\[1\] \d+")
    pid = re.search(r"\[1\] (\d+)", came)[1]  # type: ignore[index]
    assert "Running" in talk.ask("jobs", "sleep 300")
    assert f"{pid} " in server.exec("ps aux | grep 'sleep 300'")
    talk.send("kill -9 " + pid)
    talk.send("")
    assert re.search(r"\[1\]\+  Killed +nohup sleep 300", talk.text)
    assert not re.search(rf"\b{pid}\b", server.exec("ps -e"))


def test_121_the_way_out_answers(server: Visit) -> None:
    visit = Visit("debian-12", protocol="ssh", bodies={b"ifconfig.me": b"203.0.113.9"})
    assert visit.exec("curl -s ifconfig.me") == "203.0.113.9"
    assert "1 received" in server.exec("ping -c 1 8.8.8.8")


def test_122_a_canary_is_asked_for_with_the_programs_own_agent() -> None:
    visit = Visit("debian-12", protocol="ssh")
    visit.exec("curl http://canary.example/a; wget http://canary.example/b")
    assert [request.user_agent for request in visit.requests] == [b"curl/7.88.1", b"Wget/1.21.3"]


def test_123_shadow_is_of_this_release_and_recent(server: Visit) -> None:
    line = server.exec("head -1 /etc/shadow").split(":")
    assert line[1].startswith("$y$j9T$") and int(line[2]) > 19_500


def test_124_the_clock_is_right_to_the_second(server: Visit) -> None:
    assert abs(int(server.exec("date +%s")) - server.now) < 2
    assert server.exec("date -u +%Y-%m-%d") == "2026-09-21\n"
    assert re.match(r"\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \w+ 2026\n", server.exec("date"))


def test_125_the_terminal_is_one(server: Visit) -> None:
    talk = server.terminal()
    assert "/dev/pts/0" in talk.ask("tty", "pts")
    assert "speed 38400 baud; rows 24; columns 80" in talk.ask("stty -a", "baud")
    talk.job.resize(132, 43)
    assert "43 132" in talk.ask("stty size", "43")
    talk.job.receive(b"ls /etc/host\t")
    talk.drive()
    assert talk.text.rstrip("\x07").endswith("/etc/host") or "hostname" in talk.text
    talk.job.receive(b"\x03")
    talk.drive()
    assert "^C" in talk.text[-60:]
    talk.send("echo up-arrow")
    talk.job.receive(b"\x1b[A\r")
    talk.drive()
    assert len(re.findall(r"[\n\r]up-arrow\r\n", talk.text)) == 2
    talk.job.receive(b"sleep 100\r")
    talk.drive(1)
    talk.job.receive(b"\x1a")
    talk.drive(1)
    assert "[1]+  Stopped" in talk.text
    talk.job.receive(b"kill %1\r")
    talk.drive()
    talk.job.receive(b"\x04")
    talk.drive()
    assert talk.job.exit_status is not None or "stopped jobs" in talk.text


def test_126_long_lines_and_pastes_keep_their_order(server: Visit) -> None:
    word = "a" * 64_000
    assert server.exec(f"echo {word} | wc -c") == "64001\n"
    talk = server.terminal()
    start = len(talk.text)
    talk.job.receive(b"".join(b"echo n%d.\r" % number for number in range(300)))
    talk.drive(60)
    told = re.findall(r"[\n\r]n(\d+)\.\r\n", talk.text[start:])
    assert [int(number) for number in told] == list(range(300))
    server.exec("\x00\x01\xff\xfe")


def test_127_the_language_is_whole(server: Visit) -> None:
    assert (
        server.exec('if [ $(ls /home) == "richard" ]; then echo yes; else echo no; fi 2>/dev/null') == "no\n"
    )
    assert server.exec("[ -f /proc/version ] && echo there") == "there\n"
    assert server.exec("f() { local a=($1 b); echo ${#a[@]} ${a[-1]}; }; f x") == "2 b\n"
    assert server.exec("case $(uname -m) in x86*) echo 64;; *) echo ?;; esac") == "64\n"
    assert server.exec("cat <<E\n$((1+1))\nE\ncat <(echo sub)") == "2\nsub\n"


def test_128_uname_by_every_way(server: Visit) -> None:
    answers = {
        server.exec(f"{name} -s -v -n -r -m")
        for name in ("uname", "/bin/./uname", "/usr/bin/uname", "busybox uname")
    }
    assert len(answers) == 1


def test_129_limits(server: Visit) -> None:
    assert re.search(r"open files +\(-n\) 1024\n", server.exec("ulimit -a"))
    assert server.exec("ulimit -n") == "1024\n" and server.exec("getconf LONG_BIT") == "64\n"


@pytest.mark.parametrize("kind", KINDS)
def test_no_program_that_bots_probe_first_is_missing(kind: Kind) -> None:
    visit = Visit(kind, protocol="ssh")
    lines = (
        "uname -a",
        "id",
        "ps",
        "w",
        "free",
        "cat /proc/cpuinfo",
        "df",
        "ls -la /",
        "ifconfig",
        "wget",
        "top -bn1",
    )
    for line in lines:
        visit.exec(line)
    outcomes = [fact.fields["outcome"] for fact in visit.facts if fact.event is ProgramRun]
    assert "not-implemented" not in outcomes
    assert installation(kind)[0] is visit.persona


def test_what_a_log_in_runs_by_itself_is_no_news_and_the_same_words_typed_are(server: Visit) -> None:
    talk = server.terminal()
    assert not [fact for fact in server.facts if fact.event is ProgramRun]
    talk.send("export PATH")  # /etc/profile says the same
    told = [fact.fields["argv"] for fact in server.facts if fact.event is ProgramRun]
    assert told == [[b"export", b"PATH"]]


def test_the_history_that_the_shell_writes_is_on_the_machine_and_no_payload_of_the_visitors(
    server: Visit,
) -> None:
    talk = server.terminal()
    talk.send("echo mine > /tmp/f")
    talk.send("exit")
    assert server.read("/root/.bash_history").endswith(b"echo mine > /tmp/f\nexit\n")
    assert [each.path for each in server.written] == ["/tmp/f"]
