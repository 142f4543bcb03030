"""The README's promises that CI's own run of its commands does not cover."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_python_example_runs_as_it_stands():
    (code,) = re.findall(r"<!-- ci:python -->\s*```python\n(.*?)```", README, re.S)
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("optimal ")


def test_every_file_that_the_documents_link_to_is_there():
    for page in [
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        *sorted((ROOT / "docs").glob("*.md")),
    ]:
        text = page.read_text(encoding="utf-8")
        for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", text):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_instance_that_the_readme_names_is_there():
    for name in re.findall(r"instances/[\w.\-/]+\.yaml", README):
        assert (ROOT / name).exists(), name


def test_pages_of_the_site_link_to_pages_of_the_site_only():
    for page in sorted((ROOT / "docs").glob("*.md")):
        text = page.read_text(encoding="utf-8")
        for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", text):
            inside = (page.parent / target).resolve().is_relative_to(ROOT / "docs")
            assert inside, f"{page.name} links to {target}, which mkdocs does not copy"
