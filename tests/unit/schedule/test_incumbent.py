import math
from dataclasses import replace

import numpy as np

from hetopt.generate import generate_schedule
from hetopt.schedule.incumbent import SolveLog
from hetopt.solve import solve


def small():
    return generate_schedule(
        tasks=5, devices=2, shape="layered", ccr=0.1, deadline_factor=2.0, seed=1
    )


def test_a_note_names_each_step_with_what_it_reached_and_where_the_bound_is_from():
    log = SolveLog()
    for name, value in (("heft", 2.0), ("portfolio", 2.0), ("cpsat", 1.5)):
        log.add(0, name, value)
    log.bound_by[0] = "cpsat"
    told = log.told(small(), (1.5,))
    assert (
        told == "Steps: HEFT 2 J, portfolio nothing better, CP-SAT 1.5 J; bound 1.5 J from CP-SAT."
    )


def test_a_note_tells_levels_apart_and_says_where_no_plan_was_found():
    instance = replace(small(), objective=("makespan", "energy"))
    log = SolveLog()
    log.add(0, "heft", math.nan)
    log.add(1, "cpsat", 3.0)
    told = log.told(instance, (math.nan, math.nan))
    assert told == "Steps: makespan: HEFT: no plan found. energy: CP-SAT 3 J."


def test_nothing_is_told_where_no_step_ran():
    assert SolveLog().told(small(), (1.0,)) == ""


def test_auto_tells_its_steps():
    notes = solve(small(), time_limit=5).notes
    assert any(note.startswith("Steps: HEFT ") and "bound" in note for note in notes)
    assert "The search anneal is left out: CP-SAT is as good on so few tasks." in notes


def test_a_note_names_the_features_that_keep_local_search_out():
    made = small()
    tensors = replace(made.tensors, staged=np.ones(len(made.tensors), dtype=bool))
    staged = replace(made, tensors=tensors, host=0)
    assert (
        "Local search skipped: it does not support staged tensors."
        in solve(staged, time_limit=5).notes
    )
    peak = replace(staged, objective=("peak_power",))
    assert (
        "Local search skipped: it does not support staged tensors."
        in solve(peak, time_limit=5).notes
    )
    accurate = made.with_cells("options", slice(None), accuracy=0.5).with_objective("accuracy")
    assert (
        "Local search skipped: it does not support the objective accuracy."
        in solve(accurate, time_limit=5).notes
    )
