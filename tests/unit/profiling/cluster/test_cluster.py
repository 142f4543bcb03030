"""Devices of a cluster from its own lists: units, memory, prices, and what places work there."""

from __future__ import annotations

import json

import pytest

import hetopt
from hetopt.errors import InputError
from hetopt.profiling.cluster.kubernetes import quantity
from hetopt.profiling.cluster.read import read_cluster
from tests.command_line import hetopt as command

A100 = "NVIDIA-A100-SXM4-40GB"
TYPE = "node.kubernetes.io/instance-type"


def node(name, allocatable, labels=None, **more):
    ready = [{"type": "Ready", "status": more.pop("ready", "True")}]
    return {
        "kind": "Node",
        "metadata": {"name": name, "labels": labels or {}, "annotations": more.pop("said", {})},
        "spec": more,
        "status": {"allocatable": allocatable, "conditions": ready},
    }


def gpu_node(name, count="8", **more):
    labels = {"nvidia.com/gpu.product": A100, "nvidia.com/gpu.memory": "40960", TYPE: "p4d"}
    resources = {"cpu": "95500m", "memory": "1Ti", "pods": "110", "nvidia.com/gpu": count}
    return node(name, resources, labels, **more)


def read(*items):
    return read_cluster(json.dumps({"kind": "List", "items": items}), "file")


def by_name(cluster):
    return {device.name: device for device in cluster.devices}


def test_equal_nodes_make_one_device_and_prices_are_divided():
    said = {"hetopt.dev/price": "12 USD/h"}
    cluster = read(gpu_node("a", said=said), gpu_node("b", said=said), node("c", {"cpu": "4"}))
    found = by_name(cluster)
    gpu = found["nvidia-a100-sxm4-40gb"]
    assert (gpu.kind, gpu.count, gpu.memory_b, gpu.price) == ("gpu", 16, 40 * 2**30, "1.5 USD/h")
    assert gpu.parameters == {
        "resource": "nvidia.com/gpu",
        "node-label": f"nvidia.com/gpu.product={A100}",
    }
    assert (found["cpu-p4d"].count, found["cpu-p4d"].memory_b) == (2, 2**40)
    assert found["cpu-cpu-4"].price == ""
    assert cluster.target == "kubernetes"


def test_a_price_of_a_node_without_accelerators_is_its_own():
    cluster = read(node("a", {"cpu": "8"}, said={"hetopt.dev/price": "0.4 EUR/h"}))
    assert [device.price for device in cluster.devices] == ["0.4 EUR/h"]


def test_nodes_that_take_no_work_are_left_out_and_named():
    master = {"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}
    gpus = {"key": "nvidia.com/gpu", "effect": "NoSchedule"}
    cluster = read(
        gpu_node("good", taints=[gpus]),
        gpu_node("sick", ready="Unknown"),
        gpu_node("cordoned", unschedulable=True),
        gpu_node("master", taints=[master]),
    )
    assert by_name(cluster)["nvidia-a100-sxm4-40gb"].count == 8
    assert [note.split()[1] for note in cluster.notes] == ["sick", "cordoned", "master"]


def test_resources_that_are_no_processors_are_named():
    cluster = read(node("a", {"cpu": "1", "rdma/hca": "4", "hugepages-2Mi": "0"}))
    assert cluster.notes == ("Resource rdma/hca tells no kind of processor, and is left out.",)


def test_parts_of_a_gpu_are_devices_of_their_own():
    labels = {"nvidia.com/gpu.product": A100, "nvidia.com/gpu.memory": "40960"}
    cluster = read(node("a", {"cpu": "1", "nvidia.com/mig-1g.5gb": "7"}, labels))
    (part, _) = cluster.devices
    assert (part.name, part.count, part.memory_b) == ("nvidia-a100-sxm4-40gb-mig-1g-5gb", 7, 0)


def slice_(name, generation, count, node_name="a"):
    device = {
        "attributes": {"productName": {"string": "NVIDIA L4"}},
        "capacity": {"memory": {"value": "24Gi"}},
    }
    return {
        "kind": "ResourceSlice",
        "metadata": {"name": name},
        "spec": {
            "driver": "gpu.nvidia.com",
            "nodeName": node_name,
            "pool": {"name": node_name, "generation": generation},
            "devices": [{"name": f"gpu-{k}", **device} for k in range(count)],
        },
    }


def device_class(name, driver="gpu.nvidia.com"):
    selector = {"cel": {"expression": f'device.driver == "{driver}"'}}
    return {"kind": "DeviceClass", "metadata": {"name": name}, "spec": {"selectors": [selector]}}


def test_resource_slices_count_once_in_their_latest_generation():
    # The device plugin of the same vendor counts the same GPUs.
    a = node("a", {"cpu": "1", "nvidia.com/gpu": "2"})
    cluster = read(a, slice_("old", 1, 4), slice_("new", 2, 2), device_class("gpu.nvidia.com"))
    gpu = by_name(cluster)["nvidia-l4"]
    assert (gpu.count, gpu.memory_b) == (2, 24 * 2**30)
    assert gpu.parameters == {"device-class": "gpu.nvidia.com"}
    several = read(a, slice_("new", 2, 2), device_class("big"), device_class("small"))
    assert by_name(several)["nvidia-l4"].parameters == {}
    assert any("big, small" in note for note in several.notes)


def test_nodes_of_ray_are_read_in_both_forms():
    resources = {"CPU": 16.0, "GPU": 4.0, "accelerator_type:A100": 1.0, "node:10.0.0.1": 1.0}
    listed = [{"node_id": "1", "state": "ALIVE", "resources_total": resources, "labels": {}}] * 2
    listed.append({"node_id": "2", "state": "DEAD", "resources_total": resources})
    returned = [
        {"NodeID": "1", "Alive": True, "Resources": resources},
        {"NodeID": "2", "Alive": True, "Resources": resources},
    ]
    for found in (listed, returned):
        cluster = read_cluster(json.dumps(found), "file")
        assert [(d.name, d.kind, d.count) for d in cluster.devices] == [
            ("a100", "gpu", 8),
            ("cpu-16", "cpu", 2),
        ]
        assert cluster.target == "ray-serve"
    totals = read_cluster(json.dumps(resources), "file")
    assert by_name(totals)["a100"].count == 4
    assert totals.notes


def test_units_that_nodes_of_ray_declare_are_not_counted_twice():
    resources = {"CPU": 2.0, "GPU": 4.0, "hetopt-a100": 4.0, "disk": 1.0}
    cluster = read_cluster(json.dumps([{"Alive": True, "Resources": resources}]), "file")
    assert [(d.name, d.kind, d.count) for d in cluster.devices][:1] == [("a100", "gpu", 4)]
    assert len(cluster.devices) == 2
    assert any("disk" in note for note in cluster.notes)


@pytest.mark.parametrize(
    ("text", "value"),
    [("4", 4), ("500m", 0.5), ("16Gi", 2**34), ("3e3", 3000), ("64G", 64e9), ("1.5Ki", 1536)],
)
def test_quantities_are_those_of_kubernetes(text, value):
    assert quantity(text, "here") == pytest.approx(value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "JSON"),
        ("[]", "kubectl get nodes"),
        ('{"kind": "List", "items": [{"kind": "Pod"}]}', "got Pod"),
        (json.dumps({"items": [node("a", {"cpu": "lots"})]}), "cpu: got lots"),
        (json.dumps([{"Alive": True, "Resources": {"CPU": "two"}}]), "CPU: got two"),
        (
            json.dumps({"items": [node("a", {"cpu": "1"}, said={"hetopt.dev/price": "cheap"})]}),
            "hetopt.dev/price: got cheap",
        ),
    ],
)
def test_what_cannot_be_read_is_named(text, message):
    with pytest.raises(InputError, match=message):
        read_cluster(text, "file")


def test_devices_of_a_cluster_are_those_of_an_instance(tmp_path):
    source, part, whole = (tmp_path / name for name in ("nodes.json", "part.yaml", "whole.yaml"))
    said = {"hetopt.dev/price": "12 USD/h"}
    source.write_text(json.dumps({"items": [gpu_node("a", said=said)]}))
    done = command("devices", "--from-cluster", source, "-o", part)
    assert done.returncode == 0, done.stderr
    whole.write_text(
        "hetopt: 1\nname: mine\nregime: steady\nobjective: cost\ncurrency: USD\n"
        + part.read_text()
        + "profiles: {p: [{device: nvidia-a100-sxm4-40gb, time: 10 ms}]}\n"
        "jobs: [{name: j, profile: p, rate: 250/s}]\n"
    )
    instance = hetopt.read_instance(whole)
    solution = hetopt.solve(instance, time_limit=10)
    told = json.loads(command("devices", "--from-cluster", source, "--json").stdout)
    made = hetopt.deploy(
        solution,
        instance,
        told["deploy"]["to"],
        image="a/b:1",
        command="serve",
        parameters=dict(text.split("=", 1) for text in told["deploy"]["parameters"]),
    )
    text = made.files["deployments.yaml"].decode()
    assert f"nvidia.com/gpu.product: {A100}" in text
    assert "nvidia.com/gpu: 1" in text


def test_filters_of_the_catalogue_do_not_go_with_a_cluster(tmp_path):
    source = tmp_path / "nodes.json"
    source.write_text(json.dumps({"items": [gpu_node("a")]}))
    assert command("devices", "--from-cluster", source, "--kind", "gpu").returncode == 2
    assert command("devices", "-o", "x.yaml").returncode == 2
