"""Published instances from where their authors keep them: addresses, checksums, licences.

``bench/sources.json`` says of each family where it is from, under which terms, and how an address
follows from a file's name; ``bench/checksums.csv`` has the SHA-256 of the content of every file
that may be fetched (blanks, ends of lines and the layout of JSON do not count). Families whose
terms do not allow that are listed with the page to get them from. No file of others is part of
this repository.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import sys
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
TIMEOUT_S = 60.0
TABLE_COLUMNS = ("instance", "file", "lower_bound", "best_known", "optimal", "source")


def sources() -> dict[str, dict[str, Any]]:
    """Return what is known of each family's source."""
    found: dict[str, dict[str, Any]] = json.loads(
        (HERE / "sources.json").read_text(encoding="utf-8")
    )
    return found


def checksums(family: str) -> list[dict[str, str]]:
    """Return the rows of a family: instance, file, address, sha256, and published values."""
    with (HERE / "checksums.csv").open(newline="", encoding="utf-8") as file:
        return [row for row in csv.DictReader(file) if row["family"] == family]


def listing() -> str:
    """Return a table of the families: how many files, the terms, where they are from."""
    lines = [f"{'family':16} {'files':>5}  terms; where it is from"]
    for name, source in sources().items():
        files = len({row["file"] for row in checksums(name)})
        how = "" if files else " (get it there by hand)"
        lines.append(f"{name:16} {files:5}  {source['licence']}; {source['home']}{how}")
    return "\n".join(lines)


def fetch(families: Sequence[str], output: Path, folder: Path | None = None) -> int:
    """Put the files of families into ``output/benchmarks/FAMILY``, each checked; return a code.

    Parameters
    ----------
    families
        Names; ``all`` means every one that can be fetched.
    output
        What HETOPT_SHARED is to name then.
    folder
        Where they are already (default: HETOPT_SHARED), so that nothing is downloaded.
    """
    known = sources()
    wanted = [n for n in known if checksums(n)] if list(families) == ["all"] else list(families)
    shared = folder or (Path(p) if (p := os.environ.get("HETOPT_SHARED")) else None)
    failed = 0
    for name in wanted:
        if name not in known:
            print(f"There is no family {name}; there are {', '.join(known)}.", file=sys.stderr)
            return 2
        rows = checksums(name)
        if not rows:
            source = known[name]
            print(f"{name}: {source['licence']}; get it from {source['home']}.", file=sys.stderr)
            failed += 1
            continue
        failed += _family(name, rows, known[name], output, shared)
    return 1 if failed else 0


def _family(
    name: str,
    rows: Sequence[dict[str, str]],
    source: dict[str, Any],
    output: Path,
    shared: Path | None,
) -> int:
    target = output / "benchmarks" / name
    wrong = 0
    for file, row in {row["file"]: row for row in rows}.items():
        place = target / file
        if place.exists() and checksum(place.read_bytes()) == row["sha256"]:
            continue
        try:
            data = _content(name, file, row["address"], shared)
        except OSError as error:
            print(f"{name}/{file}: {error}", file=sys.stderr)
            wrong += 1
            continue
        if checksum(data) != row["sha256"]:
            print(f"{name}/{file}: its checksum is not the recorded one.", file=sys.stderr)
            wrong += 1
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        beside = place.with_name(f".{place.name}.part")
        beside.write_bytes(data)
        beside.replace(place)
    target.mkdir(parents=True, exist_ok=True)
    with (target / "bks.csv").open("w", newline="", encoding="utf-8") as out:
        writer = csv.DictWriter(out, TABLE_COLUMNS, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    (target / "SOURCE.txt").write_text(
        f"{source['home']}\n{source['licence']}\n{source.get('cite', '')}\n", encoding="utf-8"
    )
    print(f"{name}: {len(rows)} instances in {target}, {wrong} files missing or wrong.")
    return wrong


def _content(family: str, file: str, address: str, shared: Path | None) -> bytes:
    """Return a file from the folder that has it already, else from its address.

    Raises
    ------
    OSError
        If it is in neither.
    """
    if shared is not None:
        there = shared / "benchmarks" / family / file
        if there.is_file():
            return there.read_bytes()
    if not address:
        raise OSError("No address is known, and no folder has it.")
    url = urllib.parse.quote(address, safe=":/?=&%@+")
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer:
            data: bytes = answer.read()
    except (urllib.error.URLError, TimeoutError) as error:
        raise OSError(f"{address} cannot be reached: {error}") from None
    return _unzipped(data) if address.endswith(".zip") else data


def _unzipped(data: bytes) -> bytes:
    """Return the one file of an archive."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return archive.read(archive.namelist()[0])
    except (zipfile.BadZipFile, IndexError, RuntimeError) as error:
        raise OSError(f"The archive cannot be read: {error}") from None


def checksum(data: bytes) -> str:
    """Return the SHA-256 of a file's content: numbers and words, whatever blanks are between."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return hashlib.sha256(data).hexdigest()
    if text.lstrip().startswith(("{", "[")):
        with suppress(ValueError):  # then it is no JSON after all
            text = json.dumps(json.loads(text), sort_keys=True)
    lines = (" ".join(line.split()) for line in text.splitlines())
    return hashlib.sha256("\n".join(line for line in lines if line).encode()).hexdigest()
