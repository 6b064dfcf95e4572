"""jobs, fg, bg, wait, disown, suspend."""

from __future__ import annotations

from typing import TYPE_CHECKING

from urltrap.machine.api import STOPPED
from urltrap.machine.errors import SysError
from urltrap.machine.shell.builtins.registry import builtin
from urltrap.machine.shell.jobs import Job
from urltrap.machine.shell.messages import child_died
from urltrap.machine.shell.signals import DESCRIPTIONS

if TYPE_CHECKING:
    from urltrap.machine.shell.interpreter.shell import Gen, Shell


def reap(sh: Shell) -> Gen[None]:
    """Notice the children that ended, without waiting."""
    while sh.jobs.jobs:
        try:
            ended = yield from sh.p.wait(None, block=False)
        except SysError:
            return
        if ended is None:
            return
        note(sh, ended[0], ended[1])


def note(sh: Shell, pid: int, status: int) -> None:
    """Put the end (or stop) of a child into the job table."""
    if status >= STOPPED:
        job = sh.jobs.by_pid(pid)
        if job is not None:
            job.stopped = True
        return
    sh.jobs.finish(pid, status)


def state_words(sh: Shell, job: Job) -> str:
    """How the job is, in the dialect's words."""
    if job.stopped:
        return "Stopped"
    if job.status is None:
        return "Running"
    if job.status == 0:
        return "Done"
    if job.status > 128 and DESCRIPTIONS.get(job.status - 128):
        return DESCRIPTIONS[job.status - 128]
    return f"Exit {job.status}" if sh.dialect.bash else f"Done({job.status})"


def job_line(sh: Shell, job: Job, flags: str = "") -> str:
    """One line of ``jobs``."""
    mark = sh.jobs.mark(job)
    words = state_words(sh, job)
    ampersand = " &" if job.status is None and not job.stopped else ""
    if sh.dialect.bash:
        pid = f"{job.pids[0]} " if "l" in flags else ""
        return f"[{job.number}]{mark}  {pid}{words:<23} {job.text}{ampersand}\n"
    pid = f"{job.pids[0]} " if "l" in flags else ""
    head = f"[{job.number}]{mark}  " if sh.dialect.name == "ash" else f"[{job.number}] {mark} "
    text = job.text if "monitor" in sh.options else ""  # without job control they do not keep it
    return f"{f'{head}{pid}{words}':<32} {text}\n"


def notify(sh: Shell) -> Gen[None]:
    """Before a prompt: tell of the jobs that ended."""
    yield from reap(sh)
    for job in list(sh.jobs.jobs):
        if job.status is not None and not job.reported:
            job.reported = True
            if not job.disowned and ("monitor" in sh.options or not sh.dialect.bash):
                yield from sh.p.err(job_line(sh, job))
    sh.jobs.remove_reported()


@builtin("jobs")
def jobs(sh: Shell, argv: list[str]) -> Gen[int]:
    """List jobs."""
    yield from reap(sh)
    flags = "".join(word[1:] for word in argv[1:] if word.startswith("-"))
    bad = next((letter for letter in flags if letter not in "lnprsx"), None)
    if bad is not None and sh.dialect.bash:
        yield from sh.complain(f"-{bad}: invalid option", "jobs")
        yield from sh.p.err("jobs: usage: jobs [-lnprs] [jobspec ...] or jobs -x command [args]\n")
        return 2
    specs = [word for word in argv[1:] if not word.startswith("-")]
    chosen = list(sh.jobs.jobs) if sh.dialect.bash else list(reversed(sh.jobs.jobs))  # the current one first
    status = 0
    if specs:
        chosen = []
        for spec in specs:
            job = sh.jobs.find(spec)
            if job is None:
                yield from sh.complain(
                    f"No such job: {spec}" if sh.dialect.name == "dash" else f"{spec}: no such job", "jobs"
                )
                status = 1 if sh.dialect.bash else 2
            else:
                chosen.append(job)
    for job in chosen:
        if job.disowned or ("r" in flags and (job.status is not None or job.stopped)):
            continue
        if "s" in flags and not job.stopped:
            continue
        yield from sh.p.out(f"{job.pids[0]}\n" if "p" in flags else job_line(sh, job, flags))
        if job.status is not None:
            job.reported = True
    sh.jobs.remove_reported()
    return status


@builtin("wait")
def wait(sh: Shell, argv: list[str]) -> Gen[int]:
    """Wait for children."""
    words = [word for word in argv[1:] if not (sh.dialect.bash and word in ("-f", "--"))]
    if words[:1] == ["-n"] and sh.dialect.bash:
        return (yield from _wait_next(sh, words[1:]))
    if not words:
        while True:
            pending = yield from _collect(sh)
            if pending is None:
                caught = yield from _caught(sh)  # it came together with the end of the last child
                if caught:
                    return caught
                break
            if pending:
                return pending
        for job in sh.jobs.jobs:
            if job.status is None:
                job.status = 0
            job.reported = job.reported or not sh.interactive
        sh.jobs.remove_reported()
        return 0
    status = 0
    for word in words:
        status = yield from _wait_one(sh, word)
    return status


def _collect(sh: Shell) -> Gen[int | None]:
    """Take one ended child; None where there is none left, a status above 128 where a trapped signal came."""
    try:
        ended = yield from sh.p.wait(None)
    except SysError as problem:
        if problem.errno != 4:
            return None
        return (yield from _caught(sh))
    if ended is not None:
        note(sh, ended[0], ended[1])
    return 0


def _caught(sh: Shell) -> Gen[int]:
    """Run the traps of signals that arrived; 128 + the first, or 0."""
    numbers = sh.p.pending_signals()
    if not numbers:
        return 0
    from urltrap.machine.shell.signals import name_of
    from urltrap.machine.shell.traps import run_action

    for number in numbers:
        action = sh.traps.get(name_of(number) or "")
        if action:
            yield from run_action(sh, action)
    return 128 + numbers[0]


def _wait_next(sh: Shell, words: list[str]) -> Gen[int]:
    """``wait -n [-p NAME]``: the next child that ends; NAME tells which, and is unset where none is left."""
    name = words[1] if words[:1] == ["-p"] and len(words) > 1 else ""
    if name:
        sh.vars.unset(name)
    if not any(job.status is None for job in sh.jobs.jobs):
        return 127
    try:
        ended = yield from sh.p.wait(None)
    except SysError:
        return 127
    if ended is None:
        return 127
    note(sh, ended[0], ended[1])
    if name:
        sh.set_var(name, str(ended[0]))
    return ended[1] & 255


def _wait_one(sh: Shell, word: str) -> Gen[int]:
    if word.startswith("%"):
        job = sh.jobs.find(word)
        if job is None:
            yield from sh.complain(
                f"{word}: no such job" if sh.dialect.name != "dash" else f"No such job: {word}", "wait"
            )
            return 127 if sh.dialect.bash else 2
        pid = job.pid
    elif word.isdecimal():
        pid = int(word[:12])
    else:
        text = f"`{word}': not a pid or valid job spec" if sh.dialect.bash else f"Illegal number: {word}"
        yield from sh.complain(text, "wait")
        return 1 if sh.dialect.bash else 2
    known = sh.jobs.ended.get(pid)
    while known is None:
        try:
            ended = yield from sh.p.wait(pid)
        except SysError as problem:
            if problem.errno == 4:
                numbers = sh.p.pending_signals()
                from urltrap.machine.shell.signals import name_of
                from urltrap.machine.shell.traps import run_action

                for number in numbers:
                    action = sh.traps.get(name_of(number) or "")
                    if action:
                        yield from run_action(sh, action)
                return 128 + numbers[0] if numbers else 0
            if sh.dialect.bash:
                yield from sh.complain(f"pid {word} is not a child of this shell", "wait")
            return 127
        if ended is not None and ended[1] < STOPPED:
            note(sh, ended[0], ended[1])
            known = ended[1]
    job = sh.jobs.by_pid(pid)
    if job is not None:
        if known > 128 and (known != 143 or not sh.dialect.bash) and not job.reported and not sh.interactive:
            yield from child_died(sh, pid, known, job.text)
        job.reported = True
        sh.jobs.remove_reported()
    return known & 255


def _pick(sh: Shell, argv: list[str]) -> Gen[Job | None]:
    name = argv[0]
    if not sh.option("monitor"):
        if sh.dialect.bash:
            yield from sh.complain("no job control", name)
        else:
            yield from sh.complain("No current job" if len(argv) < 2 else f"No such job: {argv[1]}", name)
        return None
    yield from reap(sh)
    spec = argv[1] if len(argv) > 1 else "%%"
    live = [job for job in sh.jobs.jobs if job.status is None]
    job = sh.jobs.find(spec if spec.startswith("%") or not spec.isdecimal() else "%" + spec)
    if job is None or (len(argv) < 2 and not live):
        if sh.dialect.bash:
            yield from sh.complain(f"{'current' if len(argv) < 2 else spec}: no such job", name)
        else:
            yield from sh.complain("No current job" if len(argv) < 2 else f"No such job: {spec}", name)
        return None
    return live[-1] if len(argv) < 2 else job


@builtin("fg")
def foreground(sh: Shell, argv: list[str]) -> Gen[int]:
    """Continue a job in the foreground."""
    job = yield from _pick(sh, argv)
    if job is None:
        return 1 if sh.dialect.bash else 2
    yield from sh.p.out(job.text + "\n")
    return (yield from resume_foreground(sh, job))


def resume_foreground(sh: Shell, job: Job) -> Gen[int]:
    """Give the terminal to a job, let it go on and wait for it."""
    from urltrap.machine.shell.interpreter.foreground import wait_foreground

    job.stopped = False
    _go_on(sh, job)
    return (yield from wait_foreground(sh, job.pids, job.text, job, own_group=job.own_group))


def _go_on(sh: Shell, job: Job) -> None:
    """SIGCONT to all of a job."""
    for pid in job.pids:
        try:
            sh.p.kill(pid, 18)
        except SysError:
            continue  # it has ended already: whoever waits for it learns how


@builtin("bg")
def background(sh: Shell, argv: list[str]) -> Gen[int]:
    """Let a stopped job go on in the background."""
    job = yield from _pick(sh, argv)
    if job is None:
        return 1 if sh.dialect.bash else 2
    if not job.stopped and sh.dialect.bash:
        yield from sh.complain(f"job {job.number} already in background", "bg")
        return 0
    job.stopped = False
    _go_on(sh, job)
    mark = sh.jobs.mark(job)
    yield from sh.p.out(
        f"[{job.number}]{mark} {job.text} &\n" if sh.dialect.bash else f"[{job.number}] {job.text}\n"
    )
    return 0


@builtin("disown", dialects="bash")
def disown(sh: Shell, argv: list[str]) -> Gen[int]:
    """Take jobs off the table."""
    words = argv[1:]
    flags = ""
    while words and words[0].startswith("-") and len(words[0]) > 1:
        flags += words.pop(0)[1:]
    if bad := flags.strip("ahr"):
        yield from sh.complain(f"-{bad[0]}: invalid option", "disown")
        yield from sh.p.err("disown: usage: disown [-h] [-ar] [jobspec ... | pid ...]\n")
        return 2
    if "a" in flags or "r" in flags:
        chosen = list(sh.jobs.jobs)
    elif not words:
        if not sh.jobs.jobs:
            yield from sh.complain("current: no such job", "disown")
            return 1
        chosen = [sh.jobs.jobs[-1]]
    else:
        chosen = []
        for word in words:
            job = sh.jobs.by_pid(int(word[:12])) if word.isdecimal() else sh.jobs.find(word)
            if job is None:
                yield from sh.complain(f"{word}: no such job", "disown")
                return 1
            chosen.append(job)
    for job in chosen:
        job.no_hup = True
        for pid in job.pids:
            sh.extra.setdefault("disowned", set()).add(pid)
        if "h" not in flags:
            sh.jobs.jobs.remove(job)
    return 0


@builtin("suspend", dialects="bash")
def suspend(sh: Shell, argv: list[str]) -> Gen[int]:
    """Stop the shell: refused, as real shells do without job control or when they are log-in shells."""
    if sh.login:
        yield from sh.complain("cannot suspend a login shell", "suspend")
    else:
        yield from sh.complain("cannot suspend: no job control", "suspend")
    return 1
