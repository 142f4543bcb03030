"""``hetopt deploy``: an instance, with a plan or without, to a folder; refusals end with 5."""

from __future__ import annotations

import json

import pytest

from tests.command_line import hetopt
from tests.deploying import solved

GIVEN = ("--to", "kubernetes", "--image", "registry.example/serve:1", "--command", "serve {model}")


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    path = tmp_path_factory.mktemp("plan") / "plan.json"
    solved("llm-two-gpus")[1].save(path)
    return path


def test_from_an_instance_to_a_folder_in_one_command(tmp_path):
    done = hetopt("deploy", "llm-two-gpus", *GIVEN, "-o", tmp_path / "k8s")
    assert done.returncode == 0, done.stderr
    names = {path.name for path in (tmp_path / "k8s").iterdir()}
    assert {"deployments.yaml", "services.yaml", "routes.yaml", "README.md"} <= names
    assert "note: The plan is for these rates" in done.stdout


def test_a_plan_is_deployed_as_it_stands(plan, tmp_path):
    folder = tmp_path / "k8s"
    done = hetopt("deploy", "llm-two-gpus", plan, *GIVEN, "-o", folder, "--json")
    assert json.loads(done.stdout)["files"][0] == "README.md"
    before = (folder / "deployments.yaml").read_bytes()
    assert hetopt("deploy", "llm-two-gpus", plan, *GIVEN, "-o", folder).returncode == 0
    assert (folder / "deployments.yaml").read_bytes() == before


def test_what_is_missing_is_refused_with_its_name_and_nothing_is_written(plan, tmp_path):
    done = hetopt("deploy", "llm-two-gpus", plan, "--to", "kubernetes", "-o", tmp_path / "k8s")
    assert done.returncode == 5
    assert "image of gemma-9b" in done.stderr
    assert not (tmp_path / "k8s").exists()


def test_a_dry_run_prints_and_writes_nothing(plan, tmp_path):
    done = hetopt(
        "deploy", "llm-two-gpus", plan, *GIVEN, "--dry-run", "-o", tmp_path / "k8s", "--json"
    )
    assert "kind: Deployment" in json.loads(done.stdout)["files"]["deployments.yaml"]
    assert not (tmp_path / "k8s").exists()
    done = hetopt("deploy", "llm-two-gpus", plan, "--to", "kubernetes", "--dry-run")
    assert done.returncode == 5
    assert "REPLACE-ME-image-of-gemma-9b" in done.stdout


def test_values_are_given_for_all_or_by_name(plan):
    given = ("--image", "llama-8b=a/b:2", "--command", "serve --model={model}", "-p", "port=9000")
    done = hetopt("deploy", "llm-two-gpus", plan, *GIVEN[:4], *given, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("image: a/b:2") == 1
    assert "- --model=phi-mini" in done.stdout
    assert "containerPort: 9000" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--to", "mars", "--dry-run"), "--to: got mars"),
        (("--to", "kubernetes"), "-o:"),
        (("--to", "kubernetes", "--dry-run", "-p", "port"), "NAME=VALUE"),
        (
            ("--to", "kubernetes", "--dry-run", "--image", "lama=a:1"),
            "--image: got lama=a:1; The name",
        ),
        (("--to", "kubernetes", "--dry-run", "--command", "lama=serve x"), "The name of a task"),
    ],
)
def test_wrong_arguments_are_bad_usage(plan, arguments, message):
    done = hetopt("deploy", "llm-two-gpus", plan, *arguments)
    assert done.returncode == 2
    assert message in done.stderr


def test_a_plan_without_its_instance_is_told_what_it_lacks(plan):
    done = hetopt("deploy", plan, *GIVEN, "--dry-run")
    assert done.returncode == 2
    assert "hetopt deploy INSTANCE PLAN" in done.stderr


def test_targets_are_listed():
    done = hetopt("deploy", "llm-two-gpus", "--to", "list")
    assert done.returncode == 0
    assert "kubernetes:" in done.stdout
    assert "-p namespace=VALUE" in done.stdout
