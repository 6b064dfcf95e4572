"""Background jobs: their numbers, states and how ``jobs`` prints them."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Job:
    """One background job: its processes, its text, and how it ended."""

    number: int
    pids: list[int]
    text: str
    status: int | None = None
    stopped: bool = False
    reported: bool = False
    disowned: bool = False
    no_hup: bool = False
    own_group: bool = False

    @property
    def pid(self) -> int:
        """The process that ``$!`` names: the last of the pipeline."""
        return self.pids[-1]


@dataclass(slots=True)
class JobTable:
    """The jobs of one shell."""

    jobs: list[Job] = field(default_factory=list)
    ended: dict[int, int] = field(default_factory=dict)

    def add(self, pids: list[int], text: str) -> Job:
        """A new job with the next number."""
        number = max((job.number for job in self.jobs), default=0) + 1
        job = Job(number, pids, text)
        self.jobs.append(job)
        return job

    def finish(self, pid: int, status: int) -> Job | None:
        """Note that `pid` ended."""
        self.ended[pid] = status
        if len(self.ended) > 1024:
            self.ended.pop(next(iter(self.ended)))
        for job in self.jobs:
            if job.pid == pid:
                job.status = status
                return job
        return None

    def by_pid(self, pid: int) -> Job | None:
        """The job that process `pid` belongs to."""
        for job in self.jobs:
            if pid in job.pids:
                return job
        return None

    def find(self, spec: str) -> Job | None:
        """The job of a specification: ``%1``, ``%%``, ``%+``, ``%-``, ``%name``, ``%?part``."""
        if not self.jobs:
            return None
        body = spec.removeprefix("%")
        if body in ("", "%", "+"):
            return self.jobs[-1]
        if body == "-":
            return self.jobs[-2] if len(self.jobs) > 1 else self.jobs[-1]
        if body.isdecimal():
            return next((job for job in self.jobs if job.number == int(body[:9])), None)
        if body.startswith("?"):
            return next((job for job in reversed(self.jobs) if body[1:] in job.text), None)
        return next((job for job in reversed(self.jobs) if job.text.startswith(body)), None)

    def mark(self, job: Job) -> str:
        """``+`` for the current job, ``-`` for the previous one."""
        if self.jobs and job is self.jobs[-1]:
            return "+"
        if len(self.jobs) > 1 and job is self.jobs[-2]:
            return "-"
        return " "

    def remove_reported(self) -> None:
        """Forget the ended jobs that the user has been told of."""
        self.jobs = [job for job in self.jobs if not job.reported]
