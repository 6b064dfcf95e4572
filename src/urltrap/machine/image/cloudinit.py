"""What cloud-init leaves on an instance: its package, what it found out at the start, its logs, what it configured.

Formats as cloud-init 22.4.2 of Debian 12 writes them (cloudinit/cmd/main.py, cloudinit/sources/, cloudinit/netinfo.py).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime

from urltrap.machine.image.record import Entry
from urltrap.machine.image.tree import Tree
from urltrap.machine.persona import Persona, addressing
from urltrap.machine.persona.dice import Dice

VERSION = "22.4.2"
_SOURCES = {
    "Hetzner": ("hetzner", "DataSourceHetzner"),
    "OpenStack Foundation": ("openstack", "DataSourceOpenStackLocal [net,ver=2]"),
    "Alibaba Cloud": ("aliyun", "DataSourceAliYun"),
}
"""By the firmware's vendor: cloud-id's name, and the data source's."""
STAGES = (("init-local", 4.6), ("init", 7.9), ("modules:config", 11.4), ("modules:final", 12.9))
"""The stages with the seconds after the start at which they began."""
_LASTED = 0.7
_UNITS = ("cloud-init-local.service", "cloud-init.service", "cloud-config.service", "cloud-final.service")
INTERFACES_HEAD = """\
# This file is generated from information provided by the datasource.  Changes
# to it will not persist across an instance reboot.  To disable cloud-init's
# network configuration capabilities, write a file
# /etc/cloud/cloud.cfg.d/99-disable-network-config.cfg with the following:
# network: {config: disabled}
"""


def source_of(persona: Persona) -> tuple[str, str]:
    """cloud-id's name and the data source of an instance."""
    return _SOURCES.get(persona.dmi.sys_vendor, ("nocloud", "DataSourceNoCloud"))


def instance_id(persona: Persona) -> str:
    """The number or name under which the provider knows it."""
    dice = Dice(bytes.fromhex(persona.fingerprint), "cloud")
    name, _ = source_of(persona)
    if name == "hetzner":
        return str(dice.number("server", 21_000_000, 98_000_000))
    return f"i-{dice.hex('instance', 20)}" if name == "aliyun" else dice.uuid("instance")


def output_lines(persona: Persona, boot: float) -> list[tuple[float, str, str]]:
    """What the stages said at a start (unix seconds): seconds after it, the unit, the line."""
    out = []
    for (stage, at), unit in zip(STAGES, _UNITS, strict=True):
        when = datetime.fromtimestamp(boot + at, UTC)
        up = f"Cloud-init v. {VERSION} running '{stage}' at {when:%a, %d %b %Y %H:%M:%S +0000}. Up {at:.2f} seconds."
        out.append((at + 0.2, unit, up))
        if stage == "init":
            out += [(at + 0.3, unit, line) for line in _net_info(persona)]
        if stage == "modules:final":
            _, source = source_of(persona)
            done = datetime.fromtimestamp(boot + at + _LASTED, UTC)
            out.append((
                at + _LASTED, unit,
                f"Cloud-init v. {VERSION} finished at {done:%a, %d %b %Y %H:%M:%S +0000}. Datasource {source}.  "
                f"Up {at + _LASTED:.2f} seconds",
            ))  # fmt: skip
    return out


def _table(title: str, head: list[str], rows: list[list[str]]) -> list[str]:
    widths = [max(len(row[number]) for row in [head, *rows]) + 2 for number in range(len(head))]
    line = "+" + "+".join("-" * width for width in widths) + "+"
    body = ["|" + "|".join(f"{cell:^{width}}" for cell, width in zip(row, widths, strict=True)) + "|"
            for row in [head, *rows]]  # fmt: skip
    text = [f"ci-info: {title:+^{len(line)}}", f"ci-info: {line}", f"ci-info: {body[0]}", f"ci-info: {line}"]
    return [*text, *(f"ci-info: {row}" for row in body[1:]), f"ci-info: {line}"]


def _net_info(persona: Persona) -> list[str]:
    own, card = addressing(persona), persona.primary
    devices = [
        [card.name, "True", own.address, own.netmask, "global", card.mac],
        *([[card.name, "True", f"{card.link_local}/64", ".", "link", card.mac]] if card.link_local else []),
        ["lo", "True", "127.0.0.1", "255.0.0.0", "host", "."],
        ["lo", "True", "::1/128", ".", "host", "."],
    ]
    routes = [
        ["0", "0.0.0.0", own.gateway, "0.0.0.0", card.name, "UG"],
        ["1", own.network, "0.0.0.0", own.netmask, card.name, "U"],
    ]
    return [
        *_table("Net device info", ["Device", "Up", "Address", "Mask", "Scope", "Hw-Address"], devices),
        *_table(
            "Route IPv4 info", ["Route", "Destination", "Gateway", "Genmask", "Interface", "Flags"], routes
        ),
    ]


def apply_cloud_init(tree: Tree, persona: Persona, package: Iterable[Entry]) -> None:
    """Put the package and what it did into the tree of an instance."""
    boot, made = persona.boot_time, persona.installed
    for entry in package:
        if entry.kind == "d" and entry.path in tree:
            continue
        if entry.path.endswith(".status"):
            status = (
                tree.text("/var/lib/dpkg/status").rstrip("\n") + "\n\n" + (entry.data or b"").decode() + "\n"
            )
            tree.put("/var/lib/dpkg/status", status)
            continue
        tree.entries[entry.path] = entry
    for name in ("cloud-init", "cloud-id"):
        entry = tree.entries[f"/usr/bin/{name}"]
        entry.program = name
    for unit in (*_UNITS, "cloud-init-hotplugd.socket"):
        tree.link(
            f"/etc/systemd/system/cloud-init.target.wants/{unit}", f"/lib/systemd/system/{unit}", mtime=made
        )
    name, source = source_of(persona)
    tree.put("/etc/cloud/cloud.cfg.d/90_dpkg.cfg", "# to update this file, run dpkg-reconfigure cloud-init\n"
             "datasource_list: [ NoCloud, ConfigDrive, OpenNebula, DigitalOcean, Azure, AltCloud, OVF, MAAS, GCE, "
             "OpenStack, CloudSigma, SmartOS, Bigstep, Scaleway, AliYun, Ec2, CloudStack, Hetzner, IBMCloud, Oracle, "
             "Exoscale, RbxCloud, UpCloud, VMware, Vultr, LXD, NWCS, Akamai, None ]\n", mtime=made)  # fmt: skip
    tree.put(
        "/etc/network/interfaces.d/50-cloud-init",
        f"{INTERFACES_HEAD}auto lo\niface lo inet loopback\n\nauto {persona.primary.name}\n"
        f"iface {persona.primary.name} inet dhcp\n",
        mtime=boot + STAGES[0][1],
    )
    tree.put("/etc/network/interfaces", "# interfaces(5) file used by ifup(8) and ifdown(8)\n"
             "# Include files from /etc/network/interfaces.d:\nsource /etc/network/interfaces.d/*\n")  # fmt: skip
    _kept(tree, persona, name, source)
    _running(tree, persona, name, source)
    _logs(tree, persona)


def _result(source: str) -> str:
    return json.dumps({"v1": {"datasource": source, "errors": []}}, indent=1, sort_keys=True) + "\n"


def _status(persona: Persona, source: str) -> str:
    stages = {
        stage.replace("modules:", "modules-"): {
            "errors": [], "finished": round(persona.boot_time + at + _LASTED, 7),
            "start": round(persona.boot_time + at, 7),
        }
        for stage, at in STAGES
    }  # fmt: skip
    return (
        json.dumps({"v1": {"datasource": source, **stages, "stage": None}}, indent=1, sort_keys=True) + "\n"
    )


def _kept(tree: Tree, persona: Persona, name: str, source: str) -> None:
    boot, own, base = persona.boot_time, instance_id(persona), "/var/lib/cloud"
    when = boot + STAGES[0][1]
    for folder in ("", "/data", "/handlers", "/instances", "/scripts", "/seed", "/sem"):
        tree.directory(base + folder, mtime=when)
    for folder in ("per-boot", "per-instance", "per-once", "vendor"):
        tree.directory(f"{base}/scripts/{folder}", mtime=persona.installed)
    tree.link(f"{base}/instance", f"/var/lib/cloud/instances/{own}", mtime=when)
    for what, text in (("instance-id", own), ("previous-instance-id", own), ("previous-hostname", persona.fqdn),
                       ("previous-datasource", f"{source}: {source}"), ("python-version", "3.11")):  # fmt: skip
        tree.put(f"{base}/data/{what}", f"{text}\n", mtime=when)
    tree.put(f"{base}/data/result.json", _result(source), mtime=boot + STAGES[3][1] + _LASTED)
    tree.put(f"{base}/data/status.json", _status(persona, source), mtime=boot + STAGES[3][1] + _LASTED)
    tree.put(f"{base}/data/set-hostname", json.dumps(
        {"fqdn": persona.fqdn, "hostname": persona.hostname}, indent=1, sort_keys=True) + "\n", mtime=when)  # fmt: skip
    inside = f"{base}/instances/{own}"
    for folder in ("", "/handlers", "/scripts", "/sem"):
        tree.directory(inside + folder, mtime=when)
    tree.put(f"{inside}/datasource", f"{source}: {source}\n", mtime=when)
    tree.opaque(f"{inside}/obj.pkl", 7_412 + len(own), 0o400, mtime=when)
    for what in ("user-data.txt", "vendor-data.txt", "vendor-data2.txt", "cloud-config.txt", "vendor-cloud-config.txt",
                 "vendor2-cloud-config.txt"):  # fmt: skip
        tree.put(f"{inside}/{what}", "", 0o600, mtime=when)
    for what in ("user-data.txt.i", "vendor-data.txt.i", "vendor-data2.txt.i"):
        tree.opaque(f"{inside}/{what}", 308, 0o600, mtime=when)
    done = datetime.fromtimestamp(boot + STAGES[3][1] + _LASTED, UTC)
    up = STAGES[3][1] + _LASTED
    tree.put(f"{inside}/boot-finished", f"{up:.2f} - {done:%a, %d %b %Y %H:%M:%S +0000} - v. {VERSION}\n",
             mtime=boot + up)  # fmt: skip
    for module in ("config_apt_configure", "config_apt_pipelining", "config_growpart", "config_locale", "config_mounts",
                   "config_scripts_user", "config_scripts_vendor", "config_seed_random", "config_set_hostname",
                   "config_set_passwords", "config_ssh", "config_users_groups", "config_write_files",
                   "consume_data"):  # fmt: skip
        first = persona.installed + 9
        text = f"{400 + len(module)}: {first:.7f}\n"
        tree.put(f"{inside}/sem/{module}", text, mtime=first)


def _running(tree: Tree, persona: Persona, name: str, source: str) -> None:
    boot, base = persona.boot_time, "/run/cloud-init"
    tree.directory(base, mtime=boot + 2)
    tree.directory(f"{base}/sem", mtime=boot + 2)
    tree.put(f"{base}/enabled", "", mtime=boot + 2)
    tree.link(f"{base}/cloud-id", f"{base}/cloud-id-{name}", mtime=boot + STAGES[0][1])
    tree.put(f"{base}/cloud-id-{name}", f"{name}\n", mtime=boot + STAGES[0][1])
    kinds = {"hetzner": "Hetzner", "openstack": "OpenStack", "aliyun": "AliYun"}
    tree.put(
        f"{base}/cloud.cfg", f"datasource_list: [ {kinds.get(name, 'NoCloud')}, None ]\n", mtime=boot + 2
    )
    tree.put(f"{base}/instance-id", f"{instance_id(persona)}\n", mtime=boot + STAGES[0][1])
    tree.put(f"{base}/result.json", _result(source), mtime=boot + STAGES[3][1] + _LASTED)
    tree.put(f"{base}/status.json", _status(persona, source), mtime=boot + STAGES[3][1] + _LASTED)
    data = {
        "base64_encoded_keys": [], "ds": {"meta_data": {"instance-id": instance_id(persona),
                                                        "local-hostname": persona.fqdn}},
        "merged_cfg": "redacted for non-root user", "sensitive_keys": ["merged_cfg", "sys_info"],
        "v1": {"cloud_id": name, "cloud_name": name, "distro": "debian", "distro_release": "bookworm",
               "distro_version": "12", "instance_id": instance_id(persona), "kernel_release": persona.kernel.release,
               "local_hostname": persona.hostname, "machine": persona.kernel.machine, "platform": name,
               "python_version": "3.11.2", "system_platform":
               f"Linux-{persona.kernel.release}-{persona.kernel.machine}-with-glibc2.36"},
    }  # fmt: skip
    text = json.dumps(data, indent=1, sort_keys=True) + "\n"
    tree.put(f"{base}/instance-data.json", text, mtime=boot + STAGES[1][1])
    tree.put(f"{base}/instance-data-sensitive.json", text.replace("redacted for non-root user", "redacted"), 0o600,
             mtime=boot + STAGES[1][1])  # fmt: skip


def _logs(tree: Tree, persona: Persona) -> None:
    boot = persona.boot_time
    said = "".join(f"{line}\n" for _, _, line in output_lines(persona, boot))
    last = boot + STAGES[3][1] + _LASTED
    tree.put("/var/log/cloud-init-output.log", said, 0o640, gid=4, mtime=last)
    rows: list[tuple[float, str]] = []
    for stage, at in STAGES:
        module = stage.partition(":")[2]
        up = f"Cloud-init v. {VERSION} running '{stage}'"
        stamp = f"{datetime.fromtimestamp(boot + at, UTC):%a, %d %b %Y %H:%M:%S +0000}"
        rows += [
            (at, f"util.py[DEBUG]: {up} at {stamp}. Up {at:.2f} seconds."),
            (at + 0.01, "main.py[DEBUG]: No kernel command line url found."),
            (at + 0.02, "main.py[DEBUG]: Closing stdin."),
            (at + 0.03, "util.py[DEBUG]: Writing to /var/log/cloud-init.log - ab: [644] 0 bytes"),
        ]
        place = "/usr/lib/python3/dist-packages/cloudinit/config"
        for number, name in enumerate(_modules(module)):
            when = at + 0.1 + number * 0.03
            rows += [
                (when, f"modules.py[DEBUG]: Running module {name} (<module 'cloudinit.config.cc_{name}' from "
                       f"'{place}/cc_{name}.py'>) with frequency once-per-instance"),
                (when + 0.001, f"handlers.py[DEBUG]: start: {stage.replace(':', '-')}/config-{name}: running "
                               f"config-{name} with frequency once-per-instance"),
                (when + 0.002, f"helpers.py[DEBUG]: config-{name} already ran (freq=once-per-instance)"),
                (when + 0.003, f"handlers.py[DEBUG]: finish: {stage.replace(':', '-')}/config-{name}: SUCCESS: "
                               f"config-{name} previously ran"),
            ]  # fmt: skip
        took = f"cloud-init mode '{module or 'init'}' took {_LASTED - 0.1:.3f} seconds"
        ended = f"finish: {stage.replace(':', '-')}: SUCCESS: {_ended(stage)}"
        rows += [
            (at + _LASTED - 0.02, f"util.py[DEBUG]: {took}"),
            (at + _LASTED - 0.01, f"handlers.py[DEBUG]: {ended}"),
        ]
    text = "".join(f"{_stamp(boot + at)} - {line}\n" for at, line in rows)
    tree.put("/var/log/cloud-init.log", text, 0o640, gid=4, mtime=last)


def _modules(stage: str) -> tuple[str, ...]:
    return {
        "config": ("locale", "set_passwords", "apt_pipelining", "apt_configure"),
        "final": ("scripts_vendor", "scripts_per_once", "scripts_user", "ssh_authkey_fingerprints"),
    }.get(stage, ("growpart", "resizefs", "set_hostname", "users_groups", "ssh"))


def _ended(stage: str) -> str:
    if stage.startswith("modules"):
        return f"running modules for {stage.partition(':')[2]}"
    return f"searching for {'local' if stage == 'init-local' else 'network'} datasources"


def _stamp(when: float) -> str:
    return f"{datetime.fromtimestamp(int(when), UTC):%Y-%m-%d %H:%M:%S},{int(when % 1 * 1000):03d}"
