"""The generated JSON Schema: valid, current, and in agreement with the reader."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import pytest
from ruamel.yaml import YAML

from hetopt.cli.converting import schema
from hetopt.formats import read_instance
from hetopt.formats.json_text import parse_json
from hetopt.formats.native.document_text import write_json
from hetopt.formats.native.json_schema import json_schema, schema_text
from hetopt.instance.column_specs import SETTINGS, TABLES
from tests.malformed import GOOD

REPO = Path(__file__).resolve().parents[4]
SHIPPED = sorted((REPO / "instances").rglob("*.yaml"))


def valid(document: object) -> bool:
    return jsonschema.Draft202012Validator(json_schema()).is_valid(document)


def test_the_schema_is_a_valid_one() -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema())


def test_the_published_schema_is_current() -> None:
    published = (REPO / "docs" / "instance.schema.json").read_text(encoding="utf-8")
    assert published == schema_text(), "write it anew: hetopt schema > docs/instance.schema.json"


def test_every_field_is_there_with_its_meaning() -> None:
    schema = json_schema()
    shapes = {"devices": "Device", "pools": "Pool", "links": "Link", "options": "Option"}
    shapes |= {"resources": "Resource", "tasks": "Task", "transfers": "Transfer", "jobs": "Job"}
    shapes |= {"kind_shares": "KindShare", "sites": "Site", "networks": "Network"}
    for table, shape in shapes.items():
        fields = schema["$defs"][shape]["properties"]
        for column in TABLES[table]:
            if (table, column.name) != ("options", "profile"):
                assert fields[column.name]["description"] == column.meaning
    for setting in SETTINGS:
        assert schema["properties"][setting.name]["description"] == setting.meaning


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_instances_are_valid_and_name_the_schema(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert valid(YAML(typ="safe", pure=True).load(text))
    named = re.search(r"yaml-language-server: \$schema=(\S+)", text)
    assert named, "editors complete where the file names its schema"
    assert (path.parent / named[1]).resolve() == REPO / "docs" / "instance.schema.json"


def test_what_is_written_is_valid() -> None:
    text = write_json(read_instance("x.yaml", text=GOOD))
    assert valid(parse_json(text, "x.json"))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda d: d.pop("hetopt"),
        lambda d: d.update(hetopt=2),
        lambda d: d.update(colour="red"),
        lambda d: d["devices"][0].update(slots=1.5),
        lambda d: d["devices"][0].update(kind="ncu"),
        lambda d: d["devices"][0].pop("name"),
        lambda d: d["devices"][0].update(count={"min": 1, "mx": 2}),
        lambda d: d["devices"][0].update(idle_power="much"),
        lambda d: d["profiles"]["detect"][0].update(time=-1),
        lambda d: d["tasks"].append("t"),
    ],
)
def test_what_the_reader_refuses_the_schema_refuses(spoil) -> None:
    document = json.loads(json.dumps(YAML(typ="safe", pure=True).load(GOOD)))
    assert valid(document)
    spoil(document)
    assert not valid(document)


def test_the_command_prints_the_published_file(capsys) -> None:
    assert schema(None) == 0
    published = (REPO / "docs" / "instance.schema.json").read_text(encoding="utf-8")
    assert capsys.readouterr().out == published
