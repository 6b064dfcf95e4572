"""A BusyBox device's tree: the applets as links, and the configuration of a small OpenWrt router."""

from __future__ import annotations

from collections.abc import Iterable

from urltrap.machine.image.record import Entry
from urltrap.machine.image.tree import Tree
from urltrap.machine.persona import Persona
from urltrap.machine.persona.dice import Dice

ARCHITECTURES = {"mips": "mips", "armv7l": "arm"}
_DAEMONS = (
    ("/sbin/procd", 57_361), ("/sbin/ubusd", 20_485), ("/bin/ubus", 12_303), ("/sbin/uci", 14_347), ("/sbin/netifd",
    151_553),
    ("/sbin/logd", 20_487), ("/sbin/urngd", 12_291), ("/sbin/askfirst", 7_192), ("/sbin/rpcd", 53_257),
    ("/usr/sbin/dropbear", 184_339), ("/usr/sbin/uhttpd", 49_161), ("/usr/sbin/hostapd", 413_713),
    ("/usr/sbin/odhcpd", 90_129),
    ("/usr/sbin/dnsmasq", 155_657), ("/usr/sbin/iw", 69_641), ("/bin/opkg", 131_081), ("/usr/sbin/telnetd", 12_419),
    ("/sbin/mtd", 24_589), ("/usr/sbin/nft", 12_301), ("/usr/bin/jsonfilter", 16_397), ("/lib/libubox.so.20220515",
    36_885),
    ("/lib/libuci.so", 40_981), ("/lib/libubus.so.20220615", 36_889), ("/lib/libc.so", 597_349),
    ("/lib/libgcc_s.so.1", 131_101),
    ("/usr/lib/libnftables.so.1.1.0", 530_449), ("/bin/passwd", 16_421), ("/usr/bin/crontab", 12_321),
)  # fmt: skip
_INIT = (
    "boot", "bootcount", "cron", "dnsmasq", "done", "dropbear", "firewall", "gpio_switch", "led", "log", "network",
    "odhcpd",
    "packet_steering", "rpcd", "sysctl", "sysfixtime", "sysntpd", "system", "telnet", "uhttpd", "umount", "urngd",
    "wpad",
)  # fmt: skip
_PROFILE = """\
#!/bin/sh
[ -f /etc/banner ] && cat /etc/banner
[ -e /tmp/.failsafe ] && cat /etc/banner.failsafe

export PATH="/usr/sbin:/usr/bin:/sbin:/bin"
export HOME=$(grep -e "^${USER:-root}:" /etc/passwd | cut -d ":" -f 6)
export HOME=${HOME:-/root}
export PS1='\\u@\\h:\\w\\$ '
export ENV=/etc/shinit

case "$TERM" in
\txterm*|rxvt*)
\t\texport PS1='\\[\\e]0;\\u@\\h: \\w\\a\\]'$PS1
\t\t;;
esac
"""
_PASSWD = """\
root:x:0:0:root:/root:/bin/ash
daemon:*:1:1:daemon:/var:/bin/false
ftp:*:55:55:ftp:/home/ftp:/bin/false
network:*:101:101:network:/var:/bin/false
nobody:*:65534:65534:nobody:/var:/bin/false
ntp:x:123:123:ntp:/var/run/ntp:/bin/false
dnsmasq:x:453:453:dnsmasq:/var/run/dnsmasq:/bin/false
logd:x:514:514:logd:/var/run/logd:/bin/false
ubus:x:81:81:ubus:/var/run/ubus:/bin/false
"""
_GROUP = """\
root:x:0:
daemon:x:1:
adm:x:4:
mail:x:8:
dialout:x:20:
audio:x:29:
www-data:x:33:
ftp:x:55:
users:x:100:
network:x:101:
nogroup:x:65534:
ntp:x:123:ntp
dnsmasq:x:453:dnsmasq
logd:x:514:logd
ubus:x:81:ubus
"""


def device_tree(applets: Iterable[Entry], persona: Persona) -> Tree:
    """The tree of a device: `applets` are the recorded links to /bin/busybox and the program itself."""
    tree = Tree(applets, arch=ARCHITECTURES[persona.kernel.machine])
    dice = Dice(bytes.fromhex(persona.fingerprint), "device")
    busybox = tree.entries["/bin/busybox"]
    busybox.size = dice.number("busybox size", 330_000, 440_000) // 16 * 16 + 1
    busybox.mode = 0o755
    for path, size in _DAEMONS:
        if path not in tree:
            tree.executable(path, size, path.rpartition("/")[2])
    tree.link("/bin/ash", "busybox")
    tree.link("/bin/sh", "busybox")
    loader = "ld-musl-mips-sf.so.1" if persona.kernel.machine == "mips" else "ld-musl-armhf.so.1"
    tree.link(f"/lib/{loader}", "libc.so")
    for path, mode in (
        ("/dev", 0o755), ("/proc", 0o555), ("/sys", 0o555), ("/tmp", 0o1777), ("/mnt", 0o755), ("/rom", 0o755),
        ("/overlay", 0o755), ("/overlay/upper", 0o755), ("/root", 0o755), ("/www", 0o755), ("/etc/crontabs", 0o755),
        ("/etc/dropbear", 0o700), ("/tmp/run", 0o755), ("/tmp/lock", 0o700), ("/tmp/log", 0o755),
        ("/tmp/dhcp.leases.d", 0o755),
        ("/lib/firmware", 0o755), ("/usr/share", 0o755),
    ):  # fmt: skip
        tree.directory(path, mode, mtime=persona.boot_time + 20 if path.startswith(("/tmp", "/dev")) else 0)
    tree.link("/var", "tmp")
    tree.link("/tmp/resolv.conf", "/tmp/resolv.conf.d/resolv.conf.auto", mtime=persona.boot_time + 22)
    _configuration(tree, persona, dice)
    _devices(tree, persona)
    return tree


def _configuration(tree: Tree, persona: Persona, dice: Dice) -> None:
    root = persona.users[0]
    release = dict(line.split("=", 1) for line in persona.os_release.splitlines())
    value = {key: text.strip('"') for key, text in release.items()}
    tree.put("/etc/passwd", _PASSWD)
    tree.put("/etc/group", _GROUP)
    names = [line.partition(":")[0] for line in _PASSWD.splitlines()][1:]
    tree.put("/etc/shadow", f"root:{root.password_hash}:{int(persona.boot_time // 86_400) - 40}:0:99999:7:::\n"
             + "".join(f"{name}:*:0:0:99999:7:::\n" for name in names), 0o600)  # fmt: skip
    tree.put("/etc/banner", persona.motd)
    tree.put("/etc/profile", _PROFILE)
    tree.put("/etc/shells", "/bin/ash\n")
    tree.put("/etc/hosts", "127.0.0.1 localhost\n\n::1     localhost ip6-localhost ip6-loopback\n"
             "ff02::1 ip6-allnodes\nff02::2 ip6-allrouters\n")  # fmt: skip
    tree.link("/etc/resolv.conf", "/tmp/resolv.conf")
    tree.put("/tmp/resolv.conf.d/resolv.conf.auto", f"# Interface wan\nnameserver {persona.network.gateway}\n",
             mtime=persona.boot_time + 22)  # fmt: skip
    tree.put("/usr/lib/os-release", persona.os_release)
    tree.link("/etc/os-release", "../usr/lib/os-release")
    tree.put("/etc/openwrt_version", f"{value['BUILD_ID']}\n")
    tree.put(
        "/etc/openwrt_release",
        f"DISTRIB_ID='OpenWrt'\nDISTRIB_RELEASE='{value['VERSION']}'\nDISTRIB_REVISION='{value['BUILD_ID']}'\n"
        f"DISTRIB_TARGET='{value['OPENWRT_BOARD']}'\nDISTRIB_ARCH='{value['OPENWRT_ARCH']}'\n"
        f"DISTRIB_DESCRIPTION='{value['OPENWRT_RELEASE']}'\nDISTRIB_TAINTS=''\n",
    )
    lan, wan = persona.network.interfaces[1], persona.network.interfaces[2]
    tree.put(
        "/etc/config/network",
        "\nconfig interface 'loopback'\n\toption device 'lo'\n\toption proto 'static'\n\toption ipaddr '127.0.0.1'\n"
        "\toption netmask '255.0.0.0'\n\nconfig device\n\toption name 'br-lan'\n\toption type 'bridge'\n"
        "\tlist ports 'eth0.1'\n\nconfig interface 'lan'\n\toption device 'br-lan'\n\toption proto 'static'\n"
        f"\toption ipaddr '{lan.address}'\n\toption netmask '255.255.255.0'\n\toption ip6assign '60'\n\n"
        f"config interface 'wan'\n\toption device '{wan.name}'\n\toption proto 'dhcp'\n",
        mtime=persona.boot_time - 86_400 * 3,
    )
    tree.put(
        "/etc/config/system",
        f"\nconfig system\n\toption hostname '{persona.hostname}'\n\toption timezone 'UTC'\n\toption ttylogin '0'\n"
        "\toption log_size '64'\n\toption urandom_seed '0'\n",
    )
    tree.put("/etc/config/dropbear", "config dropbear\n\toption PasswordAuth 'on'\n\toption RootPasswordAuth 'on'\n"
             "\toption Port         '22'\n")  # fmt: skip
    tree.put(
        "/etc/config/wireless",
        _wireless(dice, persona.kernel.machine == "mips"),
        mtime=persona.boot_time - 86_400 * 3,
    )
    tree.put("/etc/inittab", "::sysinit:/etc/init.d/rcS S boot\n::shutdown:/etc/init.d/rcS K shutdown\n"
             f"{_console(persona)}::askfirst:/usr/libexec/login.sh\n")  # fmt: skip
    tree.put("/etc/rc.local", "# Put your custom commands here that should be executed once\n"
             "# the system init finished. By default this file does nothing.\n\nexit 0\n")  # fmt: skip
    tree.put(
        "/etc/shinit",
        "alias ll='ls -alF --color=auto'\n\n[ -z \"$KSH_VERSION\" -o \\! -s /etc/mkshrc ] || . /etc/mkshrc\n",
    )
    tree.put("/bin/login.sh", "#!/bin/sh\nexec /bin/login\n", 0o755)
    tree.put("/usr/libexec/login.sh", "#!/bin/sh\n\n[ \"$(uci -q get system.@system[0].ttylogin)\" = 1 ] || "
             "exec /bin/ash --login\n\nexec /bin/login\n", 0o755)  # fmt: skip
    tree.put("/www/index.html",
    "<!DOCTYPE html>\n<html><head>\n<meta http-equiv=\"refresh\" content=\"0; URL=cgi-bin/luci/\" />\n"
             "</head>\n<body></body></html>\n")  # fmt: skip
    tree.opaque("/etc/dropbear/dropbear_ed25519_host_key", 83, 0o600)
    tree.opaque("/etc/dropbear/dropbear_rsa_host_key", 805, 0o600)
    for name in _INIT:
        start = dice.number(name, 10, 99)
        script = f"#!/bin/sh /etc/rc.common\n\nSTART={start}\nUSE_PROCD=1\n\nstart_service() {{\n\t:\n}}\n"
        tree.put(f"/etc/init.d/{name}", script, 0o755)


def _console(persona: Persona) -> str:
    return "ttyS0" if persona.kernel.machine == "mips" else "ttyMSM0"


def _wireless(dice: Dice, mips: bool) -> str:
    path = "platform/ahb/18100000.wmac" if mips else "platform/soc/a000000.wifi"
    return (
        f"\nconfig wifi-device 'radio0'\n\toption type 'mac80211'\n\toption path '{path}'\n"
        f"\toption channel '{dice.choice('channel', (1, 6, 11))}'\n\toption band '2g'\n\toption htmode 'HT20'\n\n"
        "config wifi-iface 'default_radio0'\n\toption device 'radio0'\n\toption network 'lan'\n\toption mode 'ap'\n"
        f"\toption ssid 'home-{dice.hex('ssid', 4)}'\n\toption encryption 'psk2'\n"
        f"\toption key '{dice.letters('key', 12, 'abcdefghijkmnpqrstuvwxyz23456789')}'\n"
    )


def _devices(tree: Tree, persona: Persona) -> None:
    for name, rdev, mode in (
        ("null", (1, 3), 0o666), ("zero", (1, 5), 0o666), ("full", (1, 7), 0o666), ("random", (1, 8), 0o666),
        ("urandom", (1, 9), 0o666), ("tty", (5, 0), 0o666), ("ptmx", (5, 2), 0o666), ("console", (5, 1), 0o600),
        ("kmsg", (1, 11), 0o600),
        (_console(persona), (4, 64) if persona.kernel.machine == "mips" else (238, 0), 0o600),
        ("watchdog", (10, 130), 0o600),
    ):  # fmt: skip
        tree.device(f"/dev/{name}", "c", rdev, mode)
    for name, target in (("fd", "/proc/self/fd"), ("stdin", "/proc/self/fd/0"), ("stdout", "/proc/self/fd/1"),
                         ("stderr", "/proc/self/fd/2"), ("log", "/var/run/ubus/log.sock"), ("shm",
                         "/tmp/shm")):  # fmt: skip
        tree.link(f"/dev/{name}", target, mtime=persona.boot_time)
    tree.directory("/dev/pts", 0o755, mtime=persona.boot_time)
    tree.directory("/tmp/shm", 0o1777, mtime=persona.boot_time)
    for disk in persona.disks:
        tree.device(f"/dev/{disk.name}", "b", (disk.major, disk.minor), 0o600)
        tree.device(f"/dev/mtd{disk.minor}", "c", (90, disk.minor * 2), 0o600)
