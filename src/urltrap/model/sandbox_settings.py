"""Settings of the boxes: real machines that attackers may break."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from urltrap.model.base import Model

Isolation = Literal["kernel", "gvisor", "vm"]


class SandboxSettings(Model):
    """What one box may use, and how many there are. With the isolation that is built its programs share this machine's
    kernel."""

    isolation: Isolation = Field(
        default="kernel",
        description='what stands between a box and this machine: "kernel" (namespaces, a closed list of system calls);'
        " the others are not built yet, with them attackers get emulated machines",
    )
    boxes: int = Field(default=32, ge=1, le=1000, description="boxes at once; others get emulated machines")
    seconds: float = Field(default=3600, gt=0, description="a box is thrown away when it is as old as this")
    idle_seconds: float = Field(
        default=600, ge=0, description="or when its attacker has been gone for so long"
    )
    memory_bytes: int = Field(
        default=268_435_456, ge=33_554_432, description="memory of one box, its files included"
    )
    processes: int = Field(default=128, ge=16, description="processes and threads of one box")
    processors: float = Field(default=0.5, gt=0, le=64, description="share of processors of one box")
    disk_bytes: int = Field(default=67_108_864, ge=1_048_576, description="what one box may write")
    files: int = Field(default=16_384, ge=256, description="files that one box may make")
