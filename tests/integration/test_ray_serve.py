"""A Serve application of the written files, started on a local Ray, serves as the plan says."""

from __future__ import annotations

import json
import math
import os
import socket
import sys
import urllib.error
import urllib.request
from collections import Counter

import pytest
from ruamel.yaml import YAML

import hetopt
from hetopt.formats import read_instance
from tests.deploying import solved, steady_names

try:
    import ray
    from ray import serve
    from ray.serve.context import _get_global_client
    from ray.serve.schema import ServeDeploySchema
except ImportError:
    pytest.skip("needs Ray Serve: pip install 'ray[serve]'", allow_module_level=True)

INSTANCE = """
hetopt: 1
name: two-stages
regime: steady
objective: throughput
devices:
  - {name: gpu, kind: gpu, count: 1, slots: 2}
  - {name: npu, kind: npu, count: 2}
links: [{from: gpu, to: npu, bandwidth: 1 GB/s, both_ways: true}]
profiles:
  see: [{device: gpu, label: b4, batch: 4, time: 40 ms}, {device: npu, time: 20 ms}]
  say: [{device: gpu, time: 10 ms}, {device: npu, time: 20 ms}]
jobs:
  - name: talk
    rate: 10/s
    tasks: [{name: see}, {name: say}]
    transfers: [{from: see, to: say, bytes: 1 kB}]
"""
SHARES = {("gpu", "gpu"): 0.5, ("gpu", "npu"): 0.3, ("npu", "npu"): 0.2}
MODELS = """
def see(payloads, server):
    return [["see", server["device"], len(payloads), p] for p in payloads]


def say(payloads, server):
    return [["say", server["device"], p["see"]] for p in payloads]
"""
REQUESTS = 100


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    folder = tmp_path_factory.mktemp("serve")
    (folder / "instance.yaml").write_text(INSTANCE)
    instance = read_instance(folder / "instance.yaml")
    labels = {("see", "gpu"): "b4"}
    plan = {
        "units": [{"device": "gpu", "had": 1, "on": 1}, {"device": "npu", "had": 2, "on": 2}],
        "routes": [
            {
                "job": "talk",
                "rate_per_s": 20 * share,
                "tasks": [
                    {"task": t, "device": d, "option": labels.get((t, d), "")}
                    for t, d in zip(("see", "say"), devices, strict=True)
                ],
            }
            for devices, share in SHARES.items()
        ],
    }
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    out = folder / "out"
    hetopt.deploy(
        hetopt.read_plan(instance, json.dumps(plan)),
        instance,
        "ray-serve",
        out,
        command="two_models:{model}",
        parameters={"seed": "1", "port": str(port)},
    )
    (out / "two_models.py").write_text(MODELS)
    sys.path.insert(0, str(out))
    config = YAML(typ="safe", pure=True).load((out / "serve.yaml").read_text())
    schema = ServeDeploySchema.model_validate(config)
    own = [path for path in [os.environ.get("PYTHONPATH")] if path]
    ray.init(
        num_cpus=2,
        resources={"hetopt-gpu": 1, "hetopt-npu": 2},
        include_dashboard=False,
        log_to_driver=False,
        runtime_env={"env_vars": {"PYTHONPATH": os.pathsep.join([str(out), *own])}},
    )
    try:
        serve.start(http_options=config["http_options"])
        # What `serve run serve.yaml` does.
        _get_global_client().deploy_apps(schema, _blocking=True)
        yield f"http://127.0.0.1:{port}"
    finally:
        serve.shutdown()
        ray.shutdown()
        sys.path.remove(str(out))


def ask(address, path, payload):
    request = urllib.request.Request(f"{address}/{path}", data=json.dumps(payload).encode())
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def test_requests_take_the_routes_of_the_plan_by_its_shares(address):
    counts = Counter()
    for k in range(REQUESTS):
        answer = ask(address, "talk", k)
        _, second, (_, first, _, payload) = answer["results"]["say"]
        assert payload == k
        assert answer["groups"] == {"see": first, "say": second}
        counts[first, second] += 1
    assert counts.keys() <= SHARES.keys()
    for route, share in SHARES.items():
        error = 4 * math.sqrt(REQUESTS * share * (1 - share))
        assert abs(counts[route] - REQUESTS * share) <= error, counts


@pytest.mark.parametrize("name", steady_names())
def test_the_configuration_of_every_shipped_instance_is_one_of_ray_serve(name):
    instance, solution = solved(name)
    made = hetopt.deploy(solution, instance, "ray-serve", command="models:run")
    for path, content in made.files.items():
        if path.endswith("serve.yaml"):
            ServeDeploySchema.model_validate(YAML(typ="safe", pure=True).load(content.decode()))


def test_what_is_no_job_is_told(address):
    with pytest.raises(urllib.error.HTTPError) as caught:
        ask(address, "walk", 0)
    assert caught.value.code == 404
