"""What detectors ask of an SSH server, as data."""

from __future__ import annotations

from urltrap.ops.audit.probe import Probe
from urltrap.ops.audit.probes import before_keys, channels, log_in

SSH_PROBES: tuple[Probe, ...] = (*before_keys.PROBES, *log_in.PROBES, *channels.PROBES)
