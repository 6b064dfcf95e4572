"""Evidence in, verdict out: pure rules whose reasons a person can read."""

from urltrap.judge.evidence import Evidence, Label, Payload
from urltrap.judge.publication import publish_after
from urltrap.judge.rules import RULES, judge

__all__ = ["RULES", "Evidence", "Label", "Payload", "judge", "publish_after"]
