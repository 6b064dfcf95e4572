"""/proc/interrupts: the lines of the hardware that the persona has, counted since the start."""

from __future__ import annotations

from collections.abc import Iterator

from urltrap.machine.fs.mounts import ProcessView
from urltrap.machine.persona import Persona
from urltrap.machine.proc import figures
from urltrap.machine.proc.pci import is_q35

Row = tuple[str, str, float]
"""Name, what stands behind the counts, interrupts a second on each processor."""


def interrupts(view: ProcessView) -> bytes:
    """The file's text; an interrupt that has one processor counts on that one alone."""
    persona = view.persona
    count = persona.cpu.count
    arm = persona.kernel.machine.startswith("arm")
    out = ["           " + "".join(f"{f'CPU{number}':<11}" for number in range(count)).rstrip() + "       \n"]
    for name, text, counts in counted(view):
        cells = "".join(f"{each:>10} " for each in counts)
        out.append(f"{name:>{4 if arm or persona.is_server else 3}}:{cells}{text}\n")
    out.append(f"{'Err' if arm else 'ERR':>{4 if arm or persona.is_server else 3}}:{0:>11}\n")
    if persona.is_server:
        out.append(f" MIS:{0:>11}\n")
    return "".join(out).encode()


def counted(view: ProcessView) -> Iterator[tuple[str, str, list[int]]]:
    """Name, description and the counts on each processor."""
    persona, up = view.persona, figures.uptime(view)
    count = persona.cpu.count
    for number, (name, text, rate) in enumerate(_rows(persona)):
        shared = not name.isdigit() or "arch_timer" in text
        yield (
            name,
            text,
            [
                int(up * rate * (0.8 + 0.4 * figures.noise(persona, name, cpu)))
                if shared or cpu == number % count
                else 0
                for cpu in range(count)
            ],
        )


def by_number(view: ProcessView) -> tuple[int, list[int]]:
    """What /proc/stat tells of them: all that came, and those of each number from 0 on."""
    sums = {name: sum(counts) for name, _, counts in counted(view)}
    numbered = {int(name): value for name, value in sums.items() if name.isdigit()}
    return sum(sums.values()), [numbered.get(number, 0) for number in range(max(numbered) + 24)]


def _rows(persona: Persona) -> list[Row]:
    if persona.kernel.machine == "mips":
        return [
            ("2", "    MIPS   2  ath9k", 7.0), ("4", "    MIPS   4  19000000.eth", 11.0),
            ("5", "    MIPS   5  1a000000.eth", 0.0), ("7", "    MIPS   7  timer", 100.0),
            ("8", "    MISC   0  18060030.wdt", 0.0), ("11", "    MISC   3  ttyS0", 0.01),
        ]  # fmt: skip
    if persona.kernel.machine.startswith("arm"):
        return [
            ("26", "    GIC-0  20 Level     arch_timer", 21.0), ("30", "    GIC-0 270 Level     bam_dma", 0.0),
            ("31", "    GIC-0 239 Level     bam_dma", 0.2), ("45", "    GIC-0 127 Level     78b5000.spi", 0.4),
            ("46", "    GIC-0 139 Level     msm_serial0", 0.01), ("47", "    GIC-0  97 Edge      edma_eth_tx0", 2.0),
            ("48", "    GIC-0 272 Edge      edma_eth_rx0", 5.0), ("63", "    GIC-0 200 Level     ath10k_ahb", 6.0),
            ("64", "    GIC-0 201 Level     ath10k_ahb", 2.0), ("IPI0", "  CPU wakeup interrupts", 0.0),
            ("IPI1", "  Timer broadcast interrupts", 0.0), ("IPI2", "  Rescheduling interrupts", 3.0),
            ("IPI3", "  Function call interrupts", 1.0), ("IPI4", "  CPU stop interrupts", 0.0),
            ("IPI5", "  IRQ work interrupts", 0.02), ("IPI6", "  completion interrupts", 0.0),
        ]  # fmt: skip
    legacy = [
        ("0", "   IO-APIC   2-edge      timer", 0.0), ("1", "   IO-APIC   1-edge      i8042", 0.00001),
        ("4", "   IO-APIC   4-edge      ttyS0", 0.0001), ("8", "   IO-APIC   8-edge      rtc0", 0.0),
        ("9", "   IO-APIC   9-fasteoi   acpi", 0.0),
    ]  # fmt: skip
    cards = _vmware(persona) if persona.hypervisor == "vmware" else _virtio(persona)
    tail = [
        ("NMI", "   Non-maskable interrupts", 0.0), ("LOC", "   Local timer interrupts", 41.0),
        ("SPU", "   Spurious interrupts", 0.0), ("PMI", "   Performance monitoring interrupts", 0.0),
        ("IWI", "   IRQ work interrupts", 0.002), ("RTR", "   APIC ICR read retries", 0.0),
        ("RES", "   Rescheduling interrupts", 2.0), ("CAL", "   Function call interrupts", 1.2),
        ("TLB", "   TLB shootdowns", 0.2), ("TRM", "   Thermal event interrupts", 0.0),
        ("THR", "   Threshold APIC interrupts", 0.0), ("DFR", "   Deferred Error APIC interrupts", 0.0),
        ("MCE", "   Machine check exceptions", 0.0), ("MCP", "   Machine check polls", 0.0033),
        *([("HYP", "   Hypervisor callback interrupts", 0.0)] if persona.hypervisor == "kvm" else []),
        ("PIN", "   Posted-interrupt notification event", 0.0), ("NPI", "   Nested posted-interrupt event", 0.0),
        ("PIW", "   Posted-interrupt wakeup event", 0.0),
    ]  # fmt: skip
    return [*legacy, *cards, *tail]


def _virtio(persona: Persona) -> list[Row]:
    scsi = persona.disks[0].name.startswith("sd")
    names = [("virtio0-config", 0.0), ("virtio0-input.0", 9.0), ("virtio0-output.0", 4.0)]
    disk = (
        [("virtio1-config", 0.0), ("virtio1-control", 0.0), ("virtio1-event", 0.0), ("virtio1-request", 3.0)]
        if scsi
        else [("virtio1-config", 0.0), ("virtio1-req.0", 3.0)]
    )
    base = 49_152
    rows: list[Row] = []
    for group in (names, disk, [("virtio2-config", 0.0), ("virtio2-virtqueues", 0.02)]):
        for offset, (name, rate) in enumerate(group):
            rows.append((str(24 + len(rows)), f"   PCI-MSI {base + offset}-edge      {name}", rate))
        base += 32_768
    shared: list[Row] = (
        [("16", "   IO-APIC  16-fasteoi   ahci[0000:00:1f.2]", 0.001)]
        if is_q35(persona)
        else [("11", "   IO-APIC  11-fasteoi   uhci_hcd:usb1", 0.00002),
              ("14", "   IO-APIC  14-edge      ata_piix", 0.0), ("15", "   IO-APIC  15-edge      ata_piix", 0.001)]
    )  # fmt: skip
    return [*shared, *rows]


def _vmware(persona: Persona) -> list[Row]:
    queues = min(persona.cpu.count, 4)
    name = persona.primary.name
    return [
        ("12", "   IO-APIC  12-edge      i8042", 0.0), ("14", "   IO-APIC  14-edge      ata_piix", 0.0),
        ("15", "   IO-APIC  15-edge      ata_piix", 0.001), ("16", "   IO-APIC  16-fasteoi   vmwgfx", 0.0),
        ("17", "   IO-APIC  17-fasteoi   ehci_hcd:usb2", 0.0),
        ("18", "   IO-APIC  18-fasteoi   uhci_hcd:usb1", 0.00004),
        *((str(24 + n), f"   PCI-MSI {344_064 + n * 2048}-edge      PCIe PME, pciehp", 0.0) for n in range(2)),
        ("56", "   PCI-MSI 1572864-edge      vmw_pvscsi", 3.0),
        *((str(57 + n), f"   PCI-MSI {5_767_168 + n}-edge      {name}-rxtx-{n}", 7.0) for n in range(queues)),
        (str(57 + queues), f"   PCI-MSI {5_767_168 + queues}-edge      {name}-event-{queues}", 0.0),
        (str(58 + queues), "   PCI-MSI 129024-edge      vmw_vmci", 0.0),
        (str(59 + queues), "   PCI-MSI 129025-edge      vmw_vmci", 0.0),
    ]  # fmt: skip
