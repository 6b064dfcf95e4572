"""The processes that run since the start: kernel threads and services, as ps shows them on such a machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from urltrap.machine.persona.dice import Dice
from urltrap.machine.persona.model import Cpu, Listener, Resident


@dataclass(frozen=True, slots=True)
class Service:
    """A resident of user space; memory in KiB on a settled machine."""

    comm: str
    argv: tuple[str, ...]
    exe: str
    unit: str
    user: str = "root"
    uid: int = 0
    rss: int = 5000
    vsz: int = 15000
    cpu_per_day: float = 1.0
    state: str = "Ss"
    tty: str = "?"
    listens: tuple[tuple[str, str, int, int], ...] = ()


SERVER_SERVICES = (
    Service("systemd-journal", ("/lib/systemd/systemd-journald",), "/usr/lib/systemd/systemd-journald",
            "systemd-journald.service", rss=21800, vsz=41200, cpu_per_day=6, state="Ss"),
    Service("systemd-udevd", ("/lib/systemd/systemd-udevd",), "/usr/bin/udevadm", "systemd-udevd.service", rss=5900,
            vsz=25700, cpu_per_day=0.4),
    Service("systemd-timesyn", ("/lib/systemd/systemd-timesyncd",), "/usr/lib/systemd/systemd-timesyncd",
            "systemd-timesyncd.service", "systemd-timesync", 997, 6700, 90100, 0.9, "Ssl"),
    Service("cron", ("/usr/sbin/cron", "-f"), "/usr/sbin/cron", "cron.service", rss=2700, vsz=6600, cpu_per_day=0.9),
    Service("dbus-daemon", ("/usr/bin/dbus-daemon", "--system", "--address=systemd:", "--nofork", "--nopidfile",
            "--systemd-activation", "--syslog-only"), "/usr/bin/dbus-daemon", "dbus.service", "messagebus", 100, 4600,
            9120, 1.1),
    Service("qemu-ga", ("/usr/sbin/qemu-ga",), "/usr/bin/qemu-ga", "qemu-guest-agent.service", rss=4700, vsz=81700,
            cpu_per_day=4, state="Ssl"),
    Service("systemd-logind", ("/lib/systemd/systemd-logind",), "/usr/lib/systemd/systemd-logind",
            "systemd-logind.service", rss=8300, vsz=50300, cpu_per_day=1.6),
    Service("agetty", ("/sbin/agetty", "-o", "-p -- \\u", "--noclear", "-", "linux"), "/usr/sbin/agetty",
            "getty@tty1.service", rss=1050, vsz=5870, cpu_per_day=0, state="Ss+", tty="tty1"),
    Service("sshd", ("sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups",), "/usr/sbin/sshd", "ssh.service",
            rss=9200, vsz=15440, cpu_per_day=22, listens=(("tcp", "0.0.0.0", 22, 3), ("tcp6", "::", 22, 4))),
    Service("unattended-upgr", ("/usr/bin/python3", "/usr/share/unattended-upgrades/unattended-upgrade-shutdown",
            "--wait-for-signal"), "/usr/bin/python3.11", "unattended-upgrades.service", rss=22300, vsz=110180,
            cpu_per_day=0.1, state="Ssl"),
    Service("polkitd", ("/usr/lib/polkit-1/polkitd", "--no-debug"), "/usr/lib/polkit-1/polkitd", "polkit.service",
            "polkitd", 996, 9600, 234700, 0.3, "Ssl"),
)  # fmt: skip

TRIXIE_UIDS = {"systemd-timesync": 996, "messagebus": 995, "polkitd": 988}
"""The numbers that Debian 13 gives its service accounts (Debian 12's stand in the services)."""

DHCLIENT = Service(
    "dhclient", ("dhclient", "-4", "-v", "-i", "-pf", "/run/dhclient.{0}.pid", "-lf",
    "/var/lib/dhcp/dhclient.{0}.leases",
    "-I", "-df", "/var/lib/dhcp/dhclient6.{0}.leases", "{0}"), "/usr/sbin/dhclient", "networking.service", rss=3900,
    vsz=5880, cpu_per_day=0.1, listens=(("udp", "0.0.0.0", 68, 7),),
)  # fmt: skip

DEVICE_SERVICES = (
    Service("ubusd", ("/sbin/ubusd",), "/sbin/ubusd", "", "ubus", 81, 700, 1236, 0.4, "S"),
    Service("askfirst", ("/sbin/askfirst", "/usr/libexec/login.sh"), "/sbin/askfirst", "", rss=430, vsz=900,
            cpu_per_day=0, state="S"),
    Service("urngd", ("/sbin/urngd",), "/sbin/urngd", "", rss=520, vsz=1000, cpu_per_day=0.2, state="S"),
    Service("logd", ("/sbin/logd", "-S", "64"), "/sbin/logd", "", "logd", 514, 830, 1264, 0.3, "S"),
    Service("rpcd", ("/sbin/rpcd", "-s", "/var/run/ubus/ubus.sock", "-t", "30"), "/sbin/rpcd", "", rss=2100, vsz=3900,
            cpu_per_day=0.4, state="S"),
    Service("telnetd", ("/usr/sbin/telnetd", "-F", "-l", "/bin/login.sh"), "/bin/busybox", "", rss=540, vsz=1304,
            cpu_per_day=0.3, state="S", listens=(("tcp", "0.0.0.0", 23, 3),)),
    Service("dropbear", ("/usr/sbin/dropbear", "-F", "-P", "/var/run/dropbear.1.pid", "-p", "22", "-K", "300", "-T",
            "3"), "/usr/sbin/dropbear", "", rss=640, vsz=1152, cpu_per_day=3, state="S",
            listens=(("tcp", "0.0.0.0", 22, 3),)),
    Service("hostapd", ("/usr/sbin/hostapd", "-s", "-g", "/var/run/hostapd/global"), "/usr/sbin/hostapd", "",
            "network", 101, 3700, 4980, 2, "S"),
    Service("netifd", ("/sbin/netifd",), "/sbin/netifd", "", rss=1700, vsz=1864, cpu_per_day=1.5, state="S"),
    Service("odhcpd", ("/usr/sbin/odhcpd",), "/usr/sbin/odhcpd", "", rss=1000, vsz=1400, cpu_per_day=0.5, state="S"),
    Service("crond", ("/usr/sbin/crond", "-f", "-c", "/etc/crontabs", "-l", "5"), "/bin/busybox", "", rss=520, vsz=1304,
            cpu_per_day=0.1, state="S"),
    Service("uhttpd", ("/usr/sbin/uhttpd", "-f", "-h", "/www", "-r", "OpenWrt", "-x", "/cgi-bin", "-t", "60", "-T",
    "30",
            "-A", "1", "-n", "3", "-N", "100", "-p", "0.0.0.0:80"), "/usr/sbin/uhttpd", "", rss=1000, vsz=2700,
            cpu_per_day=0.6, state="S", listens=(("tcp", "0.0.0.0", 80, 3),)),
    Service("udhcpc", ("udhcpc", "-p", "/var/run/udhcpc-{0}.pid", "-s", "/lib/netifd/dhcp.script", "-f", "-t", "0",
    "-i",
            "{0}", "-x", "hostname:OpenWrt", "-C", "-R", "-O", "121"), "/bin/busybox", "", rss=620, vsz=1304,
            cpu_per_day=0.1, state="S"),
    Service("ntpd", ("/usr/sbin/ntpd", "-n", "-N", "-S", "/usr/sbin/ntpd-hotplug", "-p", "0.openwrt.pool.ntp.org", "-p",
            "1.openwrt.pool.ntp.org"), "/bin/busybox", "", rss=560, vsz=1304, cpu_per_day=0.5, state="S"),
    Service("dnsmasq", ("/usr/sbin/dnsmasq", "-C", "/var/etc/dnsmasq.conf.cfg01411c", "-k", "-x",
            "/var/run/dnsmasq/dnsmasq.cfg01411c.pid"), "/usr/sbin/dnsmasq", "", "dnsmasq", 453, 900, 1440, 1.5, "S",
            listens=(("udp", "0.0.0.0", 53, 4), ("tcp", "127.0.0.1", 53, 5))),
)  # fmt: skip

_HEAD_6_1 = (
    "kthreadd", "rcu_gp", "rcu_par_gp", "slub_flushwq", "netns", "", "kworker/0:0H-events_highpri", "", "mm_percpu_wq",
    "rcu_tasks_kthread", "rcu_tasks_rude_kthread", "rcu_tasks_trace_kthread", "ksoftirqd/0", "rcu_preempt",
    "migration/0", "", "cpuhp/0",
)  # fmt: skip
_HEAD_6_12 = (
    "kthreadd", "pool_workqueue_release", "kworker/R-rcu_gp", "kworker/R-sync_wq", "kworker/R-slub_flushwq",
    "kworker/R-netns", "", "kworker/0:0H-events_highpri", "", "", "kworker/R-mm_percpu_wq", "rcu_tasks_kthread",
    "rcu_tasks_rude_kthread", "rcu_tasks_trace_kthread", "ksoftirqd/0", "rcu_preempt",
    "rcu_exp_par_gp_kthread_worker/0",
    "rcu_exp_gp_kthread_worker", "migration/0", "idle_inject/0", "cpuhp/0",
)  # fmt: skip
_TAIL_6_1 = (
    "kdevtmpfs", "inet_frag_wq", "kauditd", "khungtaskd", "oom_reaper", "writeback", "kcompactd0", "ksmd", "khugepaged",
    "kintegrityd", "kblockd", "blkcg_punt_bio", "tpm_dev_wq", "edac-poller", "devfreq_wq", "kworker/0:1H-kblockd",
    "kswapd0", "", "kthrotld", "acpi_thermal_pm", "mld", "ipv6_addrconf", "", "kstrp", "", "zswap-shrink", "",
    "kworker/u{n}:0", "ata_sff", "scsi_eh_0", "scsi_tmf_0", "scsi_eh_1", "scsi_tmf_1",
)  # fmt: skip
_TAIL_6_12 = (
    "kdevtmpfs", "kworker/R-inet_frag_wq", "kauditd", "khungtaskd", "oom_reaper", "kworker/R-writeback", "kcompactd0",
    "ksmd", "khugepaged", "kworker/R-kintegrityd", "kworker/R-kblockd", "kworker/R-blkcg_punt_bio",
    "irq/9-acpi", "kworker/R-tpm_dev_wq", "kworker/R-edac-poller", "kworker/R-devfreq_wq", "kworker/0:1H-kblockd",
    "kswapd0", "", "kworker/R-kthrotld", "kworker/R-acpi_thermal_pm", "", "kworker/R-mld", "kworker/R-ipv6_addrconf",
    "",
    "kworker/R-kstrp", "", "kworker/u{n}:0", "kworker/R-ata_sff", "scsi_eh_0", "kworker/R-scsi_tmf_0", "scsi_eh_1",
    "kworker/R-scsi_tmf_1",
)  # fmt: skip
_DEVICE_THREADS = (
    "kthreadd", "rcu_gp", "rcu_par_gp", "", "kworker/0:0H-ev", "", "mm_percpu_wq", "rcu_tasks_trace", "ksoftirqd/0",
    "rcu_sched", "migration/0", "cpuhp/0", "kdevtmpfs", "", "netns", "oom_reaper", "writeback", "kcompactd0",
    "pencrypt_serial",
    "pdecrypt_serial", "kblockd", "blkcg_punt_bio", "kworker/0:1H-kb", "kswapd0", "kthrotld", "spi0", "mld",
    "ipv6_addrconf",
    "jffs2_gcd_mtd3", "cfg80211",
)  # fmt: skip
# Threads whose work is a work queue's rescuer: they show as idle with a raised priority ("I<").
_IDLE = ("rcu_gp", "rcu_par_gp", "netns", "kworker", "_wq", "writeback", "kintegrityd", "kblockd", "blkcg_punt_bio",
         "edac-poller", "kthrotld", "acpi_thermal_pm", "mld", "ipv6_addrconf", "kstrp", "zswap-shrink", "ata_sff",
         "scsi_tmf", "ext4-rsv", "slub_flush", "rcu_tasks", "rcu_preempt", "pencrypt", "pdecrypt",
         "cfg80211")  # fmt: skip


def _thread_state(name: str) -> tuple[str, int]:
    if name.startswith(("rcu_tasks", "rcu_preempt", "rcu_sched")):
        return "I", 0
    if name.startswith("kworker") and "R-" not in name and "H" not in name.partition("-")[0]:
        return "I", 0
    if any(mark in name for mark in _IDLE):
        return "I<", -20
    if name == "khugepaged":
        return "SN", 19
    if name == "ksmd":
        return "SN", 5
    return "S", 0


def kernel_threads(
    dice: Dice, cpu: Cpu, release: str, root_device: str, days: float, recent_pid: int
) -> list[Resident]:
    """The kernel's threads, pid 2 first; `recent_pid` is about where process ids stand now (for fresh workers)."""
    modern = release.startswith("6.12")
    if release.startswith("5."):
        names = list(_DEVICE_THREADS)
    else:
        names = list(_HEAD_6_12 if modern else _HEAD_6_1)
        for number in range(1, cpu.count):
            names += [f"cpuhp/{number}"]
            names += [f"idle_inject/{number}"] if modern else []
            names += [f"migration/{number}", f"ksoftirqd/{number}", "", f"kworker/{number}:0H-events_highpri"]
        names += [name.replace("{n}", str(cpu.count)) for name in (_TAIL_6_12 if modern else _TAIL_6_1)]
        names += [""] * dice.number("gap", 3, 30)
        names += [f"jbd2/{root_device}-8", "kworker/R-ext4-rsv-conversion" if modern else "ext4-rsv-conver"]
    busy = {"rcu_preempt": 9.0, "rcu_sched": 9.0, "ksoftirqd/0": 1.5, "kcompactd0": 0.8, "kauditd": 0.1}
    out = []
    for offset, name in enumerate(names):
        if not name:
            continue
        state, nice = _thread_state(name)
        rate = busy.get(
            name, 3.0 if name.startswith("jbd2") else 0.4 if name.startswith("migration") else 0.0
        )
        out.append(
            Resident(
                pid=2 + offset,
                ppid=0 if offset == 0 else 2,
                comm=name,
                state=state,
                nice=nice,
                cpu=rate * days,
            )
        )
    if not release.startswith("5."):
        out += _fresh_workers(dice, cpu, days, recent_pid)
    return out


def _fresh_workers(dice: Dice, cpu: Cpu, days: float, recent_pid: int) -> list[Resident]:
    # Unbound and per-CPU workers come and go: their ids are near the newest ones.
    kinds = ("events_unbound", "events_power_efficient", "flush-8:0", "writeback", "ext4-rsv-conversion")
    out, pid = [], recent_pid
    for number in range(cpu.count):
        for slot, work in enumerate(("events", "mm_percpu_wq")):
            pid -= dice.number(f"worker {number}.{slot}", 2, 60)
            after = days * 86400 - dice.number(f"worker age {number}.{slot}", 200, 9000)
            out.append(
                Resident(pid=pid, ppid=2, comm=f"kworker/{number}:{slot + 1}-{work}", state="I", after=after)
            )
    for slot in range(2):
        pid -= dice.number(f"unbound {slot}", 2, 60)
        work = dice.choice(f"unbound work {slot}", kinds)
        after = days * 86400 - dice.number(f"unbound age {slot}", 200, 9000)
        out.append(
            Resident(pid=pid, ppid=2, comm=f"kworker/u{cpu.count * 2}:{slot}-{work}", state="I", after=after)
        )
    return out


def service_processes(
    dice: Dice,
    services: tuple[Service, ...],
    first: int,
    days: float,
    interface: str,
    uids: Mapping[str, int] | None = None,
) -> tuple[list[Resident], list[Listener]]:
    """The services' processes from pid `first` on, and their sockets; `uids` where numbers are unusual."""
    uids = uids or {}
    pid, inode = first, dice.number("inode", 11_000, 18_000)
    processes: list[Resident] = []
    listeners: list[Listener] = []
    for service in services:
        pid += dice.number(f"pid {service.comm}", 1, 14 if "udev" not in service.comm else 40)
        scale = dice.real(f"rss {service.comm}", 0.92, 1.1)
        processes.append(
            Resident(
                pid=pid,
                ppid=1,
                comm=service.comm,
                argv=tuple(word.replace("{0}", interface) for word in service.argv),
                exe=service.exe,
                user=service.user,
                uid=uids.get(service.user, service.uid),
                state=service.state,
                rss_kb=int(service.rss * scale) // 4 * 4,
                vsz_kb=service.vsz // 4 * 4,
                cpu=round(service.cpu_per_day * days * dice.real(f"cpu {service.comm}", 0.6, 1.5), 2),
                after=round(dice.real(f"start {service.comm}", 3.0, 9.0), 2),
                tty=service.tty,
                unit=service.unit,
            )
        )
        for protocol, address, port, fd in service.listens:
            inode += dice.number(f"inode {service.comm} {protocol}", 3, 700)
            listeners.append(
                Listener.model_validate(
                    {"protocol": protocol, "address": address, "port": port, "pid": pid, "fd": fd, "inode": inode,
                     "uid": service.uid}
                )
            )  # fmt: skip
    return processes, listeners
