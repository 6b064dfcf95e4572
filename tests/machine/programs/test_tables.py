"""What the system programs tell of the machine, to the letter: the persona's facts in the real programs' columns."""

from __future__ import annotations

import re

import pytest
from tests.machine.programs.support_system import Server


@pytest.fixture(scope="module")
def server() -> Server:
    return Server(tty="pts/0")


def facts(server: Server) -> dict[str, object]:
    """What stands for <name> in the table below."""
    persona = server.persona
    disk = persona.disks[0]
    root = next(part for part in disk.partitions if part.mountpoint == "/")
    swap = next(part for part in disk.partitions if part.fstype == "swap")
    return {
        "host": persona.hostname,
        "release": persona.kernel.release,
        "cores": persona.cpu.count,
        "disk": disk.name,
        "root": root.name,
        "root_uuid": root.uuid,
        "root_part": root.partuuid,
        "swap": swap.name,
        "swap_uuid": swap.uuid,
        "swap_part": swap.partuuid,
        "swap_kb": swap.size_kb - 4,
        "options": persona.root.options,
        "total": persona.memory.total_kb,
        "address": persona.primary.address,
        "network": persona.primary.address.rpartition(".")[0],
        "gateway": persona.network.gateway,
        "mac": persona.primary.mac,
        "six": persona.primary.link_local,
        "device": persona.primary.name,
        "vendor": persona.dmi.sys_vendor,
        "hypervisor": persona.hypervisor,
    }


EXACT = [
    # processes
    ("ps -o pid,ppid,user,comm -p 1", "    PID    PPID USER     COMMAND\n      1       0 root     systemd\n"),
    ("ps -o pid=,comm= -p 1", "      1 systemd\n"),
    ("ps -o pid=ONE,comm=TWO -p 1", "    ONE TWO\n      1 systemd\n"),
    ("ps -o pid:10,comm:20 -p 1", "       PID COMMAND\n         1 systemd\n"),
    ("ps --pid 1 -o pid,args", "    PID COMMAND\n      1 /sbin/init\n"),
    ("ps -q 1 -o comm --no-headers", "systemd\n"),
    ("ps -C sshd -o comm,user h | sort -u", "sshd            root\n"),
    ("ps -u root -o user --no-headers | sort -u", "root\n"),
    ("ps -U root -o user= | sort -u", "root\n"),
    ("ps --ppid 2 -o ppid= | sort -u", "      2\n"),
    ("ps -eo pid --sort pid | sed -n 2p", "      1\n"),
    ("ps -eo pid= --sort=-pid | tail -n 1", "      1\n"),
    ("ps k -pid -eo pid= | tail -n 1", "      1\n"),
    ("ps -eo ppid,pid --sort ppid,-pid h | head -n 1 | wc -w", "2\n"),
    ("ps -F -p 1 | head -n 1", "UID          PID    PPID  C    SZ   RSS PSR STIME TTY          TIME CMD\n"),
    ("ps -l | head -n 1", "F S   UID     PID    PPID  C PRI  NI ADDR    SZ WCHAN  TTY          TIME CMD\n"),
    (
        "ps lx | head -n 1",
        "F   UID     PID    PPID PRI  NI    VSZ   RSS WCHAN  STAT TTY        TIME COMMAND\n",
    ),
    ("ps -j | head -n 1", "    PID    PGID     SID TTY          TIME CMD\n"),
    ("ps u -p 1 | head -n 1", "USER         PID %CPU %MEM    VSZ   RSS TTY      STAT START   TIME COMMAND\n"),
    ("ps ef -p 1 | head -n 1", "    PID TTY      STAT   TIME COMMAND\n"),
    (
        "ps -o uid,gid,group,s,ni,pri,nlwp,c,f,wchan -p 1",
        "  UID   GID GROUP    S  NI PRI NLWP  C F WCHAN\n    0     0 root     S   0  19    1  0 4 -\n",
    ),
    ("ps --help | head -n 3", "\nUsage:\n ps [options]\n"),
    ("ps -V", "ps from procps-ng 4.0.2\n"),
    ("ps -eo args= --forest | grep -c '^ ._ .'", None),
    ("ps -eo pid= --forest | head -n 1", "      2\n"),
    ("ps -eo args= --forest | grep -c '^[^ ].*systemd-journald'", "1\n"),
    ("ps -eo args= -H | grep -c '^  [^ ].*systemd-journald'", "1\n"),
    ("top -b -n 1 -p 1 | tail -n +7 | cut -c1-25", "    PID USER      PR  NI \n      1 root      20   0 \n"),
    ("top -b -n 2 -d 1 | grep -c '^top'", "2\n"),
    ("top -h | head -n 2", "  procps-ng 4.0.2\nUsage:\n"),
    ("pgrep -x systemd", "1\n"),
    ("pgrep -l -x systemd", "1 systemd\n"),
    ("pgrep -a -o -u root .", "1 /sbin/init\n"),
    ("pgrep -c -x systemd", "1\n"),
    ("pgrep -d, -P 0 .", "1,2\n"),
    ("pgrep -v -P 2 -x 'systemd|kthreadd' | wc -l | tr -d '0-9'", "\n"),
    ("pidof -s systemd", "1\n"),
    ("kill -0 1; echo $?", "0\n"),
    # memory and processors
    (
        "free | head -n 1",
        "               total        used        free      shared  buff/cache   available\n",
    ),
    (
        "free -w | head -n 1",
        "               total        used        free      shared     buffers       cache   available\n",
    ),
    ("free -t | tail -n 1 | cut -c1-7", "Total: \n"),
    ("free -k | awk '/^Mem/ {print $2}'", "<total>\n"),
    ("free -l | sed -n 4p", "High:              0           0           0\n"),
    ("free -s 1 -c 2 | grep -c Mem", "2\n"),
    ("free -V", "free from procps-ng 4.0.2\n"),
    ("nproc --all", "<cores>\n"),
    ("nproc --ignore=999", "1\n"),
    ("nproc --version | head -n 1", "nproc (GNU coreutils) 9.1\n"),
    ("lscpu -V", "lscpu from util-linux 2.38.1\n"),
    ("lscpu -p | sed -n 4,5p", "# CPU,Core,Socket,Node,,L1d,L1i,L2,L3\n0,0,0,0,,0,0,0,0\n"),
    (
        "lscpu -e | head -n 2",
        "CPU NODE SOCKET CORE L1d:L1i:L2:L3 ONLINE\n  0    0      0    0 0:0:0:0          yes\n",
    ),
    (
        "lscpu -J | sed -n 1,6p",
        '{\n   "lscpu": [\n      {\n         "field": "Architecture:",\n         "data": "x86_64"\n      },\n',
    ),
    # disks and mounts
    ("blkid -s UUID -o value /dev/<root>", "<root_uuid>\n"),
    ("blkid /dev/<swap>", '/dev/<swap>: UUID="<swap_uuid>" TYPE="swap" PARTUUID="<swap_part>"\n'),
    ("blkid -o device", "/dev/<root>\n/dev/<swap>\n"),
    (
        "blkid -o export /dev/<swap>",
        "DEVNAME=/dev/<swap>\nUUID=<swap_uuid>\nTYPE=swap\nPARTUUID=<swap_part>\n",
    ),
    ("lsblk -dno NAME | head -n 1", "<disk>\n"),
    ("lsblk -lno NAME,MOUNTPOINTS /dev/<disk> | sed -n 2p", "<root> /\n"),
    ("findmnt /", "TARGET SOURCE    FSTYPE OPTIONS\n/      /dev/<root> ext4   <options>\n"),
    ("findmnt -n /", "/ /dev/<root> ext4 <options>\n"),
    ("findmnt -n | sed -n 2p | awk '{print $1, $2}'", "├─/sys sysfs\n"),
    ("mount -t ext4", "/dev/<root> on / type ext4 (<options>)\n"),
    (
        "mount -V",
        "mount from util-linux 2.38.1 (libmount 2.38.1: selinux, smack, btrfs, verity, namespaces, assert, debug)\n",
    ),
    ("swapon -s | tail -n 1 | awk '{print $1, $2, $3}'", "/dev/<swap> partition <swap_kb>\n"),
    ("swapon | head -n 1 | tr -s ' '", "NAME TYPE SIZE USED PRIO\n"),
    (
        "fdisk -l /dev/<disk> | sed -n '3,5p'",
        "Units: sectors of 1 * 512 = 512 bytes\n"
        "Sector size (logical/physical): 512 bytes / 512 bytes\nI/O size (minimum/optimal): 512 bytes / 512 bytes\n",
    ),
    ("df -t ext4 --total | tail -n 1 | awk '{print $1, $6}'", "total -\n"),
    ("df -P / | sed 1q", "Filesystem     1024-blocks    Used Available Capacity Mounted on\n"),
    ("df -a | awk '$6 == \"/proc\" {print $1, $2, $5}'", "proc 0 -\n"),
    ("df -h /etc/passwd | awk 'NR == 2 {print $1, $6}'", "/dev/<root> /\n"),
    ("mountpoint -q /proc; echo $?", "0\n"),
    # sockets and files
    (
        "lsof -i :22 -sTCP:LISTEN -nP | awk '{print $1, $5, $9, $10}'",
        "COMMAND TYPE NAME \nsshd IPv4 *:22 (LISTEN)\nsshd IPv6 *:22 (LISTEN)\n",
    ),
    ("lsof -i tcp:ssh -t | head -n 1 | wc -w", "1\n"),
    (
        "lsof -i@198.51.100.23 -nP | tail -n 1 | awk '{print $8, $9, $10}'",
        "TCP <address>:22->198.51.100.23:51514 (ESTABLISHED)\n",
    ),
    (
        "lsof -p 1 | head -n 2 | awk '{print $1, $2, $3, $4, $5, $NF}'",
        "COMMAND PID USER FD TYPE NAME\nsystemd 1 root cwd DIR /\n",
    ),
    ("lsof -c systemd -p 1 -t", "1\n"),
    ("lsof -u nosuch; echo $?", "1\n"),
    ("fuser 22/tcp 2> /dev/null | wc -w", "2\n"),
    ("fuser -s 22/tcp; echo $?", "0\n"),
    ("fuser -n tcp 9; echo $?", "1\n"),
    ("ss -Hltn | head -n 1 | awk '{print $1, $4}'", "LISTEN 0.0.0.0:22\n"),
    ("ss -tn state established | tail -n 1 | awk '{print $4, $5}'", "<address>:22 198.51.100.23:51514\n"),
    ("ss -tna sport = :22 | grep -c :22", "3\n"),
    ("ss -ltnp | grep -c 'users:((\"sshd\"'", "2\n"),
    ("ss -s | sed -n 2p | cut -d' ' -f1-6", "TCP:   3 (estab 1,\n"),
    (
        "netstat -tn | tail -n 1 | awk '{print $1, $4, $5, $6}'",
        "tcp <address>:22 198.51.100.23:51514 ESTABLISHED\n",
    ),
    ("netstat -tlnp | grep -c sshd", "2\n"),
    ("netstat -rn | head -n 1", "Kernel IP routing table\n"),
    ("netstat -i | head -n 2 | tail -n 1 | cut -c1-21", "Iface             MTU\n"),
    # network
    ("ip -4 -o a s <device> | awk '{print $2, $3, $4}'", "<device> inet <address>/24\n"),
    ("ip -6 -br a | awk '{print $1, $3}'", "lo ::1/128\n<device> <six>/64\n"),
    ("ip -br l | tail -n 1 | awk '{print $1, $2, $3}'", "<device> UP <mac>\n"),
    ("ip -s link show lo | sed -n 3p", "    RX:  bytes packets errors dropped  missed   mcast           \n"),
    ("ip r get 9.9.9.9", "9.9.9.9 via <gateway> dev <device> src <address> uid 0 \n    cache \n"),
    ("ip r s default | awk '{print $1, $2, $3, $4, $5}'", "default via <gateway> dev <device>\n"),
    ("ip -6 r | head -n 1", "::1 dev lo proto kernel metric 256 pref medium\n"),
    ("ip neigh | awk '{print $1, $2, $3, $6}'", "<gateway> dev <device> REACHABLE\n"),
    ("ip rule", "0:\tfrom all lookup local\n32766:\tfrom all lookup main\n32767:\tfrom all lookup default\n"),
    (
        "ip link set <device> up; ip a add 192.0.2.1/24 dev <device>; ip a del 192.0.2.1/24 dev <device>; echo $?",
        "0\n",
    ),
    ("ip a s nosuch; ip link del nosuch; echo $?", "1\n"),
    (
        "ifconfig lo | head -n 2",
        "lo: flags=73<UP,LOOPBACK,RUNNING>  mtu 65536\n        inet 127.0.0.1  netmask 255.0.0.0\n",
    ),
    ("ifconfig -s | head -n 1 | cut -c1-14", "Iface      MTU\n"),
    ("route -n | sed -n 3p | awk '{print $1, $2, $8}'", "0.0.0.0 <gateway> <device>\n"),
    ("arp -n | tail -n 1 | awk '{print $1, $5}'", "<gateway> <device>\n"),
    ("arp -a | awk '{print $2, $NF}'", "(<gateway>) <device>\n"),
    (
        "ping -c 1 -q localhost | tail -n 2 | head -n 1",
        "1 packets transmitted, 1 received, 0% packet loss, time 0ms\n",
    ),
    ("ping -V | head -n 1", "ping from iputils 20221126\n"),
    ("hostname -s; hostname -i; hostname -I", "<host>\n127.0.1.1\n<address> \n"),
    ("hostname -f | cut -d. -f1; hostname -A | cut -d. -f1; hostname -y", "<host>\n<host>\n(none)\n"),
    # who is here
    ("who -q", "root\n# users=1\n"),
    ("users", "root\n"),
    ("w -h | awk '{print $1, $2, $3}'", "root pts/0 198.51.100.23\n"),
    ("w -s | sed -n 2p", "USER     TTY      FROM              IDLE WHAT\n"),
    ("last -n 1 | head -n 1 | cut -c1-37", "root     pts/0        198.51.100.23  \n"),
    ("last nosuch | head -n 1", "\n"),
    ("lastb | tail -n 1 | cut -c1-12", "btmp begins \n"),
    ("lastlog -u root | tail -n 1 | awk '{print $1, $2, $3}'", "root pts/0 198.51.100.23\n"),
    ("lastlog | grep -c 'Never logged in' | tr -d '0-9'", "\n"),
    ("loginctl list-users", " UID USER\n   0 root\n\n1 users listed.\n"),
    ("loginctl | head -n 1; loginctl | tail -n 1", "SESSION  UID USER SEAT TTY  \n1 sessions listed.\n"),
    ("groups", "root\n"),
    ("logname; echo $?", "root\n0\n"),
    # kernel, firmware, time
    ("modinfo ext4 | head -n 1", "filename:       /lib/modules/<release>/kernel/fs/ext4/ext4.ko\n"),
    ("kmod list | head -n 1; lsmod | head -n 1", "Module                  Size  Used by\n" * 2),
    ("modprobe ext4; modprobe -r nosuch; echo $?", "0\n"),
    ("dmesg | head -n 1 | cut -c1-29", "[    0.000000] Linux version \n"),
    ("dmesg -T | head -n 1 | cut -c1; dmesg -C; echo $?", "[\n0\n"),
    (
        "systemd-detect-virt; systemd-detect-virt -c; systemd-detect-virt -q; echo $?",
        "<hypervisor>\nnone\n0\n",
    ),
    ("dmidecode -s system-manufacturer", "<vendor>\n"),
    ("dmidecode | head -n 2", "# dmidecode 3.4\nGetting SMBIOS data from sysfs.\n"),
    ("lspci | head -n 1 | cut -c1-20", "00:00.0 Host bridge:\n"),
    ("lsusb | tail -n 1", "Bus 001 Device 001: ID 1d6b:0001 Linux Foundation 1.1 root hub\n"),
    ("journalctl --disk-usage", "Archived and active journals take up 24.0M in the file system.\n"),
    (
        "journalctl -u ssh | grep Accepted | tail -n 1 | cut -d: -f4-",
        " Accepted password for root from 198.51.100.23 port 51514 ssh2\n",
    ),
    (
        "timedatectl | sed -n 5,7p",
        "System clock synchronized: yes\n              NTP service: active\n          RTC in local TZ: no\n",
    ),
    ("timedatectl set-ntp true; echo $?", "0\n"),
    ("hostnamectl hostname", "<host>\n"),
    ("getconf _NPROCESSORS_CONF", "<cores>\n"),
    ("getconf -a | grep -c .", None),
    ("sysctl -n kernel.hostname", "<host>\n"),
    ("sysctl -a 2> /dev/null | grep '^kernel.osrelease'", "kernel.osrelease = <release>\n"),
    ("sysctl -N kernel.ostype", "kernel.ostype\n"),
    ("locale | head -n 3", 'LANG=\nLANGUAGE=\nLC_CTYPE="POSIX"\n'),
    (
        "vmstat | head -n 2 | tail -n 1",
        " r  b   swpd   free   buff  cache   si   so    bi    bo   in   cs us sy id wa st\n",
    ),
    ("vmstat 1 3 | wc -l", "5\n"),
    ("getpcaps 1", "1: =ep\n"),
    ("getcap -v /etc/passwd", "/etc/passwd\n"),
    ("setcap cap_net_raw+ep /bin/true; echo $?", "0\n"),
    ("taskset -p 1 | cut -d: -f1", "pid 1's current affinity mask\n"),
    ("taskset -c 0 unshare -n nsenter -t 1 -m flock /tmp/l -c 'echo in'", "in\n"),
]


def filled(text: str, known: dict[str, object]) -> str:
    """The text with the machine's facts for <names>."""
    return re.sub(r"<(\w+)>", lambda match: str(known.get(match[1], match[0])), text)


@pytest.mark.parametrize(("line", "expected"), EXACT, ids=[line[:60] for line, _ in EXACT])
def test_a_table_holds_the_machines_own_facts(server: Server, line: str, expected: str | None) -> None:
    known = facts(server)
    out = server.run("bash", "-c", filled(line, known))
    if expected is None:
        assert re.fullmatch(r"[1-9]\d*\n", out)
    else:
        assert out == filled(expected, known)
