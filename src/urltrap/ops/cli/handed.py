"""What was handed to others, as commands show it."""

from __future__ import annotations

from collections.abc import Sequence

from urltrap.model.submission import Submission
from urltrap.ops.cli.common import print_table


def print_submissions(rows: Sequence[Submission]) -> None:
    """Submissions to services that look at URLs and payloads, as a table."""
    print_table(
        "handed to others",
        ("service", "what", "asked (UTC)", "by", "state", "at (UTC)", "link*", "detail*"),
        (
            (
                f"{row.service} {row.visibility}".strip(),
                row.subject_kind,
                row.asked.strftime("%Y-%m-%d %H:%M"),
                row.asked_by,
                row.state,
                row.at.strftime("%Y-%m-%d %H:%M") if row.at else "",
                row.link or row.reference,
                row.detail,
            )
            for row in rows
        ),
    )
