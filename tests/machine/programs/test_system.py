"""The system programs tell one story, in the real programs' formats."""

from __future__ import annotations

import re

import pytest
from tests.machine.programs.support_system import NOW, Server

from urltrap.machine.programs._getopt import OptionError, getopt
from urltrap.machine.programs._zone import parse_tzfile
from urltrap.machine.unix_crypt import portable_crypt


@pytest.fixture(scope="module", params=["debian-12", "debian-13", "cloud-small"])
def server(request: pytest.FixtureRequest) -> Server:
    return Server(request.param, tty="pts/0")


@pytest.fixture(scope="module")
def debian() -> Server:
    return Server(tty="pts/0")


# one story
def test_the_kernel_has_one_name(server: Server) -> None:
    kernel = server.persona.kernel
    assert (
        server.run("uname", "-a")
        == f"Linux {server.persona.hostname} {kernel.release} {kernel.version} x86_64 GNU/Linux\n"
    )
    assert server.run("uname", "-s", "-v", "-n", "-r", "-m") == (
        f"Linux {server.persona.hostname} {kernel.release} {kernel.version} x86_64\n"
    )
    version = server.read("/proc/version")
    assert kernel.release in version and kernel.version in version
    assert f"Kernel: Linux {kernel.release}" in server.run("hostnamectl")
    assert server.persona.distro_name in server.run("hostnamectl")


def test_memory_is_the_same_in_free_top_and_proc(server: Server) -> None:
    rows = {line.split(":")[0]: int(line.split()[1]) for line in server.read("/proc/meminfo").splitlines()}
    words = server.run("free").splitlines()[1].split()
    assert int(words[1]) == rows["MemTotal"]
    megabytes = server.run("free", "-m").splitlines()[1].split()
    assert int(megabytes[1]) == rows["MemTotal"] // 1024
    top = server.run("top", "-bn1")
    assert f"{rows['MemTotal'] / 1024:.1f} total" in top


def test_processors_are_counted_alike(server: Server) -> None:
    count = int(server.run("nproc"))
    assert server.read("/proc/cpuinfo").count("model name") == count
    lscpu = dict(line.split(":", 1) for line in server.run("lscpu").splitlines())
    assert int(lscpu["CPU(s)"]) == count
    assert lscpu["Model name"].strip() == server.persona.cpu.model_name
    assert lscpu["Flags"].split() == list(server.persona.cpu.flags)
    assert server.run("getconf", "_NPROCESSORS_ONLN") == f"{count}\n"


def test_disks_are_the_same_in_df_mount_lsblk_and_fstab(server: Server) -> None:
    root = server.persona.root
    source = root.source.removeprefix("/dev/")
    line = server.run("df", "/").splitlines()[1].split()
    assert line[:2] == [root.source, str(root.size_kb)] and line[5] == "/"
    assert f"{root.source} on / type ext4 ({root.options})\n" in server.run("mount")
    assert re.search(rf"{source} .*part /$", server.run("lsblk"), re.M)
    uuid = next(part.uuid for part in server.persona.disks[0].partitions if part.mountpoint == "/")
    assert uuid in server.run("blkid")
    assert f"{root.source} / ext4 " in server.read("/proc/mounts")


def test_uptime_is_the_same_everywhere() -> None:
    server = Server(tty="pts/0")
    seconds = float(server.read("/proc/uptime").split()[0])
    assert seconds == pytest.approx(NOW - server.persona.boot_time, abs=1)
    days = int(seconds // 86_400)
    for words in (("uptime",), ("w",), ("top", "-bn1")):
        assert f"up {days} days, " in server.run(*words)
    assert server.run("uptime", "-s").startswith(server.run("who", "-b").split()[-2])


def test_the_address_is_the_same_in_ip_ifconfig_hostname_and_ss(server: Server) -> None:
    address = server.persona.primary.address
    assert f"inet {address}/24 " in server.run("ip", "a")
    assert f"inet {address} " in server.run("ifconfig")
    assert server.run("hostname", "-I") == f"{address} \n"
    assert f"{address}:22" in re.sub(r" +", "", server.run("ss", "-tn"))
    assert f"{address}:22" in server.run("netstat", "-tn")
    assert server.persona.primary.mac in server.run("ip", "link")
    assert server.persona.network.gateway in server.run("ip", "r")
    assert server.persona.network.gateway in server.run("arp", "-n")


def test_a_public_address_that_was_reached_is_the_machines_own() -> None:
    server = Server(server_ip="93.184.215.14")
    assert "inet 93.184.215.14/24 brd 93.184.215.255 " in server.run("ip", "a")
    assert "via 93.184.215.1 " in server.run("ip", "r")


def test_the_visitor_sees_his_own_connection(debian: Server) -> None:
    assert re.search(r"^root +pts/0 .*\(198\.51\.100\.23\)$", debian.run("who"), re.M)
    assert "198.51.100.23" in debian.run("w")
    assert "still logged in" in debian.run("last")
    assert "198.51.100.23:51514" in debian.run("netstat", "-tn")
    assert "10.1.2.3" not in debian.run("ss", "-an") + debian.run("netstat", "-an") + debian.run("ip", "a")


def test_a_server_has_many_processes_and_ps_is_one_of_them(server: Server) -> None:
    rows = server.run("ps", "aux").splitlines()
    assert len(rows) > 60
    assert rows[0] == "USER         PID %CPU %MEM    VSZ   RSS TTY      STAT START   TIME COMMAND"
    assert any(line.endswith("ps aux") for line in rows)
    assert any("sshd: /usr/sbin/sshd -D [listener]" in line for line in rows)
    pids = [int(line.split()[1]) for line in rows[1:]]
    assert pids == sorted(pids)


def test_process_ids_go_up(debian: Server) -> None:
    def own(text: str) -> int:
        return int(next(line for line in text.splitlines() if line.endswith("ps -ef")).split()[1])

    assert own(debian.run("ps", "-ef")) < own(debian.run("ps", "-ef"))


def test_two_machines_differ() -> None:
    one, other = Server(seed=1), Server(seed=2)
    for words in (
        ("hostname",),
        ("ip", "a"),
        ("blkid",),
        ("free",),
        ("cat", "/etc/machine-id"),
        ("uptime", "-s"),
    ):
        assert one.run(*words) != other.run(*words)


# formats
@pytest.mark.parametrize(
    ("words", "pattern"),
    [
        (("ps",), r"    PID TTY          TIME CMD\n( *\d+ \S+ +\d\d:\d\d:\d\d \S.*\n)+"),
        (
            ("ps", "-ef"),
            r"UID          PID    PPID  C STIME TTY          TIME CMD\n(\S+ +\d+ +\d+ +\d+ \S+ +\S+ "
            r"+[\d:-]+ .*\n)+",
        ),
        (("ps", "x"), r"    PID TTY      STAT   TIME COMMAND\n( *\d+ \S+ +\S+ +\d+:\d\d .*\n)+"),
        (("ps", "-o", "pid,comm"), r"    PID COMMAND\n( *\d+ .*\n)+"),
        (
            ("free",),
            r" {15}total        used        free      shared  buff/cache   available\nMem:  ( "
            r"+\d+){6}\nSwap: ( +\d+){3}\n",
        ),
        (("df", "-h"), r"Filesystem +Size +Used Avail Use% Mounted on\n(\S+ +\S+ +\S+ +\S+ +\d+% /\S*\n)+"),
        (
            ("uptime",),
            r" \d\d:\d\d:\d\d up \d+ days, [ \d]\d:\d\d,  1 user,  load average: \d+\.\d\d, \d+\.\d\d, "
            r"\d+\.\d\d\n",
        ),
        (("uptime", "-p"), r"up \d+ weeks?(, \d+ \w+)*\n"),
        (("id",), r"uid=0\(root\) gid=0\(root\) groups=0\(root\)\n"),
        (("lsmod",), r"Module                  Size  Used by\n(\S+ +\d+  \d+( \S+)?\n)+"),
        (("ip", "-br", "a"), r"lo +UNKNOWN +127\.0\.0\.1/8 ::1/128 \n\S+ +UP +\S+/24 \S+/64 \n"),
        (
            ("route", "-n"),
            r"Kernel IP routing table\nDestination     Gateway         Genmask         Flags Metric "
            r"Ref    Use Iface\n0\.0\.0\.0 .*\n.*\n",
        ),
        (("date", "+%s"), r"1790000\d{3}\n"),
        (("date", "-u", "-d", "@0", "+%F %T %Z"), r"1970-01-01 00:00:00 UTC\n"),
    ],
)
def test_formats_are_those_of_the_real_programs(debian: Server, words: tuple[str, ...], pattern: str) -> None:
    assert re.fullmatch(pattern, debian.run(*words))


@pytest.mark.parametrize(
    ("words", "status", "error"),
    [
        (("uname", "-z"), 1, "uname: invalid option -- 'z'\nTry 'uname --help' for more information.\n"),
        (
            ("uname", "--zz"),
            1,
            "uname: unrecognized option '--zz'\nTry 'uname --help' for more information.\n",
        ),
        (("id", "nosuch"), 1, "id: 'nosuch': no such user\n"),
        (("df", "/nosuch"), 1, "df: /nosuch: No such file or directory\n"),
        (("umount", "/nosuch"), 32, "umount: /nosuch: no mount point specified.\n"),
        (("crontab", "-l"), 1, "no crontab for root\n"),
        (("passwd", "nosuch"), 1, "passwd: user 'nosuch' does not exist\n"),
        (("userdel", "nosuch"), 6, "userdel: user 'nosuch' does not exist\n"),
        (("useradd", "root"), 9, "useradd: user 'root' already exists\n"),
        (("killall", "nosuch"), 1, "nosuch: no process found\n"),
        (("pkill", "nosuch"), 1, ""),
        (("kill", "999999"), 1, "kill: (999999): No such process\n"),
        (
            ("sleep", "abc"),
            1,
            "sleep: invalid time interval 'abc'\nTry 'sleep --help' for more information.\n",
        ),
        (("timeout",), 125, "Try 'timeout --help' for more information.\n"),
        (
            ("systemctl", "start", "nosuch"),
            5,
            "Failed to start nosuch.service: Unit nosuch.service not found.\n",
        ),
        (
            ("service", "iptables", "stop"),
            5,
            "Failed to stop iptables.service: Unit iptables.service not loaded.\n",
        ),
        (("dpkg", "-l", "nosuch"), 1, "dpkg-query: no packages found matching nosuch\n"),
        (("apt-get", "install", "-y", "nosuch"), 100, "E: Unable to locate package nosuch\n"),
        (
            ("su", "nosuch"),
            1,
            "su: user nosuch does not exist or the user entry does not contain all the required fields\n",
        ),
        (("ip", "nosuch"), 1, 'Object "nosuch" is unknown, try "ip help".\n'),
        (("ifconfig", "eth99"), 1, "eth99: error fetching interface information: Device not found\n"),
        (
            ("ping", "-c", "1", "nosuch.invalid"),
            2,
            "ping: nosuch.invalid: Temporary failure in name resolution\n",
        ),
        (("lockr", "-ia", ".ssh"), 127, "lockr: No such file or directory\n"),
        (("stty",), 1, "stty: 'standard input': Inappropriate ioctl for device\n"),
        (("sysctl", "nosuch"), 1, "sysctl: cannot stat /proc/sys/nosuch: No such file or directory\n"),
        (("getconf", "NOSUCH"), 2, "getconf: Unrecognized variable `NOSUCH'\n"),
        (
            ("iptables", "-D", "INPUT", "-j", "DROP"),
            1,
            "iptables: Bad rule (does a matching rule exist in that chain?).\n",
        ),
    ],
)
def test_errors_are_those_of_the_real_programs(
    debian: Server, words: tuple[str, ...], status: int, error: str
) -> None:
    debian.run(*words)
    assert (debian.status, debian.error) == (status, error)


# what changes stays
def test_a_changed_password_is_in_shadow_with_todays_date() -> None:
    server = Server()
    assert server.run("chpasswd", stdin=b"root:Winter42\n") == ""
    assert server.status == 0 and server.error == ""
    fields = server.read("/etc/shadow").splitlines()[0].split(":")
    assert fields[0] == "root" and portable_crypt(b"Winter42", fields[1]) == fields[1]
    assert fields[2] == str(int(NOW // 86_400))


def test_the_dialogue_of_passwd_asks_twice() -> None:
    server = Server()
    server.run("passwd", stdin=b"Sommer77\nSommer77\n")
    assert server.error == "New password: Retype new password: passwd: password updated successfully\n"
    assert server.status == 0
    server.run("passwd", stdin=b"one\nother\n")
    assert "Sorry, passwords do not match." in server.error
    assert server.status == 10
    kept = server.read("/etc/shadow").splitlines()[0].split(":")[1]
    assert portable_crypt(b"Sommer77", kept) == kept


def test_sha512_hashes_are_crypts_own() -> None:
    # Recorded from a C library's crypt(3).
    assert portable_crypt(b"Hello world!", "$6$saltstring$") == (
        "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1"
    )


def test_accounts_come_and_go() -> None:
    server = Server()
    server.run("useradd", "-m", "-s", "/bin/bash", "-G", "sudo", "bot")
    assert server.status == 0
    uid = server.run("id", "-u", "bot").strip()
    assert f"bot:x:{uid}:" in server.read("/etc/passwd")
    assert server.run("id", "-nG", "bot") == "bot sudo\n"
    assert "alias" in server.read("/home/bot/.bashrc")
    server.run("usermod", "-L", "bot")
    assert server.read("/etc/shadow").splitlines()[-1].startswith("bot:!")
    server.run("userdel", "-r", "bot")
    assert server.status == 0
    assert "bot" not in server.read("/etc/passwd") + server.read("/etc/group") + server.read("/etc/shadow")


def test_a_crontab_is_kept_until_it_is_removed() -> None:
    server = Server()
    server.run("crontab", "-", stdin=b"*/5 * * * * /tmp/x >/dev/null 2>&1\n")
    assert server.status == 0
    assert server.run("crontab", "-l") == "*/5 * * * * /tmp/x >/dev/null 2>&1\n"
    server.run("crontab", "-", stdin=b"nonsense here\n")
    assert server.status == 1
    assert server.error == '"-":0: bad minute\nerrors in crontab file, can\'t install.\n'
    server.run("crontab", "-r")
    server.run("crontab", "-l")
    assert server.error == "no crontab for root\n"


def test_an_immutable_file_is_shown_as_one() -> None:
    server = Server()
    server.run("chattr", "+i", "/etc/hostname")
    assert server.status == 0
    assert server.run("lsattr", "/etc/hostname") == "----i---------e------- /etc/hostname\n"
    server.run("chattr", "-i", "/etc/hostname")
    assert server.run("lsattr", "/etc/hostname") == "--------------e------- /etc/hostname\n"


def test_packet_filter_rules_are_listed() -> None:
    server = Server()
    server.run("iptables", "-I", "INPUT", "-p", "tcp", "--dport", "22", "-j", "DROP")
    assert "DROP       6    --  0.0.0.0/0            0.0.0.0/0            tcp dpt:22\n" in server.run(
        "iptables", "-L", "-n"
    )
    server.run("iptables", "-F")
    assert "DROP" not in server.run("iptables", "-L", "-n")


def test_a_service_that_is_stopped_is_gone_from_the_table() -> None:
    server = Server()
    assert server.run("systemctl", "is-active", "cron") == "active\n"
    server.run("systemctl", "stop", "cron")
    assert server.run("systemctl", "is-active", "cron") == "inactive\n"
    assert "cron -f" not in server.run("ps", "aux")


def test_a_host_name_that_is_set_is_shown() -> None:
    server = Server()
    server.run("hostname", "other")
    assert (
        server.run("hostname")
        == server.run("uname", "-n")
        == server.run("cat", "/proc/sys/kernel/hostname")
        == "other\n"
    )


# time
def test_sleep_and_timeout_take_their_time() -> None:
    server = Server()
    server.run("sleep", "1.5")
    assert server.now == pytest.approx(NOW + 1.5)
    server.run("timeout", "2", "sleep", "60")
    assert server.status == 124
    assert server.now == pytest.approx(NOW + 3.5)


def test_ping_takes_a_second_a_packet() -> None:
    server = Server()
    out = server.run("ping", "-c", "3", "8.8.8.8")
    assert server.now == pytest.approx(NOW + 2)
    assert "3 packets transmitted, 3 received, 0% packet loss" in out


def test_date_follows_the_zone_of_the_image() -> None:
    zone = parse_tzfile(Server().image.find("/usr/share/zoneinfo/Europe/Berlin").content.read(0, 9999))  # type: ignore[union-attr]
    assert (zone.at(1_790_000_000).zone, zone.at(1_790_000_000).offset) == ("CEST", 7200)
    assert (zone.at(1_767_225_600).zone, zone.at(1_767_225_600).offset) == ("CET", 3600)
    assert parse_tzfile(b"not a zone").at(0).zone == "UTC"


# who may what
def test_other_users_are_refused() -> None:
    server = Server()
    user = server.persona.users[1].name
    other = Server(user=user)
    for words in (
        ("useradd", "x"),
        ("dmesg",),
        ("dmidecode",),
        ("iptables", "-L"),
        ("apt-get", "install", "x"),
    ):
        other.run(*words)
        assert other.status != 0, words
    assert other.run("id", "-un") == f"{user}\n"


# options
def test_options_are_parsed_as_getopt_does() -> None:
    assert getopt(["a", "-xb", "7", "--lon=3", "--", "-y"], "xb:", {"long": ":"}) == (
        [("x", ""), ("b", "7"), ("--long", "3")],
        ["a", "-y"],
    )
    assert getopt(["cmd", "-x"], "+x") == ([], ["cmd", "-x"])
    for args, text in (
        (["-q"], "invalid option -- 'q'"),
        (["-b"], "option requires an argument -- 'b'"),
        (["--no"], "unrecognized option '--no'"),
        (["--l"], "option '--l' is ambiguous; possibilities: '--last' '--long'"),
        (["--last=1"], "option '--last' doesn't allow an argument"),
    ):
        with pytest.raises(OptionError, match=re.escape(text)):
            getopt(args, "b:", {"long": ":", "last": ""})


def test_a_device_prints_busybox_formats() -> None:
    device = Server("busybox-mips")
    assert device.run("ps").startswith("  PID USER       VSZ STAT COMMAND\n    1 root ")
    assert device.run("uname", "-m") == "mips\n"
    heads = "total        used        free      shared  buff/cache   available"
    assert device.run("free").splitlines()[0] == " " * 14 + heads
    assert "Link encap:Ethernet  HWaddr " in device.run("ifconfig")


def test_a_router_has_its_inner_network_and_one_way_out() -> None:
    device = Server("busybox-arm")
    outer = device.persona.primary
    assert f"inet {outer.address}/24 " in device.run("ip", "a")
    assert "inet 192.168.1.1/24 " in device.run("ip", "a")
    assert f"default via {device.persona.network.gateway} dev {outer.name} " in device.run("ip", "r")
