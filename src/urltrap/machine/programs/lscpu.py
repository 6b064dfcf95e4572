"""lscpu and nproc: the processors."""

from __future__ import annotations

from urltrap.machine.api import Process, Run
from urltrap.machine.proc.sysfs import vulnerabilities
from urltrap.machine.programs._getopt import OptionError, getopt
from urltrap.machine.programs._system import gnu_usage
from urltrap.machine.programs.registry import program

_TITLES = {
    "itlb_multihit": "Itlb multihit", "l1tf": "L1tf", "mds": "Mds", "meltdown": "Meltdown",
    "mmio_stale_data": "Mmio stale data",
    "retbleed": "Retbleed", "spec_rstack_overflow": "Spec rstack overflow", "spec_store_bypass": "Spec store bypass",
    "spectre_v1": "Spectre v1", "spectre_v2": "Spectre v2", "srbds": "Srbds", "tsx_async_abort": "Tsx async abort",
}  # fmt: skip


def _cache(kilobytes: int, instances: int) -> str:
    total = kilobytes * instances
    size = (
        f"{total // 1024} MiB"
        if total >= 1024 and total % 1024 == 0
        else f"{total / 1024:.1f} MiB"
        if total >= 1024
        else f"{total} KiB"
    )
    return f"{size} ({instances} instance{'s' if instances > 1 else ''})"


@program("lscpu")
def lscpu(p: Process) -> Run:
    """Show the processors."""
    try:
        options, _ = getopt(
            p.argv[1:], "abBcC::de::hJp::s:VxyZ",
            {"all": "", "online": "", "bytes": "", "caches": "::", "extended": "::", "help": "", "json": "",
            "parse": "::",
             "version": "", "hex": "", "offline": "", "sysroot": ":", "physical": "", "output-all": ""},
        )  # fmt: skip
    except OptionError as error:
        return (yield from gnu_usage(p, error))
    given = {name for name, _ in options}
    cpu = p.persona.cpu
    if given & {"V", "--version"}:
        yield from p.out("lscpu from util-linux 2.38.1\n")
        return 0
    if given & {"p", "--parse"}:
        yield from p.out("# The following is the parsable format, which can be fed to other\n# programs. Each "
        "different item in every "
                         "column has an unique ID\n# starting usually from zero.\n# "
                         "CPU,Core,Socket,Node,,L1d,L1i,L2,L3\n")  # fmt: skip
        for number in range(cpu.count):
            yield from p.out(f"{number},{number},0,0,,{number},{number},{number},0\n")
        return 0
    if given & {"e", "--extended"}:
        yield from p.out("CPU NODE SOCKET CORE L1d:L1i:L2:L3 ONLINE\n")
        for number in range(cpu.count):
            yield from p.out(
                f"{number:>3}    0      0 {number:>4} {number}:{number}:{number}:0          yes\n"
            )
        return 0
    rows = _rows(p)
    if given & {"J", "--json"}:
        body = ",\n".join(
            f'      {{\n         "field": "{name.strip()}:",\n         "data": "{value}"\n      }}'
            for name, value in rows
        )
        yield from p.out('{\n   "lscpu": [\n' + body + "\n   ]\n}\n")
        return 0
    width = max(len(name) for name, _ in rows) + 1
    for name, value in rows:
        yield from p.out(f"{name + ':':<{width}} {value}\n")
    return 0


def _rows(p: Process) -> list[tuple[str, str]]:
    persona = p.persona
    cpu = persona.cpu
    every = "0" if cpu.count == 1 else f"0-{cpu.count - 1}" if cpu.count > 2 else "0,1"
    rows = [
        ("Architecture", persona.kernel.machine), ("  CPU op-mode(s)", "32-bit, 64-bit"),
        ("  Address sizes", f"{cpu.physical_bits} bits physical, {cpu.virtual_bits} bits virtual"),
        ("  Byte Order", "Little Endian" if cpu.byte_order == "little" else "Big Endian"), ("CPU(s)", str(cpu.count)),
        ("  On-line CPU(s) list", every), ("Vendor ID", cpu.vendor_id),
    ]  # fmt: skip
    if persona.dmi.sys_vendor in ("QEMU", "Hetzner", "OpenStack Foundation", "Alibaba Cloud"):
        rows.append(
            ("  BIOS Vendor ID", "QEMU" if persona.dmi.sys_vendor != "Alibaba Cloud" else "Alibaba Cloud")
        )
    rows.append(("  Model name", cpu.model_name))
    if len(rows) == 9:
        rows.append(("    BIOS Model name", f"{persona.dmi.product_version}  CPU @ 2.0GHz"))
    rows += [
        ("    CPU family", str(cpu.family)), ("    Model", str(cpu.model)),
        ("    Thread(s) per core", "1"), ("    Core(s) per socket", str(cpu.count // cpu.sockets)),
        ("    Socket(s)", str(cpu.sockets)), ("    Stepping", str(cpu.stepping)), ("    BogoMIPS",
        f"{cpu.bogomips:.2f}"),
        ("    Flags", " ".join(cpu.flags)), ("Virtualization features", ""),
    ]  # fmt: skip
    full = "VMware" if persona.hypervisor == "vmware" else "KVM"
    rows += [
        ("  Hypervisor vendor", full), ("  Virtualization type", "full"), ("Caches (sum of all)", ""),
        ("  L1d", _cache(cpu.l1d_kb, cpu.count)), ("  L1i", _cache(cpu.l1i_kb, cpu.count)),
        ("  L2", _cache(cpu.l2_kb, cpu.count)), ("  L3", _cache(cpu.l3_kb, cpu.sockets)), ("NUMA", ""),
        ("  NUMA node(s)", "1"), ("  NUMA node0 CPU(s)", every), ("Vulnerabilities", ""),
    ]  # fmt: skip
    rows += [(f"  {_TITLES[name]}", text) for name, text in vulnerabilities(persona).items()]
    if not p.is_tty(1):
        return _flat(rows)
    return rows


def _flat(rows: list[tuple[str, str]]) -> list[tuple[str, str]]:
    # Without a terminal lscpu prints one flat list with full names.
    out = []
    section = ""
    for name, value in rows:
        if not value and not name.startswith(" "):
            section = name
            continue
        plain = name.strip()
        if section.startswith("Caches"):
            plain += " cache"
        elif section == "Vulnerabilities":
            plain = f"Vulnerability {plain}"
        out.append((plain, value))
    return out


@program("nproc")
def nproc(p: Process) -> Run:
    """The number of processors."""
    try:
        options, operands = getopt(p.argv[1:], "", {"all": "", "ignore": ":", "help": "", "version": ""})
    except OptionError as error:
        return (yield from gnu_usage(p, error))
    if operands:
        return (yield from gnu_usage(p, f"extra operand '{operands[0]}'"))
    less = next((value for name, value in options if name == "--ignore"), "0")
    if not less.isdigit():
        yield from p.err(f"{p.argv[0]}: invalid number: '{less}'\n")
        return 1
    if any(name == "--version" for name, _ in options):
        yield from p.out("nproc (GNU coreutils) 9.1\n")
        return 0
    yield from p.out(f"{max(1, p.persona.cpu.count - int(less))}\n")
    return 0
