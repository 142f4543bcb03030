"""What ``hetopt deploy`` does: a plan, made or read, to the files of a target."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hetopt.cli.exits import NO_PLAN, OK
from hetopt.cli.options import Json, argument, option, to_file
from hetopt.cli.printing import print_json, tell_warnings
from hetopt.cli.question import Question
from hetopt.errors import InputError, Problem, RefusedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hetopt.deploy.target import Artefacts
    from hetopt.instance import Instance
    from hetopt.solution import Plan
    from hetopt.solve import SolveOptions


def _list_targets(name: str) -> str:
    if name == "list":
        typer.echo(_described())
        raise typer.Exit
    return name


def deploy(
    question: Question,
    options: Any,
    plan: Annotated[str | None, argument("[PLAN]", "Plan or result; none: solved first.")] = None,
    to: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="TARGET",
            callback=_list_targets,
            help="What takes the files; list: the targets and their parameters.",
        ),
    ] = "list",
    output: Annotated[str | None, to_file("Folder, written whole or not at all.", "DIR")] = None,
    image: Annotated[
        list[str] | None,
        option(
            "[NAME=]IMAGE",
            "Container image of all, or of a task, profile, job or device. Fields: {model}, "
            "{option}, {batch}, {device}, {port}, ...",
        ),
    ] = None,
    command: Annotated[
        list[str] | None,
        option("[NAME=]COMMAND", 'Command likewise; "": the image\'s own entry point.'),
    ] = None,
    parameter: Annotated[
        list[str] | None, option("NAME=VALUE", "A target's own parameter.", "-p", "--parameter")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the files, write nothing.")
    ] = False,
    json: Json = False,
) -> int:
    """Write what executes a plan: files for Kubernetes, Ray Serve, Triton, ..."""
    from hetopt.deploy.folder import check_folder
    from hetopt.deploy.registry import target
    from hetopt.deploy.write import artefacts, write

    if output is None and not dry_run:
        text = "A folder for the files, or --dry-run to print them."
        raise InputError([Problem("-o", "", text)])

    target(to)
    if output is not None:
        check_folder(Path(output))
    parameters = dict(_pair(text) for text in parameter or [])
    instance = _instance(question, plan)
    tell_warnings(instance)
    images, commands = (_owned(instance, given or []) for given in (image, command))
    found, result = _plan(instance, options, plan)
    if found is None:
        typer.echo(f"error: no plan to deploy ({result['status']})", err=True)
        return NO_PLAN
    made = artefacts(
        found,
        instance,
        to,
        image=images,
        command=commands,
        parameters=parameters,
        result=result,
        beside=_folder_of(question.file),
    )
    if dry_run or output is None:
        _print(made, json)
        if made.refused:
            raise RefusedError(made.refused)
        return OK
    write(made, Path(output))
    if json:
        print_json({"folder": output, "files": sorted(made.files), "notes": list(made.notes)})
        return OK
    typer.echo(f"{output}: {len(made.files)} files: {', '.join(sorted(made.files))}")
    for note in made.notes:
        typer.echo(f"note: {note}")
    return OK


def _folder_of(file: str | None) -> Path:
    """Return the folder that relative paths in the instance are from."""
    if file is None or file == "-":
        return Path()
    return Path(file) if Path(file).is_dir() else Path(file).parent


def _instance(question: Question, plan: str | None) -> Instance:
    """Read the instance; a plan alone is told what it lacks."""
    try:
        return question.instance()
    except InputError:
        if plan is None and question.file is not None and _is_result(question.file):
            text = "The instance before its plan: hetopt deploy INSTANCE PLAN."
            raise InputError([Problem(question.file, "a plan alone", text)]) from None
        raise


def _is_result(path: str) -> bool:
    from hetopt.formats.json_text import parse_json, read_text

    try:
        found = parse_json(read_text(Path(path)), path)
    except (InputError, OSError):
        return False
    return isinstance(found, dict) and bool({"plan", "routes", "assignments"} & set(found))


def _plan(
    instance: Instance, options: SolveOptions, plan: str | None
) -> tuple[Plan | None, dict[str, Any]]:
    """Read the plan, or solve for one."""
    from hetopt.formats.plans import read_result, solution_to_dict
    from hetopt.report.terminal.progress import progress_display
    from hetopt.solve import solve_with

    if plan is not None:
        read = read_result(instance, plan)
        return read.plan, dict(read.result)
    stop = threading.Event()
    with progress_display(instance, options.time_limit_s) as progress:
        solution = solve_with(instance, options, stop=stop, progress=progress)
    return solution.plan, solution_to_dict(instance, solution)


def _print(made: Artefacts, as_json: bool) -> None:
    texts = {path: _shown(content) for path, content in made.files.items()}
    if as_json:
        refused = [str(problem) for problem in made.refused]
        print_json({"files": texts, "notes": list(made.notes), "refused": refused})
        return
    for path, text in texts.items():
        typer.echo(f"==> {path}\n{text}")


def _shown(content: bytes) -> str:
    """Return the text of a file, or how large it is where it is none."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        text = "\0"
    return f"({len(content):,} bytes)" if "\0" in text else text


def _owned(instance: Instance, given: Sequence[str]) -> dict[str, str]:
    from hetopt.deploy.parameters import split_owner

    return dict(split_owner(instance, text) for text in given)


def _pair(text: str) -> tuple[str, str]:
    name, mark, value = text.partition("=")
    if not mark or not name:
        raise InputError([Problem("--parameter", text, "NAME=VALUE.")])
    return name, value


def _described() -> str:
    from hetopt.deploy.registry import TARGETS, target

    lines = []
    for name in TARGETS:
        found = target(name)
        lines.append(f"{name}: {found.about}")
        lines += [f"  -p {key}=VALUE  {text}" for key, text in found.parameters.items()]
    return "\n".join(lines)
