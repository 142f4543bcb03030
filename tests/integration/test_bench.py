"""The benchmark harness: registry, runs in processes of their own, reports and checks."""

from __future__ import annotations

import csv
import math
import re
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from bench.__main__ import main
from bench.answers import Answer, Limits, UnsupportedError
from bench.cases import FAMILIES, MAKESPAN, Case, Measure, cases
from bench.check import impossible
from bench.child import run_job
from bench.peers import SOLVERS
from bench.pictures import gaps_over_time, profiles
from bench.report import markdown
from bench.rows import COLUMNS, Table, read_rows
from bench.run import run_child, select

SHOP = "2 2\n2 2 0 3 1 5 1 1 4\n1 2 0 2 1 2\n"
SHOP_OPTIMUM = 7.0
"""Job 0: 3 on machine 0, then 4 on machine 1; job 1 fits beside."""


def row(**changes: object) -> dict[str, object]:
    """Return a row of results with everything unknown but the changes."""
    numbers = ("objective", "bound", "best_known", "known_bound", "gap_best_known", "gap_proven",
               "first_plan_s", "within_1pct_s", "end_s", "read_s", "build_s", "peak_mb",
               "load_1min")  # fmt: skip
    plain: dict[str, object] = dict.fromkeys(COLUMNS, "") | dict.fromkeys(numbers, math.nan)
    plain |= {"family": "f", "instance": "i", "solver": "hetopt", "seed": 0.0, "sense": "min"}
    plain |= {"time_limit_s": 1.0, "workers": 2.0, "status": "feasible", "end_s": 1.0}
    return plain | changes


@pytest.fixture
def shop_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Reference data of one family: a tiny job shop, and a file that is none."""
    folder = tmp_path / "shared" / "benchmarks" / "fjsp"
    folder.mkdir(parents=True)
    (folder / "tiny.txt").write_text(SHOP)
    (folder / "broken.txt").write_text("2 2\n1 1 0\n")
    table = [("instance", "file", "lower_bound", "best_known", "optimal")]
    table += [("broken", "broken.txt", 1, 1, 1), ("tiny", "tiny.txt", 7, 7, 1)]
    with (folder / "bks.csv").open("w", newline="") as file:
        csv.writer(file).writerows(table)
    monkeypatch.setenv("HETOPT_SHARED", str(tmp_path / "shared"))
    return folder


def test_an_executor_starts_the_runs_of_a_table_in_their_order(tmp_path: Path) -> None:
    from bench.cases import SMOKE, cases
    from bench.run import Plan, run

    chosen = [c for c in cases("generated") if f"generated/{c.instance}" in SMOKE][:2]
    plan = Plan(chosen, ["hetopt"], 1, 0.5, 1)
    with ThreadPoolExecutor(2) as threads:
        rows = run(plan, tmp_path / "r.csv", executor=threads)
    assert [row["instance"] for row in rows] == [c.instance for c in chosen]
    assert all(row["verified"] for row in rows)


def test_a_smoke_run_makes_rows_a_report_and_no_impossible_claim(tmp_path: Path) -> None:
    results, folder = tmp_path / "r.csv", tmp_path / "report"
    command = ["run", "--smoke", "--time-limit", "3", "--against", "highs,melange-ilp"]
    command += ["--jobs", "2", "-o", str(results)]
    assert main(command) == 0
    rows = read_rows(results)
    assert [r["status"] for r in rows if r["solver"] == "hetopt"].count("error") == 0
    assert all(r["verified"] == "1" for r in rows if r["status"] in ("optimal", "feasible"))
    own = [r for r in rows if r["solver"] == "hetopt"]
    assert len(own) == 3
    for r in own:
        assert r["bound"] <= r["objective"] * (1 + 1e-6)
        assert 0 <= r["first_plan_s"] <= r["end_s"]
        assert r["peak_mb"] > 20
        assert r["history"] != ""
        assert r["command"].startswith("python -m bench run --smoke")
    assert any(not math.isnan(r["build_s"]) for r in own)
    assert any(r["status"] == "unsupported" for r in rows), "a fleet is all that Mélange knows"
    assert main(["check", str(results)]) == 0
    before = results.read_text()
    assert main(command) == 0
    assert results.read_text() == before, "a run that is in the table is not run again"
    assert main(["report", str(results), "-o", str(folder)]) == 0
    page = (folder / "report.html").read_text()
    assert "Performance profile" in page
    assert "cdn" not in page[:2000]


def test_a_crashed_case_does_not_end_the_run(shop_data: Path, tmp_path: Path) -> None:
    results = tmp_path / "r.csv"
    assert main(["run", "--family", "fjsp", "--time-limit", "3", "-o", str(results)]) == 0
    broken, tiny = read_rows(results)
    assert broken["status"] == "error"
    assert "broken.txt" in broken["error"]
    assert tiny["status"] == "optimal"
    assert tiny["objective"] == SHOP_OPTIMUM
    assert tiny["gap_best_known"] == 0.0


def test_a_line_that_a_killed_run_left_unfinished_is_run_again(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    table = Table(path)
    table.add(row(instance="a"))
    table.add(row(instance="b"))
    text = path.read_text()
    path.write_text(text[: text.rfind("\n") - 5])
    healed = Table(path)
    assert [r["instance"] for r in healed.rows] == ["a"]
    healed.add(row(instance="b", objective=2.5))
    assert [r["instance"] for r in read_rows(path)] == ["a", "b"]
    assert read_rows(path)[1]["objective"] == 2.5


def test_a_table_of_something_else_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_text("a,b\n1,2\n")
    assert main(["run", "--smoke", "-o", str(path)]) == 2
    assert path.read_text() == "a,b\n1,2\n"


def test_a_run_that_does_not_come_back_is_ended(tmp_path: Path) -> None:
    job = {"case": cases("generated")[0].as_dict(), "solver": "hetopt"}
    answer, _ = run_child(job | {"seed": 0, "time_limit_s": 60.0, "workers": 1}, 0.05)
    assert answer["status"] == "error"
    assert "ended after 0.05 s" in answer["error"]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ([row(bound=11.0, objective=12.0, best_known=10.0)], "beyond the best-known value"),
        ([row(objective=4.0, known_bound=5.0)], "better than the proven bound"),
        ([row(status="infeasible", best_known=3.0)], "is known to be reached"),
        ([row(bound=9.0, seed=1.0), row(objective=8.0)], "that hetopt found"),
        ([row(status="optimal", objective=9.0, seed=1.0), row(objective=8.0)], "called optimal"),
        ([row(status="infeasible", seed=1.0), row(objective=8.0)], "found a plan"),
        ([row(sense="max", bound=9.0, best_known=10.0)], "beyond the best-known value"),
    ],
)
def test_claims_that_cannot_be_are_found(
    wrong: list[dict[str, object]], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = Table(tmp_path / "r.csv")
    for each in wrong:
        table.add(each)
    assert main(["check", str(table.path)]) == 1
    assert words in capsys.readouterr().out


def test_true_claims_pass_the_check() -> None:
    rows = [
        row(objective=10.0, bound=10.0 * (1 - 1e-9), best_known=10.0, known_bound=10.0),
        row(objective=12.0, bound=10.0, seed=1.0, solver="saga"),
        row(sense="max", instance="j", objective=3.0, bound=4.0, best_known=3.5),
        row(status="error", bound=99.0, best_known=1.0, error="it crashed"),
    ]
    assert impossible(rows) == []


def test_the_report_counts_what_its_means_lack() -> None:
    rows = [
        row(objective=11.0, best_known=10.0, gap_best_known=0.1),
        row(instance="j", status="unknown"),
        row(solver="cbc", objective=22.0, best_known=10.0, gap_best_known=1.2, end_s=3.0),
        row(solver="cbc", instance="j", status="unsupported", error="No order."),
    ]
    text = markdown(rows)
    assert "| f | hetopt |  | 2 | 1 | 0 | 10.00% (1) |" in text
    assert "| f | cbc | 1 of 2 | 1 | 0 | 0 | 2.000 | 2.000 |" in text


def test_profiles_count_runs_without_a_plan() -> None:
    rows = [
        row(objective=10.0, history="[[0.5, 20, 1], [2, 10, 1]]", time_limit_s=4.0),
        row(instance="j", objective=math.nan, best_known=5.0, time_limit_s=4.0),
        row(solver="cbc", objective=20.0, history="[]"),
    ]
    curves = profiles(rows)
    assert curves["hetopt"] == ([1.0, 1.0, 2.0], [0.5, 0.5, 0.5])
    assert curves["cbc"][1] == [0.0, 1.0, 1.0]
    seconds, gaps = gaps_over_time(rows)["hetopt"]
    assert gaps[0] == 1.0
    assert gaps[-1] == 0.5, "one run closes its gap, the other one never has a plan"
    assert seconds[-1] == pytest.approx(4.0)


def test_chosen_cases_are_evenly_spaced_and_patterns_hold_the_last_part_of_a_name() -> None:
    found = [Case("f", f"set/mk{k:02}", "", "fjsp", MAKESPAN) for k in range(10)]
    assert [c.instance[-2:] for c in select(found, limit=3)] == ["00", "03", "06"]
    assert [c.instance for c in select(found, "mk03,set/mk1*,mk0[89]")] == [
        "set/mk03",
        "set/mk08",
        "set/mk09",
    ]


def test_a_load_is_the_inverse_of_the_throughput() -> None:
    load = Measure("load", "throughput", inverse=True)
    assert load.published(0.5) == 2.0
    assert math.isinf(load.published(0.0))
    assert math.isnan(load.published(math.nan))


@pytest.mark.parametrize("family", list(FAMILIES))
def test_every_published_row_is_a_case_whose_file_is_there(family: str, shared_path) -> None:
    if family not in ("shipped", "generated", "limits"):
        shared_path("benchmarks", family)
    found = cases(family)
    assert found
    assert len({c.instance for c in found}) == len(found)
    for case in found:
        assert not case.path or Path(case.path).is_file(), case
        if case.optimal:
            assert case.best_known is not None
        # The figures of the one family without a reader are rounded apart.
        if FAMILIES[family].format and None not in (case.best_known, case.lower_bound):
            assert case.lower_bound <= case.best_known * (1 + 1e-9)


def test_a_peers_plan_that_the_checker_rejects_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    from bench.peers import own

    def cheat(instance: object, limits: Limits) -> Answer:
        answer = own.hetopt_auto(instance, limits)  # type: ignore[arg-type]
        answer.plan.start_s[:] = 0.0  # type: ignore[union-attr]
        return answer

    monkeypatch.setattr(own, "hetopt_cheat", cheat, raising=False)
    monkeypatch.setitem(SOLVERS, "cheat", ("own", "hetopt_cheat", {}))
    case = next(c for c in cases("generated") if c.instance == "independent-20x3-makespan")
    answer = run_job(
        {"case": case.as_dict(), "solver": "cheat", "time_limit_s": 2.0, "workers": 1, "seed": 0}
    )
    assert answer["status"] == "error"
    assert "checker rejected" in answer["error"]


@pytest.mark.parametrize("objective", ["makespan", "energy"])
def test_the_plain_model_and_hetopt_prove_the_same_optimum(objective: str) -> None:
    from dataclasses import replace

    from bench.peers.own import hetopt_auto
    from bench.peers.plain_cpsat import plain_cpsat
    from hetopt.evaluate import objectives
    from hetopt.generate import generate_schedule

    for seed in range(3):
        instance = generate_schedule(
            tasks=6, devices=3, shape="layered", ccr=0.0, deadline_factor=1.5, seed=seed
        )
        instance = replace(instance, objective=(objective,))
        answers = [run(instance, Limits(20.0, 1, 0)) for run in (hetopt_auto, plain_cpsat)]
        assert [a.status for a in answers] == ["optimal", "optimal"]
        values = [objectives(instance, a.plan)[0] for a in answers if a.plan is not None]
        assert values[1] == pytest.approx(values[0], rel=1e-6)
        assert answers[1].bound == pytest.approx(values[0], rel=1e-6)


def test_peers_say_what_they_cannot_express() -> None:
    from bench.peers.mip import plain_mip
    from bench.peers.shop import shop
    from hetopt import Model
    from hetopt.generate import generate_schedule

    m = Model("sleeper", objective="energy")
    mcu = m.device("mcu", idle_power="2 W", sleep={"power": "1 W"})
    m.job("j").task("t", options=[mcu.option(time="1 s")])
    with pytest.raises(UnsupportedError, match="sleep in gaps"):
        plain_mip(m.build(), Limits(1.0, 1, 0), "cbc")
    memory = generate_schedule(tasks=5, devices=4, memory="tight", seed=0)
    with pytest.raises(UnsupportedError, match="memory"):
        shop(memory)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--family", "nothing"], "there is no family nothing"),
        (["--family", "generated", "--against", "nobody"], "there is no peer nobody"),
        (["--family", "generated", "--against", "pyjobshop"], "install-peers pyjobshop"),
        (["--family", "generated", "--instances", "none*"], "no case fits"),
        (["--family", "generated", "--time-limit", "0"], "more than 0"),
    ],
)
def test_bad_usage_is_said_and_nothing_runs(
    arguments: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("HETOPT_BENCH_ENVS", str(tmp_path / "none"))
    with pytest.raises(SystemExit) as end:
        main(["run", *arguments, "-o", str(tmp_path / "r.csv")])
    assert end.value.code == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "r.csv").exists()


def test_the_command_lists_families_and_peers(repo_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench", "list"],
        cwd=repo_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert all(f"\n{name} " in done.stdout for name in FAMILIES)
    assert "peer plain-cpsat: ready." in done.stdout


PROJECT = """hetopt: 1
objective: makespan
resources: [{name: crew, capacity: 4}, {name: cash, budget: 5}]
devices: [{name: site, slots: 9}]
profiles:
  p:
    - {device: site, label: fast, time: 2, uses: {crew: 3, cash: 2}}
    - {device: site, label: slow, time: 5, uses: {crew: 2}}
tasks: [{name: a, profile: p}, {name: b, profile: p}, {name: c, profile: p}]
transfers: [{from: a, to: b}]
"""


def test_plain_peers_hold_renewable_resources_and_budgets() -> None:
    from bench.peers.own import hetopt_auto
    from bench.peers.plain_cpsat import plain_cpsat
    from hetopt import read_instance, verify

    instance = read_instance("project.yaml", text=PROJECT)
    for run in (hetopt_auto, plain_cpsat):
        answer = run(instance, Limits(20.0, 1, 0))
        assert answer.status == "optimal"
        assert answer.plan is not None
        report = verify(instance, answer.plan)
        assert report.ok, report.violations
        assert report.objectives["makespan"] == pytest.approx(answer.bound)


def test_pyjobshop_holds_renewable_resources_and_budgets() -> None:
    from bench.peers import missing
    from bench.peers.outside import pyjobshop
    from bench.peers.own import hetopt_auto
    from hetopt import read_instance, verify

    if why := missing("pyjobshop"):
        pytest.skip(why)
    instance = read_instance("project.yaml", text=PROJECT)
    answer = pyjobshop(instance, Limits(20.0, 1, 0))
    assert answer.status == "optimal"
    assert verify(instance, answer.plan).ok
    assert answer.bound == hetopt_auto(instance, Limits(20.0, 1, 0)).bound


GAP = "2 3\n4 1 6\n2 3 3\n5 4 3\n4 4 4\n7 5\n"
"""Two agents, three jobs: costs, weights, capacities 7 and 5."""


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of PuLP, about PuLP 4
@pytest.mark.parametrize("name", ["highs", "cbc", "plain-cpsat"])
def test_assignments_within_budgets_are_solved_by_peers_and_hetopt_alike(name: str) -> None:
    from bench.peers import solver
    from hetopt import read_instance, verify

    instance = read_instance("x.gap", text=GAP)
    values = []
    for run in (solver("hetopt"), solver(name)):
        answer = run(instance, Limits(20.0, 1, 0))
        assert answer.status == "optimal"
        report = verify(instance, answer.plan)
        assert report.ok, report.violations
        values.append(report.objectives["energy"])
    assert values == pytest.approx([least_cost()] * 2)


def least_cost() -> float:
    """The optimum of `GAP` by enumeration."""
    from itertools import product

    numbers = list(map(int, GAP.split()))[2:]
    cost, weight, capacity = numbers[:6], numbers[6:12], numbers[12:]
    return min(
        sum(cost[3 * a + j] for j, a in enumerate(agents))
        for agents in product(range(2), repeat=3)
        if all(
            sum(weight[3 * a + j] for j, b in enumerate(agents) if a == b) <= capacity[a]
            for a in range(2)
        )
    )


def test_a_peer_that_lacks_resources_says_which() -> None:
    from bench.peers.mip import plain_mip
    from bench.peers.shop import shop
    from hetopt import read_instance

    instance = read_instance("project.yaml", text=PROJECT)
    with pytest.raises(UnsupportedError, match="renewable resources, budgets of resources"):
        shop(instance, ("slots",))
    machines = read_instance("x.upmr", text="2 2 3\n5 5\n5 5\n2 2\n2 2\n")
    with pytest.raises(UnsupportedError, match="renewable resources"):
        plain_mip(machines, Limits(1.0, 1, 0), "cbc")


def test_the_docs_table_has_a_row_for_each_version_commit_limit_and_family(tmp_path: Path) -> None:
    results = Table(tmp_path / "r.csv")
    command = "python -m bench run --family gap -o /some/where/r.csv"
    for name, objective, status in (("a", 10.0, "optimal"), ("b", 22.0, "feasible")):
        best = 10.0 if name == "a" else 20.0
        results.add(
            row(
                family="gap", instance=name, objective=objective, best_known=best, status=status,
                gap_best_known=objective / best - 1, gap_proven=0.2 * (name == "b"),
                hetopt_version="9.9", commit="abc", time_limit_s=60.0, command=command,
            )
        )  # fmt: skip
    results.add(row(family="gap", instance="c", status="error", command=command, commit="abc",
                    hetopt_version="9.9", time_limit_s=60.0))  # fmt: skip
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- results: begin -->\nold\n<!-- results: end -->\nafter\n")
    assert main(["report", str(results.path), "--docs", "-o", str(page)]) == 0
    text = page.read_text()
    assert re.search(
        r"\| 9\.9 \| `abc` \| gap \| 60 s \| 3 of \S+ \| 3, 1 crashed \| 2 \| 1 \| 1 of 2 "
        r"\| 5\.00% \| 10\.00% \| 10\.00% \| 1 \|",
        text,
    )
    assert "1. `python -m bench run --family gap -o r.csv`" in text
    assert "old" not in text
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    page.write_text("no marks")
    assert main(["report", str(results.path), "--docs", "-o", str(page)]) == 2
    assert page.read_text() == "no marks"


def test_families_take_turns_so_that_a_run_cut_short_has_some_of_each(
    shared_path: Callable[..., Path],
) -> None:
    from bench.__main__ import _chosen, _parser

    shared_path("benchmarks", "gap")
    parser = _parser()
    arguments = ["run", "--family", "gap,melange,rcmax", "--limit", "3", "-o", "x.csv"]
    chosen = _chosen(parser.parse_args(arguments), parser)
    assert [c.family for c in chosen] == ["gap", "melange", "rcmax"] * 3
    assert len({(c.family, c.instance) for c in chosen}) == 9


@pytest.mark.parametrize(("family", "part", "parts"), [("stg", -1, 4), ("energy_green_pm", -1, 2)])
@pytest.mark.parametrize("limit", [4, 5, 6, 8, 10, 12])
def test_a_sample_of_a_family_has_cases_of_all_its_parts(
    family: str, part: int, parts: int, limit: int, shared_path: Callable[..., Path]
) -> None:
    shared_path("benchmarks", family)
    chosen = select(cases(family), limit=limit)
    assert len({re.split("[@/]", c.instance)[part] for c in chosen}) == parts


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of PuLP, about PuLP 4
def test_units_that_a_peers_tolerance_overfills_are_not_one_more(
    shared_path: Callable[..., Path],
) -> None:
    from bench.peers.mip import plain_mip
    from hetopt import read_instance, verify

    # One GPU of two kinds each, both exactly full.
    instance = read_instance(shared_path("benchmarks", "melange", "example.json"))
    answer = plain_mip(instance, Limits(20.0, 1, 0), "cbc")
    assert answer.status == "optimal"
    assert verify(instance, answer.plan).objectives["cost"] == pytest.approx(4.68)
    assert answer.claimed == pytest.approx(4.68)


def test_a_plan_worse_than_its_solver_claims_is_not_called_optimal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from bench.peers import own

    def boast(instance: object, limits: Limits) -> Answer:
        answer = own.hetopt_auto(instance, limits)  # type: ignore[arg-type]
        answer.status, answer.claimed = "optimal", 0.5 * answer.bound
        return answer

    monkeypatch.setattr(own, "hetopt_boast", boast, raising=False)
    monkeypatch.setitem(SOLVERS, "boast", ("own", "hetopt_boast", {}))
    case = next(c for c in cases("generated") if c.instance == "independent-20x3-makespan")
    answer = run_job(
        {"case": case.as_dict(), "solver": "boast", "time_limit_s": 2.0, "workers": 1, "seed": 0}
    )
    assert answer["status"] == "feasible"
    assert "The solver claims" in answer["error"]


@pytest.mark.parametrize("limit", ["deadline", "memory", "cap"])
@pytest.mark.parametrize("name", ["plain-cpsat", "highs", "scip", "glpk"])
def test_peers_hold_deadlines_memory_and_power_caps(name: str, limit: str) -> None:
    from bench.peers import missing, solver
    from hetopt import verify
    from hetopt.generate import generate_schedule

    if why := missing(name):
        pytest.skip(why)
    more: dict[str, dict[str, Any]] = {
        "deadline": {"deadline_factor": 1.1},
        "memory": {"deadline_factor": 2.0, "memory": "tight"},
        "cap": {"deadline_factor": 2.0, "power_cap_factor": 0.7},
    }
    instance = generate_schedule(tasks=7, devices=3, ccr=0.1, seed=2, **more[limit])
    best = solver("hetopt")(instance, Limits(20.0, 1, 0))
    assert best.status == "optimal"
    answer = solver(name)(instance, Limits(20.0, 1, 0))
    if answer.plan is None:
        # A program without time holds memory and power by its worst instant.
        assert limit != "deadline"
        assert answer.status == "unknown"
        assert name != "plain-cpsat"
        return
    report = verify(instance, answer.plan)
    assert report.ok, report.violations
    value = report.objectives["energy"]
    assert value >= best.bound * (1 - 1e-6)
    assert math.isnan(answer.bound) or answer.bound <= value * (1 + 1e-6)
    if limit == "deadline" or name == "plain-cpsat":
        assert value == pytest.approx(best.bound, rel=1e-6)


def test_the_program_of_melange_finds_the_published_cost(shared_path: Path) -> None:
    from bench.peers.melange import melange_ilp
    from bench.reading import read_case

    sliced = {c.instance: c for c in cases("melange")}["example@slices4"]
    answer = melange_ilp(read_case(sliced), Limits(20.0, 1, 0))
    assert answer.status == "optimal"
    assert sliced.measure.published(answer.claimed) == pytest.approx(5.69)


def test_a_piece_of_the_page_is_run_and_the_next_one_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from bench import overnight as page

    monkeypatch.setattr(page, "lacking", lambda peer: "" if peer == "highs" else "It is not here.")
    monkeypatch.setattr(page, "SEEDS", 2)
    path = tmp_path / "page.csv"
    wanted = ["overnight", "--family", "generated", "--cases", "1", "--time-limit", "1"]
    assert main([*wanted, "--hours", "0.0001", "-o", str(path)]) == 0
    assert "3 runs are left; the same command goes on." in capsys.readouterr().err
    assert main([*wanted, "-o", str(path)]) == 0
    said = capsys.readouterr().err
    assert "3 runs of at most 1 s are left" in said
    assert "Everything has been run." in said
    rows = read_rows(path)
    assert sorted((r["solver"], int(r["seed"])) for r in rows) == [
        ("hetopt", 0), ("hetopt", 1), ("highs", 0),
    ]  # fmt: skip


def test_the_page_says_first_how_long_it_took_and_draws_who_failed(tmp_path: Path) -> None:
    from bench.docs_table import BEGIN, END, docs_tables

    table = Table(tmp_path / "r.csv")
    table.add(row(objective=2.0, end_s=1800.0, status="optimal", history="[[1.0,2.0,null]]"))
    table.add(row(solver="p", objective=3.0, end_s=1800.0, history="[[5.0,3.0,null]]"))
    table.add(row(solver="p", instance="j", status="error", error="It fell."))
    (tmp_path / "assets").mkdir()
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\n{END}\nafter\n")
    text = docs_tables([tmp_path / "r.csv"], page)
    assert text.startswith("3 runs of 2 cases in 1 families took 1.0 hours of solving. Not run: ")
    assert "| p | 2 | 0 | 1 | 0 | 0 |" in text
    assert page.read_text().startswith("before")
    assert page.read_text().endswith("after\n")
    for name in ("benchmark-profile.svg", "benchmark-anytime.svg"):
        drawn = (tmp_path / "assets" / name).read_text()
        assert ">hetopt</text>" in drawn
        assert ">p</text>" in drawn
