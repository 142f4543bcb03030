"""Model repositories for Triton: its own Protobuf reads each configuration, which says the plan."""

from __future__ import annotations

import ast
import importlib.util
import json
import subprocess
from functools import cache
from pathlib import Path

import pytest
from google.protobuf import descriptor_pool, message_factory, text_format

import hetopt
from hetopt.deploy.fleet import fleet_of
from hetopt.errors import RefusedError
from hetopt.formats import read_instance
from tests.deploying import solved, steady_names

IMAGE = "registry.example/triton:1"


@cache
def model_config():
    """Triton's message, from the descriptor in its client.

    The client's module itself wants a newer Protobuf than OR-Tools takes.
    """
    folder = importlib.util.find_spec("tritonclient").submodule_search_locations[0]
    source = Path(folder, "grpc", "model_config_pb2.py").read_text(encoding="utf-8")
    (descriptor,) = (
        node.args[0].value
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "AddSerializedFile"
    )
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(descriptor)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("inference.ModelConfig"))


def read(content):
    return text_format.Parse(content.decode(), model_config()())


def test_a_wrong_field_is_seen():
    with pytest.raises(text_format.ParseError):
        read(b"name: 'a'\nbatch: 3\n")


@pytest.mark.parametrize("name", steady_names())
def test_every_configuration_of_a_shipped_instance_is_read_by_triton(name):
    instance, solution = solved(name)
    made = hetopt.deploy(
        solution, instance, "triton", image=IMAGE, parameters={"backend": "onnxruntime"}
    )
    assert not made.refused
    configs = [path for path in made.files if path.endswith("config.pbtxt")]
    assert configs
    for path in configs:
        config = read(made.files[path])
        assert config.name == path.split("/")[-2]
        assert config.backend == "onnxruntime"
        assert config.parameters["hetopt_plan"].string_value.startswith("sha256:")
    for path, content in made.files.items():
        assert instance.name in content.decode(), path


@pytest.mark.parametrize("name", steady_names())
def test_without_an_image_every_shipped_instance_is_refused(name):
    instance, solution = solved(name)
    made = hetopt.deploy(solution, instance, "triton")
    assert made.refused
    assert all(problem.place.startswith("image of ") for problem in made.refused)


def test_batches_instances_and_slots_are_those_of_the_plan():
    instance, solution = solved("llm-prefill-decode")
    made = hetopt.deploy(solution, instance, "triton", image=IMAGE)
    for group in fleet_of(instance, solution.plan).groups:
        for server in group.servers:
            path = f"{group.name}/models/{server.name}/config.pbtxt"
            config = read(made.files[path])
            batch = int(instance.options.batch[server.option])
            assert config.max_batch_size == (batch if batch > 1 else 0)
            (instances,) = config.instance_group
            assert instances.count == instance.devices.slots[group.device]
            assert bool(instances.rate_limiter.resources) == (len(group.servers) > 1)
            if batch > 1:
                delay = config.dynamic_batching.max_queue_delay_microseconds
                assert delay == pytest.approx(1e6 * instance.options.time_s[server.option], abs=1)
                assert list(config.dynamic_batching.preferred_batch_size) == [batch]


def test_the_shares_of_routes_stand_beside_the_repositories():
    instance, solution = solved("synthetic/memory-packing")
    made = hetopt.deploy(solution, instance, "triton", image=IMAGE)
    routing = json.loads(made.files["routing.json"])
    chat = next(job for job in routing["jobs"] if job["job"] == "chat")
    assert sum(route["share"] for route in chat["routes"]) == pytest.approx(1)
    assert any("routing.json" in note for note in made.notes)


def test_what_starts_a_unit_is_a_script_that_a_shell_reads(tmp_path):
    instance, solution = solved("synthetic/memory-packing")
    hetopt.deploy(solution, instance, "triton", tmp_path / "out", image=IMAGE)
    scripts = list((tmp_path / "out").rglob("start.sh"))
    assert scripts
    for script in scripts:
        subprocess.run(["sh", "-n", script], check=True)
        assert script.stat().st_mode & 0o100


def test_a_schedule_is_refused():
    instance = read_instance("edge-box")
    with pytest.raises(RefusedError, match="start times"):
        hetopt.deploy(hetopt.solve(instance, time_limit=5, gap=1.0), instance, "triton")
