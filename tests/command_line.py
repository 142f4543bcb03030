"""The command line within the test's own process, which starting Python anew takes a second for."""

from __future__ import annotations

from dataclasses import dataclass

from typer.testing import CliRunner

from hetopt.cli.app import app


@dataclass(frozen=True, slots=True)
class Done:
    """What a process would have left behind."""

    returncode: int
    stdout: str
    stderr: str


def hetopt(*arguments: object, stdin: str | None = None) -> Done:
    """Run a command as ``hetopt ...`` would; an error that no command turns into a code is raised.

    Where the process itself matters (signals, what is imported, bytes that differ from process to
    process), start one.
    """
    result = CliRunner().invoke(app, [str(a) for a in arguments], input=stdin, prog_name="hetopt")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Done(result.exit_code, result.stdout, result.stderr)
