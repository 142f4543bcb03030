"""Exit codes of commands, and errors turned into them."""

from __future__ import annotations

import contextlib
import sys
import traceback
from collections.abc import Iterator

import typer

from hetopt.errors import HetoptError, InputError, RefusedError

OK, INTERNAL, USAGE, INFEASIBLE, NO_PLAN, VIOLATED, INTERRUPTED = 0, 1, 2, 3, 4, 5, 130

Exit = typer.Exit


@contextlib.contextmanager
def guarded(debug: bool) -> Iterator[None]:
    """Turn errors into exit codes and one line each; tracebacks only with ``debug``."""
    try:
        yield
    except RefusedError as error:
        _fail(str(error), VIOLATED, debug)
    except InputError as error:
        _fail(str(error), USAGE, debug)
    except (HetoptError, MemoryError) as error:
        _fail(f"internal: {error or type(error).__name__}", INTERNAL, debug)
    except KeyboardInterrupt:
        _fail("interrupted", INTERRUPTED, debug)
    except BrokenPipeError:
        # The reader of our output has gone; there is nobody to tell.
        sys.stderr.close()
        raise Exit(INTERNAL) from None
    except Exit:
        raise
    except Exception as error:  # noqa: BLE001 - the last line of defence: no traceback for users
        _fail(f"internal: {type(error).__name__}: {error}", INTERNAL, debug)


def _fail(message: str, code: int, debug: bool) -> None:
    if debug:
        traceback.print_exc()
    first, *rest = message.splitlines() or [""]
    count = f" (and {len(rest)} more)" if rest else ""
    typer.echo(f"error: {first}{count}", err=True)
    for line in rest:
        typer.echo(f"  {line}", err=True)
    raise Exit(code)
