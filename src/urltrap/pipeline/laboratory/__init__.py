"""The laboratory: payloads are looked at in a process of their own, with little memory, little time and no way out."""

from urltrap.pipeline.laboratory.bench import InProcess, Looked
from urltrap.pipeline.laboratory.laboratory import LARGEST, Examiner, Laboratory

__all__ = ["LARGEST", "Examiner", "InProcess", "Laboratory", "Looked"]
