"""``python -m urltrap.ops`` is the `urltrap` command."""

from __future__ import annotations

from urltrap.ops.cli import main

main()
