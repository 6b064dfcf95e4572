"""Submissions: what was handed to a service that looks at it, by whom, and what it said."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from urltrap.model.base import Model, Utc
from urltrap.model.verdict import SubjectKind

SubmissionState = Literal["waiting", "submitted", "refused", "failed"]
"""Waits for its turn; was taken; will never be sent, or was not taken; was tried often enough."""


class Submission(Model):
    """One submission of a URL or of a payload's bytes to one service. It tells a third party what was seen here."""

    service: str
    subject_kind: SubjectKind
    subject: str
    asked: Utc
    asked_by: Literal["operator", "automatic"]
    visibility: str = Field(
        default="", description="who sees the result there; empty: the service has only one way"
    )
    state: SubmissionState = "waiting"
    at: Utc | None = Field(default=None, description="when the state came to be; None while it waits")
    reference: str = Field(default="", description="the service's own id of it")
    link: str = Field(default="", description="where a person sees what came out")
    detail: str = ""
