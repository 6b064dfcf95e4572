"""/proc/cpuinfo and /proc/stat, by processor kind."""

from __future__ import annotations

from urltrap.machine.fs.mounts import ProcessView
from urltrap.machine.persona import Persona
from urltrap.machine.proc import figures
from urltrap.machine.proc.interrupts import by_number


def cpuinfo(view: ProcessView) -> bytes:
    """/proc/cpuinfo in the layout of the persona's architecture."""
    persona = view.persona
    machine = persona.kernel.machine
    if machine == "x86_64":
        text = "".join(_x86(persona, number, view.now()) for number in range(persona.cpu.count))
    elif machine.startswith("arm"):
        text = _arm(persona)
    else:
        text = _mips(persona)
    return text.encode()


def _x86(persona: Persona, number: int, now: float) -> str:
    cpu = persona.cpu
    amd = cpu.vendor_id == "AuthenticAMD"
    rows = [
        ("processor", number), ("vendor_id", cpu.vendor_id), ("cpu family", cpu.family), ("model", cpu.model),
        ("model name", cpu.model_name), ("stepping", cpu.stepping), ("microcode", cpu.microcode),
        ("cpu MHz", f"{cpu.mhz:.3f}"), ("cache size", f"{cpu.l2_kb if amd else cpu.l3_kb or cpu.l2_kb} KB"),
        ("physical id", number // max(1, cpu.count // cpu.sockets)), ("siblings", cpu.count // cpu.sockets),
        ("core id", number % max(1, cpu.count // cpu.sockets)), ("cpu cores", cpu.count // cpu.sockets), ("apicid",
        number),
        ("initial apicid", number), ("fpu", "yes"), ("fpu_exception", "yes"), ("cpuid level", 16 if amd else 13),
        ("wp", "yes"), ("flags", " ".join(cpu.flags)), ("bugs", " ".join(cpu.bugs)), ("bogomips",
        f"{cpu.bogomips:.2f}"),
    ]  # fmt: skip
    if amd:
        rows.append(("TLB size", "1024 4K pages"))
    rows += [
        ("clflush size", 64), ("cache_alignment", 64),
        ("address sizes", f"{cpu.physical_bits} bits physical, {cpu.virtual_bits} bits virtual"), ("power management",
        ""),
    ]  # fmt: skip
    out = ""
    for name, value in rows:
        tabs = "\t" * (2 - min(2, len(name) // 8))
        out += f"{name}{tabs}:{f' {value}' if value != '' else ''}\n"
    return out + "\n"


def _mips(persona: Persona) -> str:
    cpu = persona.cpu
    out = f"system type\t\t: {cpu.system_type}\nmachine\t\t\t: {cpu.board}\n"
    for number in range(cpu.count):
        out += (
            f"processor\t\t: {number}\ncpu model\t\t: {cpu.model_name}\nBogoMIPS\t\t: {cpu.bogomips:.2f}\n"
            "wait instruction\t: yes\nmicrosecond timers\t: yes\ntlb_entries\t\t: 16\nextra interrupt vector\t: yes\n"
            "hardware watchpoint\t: yes, count: 4, address/irw mask: [0x0ffc, 0x0ffc, 0x0ffb, 0x0ffb]\n"
            "isa\t\t\t: mips1 mips2 mips32r1 mips32r2\nASEs implemented\t: mips16\n"
            "Options implemented\t: tlb 4kex 4k_cache prefetch mcheck ejtag llsc dc_aliases perf_cntr_intr_bit perf\n"
            "shadow register sets\t: 1\nkscratch registers\t: 0\npackage\t\t\t: 0\n"
            f"core\t\t\t: {number}\nVCED exceptions\t\t: not available\nVCEI exceptions\t\t: not available\n\n"
        )
    return out


def _arm(persona: Persona) -> str:
    cpu = persona.cpu
    out = ""
    for number in range(cpu.count):
        out += (
            f"processor\t: {number}\nmodel name\t: {cpu.model_name}\nBogoMIPS\t: {cpu.bogomips:.2f}\n"
            f"Features\t: {' '.join(cpu.flags)} \nCPU implementer\t: 0x41\nCPU architecture: 7\nCPU variant\t: 0x0\n"
            "CPU part\t: 0xc07\nCPU revision\t: 5\n\n"
        )
    return out + "Hardware\t: Generic DT based system\nRevision\t: 0000\nSerial\t\t: 0000000000000000\n"


def stat(view: ProcessView) -> bytes:
    """/proc/stat."""
    times = figures.cpu_times(view)
    count = view.persona.cpu.count
    lines = ["cpu  " + " ".join(map(str, times)) + " 0 0"]
    for number in range(count):
        share = [value // count for value in times]
        lines.append(f"cpu{number} " + " ".join(map(str, share)) + " 0 0")
    interrupts, numbered = by_number(view)
    running = max(1, sum(1 for row in view.processes() if row.state.startswith("R")))
    lines += [
        f"intr {interrupts} {' '.join(map(str, numbered))}",
        f"ctxt {int(interrupts * 1.9)}",
        f"btime {int(view.boot_time)}",
        f"processes {figures.forks(view)}",
        f"procs_running {running}",
        "procs_blocked 0",
        f"softirq {interrupts // 2} 0 {interrupts // 9} 2 {interrupts // 40} {interrupts // 60} 0 {interrupts // 300} "
        f"{interrupts // 8} 0 {interrupts // 5}",
    ]
    return ("\n".join(lines) + "\n").encode()
