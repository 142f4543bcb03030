"""Put what explanations, comparisons and fronts claim of random tiny instances to oracles.

``python -m bench.claims`` explains 300 instances, compares on 300 and walks 150 fronts, schedules
and streams in turn; ``--what explain --count 20 --seed 7`` is a part. Every false sentence is
printed with its seed; the exit code is 1 where there is any.
"""

from __future__ import annotations

import argparse
import time
import traceback
from collections import Counter
from concurrent.futures import ProcessPoolExecutor

from tests.oracles.campaign import Outcome
from tests.oracles.claims import CAMPAIGNS


def main() -> int:
    """Run the campaigns that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--what", choices=[*CAMPAIGNS, "all"], default="all")
    parser.add_argument("--count", type=int, help="instances of each; by default 300, 300 and 150")
    parser.add_argument("--seed", type=int, default=0, help="seed of the first instance")
    parser.add_argument("--workers", type=int, default=1, help="processes")
    arguments = parser.parse_args()
    names = list(CAMPAIGNS) if arguments.what == "all" else [arguments.what]
    wrong = 0
    for name in names:
        count = arguments.count or CAMPAIGNS[name].count
        wrong += campaign(name, arguments.seed, count, arguments.workers)
    return 1 if wrong else 0


def campaign(name: str, seed: int, count: int, workers: int) -> int:
    """Judge ``count`` instances; return of how many something false was said."""
    began = time.monotonic()
    kinds: Counter[str] = Counter()
    with ProcessPoolExecutor(workers) as pool:
        tasks = [(name, s) for s in range(seed, seed + count)]
        for outcome in pool.map(_judged, tasks, chunksize=2):
            kinds[outcome.kind] += 1
            if outcome.kind == "disagreed":
                print(f"{name} seed {outcome.seed}:", *outcome.wrong, sep="\n    ", flush=True)
    told = ", ".join(f"{many} {kind}" for kind, many in sorted(kinds.items()))
    print(f"{name}: {count} instances: {told}; {time.monotonic() - began:.0f} s", flush=True)
    return kinds["disagreed"]


def _judged(task: tuple[str, int]) -> Outcome:
    name, seed = task
    try:
        return CAMPAIGNS[name].judge(seed)
    except Exception:  # noqa: BLE001  # a campaign goes on, and names the seed that crashed
        return Outcome(seed, "disagreed", [traceback.format_exc()])


if __name__ == "__main__":
    raise SystemExit(main())
