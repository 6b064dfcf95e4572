"""Small programs: mcookie, factor, ssh-agent."""

from __future__ import annotations

from urltrap.machine.api import Process, Run, decode
from urltrap.machine.programs.registry import program

_MOST = 1_000_000_000_000


@program("mcookie")
def mcookie(p: Process) -> Run:
    """128 random bits in hexadecimal."""
    yield from p.out(p.random_bytes(16).hex() + "\n")
    return 0


@program("factor")
def factor(p: Process) -> Run:
    """The prime factors of each number."""
    words = [word for word in p.argv[1:] if word not in ("--", "-h", "--exponents")]
    if not words:
        words = decode((yield from p.read_all(0, 100_000))).split()
    status = 0
    for word in words:
        if not word.lstrip("+").isdecimal():
            yield from p.err(f"{p.argv[0]}: ‘{word}’ is not a valid positive integer\n")
            status = 1
            continue
        number = rest = int(word[:40])
        if number > _MOST:
            p.unwritten()
            return 139
        found = []
        divisor = 2
        while divisor * divisor <= rest:
            while not rest % divisor:
                found.append(divisor)
                rest //= divisor
            divisor += 1 if divisor == 2 else 2
            if not divisor & 1023:
                yield from p.tick(60)
        if rest > 1:
            found.append(rest)
        yield from p.out(f"{number}:{''.join(f' {each}' for each in found)}\n")
    return status


@program("ssh-agent")
def ssh_agent(p: Process) -> Run:
    """Go to the background and say where; or run a command below an agent."""
    words = p.argv[1:]
    if "-k" in words:
        pid = p.env.get("SSH_AGENT_PID", "")
        if not pid.isdecimal():
            yield from p.err("SSH_AGENT_PID not set, cannot kill agent\n")
            return 1
        p.kill(int(pid), 15)
        yield from p.out(f"unset SSH_AUTH_SOCK;\nunset SSH_AGENT_PID;\necho Agent pid {pid} killed;\n")
        return 0
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    suffix = "".join(letters[each % 52] for each in p.random_bytes(12))
    folder = f"/tmp/ssh-{suffix}"
    p.fs.mkdir(folder, 0o700)
    socket = f"{folder}/agent.{p.pid}"
    p.fs.mknod(socket, 0o140600)
    command = [word for word in words if not word.startswith("-")]

    def serve(child: Process) -> Run:
        child.new_session()
        for fd in list(child.fds):
            child.close(fd)
        yield from child.sleep(86_400 * 30.0)
        return 0

    pid_of = p.fork(serve)
    if command:
        env = {**p.env, "SSH_AUTH_SOCK": socket, "SSH_AGENT_PID": str(pid_of)}
        return (yield from p.exec(command, env=env))
    shell = p.env.get("SHELL", "")
    if "-c" in words or ("csh" in shell and "-s" not in words):
        text = f"setenv SSH_AUTH_SOCK {socket};\nsetenv SSH_AGENT_PID {pid_of};\n"
    else:
        text = (
            f"SSH_AUTH_SOCK={socket}; export SSH_AUTH_SOCK;\nSSH_AGENT_PID={pid_of}; export SSH_AGENT_PID;\n"
        )
    yield from p.out(f"{text}echo Agent pid {pid_of};\n")
    return 0


@program("ssh-add")
def ssh_add(p: Process) -> Run:
    """What it says without an agent, or of one that holds no key; keys are not added."""
    yield from p.tick(5)
    if not p.env.get("SSH_AUTH_SOCK"):
        yield from p.err("Could not open a connection to your authentication agent.\n")
        return 2
    if set(p.argv[1:]) & {"-l", "-L"}:
        yield from p.out("The agent has no identities.\n")
        return 1
    if "-D" in p.argv[1:]:
        yield from p.err("All identities removed.\n")
        return 0
    p.unwritten()
    return 139
