"""What a Debian server's own configuration says of it: names, accounts, file systems, network, boot files, keys."""

from __future__ import annotations

from collections.abc import Mapping

from urltrap.machine.image.tree import Tree
from urltrap.machine.persona import Persona
from urltrap.machine.persona.dice import Dice

_USR_MERGE = (("/bin", "usr/bin"), ("/sbin", "usr/sbin"), ("/lib", "usr/lib"), ("/lib64", "usr/lib64"))


def apply_system(tree: Tree, persona: Persona, host_keys: Mapping[str, bytes]) -> None:
    """Write the files that name the machine; `host_keys` are public key lines by algorithm ("ed25519", "rsa")."""
    short, full = persona.hostname, persona.fqdn
    tree.put("/etc/hostname", f"{short}\n")
    tree.put(
        "/etc/hosts",
        f"127.0.0.1\tlocalhost\n127.0.1.1\t{full}\t{short}\n\n"
        "# The following lines are desirable for IPv6 capable hosts\n"
        "::1     localhost ip6-localhost ip6-loopback\nff02::1 ip6-allnodes\nff02::2 ip6-allrouters\n",
    )
    tree.put("/etc/machine-id", f"{persona.machine_id}\n", 0o444)
    tree.link("/var/lib/dbus/machine-id", "/etc/machine-id")
    tree.put("/etc/issue", persona.issue)
    tree.put("/etc/issue.net", persona.distro_name.rpartition(" (")[0] + "\n")
    tree.put("/usr/lib/os-release", persona.os_release)
    tree.link("/etc/os-release", "../usr/lib/os-release")
    tree.put("/etc/motd", persona.motd)
    tree.put("/etc/timezone", f"{persona.timezone}\n")
    tree.link("/etc/localtime", f"/usr/share/zoneinfo/{persona.timezone}")
    tree.put("/etc/adjtime", "0.0 0 0.0\n0\nUTC\n")
    tree.put("/etc/default/locale", "LANG=en_US.UTF-8\n")
    tree.put("/etc/resolv.conf", _resolv(persona), mtime=persona.boot_time + 4)
    tree.put("/etc/network/interfaces", _interfaces(persona))
    tree.put("/etc/fstab", _fstab(persona))
    tree.put("/etc/apt/sources.list", "# See sources.list(5) for more information\n")
    for algorithm, line in host_keys.items():
        comment = b"" if line.rstrip().count(b" ") > 1 else b" root@" + short.encode()
        tree.put(f"/etc/ssh/ssh_host_{algorithm}_key.pub", line.rstrip() + comment + b"\n")
        tree.opaque(
            f"/etc/ssh/ssh_host_{algorithm}_key", {"ed25519": 411, "ecdsa": 513}.get(algorithm, 2610), 0o600
        )
    for path, target in _USR_MERGE:
        if path not in tree:
            tree.link(path, target)
    _accounts(tree, persona)
    _boot(tree, persona)
    _runtime(tree, persona)


def _resolv(persona: Persona) -> str:
    search = f"domain {persona.domain}\nsearch {persona.domain}\n" if persona.domain else ""
    return search + "".join(f"nameserver {server}\n" for server in persona.network.dns)


def _interfaces(persona: Persona) -> str:
    name = persona.primary.name
    head = (
        "# This file describes the network interfaces available on your system\n"
        "# and how to activate them. For more information, see interfaces(5).\n\n"
        "source /etc/network/interfaces.d/*\n\n# The loopback network interface\nauto lo\niface lo inet loopback\n\n"
        f"# The primary network interface\nallow-hotplug {name}\n"
    )
    if any(resident.comm == "dhclient" for resident in persona.residents):
        return head + f"iface {name} inet dhcp\n"
    servers = " ".join(persona.network.dns)
    return (
        f"{head}iface {name} inet static\n\taddress {persona.primary.address}/{persona.primary.prefix}\n"
        f"\tgateway {persona.network.gateway}\n"
        "\t# dns-* options are implemented by the resolvconf package, if installed\n"
        f"\tdns-nameservers {servers}\n"
    )


def _fstab(persona: Persona) -> str:
    if persona.kind == "cloud-small":
        parts = {part.mountpoint: part for disk in persona.disks for part in disk.partitions}
        return (
            f"PARTUUID={parts['/'].partuuid} / ext4 rw,discard,errors=remount-ro,x-systemd.growfs 0 1\n"
            f"PARTUUID={parts['/boot/efi'].partuuid} /boot/efi vfat defaults 0 0\n"
        )
    lines = [
        "# /etc/fstab: static file system information.",
        "#",
        "# Use 'blkid' to print the universally unique identifier for a",
        "# device; this may be used with UUID= as a more robust way to name devices",
        "# that works even if disks are added and removed. See fstab(5).",
        "#",
        "# systemd generates mount units based on this file, see systemd.mount(5).",
        "# Please run 'systemctl daemon-reload' after making changes here.",
        "#",
        "# <file system> <mount point>   <type>  <options>       <dump>  <pass>",
    ]
    for disk in persona.disks:
        for part in disk.partitions:
            if part.mountpoint == "/":
                lines.append(f"# / was on /dev/{part.name} during installation")
                lines.append(f"UUID={part.uuid} /               ext4    errors=remount-ro 0       1")
            elif part.fstype == "swap":
                lines.append(f"# swap was on /dev/{part.name} during installation")
                lines.append(f"UUID={part.uuid} none            swap    sw              0       0")
    lines.append("/dev/sr0        /media/cdrom0   udf,iso9660 user,noauto     0       0")
    return "\n".join(lines) + "\n"


def _accounts(tree: Tree, persona: Persona) -> None:
    root, *others = persona.users
    day = int(persona.installed // 86_400)
    passwd = tree.text("/etc/passwd").splitlines()
    passwd[0] = f"root:x:0:0:{root.gecos}:{root.home}:{root.login_shell}"
    passwd += [f"{u.name}:x:{u.uid}:{u.gid}:{u.gecos}:{u.home}:{u.login_shell}" for u in others]
    tree.put("/etc/passwd", "\n".join(passwd) + "\n")
    tree.put("/etc/passwd-", "\n".join(passwd[:-1]) + "\n")
    hashes = {user.name: user for user in persona.users}
    shadow = []
    for line in passwd:
        name = line.partition(":")[0]
        user = hashes.get(name)
        if user is not None:
            shadow.append(f"{name}:{user.password_hash}:{user.password_day}:0:99999:7:::")
        else:
            service = name.startswith(("systemd-", "polkitd", "messagebus", "sshd"))
            shadow.append(f"{name}:{'!:' if service else '*:'}{day}:{'' if service else '0'}:"
                          f"{'' if service else '99999'}:{'' if service else '7'}:::")  # fmt: skip
    tree.put("/etc/shadow", "\n".join(shadow) + "\n", 0o640, gid=42)
    tree.put("/etc/shadow-", "\n".join(shadow) + "\n", 0o640, gid=42)
    groups = []
    for line in tree.text("/etc/group").splitlines():
        name, _, rest = line.partition(":")
        members = [user.name for user in others if name in user.groups]
        known = [member for member in rest.rpartition(":")[2].split(",") if member]
        groups.append(f"{name}:{rest.rpartition(':')[0]}:{','.join(known + members)}")
    groups += [f"{user.name}:x:{user.gid}:" for user in others]
    tree.put("/etc/group", "\n".join(groups) + "\n")
    tree.put("/etc/group-", "\n".join(groups[:-1]) + "\n")
    lines = [f"{line.split(':')[0]}:{'*' if line.split(':')[2] < '999' else '!'}::{line.rpartition(':')[2]}"
             for line in groups]  # fmt: skip
    tree.put("/etc/gshadow", "\n".join(lines) + "\n", 0o640, gid=42)
    tree.put("/etc/subuid", "".join(f"{u.name}:{100_000 + 65_536 * n}:65536\n" for n, u in enumerate(others)))
    tree.put("/etc/subgid", "".join(f"{u.name}:{100_000 + 65_536 * n}:65536\n" for n, u in enumerate(others)))
    if persona.kind == "cloud-small" and others[0].name == "debian":
        tree.directory("/etc/sudoers.d", 0o750)
        tree.put(
            "/etc/sudoers.d/90-cloud-init-users",
            "# User rules for debian\ndebian ALL=(ALL) NOPASSWD:ALL\n",
            0o440,
        )


def _boot(tree: Tree, persona: Persona) -> None:
    dice = Dice(bytes.fromhex(persona.fingerprint), "boot")
    release, when = persona.kernel.release, persona.boot_time - 86_400
    cloud = persona.kind == "cloud-small"
    tree.opaque(
        f"/boot/vmlinuz-{release}", dice.number("kernel", 7_950_000, 8_350_000) // 32 * 32 + 16, mtime=when
    )
    tree.opaque(f"/boot/initrd.img-{release}", dice.number("initrd", 12_000_000, 16_000_000) if cloud
                else dice.number("initrd", 32_000_000, 41_000_000), mtime=when)  # fmt: skip
    tree.opaque(f"/boot/config-{release}", dice.number("config", 190_000, 260_000), mtime=when)
    tree.opaque(f"/boot/System.map-{release}", 83, mtime=when)
    tree.opaque("/boot/grub/grub.cfg", dice.number("grub", 6500, 8200), 0o444, mtime=when)
    tree.opaque("/boot/grub/grubenv", 1024, mtime=persona.installed)
    tree.directory(f"/usr/lib/modules/{release}", mtime=when)
    tree.directory(f"/usr/lib/modules/{release}/kernel", mtime=when)
    for name, size in (("modules.dep", 610_000), ("modules.alias", 1_340_000), ("modules.symbols", 590_000)):
        tree.opaque(f"/usr/lib/modules/{release}/{name}", size + dice.number(name, 0, 40_000), mtime=when)
    for name, target in (
        ("vmlinuz", f"boot/vmlinuz-{release}"),
        ("initrd.img", f"boot/initrd.img-{release}"),
    ):
        tree.link(f"/{name}", target, mtime=when)
        tree.link(f"/{name}.old", target, mtime=when)


def _runtime(tree: Tree, persona: Persona) -> None:
    for path, mode in (
        ("/dev", 0o755), ("/proc", 0o555), ("/sys", 0o555), ("/run", 0o755), ("/tmp", 0o1777), ("/var/tmp", 0o1777),
        ("/mnt", 0o755), ("/media", 0o755), ("/opt", 0o755), ("/srv", 0o755), ("/lost+found", 0o700),
        ("/run/lock", 0o1777), ("/run/systemd", 0o755), ("/run/sshd", 0o755), ("/run/user", 0o755), ("/run/user/0",
        0o700),
        ("/run/dbus", 0o755), ("/run/udev", 0o755), ("/run/network", 0o755),
    ):  # fmt: skip
        when = persona.boot_time + 3 if path.startswith(("/run", "/dev", "/proc", "/sys")) else 0
        tree.directory(path, mode, mtime=when)
    tree.directory("/media/cdrom0")
    tree.link("/media/cdrom", "cdrom0")
    tree.link("/var/run", "/run")
    tree.link("/var/lock", "/run/lock")
    boot = persona.boot_time + 5
    for comm, path in (
        ("sshd", "/run/sshd.pid"),
        ("cron", "/run/crond.pid"),
        ("dhclient", "/run/dhclient.pid"),
    ):
        for resident in persona.residents:
            if resident.comm == comm:
                tree.put(path, f"{resident.pid}\n", mtime=boot)
    tree.opaque("/run/utmp", 1152, 0o664, gid=43, mtime=boot)
    _devices(tree, persona)
    hashed = Dice(bytes.fromhex(persona.fingerprint), "tmp").hex("systemd", 32)
    for service in ("systemd-logind", "systemd-timesyncd"):
        tag = Dice(bytes.fromhex(hashed), service).letters(
            "tmp", 6, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
        )
        for base in ("/tmp", "/var/tmp"):
            name = f"{base}/systemd-private-{persona.boot_id.replace('-', '')}-{service}.service-{tag}"
            tree.directory(name, 0o700, mtime=boot)
            tree.directory(f"{name}/tmp", 0o1777, mtime=boot)


def _devices(tree: Tree, persona: Persona) -> None:
    boot = persona.boot_time
    for name, rdev, mode, gid in (
        ("null", (1, 3), 0o666, 0), ("zero", (1, 5), 0o666, 0), ("full", (1, 7), 0o666, 0), ("random", (1, 8), 0o666,
        0),
        ("urandom", (1, 9), 0o666, 0), ("tty", (5, 0), 0o666, 5), ("ptmx", (5, 2), 0o666, 5), ("console", (5, 1),
        0o600, 5),
        ("kmsg", (1, 11), 0o644, 0), ("mem", (1, 1), 0o640, 15), ("port", (1, 4), 0o640, 15), ("fuse", (10, 229),
        0o666, 0),
        ("hpet", (10, 228), 0o600, 0), ("rtc0", (251, 0), 0o600, 0), ("snapshot", (10, 231), 0o600, 0),
        ("uinput", (10, 223), 0o600, 0), ("vga_arbiter", (10, 63), 0o600, 0), ("loop-control", (10, 237), 0o660, 6),
        ("cpu_dma_latency", (10, 126), 0o600, 0), ("nvram", (10, 144), 0o600, 0), ("vcs", (7, 0), 0o660, 5),
        ("vcsa", (7, 128), 0o660, 5), ("watchdog", (10, 130), 0o600, 0),
    ):  # fmt: skip
        tree.device(f"/dev/{name}", "c", rdev, mode, gid=gid)
    for number in range(64):
        tree.device(f"/dev/tty{number}", "c", (4, number), 0o620, gid=5)
    for number in range(4):
        tree.device(f"/dev/ttyS{number}", "c", (4, 64 + number), 0o660, gid=20)
    for name, target in (
        ("fd", "/proc/self/fd"), ("stdin", "/proc/self/fd/0"), ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"), ("core", "/proc/kcore"), ("log", "/run/systemd/journal/dev-log"), ("rtc",
        "rtc0"),
    ):  # fmt: skip
        tree.link(f"/dev/{name}", target, mtime=boot)
    for name, mode in (
        ("pts", 0o755),
        ("shm", 0o1777),
        ("mqueue", 0o1777),
        ("hugepages", 0o755),
        ("disk", 0o755),
    ):
        tree.directory(f"/dev/{name}", mode, mtime=boot)
    for disk in persona.disks:
        tree.device(f"/dev/{disk.name}", "b", (disk.major, disk.minor), gid=6)
        for part in disk.partitions:
            tree.device(f"/dev/{part.name}", "b", (disk.major, part.minor), gid=6)
            if part.uuid:
                tree.link(f"/dev/disk/by-uuid/{part.uuid}", f"../../{part.name}", mtime=boot)
            if part.partuuid:
                tree.link(f"/dev/disk/by-partuuid/{part.partuuid}", f"../../{part.name}", mtime=boot)
