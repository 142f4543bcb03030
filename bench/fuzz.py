"""Mutated files and command lines, to find what ends badly: ``python -m bench fuzz --runs 10000``.

Run number k of a seed mutates one shipped or published file, chooses a command and options, and
runs it in a fork of this process (which has everything imported and compiled). Judged are the exit
code, what stderr holds, CPU time (which a loaded machine does not falsify), memory, and whether
``verify`` accepts the plan. ``--only K`` repeats one run; a fault keeps its file.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import random
import re
import resource
import shlex
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

REPO = Path(__file__).resolve().parents[1]
GIB = 2**30
MOST_BYTES = 4 * GIB
LARGEST_FILE = 20_000
"""Bytes of the files that are mutated; larger ones take their time to read, nothing else."""
START_UP_S, BEYOND_S = 1.5, 1.0
"""CPU seconds that a run may take beside its limit: to read and print, and beyond the limit."""
EXPORT_S = 10.0
"""CPU seconds of an export, which has no limit: a model of 1,000,000 choices is written whole."""

CPU_PER_DETERMINISTIC_S = 4.0
"""CPU seconds that a deterministic second may take: it counts steps, nodes and moves, no time."""

NUMBERS = (
    *(
        "0",
        "-1",
        "1",
        "0.5",
        "2",
        "7",
        "1000",
        "1e-4",
        "1e6",
        "1e9",
        "1000000000",
        "1e300",
        "-1e300",
        "1e-320",
        "1e-9",
        "1e18",
    ),
    *("9223372036854775807", "9223372036854775808", "18446744073709551616", "4294967296"),
    *("2147483647", "1e308", "1e400", "nan", "inf", ".inf", "0.1", "33.333", "0.30000000000000004"),
)
UNITS = ("ms", "us", "ns", "h", "yr", "W", "kW", "GB", "kB", "GiB", "B/s", "GB/s", "J", "mJ", "%")
VALUES = ("[]", "{}", "null", "true", "''", "text", "[1, 2]", "{a: 1}", "-", "~", "1e", "0x10")
OBJECTIVES = (
    *("energy", "makespan", "cost", "carbon", "tardiness", "peak_power", "accuracy"),
    *("throughput", "power", "energy,makespan", "makespan,energy", "power,cost"),
)
METHODS = ("auto", "auto", "auto", "heuristic", "cpsat", "mip", "heft", "anneal", "lns", "nothing")
FOREIGN = (
    "fjsp",
    "fajsp",
    "rcmax",
    "mrcpsp",
    "gap",
    "upmr",
    "stg",
    "dag-hetero",
    "saga",
    "melange",
)
AMBIGUOUS = {"rcmax": "rcmax", "upmr": "upmr"}
"""Formats of files that may be of several, by the folder."""


@dataclass(frozen=True)
class Fault:
    """One run that ended badly."""

    run: int
    what: str
    command: str
    stderr: str = ""


@dataclass
class Outcome:
    """How one run ended."""

    code: int
    cpu_s: float
    peak_bytes: int
    stderr: str
    hung: bool = False
    contradicted: bool = False
    """Whether a note says that a plan refuted a proof."""
    solves: int = 0
    """Solves that ``compare`` says it has made."""


@dataclass
class Campaign:
    """What a number of runs found."""

    faults: list[Fault] = field(default_factory=list)
    codes: Counter[str] = field(default_factory=Counter)


def sources(shared: Path) -> list[Path]:
    """Return the files that are mutated, and the folders of tables."""
    found = [*REPO.joinpath("instances").rglob("*.yaml")]
    found += [p for p in shared.joinpath("cases").rglob("*.*") if p.suffix in (".yaml", ".json")]
    for folder in sorted(shared.joinpath("benchmarks").glob("*")):
        small = [p for p in folder.rglob("*.*") if p.is_file() and p.stat().st_size < LARGEST_FILE]
        found += sorted(p for p in small if p.suffix in (".txt", ".json", ".mm", ".stg"))[:6]
    small = sorted(p for p in found if p.stat().st_size < LARGEST_FILE)
    # Plans, and files that are wrong as they are, stop at the first error: two of them are enough.
    wrong = [p for p in small if p.parent.name in ("22-warm-start", "23-empty-things", "jsp")]
    wrong += [p for p in small if p.parent.name == "proofs" and "plan" in p.stem]
    return sorted(set(small) - set(wrong)) + wrong[::10]


def mutated(text: str, rng: random.Random) -> str:
    """Return a text with one to three things changed."""
    for _ in range(rng.choice((1, 1, 1, 1, 2))):
        text = _mutated_once(text, rng)
    return text


def _mutated_once(text: str, rng: random.Random) -> str:
    lines = text.split("\n")
    at = rng.randrange(len(lines))
    kind = rng.randrange(13)
    if kind <= 5:
        return _replaced(text, r"(?<![\w.])\d+(\.\d+)?(e-?\d+)?", rng.choice(NUMBERS), rng)
    if kind == 6:
        return _replaced(text, r"(?<=\d) ?(ms|us|s|W|J|mJ|GB|MB|GB/s|/s)\b", rng.choice(UNITS), rng)
    if kind == 7:
        return _replaced(text, r"(?<=: )[^,{}\[\]\n]+", rng.choice(VALUES), rng)
    if kind == 8:
        return _replaced(text, r"[\w.]+: [^,{}\[\]\n]+(, )?", "", rng)
    if kind == 9:
        del lines[at]
    elif kind == 10:
        lines.insert(at, lines[at])
    elif kind == 11:
        other = rng.randrange(len(lines))
        lines[at], lines[other] = lines[other], lines[at]
    else:
        choice = rng.randrange(3)
        if choice == 0:
            return text[: rng.randrange(len(text) + 1)]
        if choice == 1:
            return _replaced(text, r"[a-z_]{3,}", "nosuch", rng)
        words = re.findall(r"[a-z_0-9]{2,}", text) or ["x"]
        return _replaced(text, r"[a-z_0-9]{2,}", rng.choice(words), rng)
    return "\n".join(lines)


def _replaced(text: str, pattern: str, value: str, rng: random.Random) -> str:
    found = list(re.finditer(pattern, text))
    if not found:
        return text
    match = rng.choice(found)
    return text[: match.start()] + value + text[match.end() :]


def arguments(
    path: Path, folder: Path, rng: random.Random, limit_s: float, form: str = ""
) -> list[str]:
    """Return a command line about a file (of a format that its name does not tell)."""
    command = rng.choice(
        ("solve",) * 10
        + ("compare", "explain", "explain", "pareto", "whatif", "convert", "export", "export")
        + ("generate",)
    )
    if command == "generate":
        return _generate(folder, rng)
    if command == "convert":
        return ["convert", str(path), "-o", str(folder / rng.choice(("c.yaml", "c.json", "c")))]
    if command == "export":
        end = rng.choice((".mps", ".lp", ".pb", ".mps", ".txt", ".json"))
        return ["export", str(path), "-o", str(folder / f"model{end}"), *_question(path, rng, form)]
    more = ["--time-limit", f"{limit_s:g}", "--workers", "1", "--json"]
    if rng.random() < 0.3:
        more += ["--method", rng.choice(METHODS)]
    if rng.random() < 0.1:
        more += ["--deterministic"]
    if rng.random() < 0.02:
        more += ["--gap", rng.choice(("0.1", "-1", "nan", "1e300"))]
    if rng.random() < 0.02:
        more += ["--seed", rng.choice(("-1", "18446744073709551616", "7"))]
    if command == "whatif":
        more += [
            "--case",
            rng.choice(("demand 2", "deadline 1", "power-cap 5", "set objective=cost")),
        ]
    if command == "pareto":
        objectives = ("energy,makespan", "cost,makespan", "power,throughput", "cost,power")
        return [command, str(path), "--objective", rng.choice(objectives), "--points", "3", *more]
    if command == "solve":
        more += ["-o", str(folder / "plan.json")]
    return [command, str(path), *_question(path, rng, form), *more]


def _question(path: Path, rng: random.Random, form: str = "") -> list[str]:
    more: list[str] = []
    if rng.random() < 0.1:
        more += ["--objective", rng.choice(OBJECTIVES)]
    if rng.random() < 0.1:
        more += ["--deadline", rng.choice(("1us", "1", "1e300", "1e-320", "10 ms", "0", "-1"))]
    if rng.random() < 0.1:
        more += ["--power-cap", rng.choice(("1W", "1e300", "1e-320", "100", "nan"))]
    if rng.random() < 0.05:
        more += ["--demand", rng.choice(("2", "1e300", "1e-300", "0", "nan", "-1"))]
    if rng.random() < 0.12:
        column = rng.choice(("count", "slots", "memory", "idle_power", "price", "nosuch"))
        names = _names(path)
        more += ["--set", f"devices.{rng.choice(names[:6])}.{column}={rng.choice(NUMBERS)}"]
    if rng.random() < 0.06:
        setting = rng.choice(("horizon", "pue", "energy_price", "carbon_intensity", "budget"))
        more += ["--set", f"{setting}={rng.choice(NUMBERS)}"]
    if rng.random() < 0.02:
        more += ["--from", rng.choice(FOREIGN)]
    elif form and rng.random() < 0.9:
        more += ["--from", form]
    return more


def _names(path: Path) -> list[str]:
    text = "" if path.is_dir() else path.read_text(encoding="utf-8", errors="replace")
    return re.findall(r"name\"?: ?\"?([\w.-]+)", text) or ["cpu"]


def _generate(folder: Path, rng: random.Random) -> list[str]:
    regime = rng.choice(("schedule", "steady"))
    size = rng.choice(("0", "1", "5", "40", "1000000000", "-3", "1e9"))
    many = "--tasks" if regime == "schedule" else "--workloads"
    more = ["generate", regime, many, size, "--devices", rng.choice(("1", "3", "1000000000", "0"))]
    if regime == "schedule":
        more += ["--count", rng.choice(("1", "2", "1000000000"))]
        more += ["--deadline-factor", rng.choice(("1.5", "0", "1e300", "nan"))]
    else:
        more += ["--options", rng.choice(("1", "4", "1000000000"))]
    return [*more, "-o", str(folder / rng.choice(("g.yaml", "g")))]


def run(command: list[str], folder: Path, wall_s: float) -> Outcome:
    """Run one command in a fork of this process."""
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        _in_child(command, folder)
    deadline = time.monotonic() + wall_s
    hung = False
    while True:
        ended, status, usage = os.wait4(child, os.WNOHANG)
        if ended:
            break
        if time.monotonic() > deadline and not hung:
            hung = True
            # The child leads a group of its own, so that its solver processes end with it.
            os.killpg(child, signal.SIGKILL)
        time.sleep(0.004)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    return Outcome(
        os.waitstatus_to_exitcode(status),
        usage.ru_utime + usage.ru_stime,
        usage.ru_maxrss * 1024,
        (folder / "stderr").read_text(errors="replace"),
        hung,
        _contradicted(folder),
        _compared(folder / "stdout") if command[0] == "compare" else 0,
    )


def _contradicted(folder: Path) -> bool:
    from hetopt.solution import CONTRADICTED

    said = [folder / name for name in ("stdout", "stderr")]
    return any(p.exists() and CONTRADICTED in p.read_text(errors="replace") for p in said)


def _compared(stdout: Path) -> int:
    """Return how many solves a comparison with each device, and without each, took."""
    try:
        told = json.loads(stdout.read_text(encoding="utf-8"))
        return 1 + len(told["homogeneous"]) + len(told["sensitivity"] or ())
    except (OSError, ValueError, LookupError, TypeError):
        return 0


def _in_child(command: list[str], folder: Path) -> None:
    code = 70
    try:
        os.setpgid(0, 0)
        resource.setrlimit(resource.RLIMIT_AS, (2 * MOST_BYTES, 2 * MOST_BYTES))
        for number, name in ((0, os.devnull), (1, "stdout"), (2, "stderr")):
            path = name if number == 0 else folder / name
            flags = os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_TRUNC
            os.dup2(os.open(path, flags, 0o644), number)
        code = _called(command)
        plan = folder / "plan.json"
        if code == 0 and command[0] == "solve" and plan.exists():
            asked = [a for i, a in enumerate(command) if _of_question(command, i)]
            if _called(["verify", command[1], str(plan), *asked]) != 0:
                code = 71
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


ASKED = ("--objective", "--deadline", "--power-cap", "--demand", "--set", "--from")


def _of_question(command: list[str], i: int) -> bool:
    return command[i] in ASKED or command[i - 1] in ASKED


def _called(command: list[str]) -> int:
    from hetopt.cli.app import app

    sys.argv = ["hetopt", *command]
    try:
        app(command)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def judged(command: list[str], outcome: Outcome, limit_s: float) -> str:
    """Return what is wrong with a run, empty where nothing is."""
    from hetopt.analysis.explanation.questions import DETERMINISTIC_PER_S

    code, stderr = outcome.code, outcome.stderr
    if code == 71:
        return "verify rejects the plan"
    if "Traceback" in stderr or "Warning" in stderr:
        return "a traceback or warning on stderr"
    if outcome.contradicted:
        return "a proof that a checked plan refutes"
    if outcome.peak_bytes > MOST_BYTES:
        return f"{outcome.peak_bytes / GIB:.1f} GiB"
    # The other commands solve several times, the limit holding for each.
    solves = {"compare": 30, "pareto": 12, "whatif": 3, "solve": 1, "explain": 1}.get(command[0], 0)
    limit_s *= CPU_PER_DETERMINISTIC_S if "--deterministic" in command else 1.0
    allowed = max(solves, outcome.solves) * limit_s + BEYOND_S + START_UP_S
    if command[0] == "export":
        allowed += EXPORT_S
    if command[0] == "explain" and "--deterministic" in command:
        # No clock ends its questions, whose number follows from the limit: each has a limit.
        questions = DETERMINISTIC_PER_S * limit_s / CPU_PER_DETERMINISTIC_S
        allowed += questions * (limit_s + BEYOND_S)
    if outcome.cpu_s > allowed:
        return f"{outcome.cpu_s:.1f} s of CPU time where {allowed:.1f} s are allowed"
    if outcome.hung:
        return "it hung"
    if code not in (0, 2, 3, 4):
        return f"exit code {code}"
    if code == 2 and "rror" not in stderr:
        return "exit code 2 without an error"
    return ""


def case(k: int, seed: int, files: list[Path], folder: Path, limit_s: float) -> list[str]:
    """Make the file of run k in a folder; return its command line."""
    rng = random.Random(f"{seed}/{k}")
    source = rng.choice(files)
    text = source.read_text(encoding="utf-8", errors="replace")
    if source.suffix == ".yaml" and rng.random() < 0.15:
        from hetopt.errors import InputError
        from hetopt.formats import read_instance, write_instance

        with contextlib.suppress(InputError):
            write_instance(read_instance(source), folder / "tables", format="csv")
            table = rng.choice(sorted(folder.joinpath("tables").iterdir()))
            table.write_text(mutated(table.read_text(encoding="utf-8"), rng), encoding="utf-8")
            return arguments(folder / "tables", folder, rng, limit_s)
    path = folder / f"input{source.suffix}"
    path.write_text(mutated(text, rng) if rng.random() < 0.8 else text, encoding="utf-8")
    return arguments(path, folder, rng, limit_s, AMBIGUOUS.get(source.parent.name, ""))


def fuzz(
    runs: Iterator[int] | range,
    seed: int,
    shared: Path,
    *,
    limit_s: float = 0.3,
    keep: Path | None = None,
    stop_after_s: float = float("inf"),
) -> Campaign:
    """Run mutated cases and judge them.

    Parameters
    ----------
    runs
        Numbers of the runs.
    seed
        Of everything random.
    shared
        Folder of the published files; may be absent.
    limit_s
        Time limit of each solve.
    keep
        Folder for the files of runs that ended badly.
    stop_after_s
        Seconds of wall clock after which no further run begins.
    """
    files = sources(shared)
    _warm_up()
    found = Campaign()
    begin = time.monotonic()
    for k in runs:
        if time.monotonic() - begin > stop_after_s:
            break
        with tempfile.TemporaryDirectory(prefix="fuzz") as name:
            folder = Path(name)
            command = case(k, seed, files, folder, limit_s)
            wrong, outcome = "", None
            for wall_s in (60, 240):  # what a loaded machine or a first compilation spoils, again
                outcome = run(command, folder, wall_s)
                wrong = judged(command, outcome, limit_s)
                if not wrong:
                    break
            found.codes[f"{command[0]} {outcome.code if outcome else ''}"] += 1
            if wrong and outcome:
                shown = shlex.join(["hetopt", *command])
                lines = outcome.stderr.strip().splitlines()[:3]
                found.faults.append(Fault(k, wrong, shown, "\n".join(lines)))
                if keep is not None:
                    _keep(folder, keep / str(k))
                print(f"{k}: {wrong}: {shown}\n    " + "\n    ".join(lines), flush=True)
    return found


def _keep(folder: Path, target: Path) -> None:
    import shutil

    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(folder, target)


def _warm_up() -> None:
    """Import, build and compile what runs need, once for all forks."""
    warm = (
        *("solve edge-box --json -o plan.json", "solve llm-two-gpus --json", "solve robot"),
        *("verify edge-box plan.json", "convert robot -o c.yaml", "convert robot -o tables"),
        *("compare edge-box --json", "explain edge-box --json", "explain llm-two-gpus --json"),
        *("pareto edge-box --objective energy,makespan --points 2 --json", "solve nosuch.yaml"),
        *("whatif llm-two-gpus --case demand=2 --json", "export llm-two-gpus -o m.lp"),
        *("solve robot --method cpsat --json", "export robot -o m.pb", "generate steady -o s.yaml"),
        "generate schedule -o g.yaml",
        # Without a clock the loops of searches are compiled whatever it takes.
        "generate schedule --shape independent --tasks 40 --devices 3 -o ind.yaml",
        *(f"solve ind.yaml --objective {name} --deterministic" for name in ("makespan", "energy")),
    )
    with tempfile.TemporaryDirectory(prefix="fuzz") as name:
        for line in warm:
            words = line.split()
            if words[0] in ("solve", "compare", "explain", "pareto", "whatif"):
                words += ["--time-limit", "1", "--workers", "1"]
            with (
                contextlib.chdir(name),
                open(os.devnull, "w") as nowhere,
                contextlib.redirect_stdout(nowhere),
                contextlib.redirect_stderr(nowhere),
            ):
                _called(words)
    gc.collect()
    gc.freeze()  # pages that no fork's collector touches stay shared


def main(runs: int, seed: int, shared: Path, only: int | None, keep: Path | None) -> int:
    """Fuzz and print; return the number of faults."""
    chosen = range(runs) if only is None else range(only, only + 1)
    found = fuzz(chosen, seed, shared, keep=keep)
    print(json.dumps(dict(sorted(found.codes.items()))))
    print(f"{sum(found.codes.values())} runs, {len(found.faults)} ended badly")
    return len(found.faults)
