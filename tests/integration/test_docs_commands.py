"""What the pages of docs/ tell readers to type works: marked blocks are run, all others parsed."""

import re
import runpy
import shlex
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from hetopt.cli.app import app

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "docs").glob("*.md"))
TEXTS = {page.name: page.read_text(encoding="utf-8") for page in PAGES}


def commands(text, marker=""):
    """Return the arguments of each hetopt command in the shell blocks after the marker."""
    blocks = re.findall(rf"{marker}```sh\n(.*?)```", text, re.S)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    words = [shlex.split(line, comments=True) for line in lines]
    return [line[1:] for line in words if line[:1] == ["hetopt"]]


RUN = {name: commands(text, r"<!-- ci:run -->\n") for name, text in TEXTS.items()}


@pytest.mark.parametrize("page", [name for name, found in RUN.items() if found])
def test_the_marked_commands_of_a_page_run_in_turn(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # empty: what commands name ships with the package
    for arguments in RUN[page]:
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 0, f"{arguments}: {result.output}"


def test_every_kind_of_user_has_commands_that_are_run():
    users = {"tutorial", "howto-edge", "howto-serving", "howto-capacity", "howto-research"}
    assert users <= {name.removesuffix(".md") for name, found in RUN.items() if found}


@pytest.mark.parametrize("page", [name for name, text in TEXTS.items() if commands(text)])
def test_the_command_line_takes_every_command_of_a_page(page):
    for arguments in commands(TEXTS[page]):
        command = get_command(app)
        words = list(arguments)
        while hasattr(command, "commands"):
            command = command.commands[words.pop(0)]
        command.make_context("hetopt", words)


@pytest.mark.parametrize("page", TEXTS)
def test_every_instance_that_a_page_names_is_there(page):
    for name in re.findall(r"instances/[a-z][\w.\-/]+\.yaml", TEXTS[page]):
        assert (ROOT / name).exists(), name


def test_the_python_of_the_tutorial_runs_as_it_stands(tmp_path, monkeypatch, capsys):
    (code,) = re.findall(r"<!-- ci:python -->\n```python\n(.*?)```", TEXTS["tutorial.md"], re.S)
    (tmp_path / "tutorial.py").write_text(code, encoding="utf-8")
    monkeypatch.chdir(ROOT)
    runpy.run_path(str(tmp_path / "tutorial.py"))
    assert capsys.readouterr().out.startswith("optimal ")
