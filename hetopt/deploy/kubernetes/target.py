"""The target ``kubernetes``: a folder for ``kubectl apply -f``."""

from __future__ import annotations

from hetopt.deploy.fleet import fleet_of
from hetopt.deploy.kubernetes.jobs import unit_jobs
from hetopt.deploy.kubernetes.kueue import queue_objects
from hetopt.deploy.kubernetes.labels_and_nodes import Cluster
from hetopt.deploy.kubernetes.pods import claim_template, deployment, service
from hetopt.deploy.kubernetes.routes import gateway, gateway_name, http_routes, paths
from hetopt.deploy.parameters import Needs
from hetopt.deploy.streams import contained, per_scenario, unsaid
from hetopt.deploy.target import Artefacts, Files, Parameters, Provenance, Target
from hetopt.deploy.text import readme, yaml_documents
from hetopt.instance import Instance
from hetopt.solution import Plan, SchedulePlan, SteadyPlan

PARAMETERS = {
    "namespace": "namespace of all objects; none: that of kubectl",
    "node-label.DEVICE": "KEY=VALUE of the nodes with the device; default hetopt.dev/device=NAME",
    "resource.DEVICE": "extended resource that a unit is: nvidia.com/gpu, or nvidia.com/gpu:8",
    "device-class.DEVICE": "DRA device class of which a unit is one device: gpu.nvidia.com",
    "selector.DEVICE": "CEL expression that the claim of a unit asks of the device",
    "cpu.DEVICE": "processors that a unit's pod requests of the node",
    "memory.DEVICE": "memory that a unit's pod requests of the node",
    "port": "port of a pod's first server; default 8000",
    "gateway": "Gateway that routes hang on; default hetopt",
    "gateway-class": "class of a Gateway to write; none: the Gateway is there already",
    "queue": "Kueue queue: writes flavours and quotas, and submits to it",
}


def write(plan: Plan, instance: Instance, parameters: Parameters) -> Artefacts:
    """Write Deployments, Services, routes and queues of a steady plan; of a schedule, Jobs."""
    if isinstance(plan, SchedulePlan):
        return _schedule(plan, instance, parameters)
    return per_scenario(plan, instance, parameters, _write)


def _write(
    plan: SteadyPlan, instance: Instance, parameters: Parameters, origin: Provenance
) -> Artefacts:
    needs = Needs(instance, parameters)
    cluster = Cluster(instance, parameters, origin, needs)
    fleet = contained(instance, fleet_of(instance, plan))
    groups = fleet.groups
    pods = [deployment(cluster, group) for group in groups]
    claims = [claim_template(cluster, g) for g in groups if cluster.device_class(g.device)]
    door = gateway(cluster)
    routes = ([door] if door else []) + http_routes(cluster, fleet)
    files: Files = {
        "deployments.yaml": yaml_documents([*claims, *pods], origin),
        "routes.yaml": yaml_documents(routes, origin),
        "services.yaml": yaml_documents([service(cluster, group) for group in groups], origin),
    }
    if parameters.value("queue"):
        objects = queue_objects(cluster, [g.device for g in groups for _ in range(g.replicas)])
        files["queues.yaml"] = yaml_documents(objects, origin)
    notes = [*fleet.notes, *unsaid(instance, fleet), *cluster.notes]
    refused = [*needs.refused.values(), *cluster.refused]
    steps = _steps(cluster, sorted({g.device for g in groups}), door is not None)
    steps += [f"Ask: `{path}` serves {task}." for task, path in paths(cluster, fleet).items()]
    files["README.md"] = readme("A fleet on Kubernetes", origin, steps, notes, refused)
    return Artefacts(dict(sorted(files.items())), tuple(notes), tuple(refused))


def _schedule(plan: SchedulePlan, instance: Instance, parameters: Parameters) -> Artefacts:
    origin, needs = Provenance.of(instance, plan), Needs(instance, parameters)
    cluster = Cluster(instance, parameters, origin, needs)
    files: Files = {"jobs.yaml": yaml_documents(unit_jobs(cluster, plan), origin)}
    device = instance.options.device[plan.option]
    units = sorted(set(zip(device.tolist(), plan.unit.tolist(), strict=True)))
    if parameters.value("queue"):
        objects = queue_objects(cluster, [d for d, _ in units])
        files["queues.yaml"] = yaml_documents(objects, origin)
    notes = ["Order is kept on each unit; start times are not: a task begins at once."]
    notes += cluster.notes
    refused = [*needs.refused.values(), *cluster.refused]
    steps = _steps(cluster, sorted({d for d, _ in units}), True)
    files["README.md"] = readme("A schedule on Kubernetes", origin, steps, notes, refused)
    return Artefacts(dict(sorted(files.items())), tuple(notes), tuple(refused))


def _steps(cluster: Cluster, devices: list[int], has_gateway: bool) -> list[str]:
    steps = []
    for d in devices:
        key, value = cluster.node_label(d)
        device = cluster.device(d)
        if not cluster.parameters.of_device("node-label", device):
            label = f"`kubectl label node NODE {key}={value}`"
            steps.append(f"Label the nodes with {device}: {label}.")
    if not has_gateway:
        steps.append(
            f"Have a Gateway `{gateway_name(cluster)}` (Gateway API v1), or write one too with "
            "`--parameter gateway-class=CLASS`."
        )
    steps.append("`kubectl apply -f .` in this folder.")
    return steps


TARGET = Target(
    "kubernetes",
    "Deployments, Services and Gateway API routes, or Jobs; DRA claims, Kueue quotas if asked for.",
    write,
    PARAMETERS,
)
