"""Files of /proc that few ask for, in the kernel's own forms: memory zones, soft interrupts, ports, socket counts."""

from __future__ import annotations

from collections.abc import Callable

from urltrap.machine.fs.mounts import ProcessView
from urltrap.machine.proc import figures
from urltrap.machine.proc.sockets import sockets

_SOFT = ("HI", "TIMER", "NET_TX", "NET_RX", "BLOCK", "IRQ_POLL", "TASKLET", "SCHED", "HRTIMER", "RCU")
_RATES = (0.0, 12.0, 0.02, 9.0, 1.1, 0.0, 0.3, 14.0, 0.0, 16.0)


def softirqs(view: ProcessView) -> bytes:
    """/proc/softirqs."""
    count, up = view.persona.cpu.count, figures.uptime(view)
    rows = [" " * 20 + "".join(f"{f'CPU{number}':<11}" for number in range(count)).rstrip() + "       \n"]
    for name, rate in zip(_SOFT, _RATES, strict=True):
        cells = "".join(
            f"{int(up * rate * (0.8 + 0.4 * figures.noise(view.persona, f'soft {name}', cpu))):>10} "
            for cpu in range(count)
        )
        rows.append(f"{name:>12}:{cells.rstrip()}\n")
    return "".join(rows).encode()


def _pages(view: ProcessView) -> tuple[int, int]:
    """Free pages of the zones DMA32 (or Normal on boards) and Normal."""
    free = figures.memory(view)["MemFree"] // 4
    low = min(free * 3 // 4, 700_000) if view.persona.is_server else free
    return low, free - low


def buddyinfo(view: ProcessView) -> bytes:
    """/proc/buddyinfo: the free blocks of each order add up to the free memory."""
    zones = [("DMA", 3_840)] if view.persona.is_server else []
    low, high = _pages(view)
    zones += [("DMA32", low - 3_840), ("Normal", high)] if view.persona.is_server else [("Normal", low)]
    rows = []
    for name, pages in zones:
        cells, left = [], max(0, pages)
        for order in range(10, -1, -1):
            share = left if order == 0 else left * (7 if order == 10 else 4) // 10
            count = share >> order
            left -= count << order
            cells.append(count)
        rows.append(f"Node 0, zone {name:>8} " + "".join(f"{count:>6} " for count in reversed(cells)) + "\n")
    return "".join(rows).encode()


def zoneinfo(view: ProcessView) -> bytes:
    """/proc/zoneinfo: the heads of the zones."""
    low, high = _pages(view)
    total = view.persona.memory.total_kb // 4
    zones = [("DMA32", low, min(total, 765_000)), ("Normal", high, max(0, total - 765_000))]
    if not view.persona.is_server:
        zones = [("Normal", low, total)]
    rows = []
    for name, free, managed in zones:
        figure = {"boost": 0, "min": managed // 180, "low": managed // 144, "high": managed // 120,
                  "spanned": managed + 9000, "present": managed + 4000, "managed": managed}  # fmt: skip
        rows.append(f"Node 0, zone {name:>8}\n  pages free     {free}\n")
        rows += [f"        {word:<8} {value}\n" for word, value in figure.items()]
    return "".join(rows).encode()


def ioports(view: ProcessView) -> bytes:
    """/proc/ioports."""
    rows = ["0000-0cf7 : PCI Bus 0000:00", "  0000-001f : dma1", "  0020-0021 : pic1", "  0040-0043 : timer0",
            "  0060-0060 : keyboard", "  0064-0064 : keyboard", "  0070-0071 : rtc0", "  00a0-00a1 : pic2",
            "  00f0-00ff : fpu", "  03c0-03df : vga+", "  03f8-03ff : serial", "0cf8-0cff : PCI conf1",
            "0d00-ffff : PCI Bus 0000:00"]  # fmt: skip
    if view.uid:
        rows = [f"{line[: len(line) - len(line.lstrip())]}0000-0000{line.lstrip()[9:]}" for line in rows]
    return "".join(f"{line}\n" for line in rows).encode()


def sockstat(view: ProcessView) -> bytes:
    """/proc/net/sockstat: what ss -s counts."""
    found = sockets(view.persona, view.processes(), view.connections, view.sockets)
    tcp = sum(1 for each in found if each.protocol == "tcp")
    udp = sum(1 for each in found if each.protocol == "udp")
    return (
        f"sockets: used {len(found) + 118}\nTCP: inuse {tcp} orphan 0 tw 0 alloc {tcp + 1} mem 1\n"
        f"UDP: inuse {udp} mem 0\nUDPLITE: inuse 0\nRAW: inuse 0\nFRAG: inuse 0 memory 0\n"
    ).encode()


def snmp(view: ProcessView) -> bytes:
    """/proc/net/snmp: packets as the interfaces counted them."""
    counts = figures.traffic(view)
    received = sum(row[1] for row in counts.values())
    sent = sum(row[3] for row in counts.values())
    segments = received * 9 // 10
    ip = ("Forwarding DefaultTTL InReceives InHdrErrors InAddrErrors ForwDatagrams InUnknownProtos InDiscards "
          "InDelivers "
          "OutRequests OutDiscards OutNoRoutes ReasmTimeout ReasmReqds ReasmOKs ReasmFails FragOKs FragFails "
          "FragCreates")  # fmt: skip
    tcp = ("RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens PassiveOpens AttemptFails EstabResets CurrEstab InSegs "
           "OutSegs RetransSegs InErrs OutRsts InCsumErrors")  # fmt: skip
    forwards = 2 if view.persona.is_server else 1
    return (
        f"Ip: {ip}\nIp: {forwards} 64 {received} 0 0 0 0 0 {received} {sent} 0 0 0 0 0 0 0 0 0\n"
        f"Tcp: {tcp}\nTcp: 1 200 120000 -1 {sent // 400} {received // 120} {received // 900} {received // 2000} "
        f"{len(view.connections)} {segments} {sent * 9 // 10} {sent // 700} 0 {received // 150} 0\n"
    ).encode()


def _fixed(text: str) -> Callable[[ProcessView], bytes]:
    return lambda view: text.encode()


FILES = {
    "softirqs": softirqs, "buddyinfo": buddyinfo, "zoneinfo": zoneinfo,
    "execdomains": _fixed("0-0\tLinux           \t[kernel]\n"),
    "key-users": _fixed("    0:     5 4/4 2/1000000 28/25000000\n"),
}  # fmt: skip
SERVER_FILES = {
    "ioports": ioports, "fb": lambda view: f"0 {_framebuffer(view)}\n".encode(),
    "mtrr": _fixed("reg00: base=0x0c0000000 ( 3072MB), size= 1024MB, count=1: uncachable\n"),
}  # fmt: skip


def _framebuffer(view: ProcessView) -> str:
    loaded = {name for name, _, _ in view.persona.kernel.modules}
    return next((f"{name}drmfb" for name in ("qxl", "bochs", "vmwgfx") if name in loaded), "VESA VGA")
