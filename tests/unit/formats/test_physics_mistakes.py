"""Mistakes in boards, sleep, set-ups, periods, shares and waiting, and fields in a wrong place."""

from __future__ import annotations

import pytest

from hetopt import InputError, read_instance
from hetopt.compile import from_frames
from hetopt.compile.set_values import set_values
from hetopt.errors import Problem
from hetopt.formats.native.document_model import COLUMNS, fields_of
from hetopt.formats.native.fields.field_places import (
    PLACES,
    TABLES_OF,
    field_places,
    meaning_of,
    shapes,
)
from hetopt.instance.column_specs import TABLES
from hetopt.instance.questions import check_question
from tests.physics_mistakes import BOX, BOX_MISTAKES, FLEET, FLEET_MISTAKES


def problems(text: str) -> tuple[Problem, ...]:
    with pytest.raises(InputError) as error:
        check_question(read_instance("x.yaml", text=text))
    return error.value.problems


@pytest.mark.parametrize(
    ("base", "mistake"),
    [(BOX, m) for m in BOX_MISTAKES] + [(FLEET, m) for m in FLEET_MISTAKES],
    ids=lambda part: part[1] if isinstance(part, tuple) else "",
)
def test_one_line_says_place_value_and_what_was_expected(base, mistake) -> None:
    right, wrong, place, value, expected = mistake
    assert right in base
    (problem,) = problems(base.replace(right, wrong, 1))
    assert problem.place.endswith(place)
    assert problem.value == value
    assert problem.expected.startswith(expected)


def test_the_right_files_are_read_without_a_word() -> None:
    for text in (BOX, FLEET):
        assert read_instance("x.yaml", text=text).source == ""


AT_THE_TOP = sorted(set(field_places()) - set(fields_of(shapes()[0])))


@pytest.mark.parametrize("name", AT_THE_TOP)
def test_every_field_at_the_top_level_is_told_where_it_belongs(name) -> None:
    found = problems(BOX.replace("hetopt: 1", f"hetopt: 1\n{name}: x"))
    (told,) = [p for p in found if p.place.endswith(f", {name}")]
    places = field_places()[name]
    assert f"{name} belongs to {places[0]}" in told.expected


def test_every_mapping_of_a_document_has_a_name_and_entries_a_table() -> None:
    assert {shape.__name__ for shape in shapes()} == set(PLACES)
    for shape, table in TABLES_OF.items():
        assert COLUMNS[shape] == TABLES[table]


def test_a_name_near_to_that_of_another_place_is_suggested() -> None:
    (problem,) = problems(BOX.replace("hetopt: 1", "hetopt: 1\nidel_power: 2 W"))
    assert "Did you mean idle_power, which belongs to an entry of devices" in problem.expected


def test_names_of_the_users_are_no_fields() -> None:
    assert meaning_of(("profiles", "detect", 0, "time")) == "Time of one execution."
    assert meaning_of(("jobs", 0, "tasks", 1, "options", 0, "uses", "dram")).startswith("Amounts")


def test_columns_of_tables_and_fields_on_the_command_line_are_told_where_they_belong() -> None:
    instance = read_instance("x.yaml", text=BOX)
    with pytest.raises(InputError, match="deadline belongs to table jobs"):
        set_values(instance, ["devices.cpu.deadline=3 ms"])
    frames, settings = instance.written
    tables = {name: sheet.frame() for name, sheet in frames.items()}
    tables["devices"]["deadline"] = "3 ms"
    with pytest.raises(InputError, match="deadline belongs to table jobs"):
        from_frames(tables, settings)
    with pytest.raises(InputError, match="idle_power belongs to table devices or table boards"):
        from_frames(frames, {**settings, "idle_power": "3 W"})


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("devices.cpu.sleep.power", "3 kW"),
        ("devices.npu.start_up.time", "2 min"),
        ("devices.cpu.idle_power", "-3 mW"),
        ("jobs.frame.deadline", "-1 ms"),
        ("options.detect/npu.power", "20 mW"),
    ],
)
def test_values_are_shown_as_they_were_typed(path, value) -> None:
    with pytest.raises(InputError) as error:
        set_values(read_instance("x.yaml", text=BOX), [f"{path}={value}"])
    assert error.value.problems[0].value == value


def test_other_values_in_a_message_have_the_unit_that_they_were_typed_with() -> None:
    text = BOX.replace("deadline: 100 ms", "deadline: 0.1 s").replace(
        "idle_power: 1 W", "idle_power: 1000 mW"
    )
    assert (
        "1000 mW of npu + 1.5 W of its board"
        in problems(text.replace("power: 5 W", "power: 9 mW", 1))[0].expected
    )
    text = FLEET.replace("weights: 16 GB}]", "weights: 16 GB, model: m}, OTHER]")
    other = "{device: gpu, label: b, time: 1 s, weights: 17 GB, model: m}"
    assert "another option says 16 GB" in problems(text.replace("OTHER", other))[0].expected


def test_a_rate_that_does_not_read_makes_no_schedule_of_streams() -> None:
    (problem,) = problems(FLEET.replace("rate: 10 /s,", "rate: ten,"))
    assert problem.place.endswith("jobs[0].rate")
    (problem,) = problems(FLEET.replace("rate: 10 /s,", ""))
    assert (problem.value, problem.expected) == ("", "A rate or a share.")


def test_what_tells_the_regime_is_said_where_a_field_belongs_to_the_other() -> None:
    found = problems(BOX.replace("deadline: 100 ms", "deadline: 100 ms\n    rate: 30 Hz"))
    texts = [p.expected for p in found if p.place.endswith("deadline")]
    assert texts == [
        (
            "This belongs to the schedule regime; the instance is steady, as job frame has a rate: "
            "a stream's limit is latency_slo."
        )
    ]


def test_groups_of_one_task_are_told_instead_of_being_ignored() -> None:
    text = BOX.replace("objective: energy", "objective: energy\ntogether: [grab, detect]")
    assert [p.value for p in problems(text)] == ["grab", "detect"]
    joined = BOX.replace("objective: energy", "objective: energy\ntogether: ['grab, detect']")
    assert len(read_instance("x.yaml", text=joined).together) == 1


def test_options_that_are_none_do_not_also_lack_a_profile() -> None:
    (problem,) = problems(
        BOX.replace("[{device: cpu, time: 2 ms, power: 9 W, uses: {dram: 3}}]", "[cpu]")
    )
    assert problem.place.endswith("options[0]")
