"""Files for Kubernetes: what the plan says stands in them, and Kubernetes' schemas take them.

Kubernetes' own objects are checked by kubernetes-validate, strictly (no unknown fields). Gateway
API and Kueue have schemas that it does not ship: theirs are checked against the fields and limits
of their reference pages (Gateway API v1, Kueue v1beta2), written down below.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from functools import cache

import jsonschema
import kubernetes_validate
import pytest
from ruamel.yaml import YAML

import hetopt
from hetopt.deploy.fleet import fleet_of
from hetopt.deploy.names import Labels, label, whole_weights
from hetopt.errors import InputError, RefusedError
from hetopt.formats import read_instance
from tests.deploying import solved, steady_names

IMAGE = "registry.example/serve:1"
COMMAND = "serve --model {model} --batch {batch} --port {port}"
VERSION = "1.34"

# It reads its schemas, some megabytes, for each object anew.
kubernetes_validate.utils.schema_contents = cache(kubernetes_validate.utils.schema_contents)

NAME = {"type": "string", "pattern": "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"}
PATH = {
    "type": "object",
    "additionalProperties": False,
    "required": ["type", "value"],
    "properties": {"type": {"const": "PathPrefix"}, "value": {"type": "string", "pattern": "^/"}},
}
HEADERS = {
    "type": "array",
    "maxItems": 16,
    "items": {
        "type": "object",
        "additionalProperties": False,
        "required": ["name", "value"],
        "properties": {
            "type": {"const": "Exact"},
            "name": {"type": "string"},
            "value": {"type": "string", "minLength": 1},
        },
    },
}
BACKEND = {
    "type": "object",
    "additionalProperties": False,
    "required": ["name", "port"],
    "properties": {
        "name": NAME,
        "port": {"type": "integer", "minimum": 1, "maximum": 65535},
        "weight": {"type": "integer", "minimum": 0, "maximum": 1_000_000},
        "filters": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "type": {"const": "RequestHeaderModifier"},
                    "requestHeaderModifier": {
                        "type": "object",
                        "additionalProperties": False,
                        "properties": {"set": HEADERS},
                    },
                },
            },
        },
    },
}
RULE = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        # One match, as replacePrefixMatch is only taken beside exactly one prefix.
        "matches": {
            "type": "array",
            "minItems": 1,
            "maxItems": 1,
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["path"],
                "properties": {"path": PATH, "headers": HEADERS},
            },
        },
        "filters": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["type", "urlRewrite"],
                "additionalProperties": False,
                "properties": {"type": {"const": "URLRewrite"}, "urlRewrite": {"type": "object"}},
            },
        },
        "backendRefs": {"type": "array", "minItems": 1, "maxItems": 16, "items": BACKEND},
    },
}


def fields(**properties):
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(properties),
        "properties": properties,
    }


QUOTA = fields(name={"type": "string"}, nominalQuota={"type": "integer", "minimum": 0})
FLAVOR = fields(name=NAME, resources={"type": "array", "items": QUOTA, "maxItems": 64})
RESOURCE_GROUP = fields(
    coveredResources={"type": "array", "items": {"type": "string"}, "uniqueItems": True},
    flavors={"type": "array", "items": FLAVOR, "minItems": 1, "maxItems": 64},
)
SPECS = {
    "gateway.networking.k8s.io/v1 HTTPRoute": fields(
        parentRefs={"type": "array", "items": fields(name=NAME)},
        rules={"type": "array", "minItems": 1, "maxItems": 16, "items": RULE},
    ),
    "gateway.networking.k8s.io/v1 Gateway": fields(
        gatewayClassName=NAME,
        listeners={
            "type": "array",
            "minItems": 1,
            "items": fields(name=NAME, port={"type": "integer"}, protocol={"enum": ["HTTP"]}),
        },
    ),
    "kueue.x-k8s.io/v1beta2 ResourceFlavor": fields(
        nodeLabels={"type": "object", "maxProperties": 8}
    ),
    "kueue.x-k8s.io/v1beta2 ClusterQueue": fields(
        namespaceSelector={"type": "object"},
        resourceGroups={"type": "array", "items": RESOURCE_GROUP, "maxItems": 16},
    ),
    "kueue.x-k8s.io/v1beta2 LocalQueue": fields(clusterQueue=NAME),
}


def objects(made):
    """Every object of the folder; each file is parsed, none is left out."""
    found = []
    for path, content in made.files.items():
        if path.endswith(".yaml"):
            found += list(YAML(typ="safe", pure=True).load_all(content.decode()))
        else:
            assert path.endswith("README.md")
    return found


def check(document):
    """Refuse an object that its schema does not take."""
    kind = f"{document['apiVersion']} {document['kind']}"
    if kind in SPECS:
        assert document.keys() == {"apiVersion", "kind", "metadata", "spec"}
        jsonschema.validate(document["spec"], SPECS[kind])
        # Names, labels and annotations are those of any object.
        document = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": document["metadata"]}
    kubernetes_validate.validate(document, VERSION, strict=True)


def deployed(name, **given):
    instance, solution = solved(name)
    given = {"image": IMAGE, "command": COMMAND, **given}
    return instance, solution, hetopt.deploy(solution, instance, "kubernetes", **given)


def of_kind(made, kind):
    return [document for document in objects(made) if document["kind"] == kind]


def test_a_wrong_field_is_seen():
    _, _, made = deployed("llm-two-gpus")
    for kind, path in (("Deployment", ("spec", "replica")), ("HTTPRoute", ("spec", "rule"))):
        wrong = of_kind(made, kind)[0]
        wrong[path[0]][path[1]] = 1
        with pytest.raises((kubernetes_validate.ValidationError, jsonschema.ValidationError)):
            check(wrong)


@pytest.mark.parametrize("name", steady_names())
def test_every_file_of_a_shipped_instance_is_taken_by_the_schemas(name):
    instance, _ = solved(name)
    devices = instance.devices.name.tolist()
    claims = {f"device-class.{d}": "gpu.example.com" for d in devices}
    extra = {"gateway-class": "example", "queue": "serving", "namespace": "models"}
    for parameters in ({}, {**claims, **extra}):
        _, _, made = deployed(name, parameters=parameters)
        assert not made.refused
        for document in objects(made):
            check(document)


@pytest.mark.parametrize("name", steady_names())
def test_without_image_and_command_every_shipped_instance_is_refused_by_name(name, tmp_path):
    instance, solution = solved(name)
    with pytest.raises(RefusedError) as caught:
        hetopt.deploy(solution, instance, "kubernetes", tmp_path / "out")
    places = {problem.place for problem in caught.value.problems}
    served = {
        instance.profiles.name[instance.tasks.profile[stop.task]]
        for plan in (getattr(solution.plan, "plans", None) or [solution.plan])
        for job in fleet_of(instance, plan).jobs
        for route in job.routes
        for stop in route.stops
        if instance.devices.kind[fleet_of(instance, plan).groups[stop.group].device] != "mcu"
    }
    assert places == {f"{what} of {p}" for what in ("image", "command") for p in served}
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", steady_names())
def test_units_and_shares_are_those_of_the_plan(name):
    instance, solution = solved(name)
    plans = getattr(solution.plan, "plans", None)
    for plan in plans or [solution.plan]:
        fleet = fleet_of(instance, plan)
        replicas = Counter()
        for group in fleet.groups:
            replicas[group.device] += group.replicas
        for d, count in replicas.items():
            assert count <= max(plan.units_on[d], plan.units_had[d])
        rates = Counter()
        for job in fleet.jobs:
            assert math.isclose(sum(route.share for route in job.routes), 1.0)
            rates[job.job] += sum(route.rate_per_s for route in job.routes)
        for k, j in enumerate(plan.route_job.tolist()):
            rates[j] -= plan.rate_per_s[k]
        assert all(abs(rate) < 1e-6 for rate in rates.values())


def test_two_gpus_stand_where_and_as_often_as_the_plan_says():
    _, solution, made = deployed("llm-two-gpus")
    counts = Counter()
    for document in of_kind(made, "Deployment"):
        device = document["spec"]["template"]["spec"]["nodeSelector"]["hetopt.dev/device"]
        counts[device] += document["spec"]["replicas"]
    assert (
        counts
        == {"a100": 10, "h100": 7}
        == {row["device"]: row["on"] for row in solution.quantities["devices"]}
    )
    container = of_kind(made, "Deployment")[0]["spec"]["template"]["spec"]["containers"][0]
    assert container["command"] == [
        "serve",
        "--model",
        "gemma-9b",
        "--batch",
        "1",
        "--port",
        "8000",
    ]


def test_weights_are_the_shares_of_routes():
    instance, solution, made = deployed("synthetic/memory-packing")
    rates = Counter()
    for k, j in enumerate(solution.plan.route_job.tolist()):
        rates[str(instance.jobs.name[j])] += solution.plan.rate_per_s[k]
    for route in of_kind(made, "HTTPRoute"):
        (rule,) = route["spec"]["rules"]
        weights = {b["name"]: b["weight"] for b in rule["backendRefs"]}
        job = route["metadata"]["name"]
        groups = fleet_of(instance, solution.plan).groups
        served = {
            g.name: sum(
                s.rate_per_s
                for s in g.servers
                for t in s.tasks
                if instance.jobs.name[instance.tasks.job[t]] == job
            )
            for g in groups
        }
        for name, weight in weights.items():
            share = weight / sum(weights.values())
            assert share == pytest.approx(served[name] / rates[job], abs=1e-6)


def test_routes_over_several_tasks_are_drawn_once_and_named_in_a_header(tmp_path):
    path = tmp_path / "two.yaml"
    path.write_text(
        """
hetopt: 1
name: two
regime: steady
objective: throughput
devices: [{name: a, kind: gpu}, {name: b, kind: gpu}]
links: [{from: a, to: b, bandwidth: 1 GB/s, both_ways: true}]
profiles:
  p: [{device: a, time: 10 ms}, {device: b, time: 20 ms}]
  q: [{device: a, time: 10 ms}, {device: b, time: 20 ms}]
jobs:
  - name: j
    rate: 10/s
    tasks: [{name: one, profile: p}, {name: two, profile: q}]
    transfers: [{from: one, to: two, bytes: 1 kB}]
"""
    )
    instance = read_instance(path)
    plan = {
        "units": [{"device": "a", "had": 1, "on": 1}, {"device": "b", "had": 1, "on": 1}],
        "routes": [
            {
                "job": "j",
                "rate_per_s": rate,
                "tasks": [
                    {"task": "one", "device": x, "option": ""},
                    {"task": "two", "device": y, "option": ""},
                ],
            }
            for rate, x, y in ((30.0, "a", "a"), (10.0, "b", "a"), (20.0, "b", "b"))
        ],
    }
    given = {"image": IMAGE, "command": COMMAND}
    made = hetopt.deploy(
        hetopt.read_plan(instance, json.dumps(plan)), instance, "kubernetes", **given
    )
    (route,) = of_kind(made, "HTTPRoute")
    check(route)
    first, *by_header, default = route["spec"]["rules"]
    drawn = {
        b["filters"][0]["requestHeaderModifier"]["set"][0]["value"]: (b["name"], b["weight"])
        for b in first["backendRefs"]
    }
    whole = sum(weight for _, weight in drawn.values())
    shares = {k: (name, weight / whole) for k, (name, weight) in drawn.items()}
    assert [shares[k][0] for k in "012"] == ["a", "b", "b"]
    assert [shares[k][1] for k in "012"] == pytest.approx([1 / 2, 1 / 6, 1 / 3], abs=1e-6)
    followed = {
        rule["matches"][0]["headers"][0]["value"]: rule["backendRefs"][0]["name"]
        for rule in by_header
    }
    assert followed == {"0": "a", "1": "a", "2": "b"}
    alone = {b["name"]: b["weight"] for b in default["backendRefs"]}
    assert alone["a"] / sum(alone.values()) == pytest.approx(2 / 3, abs=1e-6)
    assert any("hetopt-route" in note for note in made.notes)


def test_containers_of_a_unit_share_a_claim_and_cannot_share_an_extended_resource():
    instance, solution = solved("mlperf-v3.0-server")
    device = str(instance.devices.name[fleet_of(instance, solution.plan).groups[0].device])
    several = {"resource." + device: "nvidia.com/gpu"}
    _, _, made = deployed("mlperf-v3.0-server", parameters=several)
    assert [problem.place for problem in made.refused] == [f"resource.{device}"]
    assert "exclusive: true" in made.refused[0].expected
    _, _, made = deployed("llm-two-gpus", parameters={"resource.a100": "nvidia.com/gpu:2"})
    assert not made.refused
    pod = of_kind(made, "Deployment")[0]["spec"]["template"]["spec"]
    assert pod["containers"][0]["resources"] == {"limits": {"nvidia.com/gpu": 2}}
    assert "affinity" not in pod


def test_quotas_are_the_units_of_the_plan():
    _, _, made = deployed(
        "llm-two-gpus", parameters={"queue": "serving", "resource.a100": "nvidia.com/gpu"}
    )
    (queue,) = of_kind(made, "ClusterQueue")
    (group,) = queue["spec"]["resourceGroups"]
    quotas = {
        f["name"]: {r["name"]: r["nominalQuota"] for r in f["resources"]} for f in group["flavors"]
    }
    assert quotas == {
        "serving-a100": {"pods": 10, "nvidia.com/gpu": 10},
        "serving-h100": {"pods": 7, "nvidia.com/gpu": 0},
    }
    for document in of_kind(made, "Deployment"):
        assert document["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "serving"
    for document in of_kind(made, "ResourceFlavor"):
        worth = document["metadata"]["annotations"]["hetopt.dev/one-more-unit"]
        assert re.fullmatch(r"power [+-]\d\S* W", worth)


def test_states_of_devices_that_slow_each_other_are_said_to_be_in_no_file():
    _, solution, made = deployed("chip-shared-dram")
    assert solution.plan.states is not None
    assert any("among" in note and "states" in note for note in made.notes)


def test_files_name_instance_plan_and_version():
    _, _, made = deployed("llm-two-gpus")
    plans = set()
    for content in made.files.values():
        text = content.decode()
        assert "llm-two-gpus" in text
        assert hetopt.__version__ in text
        plans |= {word for word in text.replace("`", " ").split() if "sha256:" in word}
    assert len(plans) == 1


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"queue": "night", "resource.v100": "nvidia.com/gpu"},
        {f"device-class.{d}": "gpu.example.com" for d in ("v100", "a40", "rtx6000", "p100")},
    ],
)
def test_a_schedule_whose_units_do_not_wait_becomes_a_job_for_each_unit(parameters):
    instance = read_instance("training-power-limits")
    solution = hetopt.solve(instance, time_limit=5, gap=1.0)
    made = hetopt.deploy(
        solution, instance, "kubernetes", image=IMAGE, command=COMMAND, parameters=parameters
    )
    assert not made.refused
    for document in objects(made):
        check(document)
    plan, names = solution.plan, instance.tasks.name.tolist()
    device = instance.options.device[plan.option]
    found = {}
    for document in of_kind(made, "Job"):
        spec = document["spec"]["template"]["spec"]
        steps = [*spec.get("initContainers", []), *spec["containers"]]
        tasks = [e["value"] for s in steps for e in s["env"] if e["name"] == "HETOPT_TASK"]
        found[document["metadata"]["name"]] = tasks
        if parameters:
            kind = "claims" if "queue" not in parameters else "limits"
            on_v100 = document["metadata"]["name"].startswith("v100")
            assert all((kind in s.get("resources", {})) for s in steps) or not on_v100
    wanted: dict[str, list[str]] = {}
    for t in sorted(range(len(names)), key=lambda t: plan.start_s[t]):
        wanted.setdefault(f"{instance.devices.name[device[t]]}-{plan.unit[t]}", []).append(names[t])
    assert found == wanted


def test_a_schedule_whose_units_wait_for_each_other_is_refused():
    instance = read_instance("edge-box")
    with pytest.raises(RefusedError, match="Jobs do not wait for each other"):
        hetopt.deploy(hetopt.solve(instance, time_limit=5, gap=1.0), instance, "kubernetes")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"image": {"nobody": "x"}}, "nobody"),
        ({"command": "serve {nothing}"}, "Fields in braces"),
        ({"command": "serve 'open"}, "as a shell reads it"),
        ({"parameters": {"colour": "red"}}, "colour"),
        ({"parameters": {"resource.tpu": "x/y"}}, "resource.tpu"),
        ({"parameters": {"resource.a100": "gpu"}}, "DOMAIN/NAME"),
        ({"parameters": {"node-label.a100": "gpu"}}, "KEY=VALUE"),
        ({"parameters": {"memory.a100": "lots"}}, "A quantity"),
        ({"parameters": {"port": "http"}}, "A port"),
    ],
)
def test_wrong_parameters_are_named(given, message):
    with pytest.raises(InputError, match=message) as caught:
        deployed("llm-two-gpus", **given)
    assert not isinstance(caught.value, RefusedError)


def test_labels_are_unique_and_short():
    labels = Labels(20)
    made = [labels.of(text) for text in ("A b", "a-b", "A b", "9", "x" * 30, "x" * 31)]
    assert made[0] == made[2] == "a-b"
    assert len(set(made)) == 5
    assert all(len(text) <= 20 for text in made)
    assert label("9 lives") == "x-9-lives"


def test_weights_are_within_one_of_their_share():
    assert whole_weights([0.5, 0.5]) == [1, 1]
    assert whole_weights([50.0, 10.0]) == [5 * 166666 + 3, 166667]
    for shares in ([1.0, 1.0, 1.0], [1e-9, 1.0], [0.1] * 7):
        weights = whole_weights(shares)
        whole, total = sum(shares), sum(weights)
        for share, weight in zip(shares, weights, strict=True):
            assert weight / total == pytest.approx(share / whole, abs=1e-6)
