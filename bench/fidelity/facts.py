"""The persona of a comparison: a generated one that claims what the reference environment's kernel really shows.

Kernel, processors, memory and mounts come from the cell; accounts, names, files, addresses come from the persona and
are written into the reference's tree (`reference.prepare`). So both sides tell of one machine.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from urltrap.machine.persona import Persona, generate
from urltrap.machine.persona.model import Kind, MountPoint

SEED = b"urltrap fidelity comparison"
PROBE = (
    "uname -r; uname -v; uname -m; echo @@; cat /proc/cpuinfo; echo @@; cat /proc/meminfo; echo @@; "
    "cat /proc/mounts; echo @@; df -Pk; echo @@; df -Pi; echo @@; cat /proc/version; echo @@; cat /proc/cmdline"
)
"""Harmless: what is asked of a cell once, when the reference is made."""

BUSYBOX = "BusyBox v1.35.0 (Debian 1:1.35.0-4+deb12u1+b1)"


class FactsError(RuntimeError):
    """A cell's answer to `PROBE` cannot be understood."""


def persona_from(kind: Kind, probe: str, now: float) -> Persona:
    """The persona of `kind` at `now` (unix seconds) with the figures of `probe`, a cell's answer to `PROBE`."""
    parts = probe.split("@@\n")
    if len(parts) != 8:
        raise FactsError(f"the probe answered {len(parts)} parts instead of 8: {probe[:200]!r}")
    uname, cpuinfo, meminfo, mounts, sizes, inodes, version, command_line = parts
    persona = generate(SEED, kind, now)
    release, build, machine = uname.splitlines()[:3]
    found = re.fullmatch(r"Linux version \S+ \((.*?)\) \((.*)\) #.*", version.strip())
    kernel = persona.kernel.model_copy(
        update={
            "release": release,
            "version": build,
            "machine": machine,
            "command_line": command_line.strip(),
            "builder": found[1] if found else persona.kernel.builder,
            "compiler": found[2] if found else persona.kernel.compiler,
        }
    )
    memory = _pairs(meminfo)
    total = _number(memory, "MemTotal")
    changed = persona.memory.model_copy(
        update={
            "total_kb": total,
            "swap_kb": _number(memory, "SwapTotal"),
            "swap_used_kb": 0,
            "buffers_kb": _number(memory, "Buffers"),
            "cached_kb": _number(memory, "Cached"),
            "shared_kb": _number(memory, "Shmem"),
            "slab_kb": _number(memory, "Slab"),
            "used_kb": total
            - sum(_number(memory, name) for name in ("MemFree", "Buffers", "Cached", "Slab")),
        }
    )
    return persona.model_copy(
        update={
            "kernel": kernel,
            "memory": changed,
            "cpu": persona.cpu.model_copy(update=_cpu(cpuinfo)),
            "mounts": _mounts(mounts, _table(sizes), _table(inodes)),
            "busybox": BUSYBOX,
        }
    )


def _cpu(text: str) -> dict[str, object]:
    blocks = [block for block in text.strip().split("\n\n") if block]
    first = _pairs(blocks[0])
    amd = first.get("vendor_id") == "AuthenticAMD"  # whose "cache size" is that of the second level
    bits = re.findall(r"\d+", first.get("address sizes", "40 48"))
    return {
        "count": len(blocks),
        "sockets": len({_pairs(block).get("physical id", "0") for block in blocks}),
        "model_name": first.get("model name", ""),
        "vendor_id": first.get("vendor_id", ""),
        "family": int(first.get("cpu family", "0")),
        "model": int(first.get("model", "0")),
        "stepping": int(first.get("stepping", "0")),
        "microcode": first.get("microcode", ""),
        "mhz": float(first.get("cpu MHz", "1000")),
        "bogomips": float(first.get("bogomips", "2000")),
        "flags": tuple(first.get("flags", "").split()),
        "bugs": tuple(first.get("bugs", "").split()),
        "l2_kb" if amd else "l3_kb": int((first.get("cache size", "0").split() or ["0"])[0]),
        "physical_bits": int(bits[0]),
        "virtual_bits": int(bits[1]),
    }


def _mounts(
    text: str, sizes: Mapping[str, list[str]], inodes: Mapping[str, list[str]]
) -> tuple[MountPoint, ...]:
    found = []
    for line in text.splitlines():
        source, point, fstype, options = line.split(" ")[:4]
        size, count = sizes.get(point, ["", "0", "0", "0"]), inodes.get(point, ["", "0", "0"])
        found.append(
            MountPoint(
                source=source,
                point=point,
                fstype=fstype,
                options=options,
                size_kb=int(size[1]),
                used_kb=int(size[2]),
                available_kb=int(size[3]),
                inodes=int(count[1].replace("-", "0")),
                inodes_used=int(count[2].replace("-", "0")),
            )
        )
    return tuple(found)


def _table(text: str) -> dict[str, list[str]]:
    rows = [line.split() for line in text.splitlines()[1:]]
    return {row[-1]: row for row in rows if len(row) >= 6}


def _pairs(text: str) -> dict[str, str]:
    pairs = [line.partition(":") for line in text.splitlines()]
    return {name.strip(): value.strip() for name, _, value in pairs}


def _number(pairs: Mapping[str, str], name: str) -> int:
    try:
        return int(pairs[name].split()[0])
    except (KeyError, ValueError, IndexError) as error:
        raise FactsError(f"/proc/meminfo of the cell has no {name}") from error
