import importlib.util
import re

import pytest

import hetopt
from hetopt.formats import formats, read_instance


@pytest.fixture(scope="module")
def build_docs(repo_path):
    spec = importlib.util.spec_from_file_location(
        "build_docs", repo_path / "tools" / "build_docs.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_fields_in_the_format_page_are_those_of_the_code(repo_path, build_docs):
    text = (repo_path / "docs" / "format.md").read_text(encoding="utf-8")
    assert build_docs.page(text) == text


def test_the_page_of_the_command_line_is_that_of_the_commands(repo_path, build_docs):
    text = (repo_path / "docs" / "cli.md").read_text(encoding="utf-8")
    assert build_docs.command_page() == text


def test_the_page_of_the_python_interface_has_every_public_name(repo_path):
    text = (repo_path / "docs" / "api.md").read_text(encoding="utf-8")
    named = re.findall(r"(?m)^::: ([\w.]+)\n    options: \{heading: hetopt\.(\w+)", text)
    assert {name for _, name in named} == set(hetopt.__all__) - {"__version__"}
    assert all(home == f"{hetopt._HOMES[name]}.{name}" for home, name in named)


def test_every_page_is_in_the_navigation(repo_path):
    text = (repo_path / "mkdocs.yml").read_text(encoding="utf-8")
    pages = re.findall(r": ([\w-]+\.md)$", text, re.M)
    assert sorted(pages) == sorted(page.name for page in (repo_path / "docs").glob("*.md"))


def test_the_example_of_the_format_page_is_an_instance(repo_path, tmp_path):
    text = (repo_path / "docs" / "format.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```yaml\n(.*?)```", text, re.S)
    path = tmp_path / "example.yaml"
    path.write_text(example, encoding="utf-8")
    instance = read_instance(path)
    assert instance.tasks.name.tolist() == ["grab", "detect"]
    assert instance.devices.count_max.tolist() == [1, 2]


def test_the_page_of_benchmark_files_names_every_format(repo_path):
    text = (repo_path / "docs" / "formats.md").read_text(encoding="utf-8")
    rows = re.findall(r"(?m)^\| (`[^|]*) \|", text)
    named = {name for row in rows for name in re.findall(r"`([a-z-]+)`", row)}
    assert {f.name for f in formats()} <= named
    assert {".mps", ".lp", ".pb", ".pbtxt"} <= set(re.findall(r"`(\.[a-z]+)`", text))
