"""git: clone, pull and fetch ask for their URL; the rest says that here is no repository."""

from __future__ import annotations

import re

from urltrap.machine.api import Process, Run, encode
from urltrap.machine.programs._connecting import told
from urltrap.machine.programs._net import ask, host_of
from urltrap.machine.programs.registry import program
from urltrap.machine.programs.ssh import unreachable


@program("git")
def git(p: Process) -> Run:
    """git: clone, pull and fetch ask for their URL; the rest says that here is no repository."""
    words = [word for word in p.argv[1:] if not word.startswith("-")]
    if "--version" in p.argv or words[:1] == ["version"]:
        yield from p.out("git version 2.39.5\n")
        return 0
    if not words:
        yield from p.out(
            "usage: git [-v | --version] [-h | --help] [-C <path>] [-c <name>=<value>]\n           <command> [<args>]\n"
        )
        return 1
    verb = words[0]
    url = next(
        (word for word in words[1:] if re.match(r"(https?|git|ssh|ftp)://|[\w.-]+@[\w.-]+:", word)), ""
    )
    if verb in ("clone", "fetch", "pull", "remote", "ls-remote", "submodule") and url:
        if verb == "clone":
            name = words[2] if len(words) > 2 else re.sub(r"\.git/?$", "", url.rstrip("/")).rpartition("/")[2]
            yield from p.err(f"Cloning into '{name}'...\n")
        host = host_of(url) or url.rpartition("@")[2].partition(":")[0]
        if url.startswith("http"):
            answer = yield from ask(
                p, url.rstrip("/") + "/info/refs?service=git-upload-pack", "git", "git/2.39.5"
            )
            if answer.kind == "answer":
                yield from p.err(
                    f"fatal: unable to access '{url}/': The requested URL returned error: "
                    f"{answer.status if answer.status >= 400 else 403}\n"
                )
            else:
                yield from p.err(
                    f"fatal: unable to access '{url}/': Could not resolve host: {host}\n"
                    if answer.kind.startswith("dns")
                    else f"fatal: unable to access '{url}/': Failed to connect to {host} port 443 "
                    "after 3065 ms: Couldn't connect to server\n"
                )
        else:
            told(p, host, 9418 if url.startswith("git:") else 22, encode(url))
            yield from unreachable(p, host, 22)
            yield from p.err(
                "fatal: Could not read from remote repository.\n\n"
                "Please make sure you have the correct access rights\nand the repository exists.\n"
            )
        return 128
    if verb in ("clone",):
        yield from p.err(
            "fatal: You must specify a repository to clone.\n\nusage: git clone [<options>] [--] <repo> [<dir>]\n"
        )
        return 129
    if verb in ("init", "config"):
        if verb == "init":
            yield from p.out(f"Initialized empty Git repository in {p.cwd.rstrip('/')}/.git/\n")
        return 0
    if verb in (
        "status",
        "log",
        "add",
        "commit",
        "diff",
        "push",
        "checkout",
        "branch",
        "pull",
        "fetch",
        "remote",
        "show",
    ):
        yield from p.err("fatal: not a git repository (or any of the parent directories): .git\n")
        return 128
    yield from p.err(f"git: '{verb}' is not a git command. See 'git --help'.\n")
    return 1
