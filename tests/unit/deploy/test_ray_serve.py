"""Files for Ray Serve: units, shares and order of tasks are the plan's; what lacks is named."""

from __future__ import annotations

import ast
import math

import pytest
from ruamel.yaml import YAML

import hetopt
from hetopt.deploy.fleet import fleet_of
from hetopt.errors import InputError, RefusedError
from hetopt.formats import read_instance
from tests.deploying import solved, steady_names


def configs(made):
    return [
        YAML(typ="safe", pure=True).load(content.decode())
        for path, content in made.files.items()
        if path.endswith("serve.yaml")
    ]


@pytest.mark.parametrize("name", steady_names())
def test_every_shipped_instance_is_written_whole(name):
    instance, solution = solved(name)
    made = hetopt.deploy(solution, instance, "ray-serve", command="models:{model}")
    assert not made.refused
    for config in configs(made):
        (application,) = config["applications"]
        groups = {group["name"]: group for group in application["args"]["groups"]}
        for group in groups.values():
            for server in group["servers"]:
                assert server["function"].removeprefix("models:").isidentifier()
        deployments = {d["name"]: d for d in application["deployments"]}
        assert deployments.keys() == {*groups, "door"}
        for job in application["args"]["jobs"].values():
            assert math.isclose(sum(route["share"] for route in job["routes"]), 1.0)
            order = [task["name"] for task in job["tasks"]]
            for task in job["tasks"]:
                assert all(order.index(b) < order.index(task["name"]) for b in task["after"])
            for route in job["routes"]:
                for stop in route["stops"].values():
                    assert stop["server"] < len(groups[stop["group"]]["servers"])
    code = next(c for path, c in made.files.items() if path.endswith("hetopt_serve.py")).decode()
    assert ast.parse(code)
    assert instance.name in code
    missing = hetopt.deploy(solution, instance, "ray-serve").refused
    assert missing
    assert all(problem.place.startswith("command of ") for problem in missing)


def test_replicas_and_resources_are_units():
    instance, solution = solved("llm-two-gpus")
    made = hetopt.deploy(
        solution,
        instance,
        "ray-serve",
        command="models:run",
        parameters={"num-gpus.a100": "1", "resource.h100": "H100:0.5", "label.h100": "zone=b"},
    )
    (config,) = configs(made)
    deployments = {d["name"]: d for d in config["applications"][0]["deployments"]}
    for group in fleet_of(instance, solution.plan).groups:
        own = deployments[group.name]
        assert own["num_replicas"] == group.replicas
        actor = own["ray_actor_options"]
        if instance.devices.name[group.device] == "a100":
            assert actor["num_gpus"] == 1
            assert actor["resources"] == {"hetopt-a100": 1}
        else:
            assert actor["resources"] == {"H100": 0.5}
            assert actor["label_selector"] == {"zone": "b"}
    assert b"3.5 of `H100` for 7 unit(s)" in made.files["README.md"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"command": "python serve.py"}, "MODULE:FUNCTION"),
        ({"command": "m:f", "parameters": {"num-cpus.a100": "few"}}, "A number"),
        ({"command": "m:f", "parameters": {"fallback.a100": "zone"}}, "KEY=VALUE"),
    ],
)
def test_wrong_parameters_are_named(given, message):
    instance, solution = solved("llm-two-gpus")
    with pytest.raises(InputError, match=message):
        hetopt.deploy(solution, instance, "ray-serve", **given)


def test_a_schedule_is_refused():
    instance = read_instance("edge-box")
    with pytest.raises(RefusedError, match="runs no schedule"):
        hetopt.deploy(hetopt.solve(instance, time_limit=5, gap=1.0), instance, "ray-serve")
