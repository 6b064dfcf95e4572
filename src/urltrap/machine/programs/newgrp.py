"""newgrp and sg: a shell with another group as its own."""

from __future__ import annotations

from urltrap.machine.api import Process, Run
from urltrap.machine.programs._database import row
from urltrap.machine.programs._system import account, names
from urltrap.machine.programs.registry import program


@program("newgrp", "sg")
def newgrp(p: Process) -> Run:
    """Start a shell (newgrp) or a command (sg) after looking the group up; the members of a group need no password."""
    called = p.argv[0].rpartition("/")[2]
    words = [word for word in p.argv[1:] if word not in ("-", "-l", "-c")]
    if called == "sg" and not words:
        yield from p.err("Usage: sg group [[-c] command]\n")
        return 1
    user = names(p).get(p.uid, "")
    mine = account(p, user) if user else None
    if words:
        group = row(p, "/etc/group", words[0])
        if group is None:
            yield from p.err(f"{called}: group '{words[0]}' does not exist\n")
            return 1
        members = group[3].split(",") if len(group) > 3 else []
        if p.uid and user not in members and (mine is None or mine[3] != group[2]):
            yield from p.err("Password: ")
            yield from p.read(0)
            yield from p.err("\nInvalid password.\n")
            return 1
    shell = p.env.get("SHELL") or (mine[6] if mine is not None else "/bin/sh")
    command = words[1:] if called == "sg" else []
    return (yield from p.exec([shell, "-c", " ".join(command)] if command else [shell], path=shell))
