"""lsblk and blkid: disks and what is on them."""

from __future__ import annotations

from urltrap.machine.api import Process, Run
from urltrap.machine.persona import Disk, Partition
from urltrap.machine.programs._getopt import OptionError, getopt
from urltrap.machine.programs._system import gnu_usage
from urltrap.machine.programs.registry import program


def size_words(kilobytes: int) -> str:
    """A size as lsblk and fdisk show it: one decimal where it is not whole."""
    value, step = float(kilobytes), 0
    while value >= 1024 and step < 4:
        value /= 1024
        step += 1
    text = f"{value:.1f}".removesuffix(".0")
    return f"{text}{'KMGTP'[step]}"


def _point(p: Process, name: str, fallback: str = "") -> str:
    mounts = [mount.point for mount in p.mounts if mount.source == f"/dev/{name}"]
    return mounts[0] if mounts else fallback if fallback == "[SWAP]" else ""


@program("lsblk")
def lsblk(p: Process) -> Run:
    """List block devices."""
    try:
        options, operands = getopt(
            p.argv[1:], "abdDe:fhiI:JlLmMno:OpPrsStT::V",
            {"all": "", "bytes": "", "nodeps": "", "fs": "", "noheadings": "", "output": ":", "paths": "", "list": "",
             "help": "", "version": "", "raw": "", "pairs": "", "ascii": "", "json": "", "tree": "::", "perms": ""},
        )  # fmt: skip
    except OptionError as error:
        return (yield from gnu_usage(p, error))
    given = {name for name, _ in options}
    wanted = next((value.upper() for name, value in options if name in ("o", "--output")), "")
    columns = wanted.split(",") if wanted else ["NAME", "MAJ:MIN", "RM", "SIZE", "RO", "TYPE", "MOUNTPOINTS"]
    if not wanted and given & {"f", "--fs"}:
        columns = ["NAME", "FSTYPE", "FSVER", "LABEL", "UUID", "FSAVAIL", "FSUSE%", "MOUNTPOINTS"]
    tree = not given & {"l", "--list", "r", "--raw"}
    rows = _rows(p, bool(given & {"b", "--bytes"}), bool(given & {"d", "--nodeps"}), tree)
    names = [operand.removeprefix("/dev/") for operand in operands]
    for name in names:
        if not any(row["NAME"].lstrip("├─└`|-") == name for row in rows):
            yield from p.err(f"lsblk: {operands[names.index(name)]}: not a block device\n")
            return 32
    if names:
        rows = [row for row in rows if any(row["NAME"].lstrip("├─└`|-").startswith(name) for name in names)]
    unknown = next((column for column in columns if column not in rows[0]), None)
    if unknown is not None:
        yield from p.err(f"lsblk: unknown column: {unknown}\n")
        return 1
    right = {"SIZE", "RM", "RO", "FSAVAIL", "FSUSE%", "MAJ:MIN"}
    table = [[row[column] for column in columns] for row in rows]
    heads = [] if given & {"n", "--noheadings"} else [list(columns)]
    if given & {"r", "--raw"}:
        for line in heads + table:
            yield from p.out(" ".join(line) + "\n")
        return 0
    widths = [max(len(line[number]) for line in heads + table) for number in range(len(columns))]
    for line in heads + table:
        cells = []
        for number, (column, text) in enumerate(zip(columns, line, strict=True)):
            if column == "MAJ:MIN":
                cells.append(f"{text:<{widths[number]}}" if text == "MAJ:MIN" else f"{text:>{widths[number]}}"
                             if len(text) > 6 else f"{text:>5}".ljust(widths[number]))  # fmt: skip
            elif column in right:
                cells.append(f"{text:>{widths[number]}}")
            else:
                cells.append(f"{text:<{widths[number]}}" if number < len(columns) - 1 else text)
        yield from p.out(" ".join(cells) + "\n")
    return 0


def _rows(p: Process, exact: bool, flat: bool, tree: bool) -> list[dict[str, str]]:
    rows = []
    for disk in p.persona.disks:
        rows.append(_row(p, disk, None, "", exact))
        parts = [] if flat else [part for part in disk.partitions if part.name != disk.name]
        for number, part in enumerate(parts):
            mark = ("└─" if number == len(parts) - 1 else "├─") if tree else ""
            rows.append(_row(p, disk, part, mark, exact))
    if p.persona.kind in ("debian-12", "debian-13"):
        rows.append({**rows[0], "NAME": "sr0", "MAJ:MIN": "11:0", "RM": "1",
        "SIZE": str(1_073_741_312) if exact else "1024M",
                     "RO": "0", "TYPE": "rom", "MOUNTPOINTS": "", "MOUNTPOINT": "", "MODEL": "QEMU DVD-ROM",
                     "SERIAL": "QM00003",
                     "ROTA": "1"})  # fmt: skip
    return rows


def _row(p: Process, disk: Disk, part: Partition | None, mark: str, exact: bool) -> dict[str, str]:
    size = disk.size_kb if part is None else part.size_kb
    name = disk.name if part is None else part.name
    point = _point(p, name, part.mountpoint if part else "")
    mounted = next((mount for mount in p.mounts if mount.source == f"/dev/{name}"), None)
    kind = part.fstype if part else ""
    return {
        "NAME": mark + name, "KNAME": name, "MAJ:MIN": f"{disk.major}:{disk.minor if part is None else part.minor}",
        "RM": "0",
        "SIZE": str(size * 1024) if exact else size_words(size), "RO": "0", "TYPE": "disk" if part is None else "part",
        "MOUNTPOINTS": point, "MOUNTPOINT": point, "FSTYPE": kind,
        "FSVER": {"ext4": "1.0", "swap": "1", "vfat": "FAT16"}.get(kind, ""), "LABEL": "",
        "UUID": part.uuid if part else "",
        "PARTUUID": part.partuuid if part else "", "FSAVAIL": size_words(mounted.available_kb) if mounted else "",
        "FSUSE%": f"{mounted.used_kb * 100 // mounted.size_kb}%" if mounted else "",
        "MODEL": disk.model if part is None else "",
        "SERIAL": disk.serial if part is None else "", "ROTA": str(int(disk.rotational)), "TRAN": "",
        "PKNAME": disk.name if part else "", "PATH": f"/dev/{name}",
        "VENDOR": "QEMU    " if disk.model and part is None else "",
    }  # fmt: skip


@program("blkid")
def blkid(p: Process) -> Run:
    """Show what partitions hold."""
    try:
        options, wanted = getopt(
            p.argv[1:], "c:dDghilL:n:o:O:ps:S:t:u:U:V", {"output": ":", "match-tag": ":"}
        )
    except OptionError as error:
        yield from p.err(f"blkid: {error}\nTry 'blkid --help' for more information.\n")
        return 4
    tags = [value for name, value in options if name in ("s", "--match-tag")]
    form = next((value for name, value in options if name in ("o", "--output")), "full")
    found = False
    for disk in p.persona.disks:
        for part in disk.partitions:
            if not part.uuid or (wanted and f"/dev/{part.name}" not in wanted):
                continue
            block = {"ext4": "4096", "vfat": "512"}.get(part.fstype, "")
            fields = {"UUID": part.uuid, "BLOCK_SIZE": block, "TYPE": part.fstype, "PARTUUID": part.partuuid}
            shown = {name: value for name, value in fields.items() if value and (not tags or name in tags)}
            if not shown:
                continue
            yield from p.out(_tags(f"/dev/{part.name}", shown, form, blank=found))
            found = True
    return 0 if found else 2


def _tags(device: str, fields: dict[str, str], form: str, *, blank: bool) -> str:
    """One device as blkid -o shows it; `blank` where another one stands before it."""
    if form == "value":
        return "".join(f"{value}\n" for value in fields.values())
    if form == "device":
        return f"{device}\n"
    if form == "export":
        rows = "".join(f"{name}={value}\n" for name, value in fields.items())
        return f"{chr(10) if blank else ''}DEVNAME={device}\n{rows}"
    return f"{device}: " + " ".join(f'{name}="{value}"' for name, value in fields.items()) + "\n"
