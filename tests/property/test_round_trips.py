"""Documents, folders of tables, frames and the builder all hold the same instance."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hetopt import from_frames, to_frames, to_settings
from hetopt.formats import read_instance, write_instance
from hetopt.instance import Instance
from tests.comparing import differences
from tests.random_schedules import random_schedule
from tests.random_streams import random_stream

FORMS = (("x.yaml", None), ("x.json", None), ("parquet", None), ("csv", "csv"))
TEXT = st.text(
    st.one_of(
        st.characters(codec="utf-8", exclude_characters="\0"),
        st.sampled_from("#:,-[]{}&*!|>'\"%@`~ \n\ttrueno01e.é\u2028\x85\ufeff😀"),
    ),
    min_size=1,
    max_size=8,
)
NAME = TEXT.filter(lambda name: "#" not in name)
POSITIVE = st.floats(1e-12, 1e12)
SIZE = st.just(0.0) | st.floats(1e-30, 1e15)


def assert_same_in_every_form(instance: Instance) -> None:
    again = from_frames(to_frames(instance), to_settings(instance))
    assert differences(instance, again) == []
    with tempfile.TemporaryDirectory() as folder:
        for name, form in FORMS:
            path = Path(folder, name)
            write_instance(instance, path, format=form)
            assert differences(instance, read_instance(path)) == [], name


@st.composite
def odd_instances(draw: Any) -> Instance:
    """Instances whose names and figures are as awkward as the rules allow."""
    devices = draw(st.lists(NAME, min_size=1, max_size=3, unique=True))
    tasks = draw(st.lists(TEXT, min_size=1, max_size=4, unique=True))
    profiles = draw(st.lists(TEXT, min_size=1, max_size=2, unique=True))
    options = [
        {
            "profile": profile,
            "device": device,
            "label": draw(st.one_of(st.just(""), TEXT)),
            "time_s": draw(POSITIVE),
            "energy_j": draw(SIZE),
            "weights_b": draw(st.sampled_from([0.0, 7.5])),
            "source": draw(st.one_of(st.just(""), TEXT)),
        }
        for profile in profiles
        for device in devices
    ]
    frames = {
        "devices": pd.DataFrame(
            {"name": devices, "idle_power_w": [draw(SIZE) for _ in devices], "kind": "npu"}
        ),
        "options": pd.DataFrame(options),
        "tasks": pd.DataFrame(
            [
                {
                    "name": name,
                    "profile": draw(st.sampled_from(profiles)),
                    "work": draw(POSITIVE),
                    "forbid": draw(st.lists(st.sampled_from(devices), unique=True)),
                    "pin": draw(st.sampled_from(["", *devices])),
                }
                for name in tasks
            ]
        ),
    }
    edges = [(a, b) for i, a in enumerate(tasks) for b in tasks[i + 1 :]]
    if edges:
        kept = draw(st.lists(st.sampled_from(edges), unique=True))
        size = draw(SIZE)
        if kept:
            frames["transfers"] = pd.DataFrame(
                [
                    {"from": a, "to": b, "bytes": draw(st.sampled_from([None, size]))}
                    for a, b in kept
                ]
            ).astype({"bytes": float})
    return from_frames(
        frames,
        {
            "name": draw(TEXT),
            "description": draw(TEXT),
            "horizon_s": draw(st.one_of(st.none(), POSITIVE)),
            "together": draw(st.lists(st.lists(st.sampled_from(tasks), unique=True), max_size=2)),
        },
    )


@settings(max_examples=25)
@given(odd_instances())
def test_odd_names_and_figures_survive_every_form(instance: Instance) -> None:
    assert_same_in_every_form(instance)


@pytest.mark.parametrize("seed", range(8))
def test_random_schedules_survive_every_form(seed: int) -> None:
    assert_same_in_every_form(random_schedule(seed)[0])


@pytest.mark.parametrize("seed", range(8))
def test_random_streams_survive_every_form(seed: int) -> None:
    assert_same_in_every_form(random_stream(seed))
