"""lsmod, modprobe and their kin: the kernel's modules."""

from __future__ import annotations

from urltrap.machine.api import Process, Run
from urltrap.machine.proc.modules import module_path
from urltrap.machine.programs._system import option_problem, text_of
from urltrap.machine.programs.registry import program


@program("lsmod")
def lsmod(p: Process) -> Run:
    """Loaded modules, from /proc/modules."""
    yield from p.out("Module                  Size  Used by\n")
    for line in text_of(p, "/proc/modules").splitlines():
        name, size, count, by, *_ = line.split(" ")
        users = by.rstrip(",") if by != "-" else ""
        yield from p.out(f"{name:<19} {size:>8}  {count}{' ' + users if users else ''}\n")
    return 0


@program("kmod", "modprobe", "insmod", "rmmod", "depmod", "modinfo")
def kmod(p: Process) -> Run:
    """The program behind lsmod, modprobe and their kin, by the name that it was called with."""
    name = p.argv[0].rpartition("/")[2]
    words = [word for word in p.argv[1:] if not word.startswith("-")]
    if name == "lsmod" and words:
        yield from p.err("Usage: lsmod\n")
        return 1
    missing = {
        "modprobe": "modprobe: ERROR: missing parameters. See -h.\n",
        "rmmod": "rmmod: ERROR: missing module name.\n",
        "modinfo": "modinfo: ERROR: missing module or filename.\n",
    }
    if name in missing and len(p.argv) == 1:
        yield from p.err(missing[name])
        return 1
    if name == "depmod" and (
        problem := option_problem(p, "aAb:C:E:F:euqrvnP:wm", "all quick basedir: config:")
    ):
        yield from p.err(problem)
        return 1
    if name == "lsmod" or (name == "kmod" and words[:1] == ["list"]):
        return (yield from lsmod(p))
    known = {row[0] for row in p.persona.kernel.modules}
    if name == "modinfo":
        for word in words:
            if word not in known:
                yield from p.err(f"modinfo: ERROR: Module {word} not found.\n")
                return 1
            base = f"/lib/modules/{p.persona.kernel.release}"
            yield from p.out(
                f"filename:       {base}/{module_path(word)}\nlicense:        GPL\nname:           {word}\n"
            )
        return 0
    if p.uid and name in ("modprobe", "insmod", "rmmod"):
        what = "finit_module" if name != "rmmod" else "delete_module"
        yield from p.err(f"{name}: ERROR: could not {'insert' if name != 'rmmod' else 'remove'} module: {what}: "
                         "Operation not permitted\n")  # fmt: skip
        return 1
    if name == "modprobe" and "-r" not in p.argv:
        for word in words[:1]:
            if word.replace("-", "_") not in known:
                yield from p.err(f"modprobe: FATAL: Module {word} not found in directory "
                                 f"/lib/modules/{p.persona.kernel.release}\n")  # fmt: skip
                return 1
        return 0
    if name == "insmod":
        if not words:
            yield from p.err("insmod: ERROR: missing filename.\n")
            return 1
        if not text_of(p, words[0]):
            yield from p.err(f"insmod: ERROR: could not load module {words[0]}: No such file or directory\n")
            return 1
        yield from p.err(f"insmod: ERROR: could not insert module {words[0]}: Invalid module format\n")
        return 1
    if name == "rmmod":
        for word in words:
            if word not in known:
                yield from p.err(f"rmmod: ERROR: Module {word} is not currently loaded\n")
            else:
                yield from p.err(f"rmmod: ERROR: Module {word} is in use\n")
            return 1
    return 0
