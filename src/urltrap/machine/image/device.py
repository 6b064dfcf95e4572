"""A BusyBox device's tree: the applets as links, and the configuration of a small OpenWrt router."""

from __future__ import annotations

import json
from collections.abc import Iterable

from urltrap.machine.image.flashing import FIRSTBOOT, SYSUPGRADE
from urltrap.machine.image.record import Entry
from urltrap.machine.image.tree import Tree
from urltrap.machine.persona import Persona
from urltrap.machine.persona.dice import Dice
from urltrap.machine.persona.lan import station, switch_ports
from urltrap.machine.programs.busybox.usages import DEVICE_APPLETS

ARCHITECTURES = {"mips": "mips", "armv7l": "arm"}
_DAEMONS = (
    ("/sbin/procd", 57_361), ("/sbin/init", 36_901),
    ("/sbin/ubusd", 20_485), ("/bin/ubus", 12_303), ("/sbin/uci", 14_347), ("/sbin/netifd",
    151_553),
    ("/sbin/logd", 20_487), ("/sbin/urngd", 12_291), ("/sbin/askfirst", 7_192), ("/sbin/rpcd", 53_257),
    ("/usr/sbin/dropbear", 184_339), ("/usr/sbin/uhttpd", 49_161), ("/usr/sbin/hostapd", 413_713),
    ("/usr/sbin/odhcpd", 90_129),
    ("/usr/sbin/dnsmasq", 155_657), ("/bin/opkg", 131_081),
    ("/sbin/mtd", 24_589), ("/usr/sbin/nft", 12_301), ("/sbin/fw4", 1_694), ("/sbin/logread", 12_305),
    ("/lib/libubox.so.20220515", 36_885),
    ("/lib/libuci.so", 40_981), ("/lib/libubus.so.20220615", 36_889), ("/lib/libc.so", 597_349),
    ("/lib/libgcc_s.so.1", 131_101),
    ("/usr/lib/libnftables.so.1.1.0", 530_449),
)  # fmt: skip
_INIT = (
    "boot", "bootcount", "cron", "dnsmasq", "done", "dropbear", "firewall", "gpio_switch", "led", "log", "network",
    "odhcpd",
    "packet_steering", "rpcd", "sysctl", "sysfixtime", "sysntpd", "system", "telnet", "uhttpd", "umount", "urngd",
    "wpad",
)  # fmt: skip
_RC_COMMON = """\
#!/bin/sh

initscript=$1
action=${2:-help}
name=${initscript##*/}

case "$action" in
\tstart|stop|restart|reload|boot|shutdown|enable|disable) exit 0 ;;
\tenabled) [ -x "/etc/init.d/$name" ] ;;
\trunning) ps w | grep -q "[s]bin/$name " ;;
\tstatus)
\t\tif ps w | grep -q "[s]bin/$name "; then echo "running"; exit 0; fi
\t\techo "inactive"; exit 3 ;;
\t*)
\t\tcat <<EOF
Syntax: $initscript [command]

Available commands:
\tstart           Start the service
\tstop            Stop the service
\trestart         Restart the service
\treload          Reload configuration files (or restart if service does not implement reload)
\tenable          Enable service autostart
\tdisable         Disable service autostart
\tenabled         Check if service is started on boot
\trunning         Check if service is running
\tstatus          Service status
\ttrace           Start with syscall trace
\tinfo            Dump procd service info
EOF
\t\texit 1 ;;
esac
"""
"""What runs the scripts of /etc/init.d: its verbs, without the work of procd that would follow."""
_NO_INTERFACE = """\
ubus -S list "network.interface.$1" >/dev/null || {
\techo "Interface $1 not found"
\texit 1
}
"""
_SCRIPTS = {
    "/sbin/ifstatus": '#!/bin/sh\n[ -n "$1" ] || {\n\techo "Usage: $0 <interface>"\n\texit 1\n}\n\n'
    + _NO_INTERFACE
    + 'ubus call "network.interface.$1" status\n',
    "/sbin/ifup": '#!/bin/sh\n[ -n "$1" ] || {\n\techo "Usage: $0 [-a] <interface>"\n\texit 1\n}\n'
    '[ "$1" = -a ] && exit 0\n' + _NO_INTERFACE,
    "/sbin/wifi": '#!/bin/sh\ncase "${1:-up}" in\n\tstatus) ubus call network.wireless status ;;\n'
    '\tup|down|reload|config) ;;\n\t*) echo "Usage: $0 [config|up|down|reconf|reload|status|isup]"; exit 1 ;;\nesac\n',
    "/sbin/reload_config": "#!/bin/sh\nexit 0\n",
    "/sbin/sysupgrade": SYSUPGRADE,
    "/sbin/firstboot": FIRSTBOOT,
}
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
    known = {f"/{folder}/{name}" for name, folder in DEVICE_APPLETS.items()} | {"/bin/busybox"}
    tree = Tree((each for each in applets if each.path in known), arch=ARCHITECTURES[persona.kernel.machine])
    for path in sorted(known - tree.entries.keys()):
        tree.link(path, "busybox" if path.startswith("/bin/") else "/bin/busybox")
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
        ("/overlay", 0o755), ("/overlay/upper", 0o755), ("/overlay/work", 0o700), ("/overlay/work/work", 0o000),
        ("/root", 0o755), ("/www", 0o755), ("/etc/crontabs", 0o755),
        ("/etc/dropbear", 0o700), ("/tmp/run", 0o755), ("/tmp/lock", 0o700), ("/tmp/log", 0o755),
        ("/tmp/dhcp.leases.d", 0o755),
        ("/lib/firmware", 0o755), ("/usr/share", 0o755),
    ):  # fmt: skip
        tree.directory(path, mode, mtime=persona.boot_time + 20 if path.startswith(("/tmp", "/dev")) else 0)
    tree.link("/var", "tmp")
    tree.link("/tmp/resolv.conf", "/tmp/resolv.conf.d/resolv.conf.auto", mtime=persona.boot_time + 22)
    _configuration(tree, persona, dice)
    _started_scripts(tree)
    _changed_files(tree, persona)
    _devices(tree, persona)
    return tree


_ORDER = (
    "K10gpio_switch", "K50dropbear", "K85odhcpd", "K89log", "K90boot", "K90network", "K90sysfixtime", "K90umount",
    "S00sysfixtime", "S00urngd", "S10boot", "S10system", "S11sysctl", "S12log", "S12rpcd", "S19dnsmasq", "S19dropbear",
    "S19firewall", "S19wpad", "S20network", "S25packet_steering", "S35odhcpd", "S50cron", "S50telnet", "S50uhttpd",
    "S94gpio_switch", "S95done", "S96led", "S98sysntpd", "S99bootcount",
)  # fmt: skip
"""OpenWrt's links of the start and the stop, by the START= and STOP= of its scripts."""
_MADE = (
    "/etc/passwd",
    "/etc/shadow",
    "/etc/group",
    "/etc/config/",
    "/etc/dropbear/",
    "/etc/uhttpd.",
    "/etc/board.json",
)


def _started_scripts(tree: Tree) -> None:
    tree.directory("/etc/rc.d")
    for name in _ORDER:
        if f"/etc/init.d/{name[3:]}" in tree:
            tree.link(f"/etc/rc.d/{name}", f"../init.d/{name[3:]}")


def _changed_files(tree: Tree, persona: Persona) -> None:
    """What the first start made or changed lies in the upper layer, and is seen there as well."""
    for path, entry in list(tree.entries.items()):
        if path.startswith(_MADE) and entry.kind == "f":
            folder = path.rpartition("/")[0]
            while folder and f"/overlay/upper{folder}" not in tree:
                tree.directory(f"/overlay/upper{folder}", mtime=persona.boot_time + 20)
                folder = folder.rpartition("/")[0]
            tree.entries[f"/overlay/upper{path}"] = Entry(f"/overlay/upper{path}", "h", target=path)


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
    _packages(tree, persona, value)
    lan, wan = persona.network.interfaces[1], persona.network.interfaces[2]
    ports = "".join(f"\tlist ports '{name}'\n" for name in switch_ports(persona))
    guest = station(persona)
    tree.put("/tmp/dhcp.leases", f"0 {guest.mac} {guest.address} {guest.name} 01:{guest.mac}\n",
             mtime=persona.boot_time + 12_200)  # fmt: skip
    tree.put(
        "/etc/config/network",
        "\nconfig interface 'loopback'\n\toption device 'lo'\n\toption proto 'static'\n\toption ipaddr '127.0.0.1'\n"
        "\toption netmask '255.0.0.0'\n\nconfig device\n\toption name 'br-lan'\n\toption type 'bridge'\n"
        f"{ports}\nconfig interface 'lan'\n\toption device 'br-lan'\n\toption proto 'static'\n"
        f"\toption ipaddr '{lan.address}'\n\toption netmask '255.255.255.0'\n\toption ip6assign '60'\n\n"
        f"config interface 'wan'\n\toption device '{wan.name}'\n\toption proto 'dhcp'\n",
        mtime=persona.boot_time - 86_400 * 3,
    )
    tree.put(
        "/etc/config/system",
        f"\nconfig system\n\toption hostname '{persona.hostname}'\n\toption timezone 'UTC'\n\toption ttylogin '0'\n"
        "\toption log_size '64'\n\toption urandom_seed '0'\n",
    )
    tree.put(
        "/etc/config/dhcp",
        "\nconfig dnsmasq\n\toption domainneeded '1'\n\toption localise_queries '1'\n\toption rebind_protection '1'\n"
        "\toption local '/lan/'\n\toption domain 'lan'\n\toption expandhosts '1'\n\toption authoritative '1'\n"
        "\toption readethers '1'\n\toption leasefile '/tmp/dhcp.leases'\n\n"
        "config dhcp 'lan'\n\toption interface 'lan'\n"
        "\toption start '100'\n\toption limit '150'\n\toption leasetime 'infinite'\n\toption dhcpv4 'server'\n\n"
        "config dhcp 'wan'\n\toption interface 'wan'\n\toption ignore '1'\n",
    )
    tree.put(
        "/etc/config/firewall",
        "\nconfig defaults\n\toption syn_flood '1'\n\toption input 'ACCEPT'\n\toption output 'ACCEPT'\n"
        "\toption forward 'REJECT'\n\nconfig zone\n\toption name 'lan'\n\tlist network 'lan'\n\toption input 'ACCEPT'\n"
        "\toption output 'ACCEPT'\n\toption forward 'ACCEPT'\n\n"
        "config zone\n\toption name 'wan'\n\tlist network 'wan'\n"
        "\toption input 'ACCEPT'\n\toption output 'ACCEPT'\n\toption forward 'REJECT'\n\toption masq '1'\n"
        "\toption mtu_fix '1'\n\nconfig forwarding\n\toption src 'lan'\n\toption dest 'wan'\n",
    )
    tree.put(
        "/etc/config/uhttpd",
        "\nconfig uhttpd 'main'\n\tlist listen_http '0.0.0.0:80'\n\toption home '/www'\n\toption rfc1918_filter '1'\n"
        "\toption max_requests '3'\n\toption max_connections '100'\n\toption cgi_prefix '/cgi-bin'\n"
        "\toption script_timeout '60'\n\toption network_timeout '30'\n\toption http_keepalive '20'\n"
        "\toption tcp_keepalive '1'\n",
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
    tree.put("/etc/rc.common", _RC_COMMON, 0o755)
    for path, text in _SCRIPTS.items():
        tree.put(path, text, 0o755)
    board = persona.cpu.board
    identity = board.lower().replace(" ", ",", 1).replace(" ", "-")
    tree.put("/tmp/sysinfo/model", f"{board}\n", mtime=persona.boot_time + 9)
    tree.put("/tmp/sysinfo/board_name", f"{identity}\n", mtime=persona.boot_time + 9)
    tree.put("/tmp/TZ", "UTC\n", mtime=persona.boot_time + 12)
    tree.link("/etc/TZ", "/tmp/TZ")
    tree.put("/etc/device_info", "DEVICE_MANUFACTURER='OpenWrt'\nDEVICE_MANUFACTURER_URL='https://openwrt.org/'\n"
             "DEVICE_PRODUCT='Generic'\nDEVICE_REVISION='v0'\n")  # fmt: skip
    known = {"model": {"id": identity, "name": board},
             "network": {"lan": {"device": lan.name, "protocol": "static"},
                         "wan": {"device": wan.name, "protocol": "dhcp"}}}  # fmt: skip
    tree.put("/etc/board.json", json.dumps(known, indent="\t") + "\n")
    for name in _INIT:
        start = dice.number(name, 10, 99)
        script = f"#!/bin/sh /etc/rc.common\n\nSTART={start}\nUSE_PROCD=1\n\nstart_service() {{\n\t:\n}}\n"
        tree.put(f"/etc/init.d/{name}", script, 0o755)


_PACKAGES = (
    ("base-files", "1494-{revision}"), ("busybox", "1.35.0-5"), ("ca-bundle", "20211016-1"), ("dnsmasq", "2.86-16"),
    ("dropbear", "2022.82-2"), ("firewall4", "2022-10-18-7ae5e14b-1"), ("fstools", "2022-06-02-93369be0-2"),
    ("fwtool", "2019-11-12-8f7fe925-1"), ("getrandom", "2021-08-03-205defb5-2"), ("hostapd-common",
    "2022-01-16-cff80b4f-13.1"), ("jshn", "2022-05-15-d2223ef9-1"), ("jsonfilter", "2018-02-04-c7e938d6-1"),
    ("kernel", "{kernel}-1-{hash}"), ("kmod-cfg80211", "{kernel}+5.15.81-1-1"), ("kmod-mac80211",
    "{kernel}+5.15.81-1-1"), ("kmod-nf-conntrack", "{kernel}-1"), ("kmod-nft-core", "{kernel}-1"), ("kmod-ppp",
    "{kernel}-1"), ("libblobmsg-json20220515", "2022-05-15-d2223ef9-1"), ("libc", "1.2.3-4"), ("libgcc1", "11.2.0-4"),
    ("libjson-c5", "0.15-2"), ("libubox20220515", "2022-05-15-d2223ef9-1"), ("libubus20220615",
    "2022-06-15-9913aa61-1"), ("libuci20130104", "2021-10-22-f84f49f0-6"), ("logd", "2021-08-03-205defb5-2"), ("mtd",
    "26"), ("netifd", "2022-08-25-76d2d41b-1"), ("nftables-json", "1.0.2-2.1"), ("odhcp6c", "2022-08-05-7d21e8d8-18"),
    ("odhcpd-ipv6only", "2022-03-22-860ca900-1"), ("openwrt-keyring", "2022-03-25-62471e69-2"), ("opkg",
    "2022-02-24-d038e5b6-1"), ("ppp", "2.4.9.git-2021-01-04-3"), ("procd", "2022-06-01-7a009685-1"), ("swconfig", "12"),
    ("ubox", "2021-08-03-205defb5-2"), ("ubus", "2022-06-15-9913aa61-1"), ("ubusd", "2022-06-15-9913aa61-1"), ("uci",
    "2021-10-22-f84f49f0-6"), ("uhttpd", "2022-08-12-e3395cd9-1"), ("urandom-seed", "3"), ("urngd",
    "2020-01-21-c7f7b6b6-1"), ("usign", "2020-05-23-f1f65026-1"), ("wireless-regdb", "2022.08.12-1"),
    ("wpad-basic-wolfssl", "2022-01-16-cff80b4f-13.1"),
)  # fmt: skip
"""Packages of OpenWrt 22.03 as its manifests list them."""


def _packages(tree: Tree, persona: Persona, release: dict[str, str]) -> None:
    """opkg's own records; the feeds are those of whoever built the image."""
    target, arch = release["OPENWRT_BOARD"], release["OPENWRT_ARCH"]
    digest = Dice(bytes.fromhex(persona.fingerprint), "kernel").hex("config", 32)
    entries = []
    for name, version in _PACKAGES:
        shown = version.format(revision=release["BUILD_ID"], kernel=persona.kernel.release, hash=digest)
        of = target.replace("/", "_") if name.startswith(("kernel", "kmod")) else arch
        entries.append(f"Package: {name}\nVersion: {shown}\nStatus: install user installed\nArchitecture: {of}\n"
                       f"Installed-Time: {int(persona.installed)}\n")  # fmt: skip
    tree.put("/usr/lib/opkg/status", "\n".join(entries) + "\n")
    base = f"http://feeds.{persona.domain}/releases/{release['VERSION']}"
    feeds = [("core", f"targets/{target}/packages")]
    feeds += [
        (name, f"packages/{arch}/{name}") for name in ("base", "luci", "packages", "routing", "telephony")
    ]
    tree.put(
        "/etc/opkg/distfeeds.conf", "".join(f"src/gz openwrt_{name} {base}/{path}\n" for name, path in feeds)
    )
    tree.put("/etc/opkg/customfeeds.conf", "# add your custom package feeds here\n#\n")
    tree.put("/etc/opkg.conf", "dest root /\ndest ram /tmp\nlists_dir ext /var/opkg-lists\n"
             "option overlay_root /overlay\n"
             "option check_signature\n")  # fmt: skip


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
