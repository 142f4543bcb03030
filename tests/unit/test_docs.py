import importlib.util
import re

from hetopt.formats import FORMATS, read_instance


def test_the_fields_in_the_format_page_are_those_of_the_code(repo_path):
    spec = importlib.util.spec_from_file_location(
        "build_docs", repo_path / "tools" / "build_docs.py"
    )
    build_docs = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(build_docs)
    text = (repo_path / "docs" / "format.md").read_text(encoding="utf-8")
    assert build_docs.page(text) == text


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
    assert {f.name for f in FORMATS} <= named
    assert {".mps", ".lp", ".pb", ".pbtxt"} <= set(re.findall(r"`(\.[a-z]+)`", text))
