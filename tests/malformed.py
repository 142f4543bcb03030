"""Kinds of malformed instance files, each with what the errors must say.

Used by the tests of the formats and by those of the command line.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

GOOD = """\
hetopt: 1
name: camera
devices:
  - {name: cpu, kind: cpu, idle_power: 2 W}
  - {name: npu, kind: npu, memory: 1 GiB}
links:
  - {from: cpu, to: npu, bandwidth: 4 GB/s, both_ways: true}
profiles:
  detect:
    - {device: cpu, time: 20 ms, power: 7 W}
    - {device: npu, label: int8, time: 4 ms, energy: 8 mJ}
tasks:
  - {name: grab, options: [{device: cpu, time: 3 ms, energy: 5 mJ}]}
  - {name: detect, profile: detect}
transfers:
  - {from: grab, to: detect, bytes: 1 MB, tensor: image}
"""


@dataclass(frozen=True)
class Malformed:
    """One malformed input.

    Parameters
    ----------
    name
        What is wrong.
    content
        Bytes of the file, or a function that makes a folder; None for a path that is not there.
    errors
        For each problem, in order: what its place ends with, and a part of its value or text.
    file
        Name of the file or folder.
    """

    name: str
    content: bytes | Callable[[Path], None] | None
    errors: tuple[tuple[str, str], ...]
    file: str = "bad.yaml"

    def make(self, folder: Path) -> Path:
        """Write the input into a folder and return its path."""
        path = folder / self.file
        if isinstance(self.content, bytes):
            path.write_bytes(self.content)
        elif self.content is not None:
            self.content(path)
        return path


@dataclass(frozen=True)
class _Tables:
    """A folder of CSV tables, good but for the files given."""

    changes: dict[str, str | bytes | None] = field(default_factory=dict)

    def __call__(self, path: Path) -> None:
        path.mkdir()
        files: dict[str, str | bytes | None] = {
            "instance.yaml": "hetopt: 1\nobjective: energy\n",
            "devices.csv": "name,kind\ncpu,cpu\nnpu,npu\n",
            "options.csv": "profile,device,time_s,energy_j\np,cpu,1,2\np,npu,0.5,1\n",
            "tasks.csv": "name,profile,work\na,p,1\nb,p,2\n",
            "transfers.csv": "from,to,bytes\na,b,\n",
        }
        for name, content in (files | self.changes).items():
            if isinstance(content, bytes):
                (path / name).write_bytes(content)
            elif content is not None:
                (path / name).write_text(content, encoding="utf-8")


def _yaml(old: str, new: str) -> bytes:
    assert GOOD.count(old) == 1, old
    return GOOD.replace(old, new).encode()


def _make_empty_folder(path: Path) -> None:
    path.mkdir()


MALFORMED = (
    Malformed("no such file", None, (("bad.yaml", "there is none"),)),
    Malformed("an empty file", b"", (("bad.yaml", "empty"),)),
    Malformed("blanks only", b" \n\n\t\n", (("bad.yaml", "empty"),)),
    Malformed("a binary file", b"\x7fELF\x00\x00\x01", (("bad.yaml", "binary"),)),
    Malformed("UTF-16", GOOD.encode("utf-16"), (("bad.yaml", "UTF-16"),)),
    Malformed(
        "Latin-1", _yaml("camera", "caméra").decode().encode("latin-1"), (("bad.yaml:2", "0xe9"),)
    ),
    Malformed(
        "not YAML", b"hetopt: 1\ndevices: [\n  {name: cpu\n", (("bad.yaml:4", "YAML is expected"),)
    ),
    Malformed(
        "a tab as indentation", b"hetopt: 1\ndevices:\n\t- {name: cpu}\n", (("bad.yaml:3", "YAML"),)
    ),
    Malformed(
        "two documents", GOOD.encode() + b"---\n" + GOOD.encode(), (("bad.yaml:17", "YAML is"),)
    ),
    Malformed("a list at the top", b"- hetopt: 1\n", (("bad.yaml:1", "a mapping with hetopt: 1"),)),
    Malformed(
        "a key twice",
        _yaml("name: camera", "name: camera\nname: again"),
        (("bad.yaml:3, name", "line 2"),),
    ),
    Malformed(
        "a field twice in a row",
        _yaml("kind: npu,", "kind: npu, kind: gpu,"),
        (("bad.yaml:5, devices[1].kind", "Each key once"),),
    ),
    Malformed(
        "an object to be made",
        _yaml("camera", "!!python/object/apply:os.system [id]"),
        (("bad.yaml:2, name", "without a tag"),),
    ),
    Malformed(
        "an alias that holds itself",
        _yaml("links:", "together: &a [*a]\nlinks:"),
        (("bad.yaml:6, together[0]", "alias"),),
    ),
    Malformed("no version", _yaml("hetopt: 1\n", ""), (("bad.yaml:1", "hetopt: 1"),)),
    Malformed(
        "another version", _yaml("hetopt: 1", "hetopt: 2"), (("bad.yaml:1, hetopt", "got 2"),)
    ),
    Malformed(
        "another kind of file",
        b"services:\n  web: {image: nginx}\n",
        (("bad.yaml:1", "hetopt: 1"),),
    ),
    Malformed(
        "unknown fields",
        _yaml("idle_power: 2 W", "idel_power: 2 W, slot: 2"),
        (
            ("bad.yaml:4, devices[0].idel_power", "idle_power"),
            ("bad.yaml:4, devices[0].slot", "slots"),
        ),
    ),
    Malformed("an unknown section", _yaml("links:", "lnks:"), (("bad.yaml:6, lnks", "links"),)),
    Malformed(
        "a mapping for a list",
        _yaml("  - {from: cpu, to: npu, bandwidth: 4 GB/s, both_ways: true}", "  cpu: npu"),
        (("bad.yaml:6, links", "A list"),),
    ),
    Malformed(
        "a text for a mapping",
        _yaml("- {name: detect, profile: detect}", "- detect"),
        (("bad.yaml:14, tasks[1]", "A mapping"), ("bad.yaml:16, transfers[0].to", "got detect")),
    ),
    Malformed(
        "a wrong unit",
        _yaml("time: 20 ms", "time: 20 GiB"),
        (("bad.yaml:10, profiles.detect[0].time", "GiB is a unit of bytes"),),
    ),
    Malformed(
        "bits for bytes",
        _yaml("1 MB", "1 Mb"),
        (("bad.yaml:16, transfers[0].bytes", "Write MB for bytes"),),
    ),
    Malformed(
        "a negative time",
        _yaml("time: 20 ms", "time: -20 ms"),
        (("bad.yaml:10, profiles.detect[0].time", "at least 0"),),
    ),
    Malformed(
        "NaN as a time",
        _yaml("time: 20 ms", "time: .nan"),
        (("bad.yaml:10, profiles.detect[0].time", "leave the field out"),),
    ),
    Malformed(
        "an infinite time",
        _yaml("time: 20 ms", "time: .inf"),
        (("bad.yaml:10, profiles.detect[0].time", "got inf"),),
    ),
    Malformed(
        "power below idle",
        _yaml("power: 7 W", "power: 1 W"),
        (("bad.yaml:10, profiles.detect[0].power", "at least the idle power"),),
    ),
    Malformed(
        "no time",
        _yaml("time: 20 ms, ", ""),
        (("bad.yaml:10, profiles.detect[0].time", "required"),),
    ),
    Malformed(
        "a kind of processor that there is not",
        _yaml("kind: npu", "kind: ncu"),
        (("bad.yaml:5, devices[1].kind", "npu"),),
    ),
    Malformed(
        "two devices of one name",
        _yaml("{name: npu", "{name: cpu"),
        # Not also what names the one that there is none of now.
        (("bad.yaml:5, devices[1].name", "no other row"),),
    ),
    Malformed(
        "names that nothing has",
        GOOD.replace("to: npu", "to: gpu")
        .replace("profile: detect", "profile: detct, pin: gpu#1")
        .replace("to: detect,", "to: detekt,")
        .encode(),
        (
            ("bad.yaml:7, links[0].to", "got gpu"),
            ("bad.yaml:14, tasks[1].profile", "did you mean detect?"),
            ("bad.yaml:14, tasks[1].pin", "got gpu#1"),
            ("bad.yaml:16, transfers[0].to", "got detekt"),
        ),
    ),
    Malformed(
        "problems of every kind at once",
        GOOD.replace("idle_power: 2 W", "idle_power: 2 Q")
        .replace("to: npu", "to: gpu")
        .replace("4 ms", "[4]")
        .replace("name: camera", "nam: camera")
        .encode(),
        (
            ("bad.yaml:2, nam", "Did you mean name"),
            ("bad.yaml:4, devices[0].idle_power", "got 2 Q"),
            ("bad.yaml:7, links[0].to", "got gpu"),
            ("bad.yaml:11, profiles.detect[1].time", "A number, or a text"),
        ),
    ),
    Malformed(
        "jobs that tasks do not name",
        _yaml("links:", "jobs: [{name: one}, {name: two}]\nlinks:"),
        (("bad.yaml:14, tasks[0].job", "A job"), ("bad.yaml:15, tasks[1].job", "A job")),
    ),
    Malformed(
        "a job without tasks",
        GOOD.replace("links:", "jobs: [{name: one}, {name: two}]\nlinks:")
        .replace("{name: grab,", "{name: grab, job: one,")
        .replace("profile: detect}", "profile: detect, job: one}")
        .encode(),
        (("bad.yaml:6, jobs[1].name", "At least one task"),),
    ),
    Malformed(
        "profiles of which none is right",
        GOOD[: GOOD.index("profiles:")].encode() + b"profiles: [a]\ntasks: [{name: t, pin: gpu}]\n",
        (("bad.yaml:8, profiles", "A mapping"), ("bad.yaml:9, tasks[0].pin", "got gpu")),
    ),
    Malformed(
        "a cycle",
        GOOD.encode() + b"  - {from: detect, to: grab}\n",
        (("bad.yaml:15, transfers", "grab -> detect"),),
    ),
    Malformed(
        "a profile without options",
        _yaml("tasks:", "  empty: []\ntasks:"),
        (("bad.yaml:12, profiles.empty", "At least one option"),),
    ),
    Malformed(
        "no tasks",
        GOOD[: GOOD.index("tasks:")].encode(),
        (("bad.yaml:1, tasks", "At least one row"),),
    ),
    Malformed(
        "an objective of the other regime",
        _yaml("name: camera", "objective: throughput"),
        (("bad.yaml:2, objective", "got throughput"),),
    ),
    Malformed(
        "a field of the other regime",
        _yaml("memory: 1 GiB", "exclusive: true"),
        (("bad.yaml:5, devices[1].exclusive", "steady"),),
    ),
    Malformed(
        "a catalogue entry that there is not",
        _yaml("memory: 1 GiB", "from: catalogue, entry: nonesuch"),
        (("bad.yaml:5, devices[1].entry", "nonesuch"),),
    ),
    Malformed(
        "two sizes of one tensor",
        GOOD.encode()
        + b"  - {from: grab, to: late, bytes: 2 MB, tensor: image}\n"
        + b"apart: [[late, grab]]\n",
        (
            ("bad.yaml:17, transfers[1].to", "got late"),
            ("bad.yaml:17, transfers[1].bytes", "One size"),
            ("bad.yaml:18, apart[0]", "got late"),
        ),
    ),
    Malformed(
        "currencies mixed",
        GOOD.replace("idle_power: 2 W", "price: 1 USD/h")
        .replace("1 GiB", "1 GiB, price: 1 EUR/h")
        .encode(),
        (("bad.yaml:1, currency", "USD, EUR"),),
    ),
    Malformed(
        "JSON cut off",
        b'{"hetopt": 1, "devices": [',
        (("bad.json:1, column 27", "JSON is"),),
        "bad.json",
    ),
    Malformed(
        "JSON with a key twice",
        b'{"hetopt": 1, "devices": [{"name": "a", "name": "b"}]}',
        (("bad.json, devices[0].name", "Each key of an object once"),),
        "bad.json",
    ),
    Malformed(
        "JSON with NaN",
        b'{"hetopt": 1, "horizon_s": NaN}',
        (("bad.json, horizon_s", "got NaN"),),
        "bad.json",
    ),
    Malformed(
        "JSON nested without end",
        b'{"hetopt": ' + b"[" * 100_000,
        (("bad.json", "fewer levels"),),
        "bad.json",
    ),
    Malformed(
        "JSON nested too far to be looked at",
        b'{"hetopt": 1, "devices": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        (("bad.json", "fewer levels"),),
        "bad.json",
    ),
    Malformed(
        "YAML nested without end",
        b"hetopt: 1\ndevices: " + b"[" * 3000 + b"]" * 3000,
        (("bad.yaml", "fewer levels"),),
    ),
    Malformed(
        "JSON with wrong values",
        b'{"hetopt": 1, "devices": [{"name": "a", "slots": 1.5, "overlap": "perhaps"}],'
        b' "tasks": [{"name": "t", "options": [{"device": "a", "time": "1 parsec"}]}]}',
        (
            ("bad.json, devices[0].slots", "got 1.5"),
            ("bad.json, devices[0].overlap", "true or false"),
            ("bad.json, tasks[0].options[0].time", "got 1 parsec"),
        ),
        "bad.json",
    ),
    Malformed(
        "a format that cannot be told",
        b"1 2 3\n4 5 6\n",
        (("bad.dat", "--from FORMAT"),),
        "bad.dat",
    ),
    Malformed("an empty folder", _make_empty_folder, (("bad", "devices, options, tasks"),), "bad"),
    Malformed(
        "a folder without tasks",
        _Tables({"tasks.csv": None}),
        (("bad, table tasks", "At least one row"),),
        "bad",
    ),
    Malformed(
        "a table with an unknown column and wrong cells",
        _Tables({"tasks.csv": 'name,profile,wrk\na,p,1\n\n"b\n",q,2\nc,zz,1\n'}),
        (
            ("tasks.csv, column wrk", "work"),
            ("tasks.csv:4, column profile", "got q"),
            ("tasks.csv:6, column profile", "got zz"),
            ("transfers.csv:2, column to", "got b"),
        ),
        "bad",
    ),
    Malformed(
        "a table with cells missing",
        _Tables({"tasks.csv": "name,profile\na,p\nb\n"}),
        (("tasks.csv:3", "2 cells"),),
        "bad",
    ),
    Malformed(
        "a Parquet file that is none",
        _Tables({"devices.csv": None, "devices.parquet": b"PAR1 no"}),
        (("devices.parquet", "Parquet"),),
        "bad",
    ),
    Malformed(
        "a table in two files",
        _Tables({"devices.parquet": b""}),
        (("bad", "devices.parquet and devices.csv"), ("devices.parquet", "Parquet")),
        "bad",
    ),
    Malformed(
        "wrong settings of a folder",
        _Tables({"instance.yaml": "hetopt: 1\nobjectiv: energy\nhorizon: 4 W\nhost: gpu\n"}),
        (
            ("instance.yaml:2, objectiv", "Did you mean objective"),
            ("instance.yaml:3, horizon", "got 4 W"),
            ("instance.yaml:4, host", "got gpu"),
        ),
        "bad",
    ),
)
