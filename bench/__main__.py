"""Benchmarks of hetopt and its peers.

python -m bench list                                     families, cases, what is missing
python -m bench run --family fjsp -o results.csv         run and write rows
python -m bench run --ortools 9.15.6755 ...              the same with another OR-Tools as well
python -m bench.cpsat_versions --count 1000              are CP-SAT's proofs right?
python -m bench overnight --hours 2 -o page.csv          the page of results, a piece of it
python -m bench report results.csv -o report             table and pictures
python -m bench report results.csv --docs                tables of docs/benchmarks.md
python -m bench report results.csv --csv -o plain.csv    one plain row a run
python -m bench fetch fjsp jsp -o shared                 published instances from their sources
python -m bench check results.csv                        look for bounds that cannot be
python -m bench install-peers                            environments of the peers
python -m bench compare-commits A B                      micro-benchmarks of two commits
python -m bench set-round-trip                           --set against changes in the file
python -m bench fuzz --runs 10000 --seed 1               mutated files and command lines
python -m bench executors --jobs 1,2                     what processes cost and bring
python -m bench slowdown                                 fitted demands against measured pairs
"""

from __future__ import annotations

import argparse
import math
import shlex
import sys
from itertools import zip_longest
from pathlib import Path

from bench.cases import FAMILIES, SMOKE, Case, benchmarks, cases, missing


def main(arguments: list[str] | None = None) -> int:
    """Run a command; return its exit code (2: bad usage, 130: interrupted)."""
    given = sys.argv[1:] if arguments is None else arguments
    parser = _parser()
    parsed = parser.parse_args(given)
    try:
        return int(COMMANDS[parsed.command](parsed, parser, given))
    except KeyboardInterrupt:
        print("Interrupted; what was finished is in the table.", file=sys.stderr)
        return 130
    except (ValueError, OSError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="families, cases, solvers, and what is missing")

    run = commands.add_parser("run", help="run cases and write a row for each run")
    run.add_argument("--family", default="", help="families, separated by commas; all: every one")
    run.add_argument("--instances", default="", help="patterns of instances: 'mk0*,la40'")
    run.add_argument("--limit", type=int, help="most cases of a family, evenly spaced")
    run.add_argument("--time-limit", type=float, default=30.0, help="seconds for each run")
    run.add_argument("--workers", type=int, default=2, help="threads of each solver")
    run.add_argument("--seeds", type=int, default=1, help="runs of each case and solver")
    run.add_argument(
        "--against",
        action="append",
        default=[],
        help="peers, separated by commas; or a solver of your own, as "
        "'mine=command {instance} {time} {output}'; repeat it for more",
    )
    run.add_argument("--ortools", default="", help="run hetopt with these versions as well")
    run.add_argument("--jobs", type=int, default=1, help="runs at a time; they disturb each other")
    run.add_argument(
        "--ray", default="", help="start runs on a Ray cluster: HOST:PORT, auto, local"
    )
    run.add_argument("--retry-errors", action="store_true", help="run crashed cases again")
    run.add_argument("--smoke", action="store_true", help="a few generated cases, in seconds")
    run.add_argument("-o", "--output", type=Path, required=True, help="table of results (CSV)")

    night = commands.add_parser("overnight", help="all families and peers, piece by piece")
    night.add_argument("--hours", type=float, default=math.inf, help="end after so many")
    night.add_argument("--family", default="", help="families, separated by commas; default all")
    night.add_argument("--cases", type=int, default=10, help="of each family, evenly spaced")
    night.add_argument("--time-limit", type=float, default=20.0, help="seconds for each run")
    night.add_argument("-o", "--output", type=Path, required=True, help="table of results (CSV)")

    report = commands.add_parser("report", help="tables and pictures of results")
    report.add_argument("results", type=Path, nargs="+")
    report.add_argument(
        "-o",
        "--output",
        type=Path,
        help="report.md or report.html, or a folder for both; --docs: the page",
    )
    report.add_argument(
        "--csv", action="store_true", help="a plain table of the runs, to --output or stdout"
    )
    report.add_argument("--docs", action="store_true", help="a row a version and family only")

    check = commands.add_parser("check", help="list results that cannot be true")
    check.add_argument("results", type=Path, nargs="+")

    install = commands.add_parser("install-peers", help="make the peers' environments")
    install.add_argument("peers", nargs="*", help="which; default all")
    install.add_argument("--python", default="", help="interpreter to make them with")

    compare = commands.add_parser("compare-commits", help="micro-benchmarks of two commits")
    compare.add_argument("before")
    compare.add_argument("after")
    compare.add_argument("-k", dest="keyword", default="", help="only benchmarks of this name")
    compare.add_argument("--rounds", type=int, default=2, help="turns of each commit")
    compare.add_argument("--small", action="store_true", help="only the smallest sizes")

    fetch = commands.add_parser("fetch", help="get published instances from their sources")
    fetch.add_argument("families", nargs="*", help="which; without: list what there is")
    fetch.add_argument("-o", "--output", type=Path, help="folder that benchmarks/FAMILY go into")
    fetch.add_argument("--from", dest="source", type=Path, help="a folder that has them already")

    fuzz = commands.add_parser("fuzz", help="mutated files and command lines")
    fuzz.add_argument("--runs", type=int, default=1000)
    fuzz.add_argument("--seed", type=int, default=0)
    fuzz.add_argument("--only", type=int, help="repeat the run of this number")
    fuzz.add_argument("--keep", type=Path, help="folder for the files of runs that ended badly")

    spread = commands.add_parser("executors", help="what processes cost and bring")
    spread.add_argument("--jobs", default="1,2", help="numbers of processes, the first is compared")
    spread.add_argument("--cases", type=int, default=40, help="cases of the loop")
    spread.add_argument("--limit", type=float, default=0.3, help="deterministic seconds of each")

    pairs = commands.add_parser("slowdown", help="what CPU and GPU of one chip do together")
    pairs.add_argument(
        "pairs",
        type=Path,
        nargs="?",
        default=benchmarks().parent / "data" / "corun_pairs.csv",
        help="table of pairs; default: that of the reference data",
    )

    trip = commands.add_parser("set-round-trip", help="--set against the change in the file")
    trip.add_argument("files", type=Path, nargs="*", help="documents; default: all shipped ones")
    trip.add_argument("--step", type=int, default=1, help="each how-manieth field only")
    return parser


def _list(parsed: argparse.Namespace, parser: argparse.ArgumentParser, given: list[str]) -> int:
    from bench.peers import PEERS
    from bench.peers import missing as lacking

    print(f"{'family':16} {'cases':>5} {'known':>5} {'optimal':>7}  about")
    for name, family in FAMILIES.items():
        found = cases(name)
        known = sum(c.best_known is not None for c in found)
        proven = sum(c.optimal for c in found)
        why = missing(name)
        about = f"{family.about}. {why}" if why else family.about
        print(f"{name:16} {len(found):5} {known:5} {proven:7}  {about}")
    for peer in PEERS:
        print(f"peer {peer}: {lacking(peer) or 'ready.'}")
    return 0


def _run(parsed: argparse.Namespace, parser: argparse.ArgumentParser, given: list[str]) -> int:
    from bench.peers import PEERS
    from bench.peers import missing as lacking
    from bench.peers.command import is_command
    from bench.run import Plan, run
    from hetopt.cli.executors import Loops
    from hetopt.errors import InputError

    peers = [
        p for text in parsed.against for p in ([text] if is_command(text) else text.split(",")) if p
    ]
    for peer in peers:
        if is_command(peer):
            continue
        if peer not in PEERS:
            parser.error(f"there is no peer {peer}; there are {', '.join(PEERS)}")
        if why := lacking(peer):
            parser.error(why)
    if not (parsed.time_limit > 0 and min(parsed.workers, parsed.seeds, parsed.jobs) > 0):
        parser.error("time limit, workers, seeds and jobs are expected to be more than 0")
    chosen = _smoke() if parsed.smoke else _chosen(parsed, parser)
    if not chosen:
        parser.error("no case fits; `python -m bench list` shows what there is")
    command = f"python -m bench {shlex.join(given)}"
    versions = [f"hetopt@{number}" for number in parsed.ortools.split(",") if number]
    plan = Plan(
        chosen,
        ["hetopt", *versions, *peers],
        parsed.seeds,
        parsed.time_limit,
        parsed.workers,
        command,
    )
    if parsed.ray and parsed.jobs > 1:
        parser.error("either --jobs (runs at a time here) or --ray (a cluster)")
    try:
        with Loops(None, parsed.ray or None).executor(parsed.workers) as executor:
            rows = run(
                plan,
                parsed.output,
                retry_errors=parsed.retry_errors,
                jobs_at_once=parsed.jobs,
                executor=executor,
            )
    except InputError as error:
        parser.error(str(error))
    failed = sum(row["status"] == "error" for row in rows)
    print(f"{len(rows)} runs, {failed} of them crashed; the table is {parsed.output}.")
    return 0


def _overnight(
    parsed: argparse.Namespace, parser: argparse.ArgumentParser, given: list[str]
) -> int:
    from bench.overnight import overnight

    families = [f for f in parsed.family.split(",") if f]
    unknown = [f for f in families if f not in FAMILIES]
    if unknown:
        parser.error(f"there is no family {unknown[0]}; there are {', '.join(FAMILIES)}")
    if not (parsed.hours > 0 and parsed.cases > 0 and parsed.time_limit > 0):
        parser.error("hours, cases and the time limit are expected to be more than 0")
    command = f"python -m bench {shlex.join(given)}"
    overnight(parsed.output, parsed.hours, families, parsed.cases, parsed.time_limit, command)
    return 0


def _smoke() -> list[Case]:
    return [c for c in cases("generated") if f"generated/{c.instance}" in SMOKE]


def _chosen(parsed: argparse.Namespace, parser: argparse.ArgumentParser) -> list[Case]:
    from bench.run import select

    names = [f for f in parsed.family.split(",") if f]
    if names == ["all"]:
        names = list(FAMILIES)
    if not names:
        parser.error("--family is needed; `python -m bench list` shows what there is")
    found: list[list[Case]] = []
    for name in names:
        if name not in FAMILIES:
            parser.error(f"there is no family {name}; there are {', '.join(FAMILIES)}")
        why = missing(name)
        if why:
            print(f"Family {name} is left out: {why}", file=sys.stderr)
            continue
        found.append(select(cases(name), parsed.instances, parsed.limit))
    # In turns, so that a run that is cut short has something of each family.
    turns = zip_longest(*found)
    return [case for turn in turns for case in turn if case is not None]


def _report(parsed: argparse.Namespace, parser: argparse.ArgumentParser, given: list[str]) -> int:
    from bench.docs_table import docs_tables
    from bench.report import write_report

    if parsed.csv:
        from bench.plain import plain_table

        text = plain_table(parsed.results)
        if parsed.output is None:
            print(text, end="")
        else:
            parsed.output.write_text(text, encoding="utf-8")
        return 0
    if parsed.docs:
        print(docs_tables(parsed.results, parsed.output))
        return 0
    print(write_report(parsed.results, parsed.output))
    return 0


def _check(parsed: argparse.Namespace, parser: argparse.ArgumentParser, given: list[str]) -> int:
    from bench.check import check

    return check(parsed.results)


def _install(parsed: argparse.Namespace, parser: argparse.ArgumentParser, given: list[str]) -> int:
    from bench.peers.environments import ENVIRONMENTS, install

    unknown = [p for p in parsed.peers if p not in ENVIRONMENTS]
    if unknown:
        parser.error(f"{', '.join(unknown)} needs no environment; {', '.join(ENVIRONMENTS)} do")
    failed = [why for p in parsed.peers or ENVIRONMENTS if (why := install(p, parsed.python))]
    for why in failed:
        print(why, file=sys.stderr)
    return 1 if failed else 0


def _compare(parsed: argparse.Namespace, parser: argparse.ArgumentParser, given: list[str]) -> int:
    from bench.micro.compare import compare_commits

    return compare_commits(
        parsed.before, parsed.after, parsed.keyword, parsed.rounds, small=parsed.small
    )


def _round_trip(
    parsed: argparse.Namespace, parser: argparse.ArgumentParser, given: list[str]
) -> int:
    from bench.set_round_trip import main

    return min(1, main(parsed.files, parsed.step))


def _fetch(parsed: argparse.Namespace, parser: argparse.ArgumentParser, given: list[str]) -> int:
    from bench.fetch import fetch, listing

    if not parsed.families:
        print(listing())
        return 0
    if parsed.output is None:
        parser.error("-o FOLDER is needed; HETOPT_SHARED then names it for `bench run`")
    return fetch(parsed.families, parsed.output, parsed.source)


def _fuzz(parsed: argparse.Namespace, parser: argparse.ArgumentParser, given: list[str]) -> int:
    from bench.cases import benchmarks
    from bench.fuzz import main

    return min(1, main(parsed.runs, parsed.seed, benchmarks().parent, parsed.only, parsed.keep))


def _executors(
    parsed: argparse.Namespace, parser: argparse.ArgumentParser, given: list[str]
) -> int:
    from bench.executors import run

    if not all(text.isdecimal() and int(text) > 0 for text in parsed.jobs.split(",")):
        parser.error("--jobs is expected to be numbers above 0, separated by commas")
    print(run([int(text) for text in parsed.jobs.split(",")], parsed.cases, parsed.limit))
    return 0


def _slowdown(parsed: argparse.Namespace, parser: argparse.ArgumentParser, given: list[str]) -> int:
    from bench.slowdown import main as predict

    return predict(parsed.pairs)


COMMANDS = {
    "list": _list,
    "run": _run,
    "overnight": _overnight,
    "report": _report,
    "check": _check,
    "install-peers": _install,
    "compare-commits": _compare,
    "set-round-trip": _round_trip,
    "fetch": _fetch,
    "fuzz": _fuzz,
    "executors": _executors,
    "slowdown": _slowdown,
}

if __name__ == "__main__":
    raise SystemExit(main())
