"""Recovery against the ways that others take, on the same labelled texts in the same run: prints one JSON line.

For each extractor and set (lines, scripts, typed loaders): recall, precision, F1, texts exactly right, MB and texts per
second of processor time. Ours runs every text in the machine. The baselines are a plain regular expression and, where
they are installed (``pip install --group bench``; they are no dependency of ours), the libraries.
Nothing is fetched.

    python bench/recover.py [--data DIR] [--python PYTHON-WITH-THE-LIBRARIES] [--rounds N]
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

DATA = Path(__file__).parents[2] / "shared" / "data"
_PLAIN = re.compile(r"(?:https?|ftp|tftp)://[^\s\"'<>|;`)\\]+", re.IGNORECASE)
_LIBRARIES = ("iocextract", "ioc_finder", "urlextract")

Extract = Callable[[str], Iterable[str]]


def ours() -> Extract:
    """The URLs that a text would fetch: what ``urltrap recover --jsonl`` prints."""
    from urltrap import recover

    def extract(text: str) -> Iterable[str]:
        found = recover.urls(text.encode("utf-8", "surrogatepass"))
        return [item.url for item in found if item.confidence >= 60 and not item.runtime]

    return extract


def plain() -> Extract:
    """What a regular expression finds."""
    return lambda text: [match.rstrip(".,&") for match in _PLAIN.findall(text)]


def library(name: str) -> Extract:
    """One of the extraction libraries, with its defaults."""
    module: Any = importlib.import_module(name)
    if name == "iocextract":
        return lambda text: list(module.extract_urls(text, refang=True))
    if name == "ioc_finder":
        return lambda text: list(module.find_iocs(text)["urls"])
    extractor = module.URLExtract()
    return lambda text: list(extractor.find_urls(text))


def measure(
    extract: Extract, rows: list[dict[str, Any]], scorer: ModuleType, rounds: int
) -> dict[str, float]:
    """Score and time one extractor on one set."""
    texts = [row["text"] for row in rows]
    size = sum(len(text.encode("utf-8", "replace")) for text in texts)
    list(extract("wget http://192.0.2.1/warm"))
    start = time.process_time()
    for _ in range(rounds):
        answers = [list(extract(text)) for text in texts]
    spent = (time.process_time() - start) / rounds
    counts, _, _ = scorer.score(rows, answers)
    precision, recall, f1 = scorer.prf(counts)
    return {
        "precision": round(precision, 4), "recall": round(recall, 4), "f1": round(f1, 4),
        "exact": round(counts["exact"] / max(1, counts["lines"]), 4), "mb_per_s": round(size / spent / 1e6, 3),
        "texts_per_s": round(len(texts) / spent, 1),
    }  # fmt: skip


def load_scorer(data: Path) -> ModuleType:
    """The scorer that comes with the labelled texts."""
    spec = importlib.util.spec_from_file_location("score_urls", data / "score_urls.py")
    if spec is None or spec.loader is None:
        raise SystemExit(f"{data}: no score_urls.py there: give the folder of the labelled texts with --data")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(names: list[str], data: Path, rounds: int) -> dict[str, dict[str, dict[str, float]]]:
    """All named extractors on all sets."""
    scorer = load_scorer(data)
    results: dict[str, dict[str, dict[str, float]]] = {}
    for name in names:
        extract = ours() if name == "urltrap" else plain() if name == "regex" else library(name)
        results[name] = {
            kind: measure(extract, scorer.load(str(data), kind), scorer, rounds if kind == "lines" else 1)
            for kind in ("lines", "scripts", "loaders")
        }
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--data", type=Path, default=DATA, help="the folder with score_urls.py and the labelled texts"
    )
    parser.add_argument("--python", default=sys.executable, help="an interpreter that has the libraries")
    parser.add_argument("--rounds", type=int, default=3, help="how often the lines are read, for the timing")
    parser.add_argument("--only", help="one extractor, its result as JSON (used for --python)")
    options = parser.parse_args()
    if not (options.data / "score_urls.py").is_file():
        raise SystemExit(
            f"{options.data}: no score_urls.py there: give the folder of the labelled texts with --data"
        )
    if options.only:
        print(json.dumps(run([options.only], options.data, options.rounds)))
        return
    results = run(["urltrap", "regex"], options.data, options.rounds)
    missing = []
    for name in _LIBRARIES:
        command = [options.python, __file__, "--data", str(options.data), "--rounds", "1", "--only", name]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            missing.append(name)
        else:
            results.update(json.loads(done.stdout.splitlines()[-1]))
    print(json.dumps({"bench": "recover", "not_installed": missing, "results": results}))


if __name__ == "__main__":
    main()
