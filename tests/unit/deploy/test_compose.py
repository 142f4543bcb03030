"""Containers by Compose: its JSON schema takes every file, and they say the plan."""

from __future__ import annotations

import json
import re
from collections import Counter
from functools import cache
from importlib import resources

import jsonschema
import pytest
from ruamel.yaml import YAML

import hetopt
from hetopt.errors import RefusedError
from hetopt.formats import read_instance
from tests.deploying import solved, steady_names

GIVEN = {"image": "registry.example/serve:1", "command": "serve {model} --cost=$5"}


@cache
def validator():
    """Compose's own schema, as check-jsonschema ships it."""
    place = resources.files("check_jsonschema").joinpath("builtin_schemas/vendor/compose-spec.json")
    schema = json.loads(place.read_text(encoding="utf-8"))
    return jsonschema.validators.validator_for(schema)(schema)


def documents(made):
    return [
        YAML(typ="safe", pure=True).load(content.decode())
        for path, content in made.files.items()
        if path.endswith("compose.yaml")
    ]


def test_a_wrong_field_is_seen():
    instance, solution = solved("llm-two-gpus")
    (document,) = documents(hetopt.deploy(solution, instance, "compose", **GIVEN))
    document["services"]["router"]["picture"] = "x"
    with pytest.raises(jsonschema.ValidationError):
        validator().validate(document)


@pytest.mark.parametrize("name", steady_names())
def test_every_file_of_a_shipped_instance_is_taken_by_the_schema(name):
    instance, solution = solved(name)
    device = str(instance.devices.name[-1])
    for parameters in ({}, {f"driver.{device}": "nvidia", f"cpus.{device}": "4"}):
        made = hetopt.deploy(solution, instance, "compose", **GIVEN, parameters=parameters)
        assert not made.refused
        for document in documents(made):
            validator().validate(document)
    made = hetopt.deploy(solution, instance, "compose")
    assert {problem.place.partition(" of ")[0] for problem in made.refused} == {"image", "command"}


def test_each_unit_of_the_plan_has_its_containers():
    instance, solution = solved("llm-two-gpus")
    parameters = {"driver.h100": "nvidia"}
    made = hetopt.deploy(solution, instance, "compose", **GIVEN, parameters=parameters)
    (document,) = documents(made)
    counts, reserved = Counter(), Counter()
    for name, service in document["services"].items():
        if name == "router":
            continue
        counts[service["environment"]["HETOPT_DEVICE"]] += 1
        devices = service.get("deploy", {}).get("resources", {}).get("reservations", {})
        reserved.update(devices["devices"][0]["device_ids"] if devices else [])
        assert service["command"][-1] == "--cost=$$5"
    assert counts == {"a100": 10, "h100": 7}
    assert reserved == {str(k): 1 for k in range(7)}
    assert any("a100 are not reserved" in note for note in made.notes)


def test_the_router_divides_requests_as_the_plan_does():
    instance, solution = solved("synthetic/memory-packing")
    made = hetopt.deploy(solution, instance, "compose", **GIVEN)
    text = made.files["nginx.conf"].decode()
    assert text.count("{") == text.count("}")
    chat = re.search(r"upstream chat_chat \{(.*?)\}", text, re.S).group(1)
    weights = {
        host: int(weight) for host, weight in re.findall(r"server (\S+?):\d+ weight=(\d+)", chat)
    }
    rates = Counter()
    for k in range(len(solution.plan.route_job)):
        if instance.jobs.name[solution.plan.route_job[k]] == "chat":
            m = solution.plan.ptr[k]
            device = instance.devices.name[instance.options.device[solution.plan.option[m]]]
            rates[f"{device}-{solution.plan.unit[m]}-chat"] += solution.plan.rate_per_s[k]
    assert weights.keys() == rates.keys()
    for host, weight in weights.items():
        share = rates[host] / sum(rates.values())
        assert weight / sum(weights.values()) == pytest.approx(share, abs=1e-3)


def test_a_schedule_keeps_the_order_of_the_graph_and_of_each_unit():
    instance = read_instance("edge-box")
    solution = hetopt.solve(instance, time_limit=5, gap=1.0)
    (document,) = documents(hetopt.deploy(solution, instance, "compose", **GIVEN))
    validator().validate(document)
    services = document["services"]
    task_of = {service["environment"]["HETOPT_TASK"]: name for name, service in services.items()}
    assert len(task_of) == len(instance.tasks)

    def after(name, seen):
        for other in services[name].get("depends_on", {}):
            if other not in seen:
                seen.add(other)
                after(other, seen)
        return seen

    waits = {name: after(name, set()) for name in services}
    assert all(name not in before for name, before in waits.items())
    names = instance.tasks.name.tolist()
    for src, dst in zip(instance.edges.src, instance.edges.dst, strict=True):
        assert task_of[names[src]] in waits[task_of[names[dst]]]
    plan = solution.plan
    device = instance.options.device[plan.option]
    end = plan.start_s + instance.tasks.work * instance.options.time_s[plan.option]
    for a in range(len(names)):
        for b in range(len(names)):
            same = device[a] == device[b] and plan.unit[a] == plan.unit[b]
            if same and end[a] <= plan.start_s[b] and end[a] > plan.start_s[a]:
                assert task_of[names[a]] in waits[task_of[names[b]]]


def test_a_schedule_of_very_many_tasks_is_refused():
    instance = hetopt.read_instance("edge-box")
    assert len(instance.tasks) < 1000
    from hetopt.generate import generate_schedule

    large = generate_schedule(tasks=1001, devices=2, shape="independent", seed=0)
    solution = hetopt.solve(large, method="heuristic", time_limit=10, gap=1.0)
    with pytest.raises(RefusedError, match="at most 1000"):
        hetopt.deploy(solution, large, "compose", **GIVEN)


def test_a_note_that_every_period_has_is_told_once():
    instance, solution = solved("day-24")
    notes = hetopt.deploy(solution, instance, "compose", **GIVEN).notes
    assert len(notes) == len(set(notes)) < len(instance.periods)
    assert sum("full batches" in note for note in notes) == 1
    (rates,) = (note for note in notes if "for these rates" in note)
    assert rates.startswith("h00: ")
    assert "The same of each other period" in rates
