"""Context lists: seconds to parse and index about 60 of them, look-ups per second of addresses and of hosts.

Without an argument, lists of the size of the real ones are made up (72,475 networks, 46,845 hosts, 60 files of MISP's
form); with a folder, its files (NAME.json) are taken. `python bench/lists.py [FOLDER]` prints one JSON line.
"""

from __future__ import annotations

import json
import random
import sys
import time
from pathlib import Path

from urltrap.intel.lists.catalogue import kind_of
from urltrap.intel.lists.index import ContextLabel, ListIndex
from urltrap.intel.lists.parse import ListError, parse_list

LISTS, NETWORKS, HOSTS = 60, 72_475, 46_845
LOOKUPS = 100_000


def address(dice: random.Random) -> str:
    return ".".join(str(dice.randrange(256)) for _ in range(4))


def made_up(dice: random.Random) -> dict[str, bytes]:
    files = {}
    for number in range(LISTS):
        networks = number % 2 == 0
        size = (NETWORKS if networks else HOSTS) // (LISTS // 2)
        if networks:
            values = [f"{address(dice)}/{dice.choice((16, 20, 22, 24, 24, 28, 32, 32))}" for _ in range(size)]
        else:
            values = [f"h{dice.randrange(10**9)}.example{n}.co.uk" for n in range(size)]
        body = {"name": "x", "version": number, "type": "cidr" if networks else "hostname", "list": values}
        files[f"list-{number}"] = json.dumps(body).encode()
    return files


def main() -> None:
    dice = random.Random(7)
    if len(sys.argv) > 1:
        files = {path.stem: path.read_bytes() for path in sorted(Path(sys.argv[1]).glob("*.json"))}
    else:
        files = made_up(dice)
    began = time.perf_counter()
    index, unusable = ListIndex(), 0
    for name, body in files.items():
        try:
            parsed = parse_list(name, body)
        except ListError:
            unusable += 1
            continue
        index.add(ContextLabel(kind_of(name), name, parsed.version), parsed.values)
    seconds = time.perf_counter() - began
    addresses = [address(dice) for _ in range(LOOKUPS)]
    hosts = [f"a{n}.b.example{n % 2000}.co.uk" for n in range(LOOKUPS)]
    began = time.perf_counter()
    hits = sum(bool(index.of_address(item)) for item in addresses)
    by_address = LOOKUPS / (time.perf_counter() - began)
    began = time.perf_counter()
    for item in hosts:
        index.of_host(item)
    by_host = LOOKUPS / (time.perf_counter() - began)
    figures = {
        "bench": "lists", "lists": len(files), "unusable": unusable, "values": len(index),
        "parse_seconds": round(seconds, 2), "address_lookups_per_second": round(by_address),
        "host_lookups_per_second": round(by_host), "addresses_with_a_label": hits,
    }  # fmt: skip
    print(json.dumps(figures))


main()
