"""Named list schedulers give the makespans that their papers print."""

from __future__ import annotations

import json

import pytest

from hetopt.evaluate import objective_value
from hetopt.schedule.list_scheduling.constructors import CONSTRUCTORS
from hetopt.verify import verify
from tests.small_schedules import device, edge, instance, link, option, task

PUBLISHED = [
    ("topcuoglu2002_fig3", "heft", 80),
    ("topcuoglu2002_fig3", "cpop", 86),
    ("arabnejad2014_fig1", "heft", 133),
    ("arabnejad2014_fig1", "peft", 122),
    ("arabnejad2014_fig1", "lookahead", 127),
]


@pytest.mark.parametrize(("file", "name", "makespan"), PUBLISHED)
def test_the_published_makespan_comes_out(shared_path, file, name, makespan) -> None:
    path = shared_path("benchmarks", "dag_canonical", f"{file}.json")
    graph = json.loads(path.read_text())
    machines = [f"m{k}" for k in range(graph["machines"])]
    question = instance(
        [device(machine) for machine in machines],
        [
            option(f"t{k}", machine, time)
            for k, row in enumerate(graph["w"])
            for machine, time in zip(machines, row, strict=True)
        ],
        [task(f"t{k}") for k in range(len(graph["w"]))],
        links=[link(a, b) for a in machines for b in machines if a != b],
        transfers=[edge(f"t{a}", f"t{b}", size) for a, b, size in graph["edges"]],
        objective="makespan",
    )
    plan = CONSTRUCTORS[name](question)
    assert plan is not None
    assert verify(question, plan).ok
    assert objective_value(question, plan, "makespan") == makespan
