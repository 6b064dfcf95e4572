"""All probes of the audit, asked of our sensor and beside it of the real server, or of its recording.

    python bench/probes.py OURS [--real HOST:PORT --key FILE] [--user root --password WORD] [--runs 5]

Prints one JSON line: `asked`, `differ` (answers of ours that are among none of the real server's `runs`, at most the
listed exceptions), `names` of those, `itself` (probes that the real server answers in more than one way).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from pathlib import Path

from urltrap.ops.audit.capture import answers_of, differing, read_offer
from urltrap.ops.audit.probes import SSH_PROBES
from urltrap.ops.audit.report import shipped
from urltrap.ops.audit.runner import ask_all
from urltrap.ops.cli.profile import target_of


async def compare(arguments: argparse.Namespace) -> dict[str, object]:
    ours = target_of(arguments.ours, arguments.user, arguments.password, silence=arguments.silence)
    banner, _, _ = await read_offer(ours)
    if arguments.real:
        real = target_of(arguments.real, arguments.user, key=arguments.key, silence=2 * arguments.silence)
        recorded = await answers_of(real, SSH_PROBES, arguments.runs)
    else:
        recorded = dict(shipped()[banner.rstrip(b"\r\n").decode("latin-1")][1])
    answers = await ask_all(ours, SSH_PROBES)
    names = differing(answers, recorded)
    return {
        "bench": "probes",
        "banner": banner.rstrip(b"\r\n").decode("latin-1"),
        "asked": sum(name in recorded for name in answers),
        "differ": len(names),
        "names": names,
        "itself": sum(len(known) > 1 for known in recorded.values()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("ours")
    parser.add_argument("--real")
    parser.add_argument("--key", type=Path)
    parser.add_argument("--user", default="root")
    parser.add_argument("--password")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--silence", type=float, default=1.0)
    sys.stdout.write(json.dumps(asyncio.run(compare(parser.parse_args()))) + "\n")


if __name__ == "__main__":
    main()
