"""Both event loops against second, plain simulators, event by event, on random instances.

python -m bench.simulators streams --count 500      each decision, start and end, and the bounds
python -m bench.simulators slow-streams --count 60  the same on devices that slow each other
python -m bench.simulators board-streams --count 150  the same on boards that take time to go on
python -m bench.simulators schedules --count 500    the same, and that the checker accepts what ran
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence


def campaign(compared: Callable[[int], tuple[int, str]], count: int, first: int) -> dict[str, int]:
    """Compare until so many random instances had a run that could be compared.

    Returns
    -------
    dict
        How many instances and runs were compared, and how many differed.
    """
    instances = runs = different = 0
    seed = first
    while instances < count:
        done, text = compared(seed)
        if done or text:
            instances += 1
        runs += done
        if text:
            different += 1
            print(text, flush=True)
        seed += 1
    return {"instances": instances, "runs": runs, "different": different, "last_seed": seed - 1}


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare, and print what came out; 1 where something differs."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("streams", "slow-streams", "board-streams", "schedules"))
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args(arguments)
    began = time.perf_counter()
    if asked.what == "streams":
        from tests.unit.simulate.test_against_small_simulator import compared as streams

        found = campaign(streams, asked.count, asked.seed)
    elif asked.what == "slow-streams":
        from tests.unit.simulate.test_against_small_simulator import compared_slow

        found = campaign(compared_slow, asked.count, asked.seed)
    elif asked.what == "board-streams":
        from tests.unit.simulate.test_against_small_simulator import compared_boards

        found = campaign(compared_boards, asked.count, asked.seed)
    else:
        from tests.unit.simulate.test_schedules import compared as schedules

        found = campaign(lambda seed: schedules(seed, rolling=True), asked.count, asked.seed)
    print(f"{found} in {time.perf_counter() - began:.0f} s")
    return 1 if found["different"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
