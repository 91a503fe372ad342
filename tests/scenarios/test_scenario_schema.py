"""The JSON Schemas that editors get, against the models and against the shipped files."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from scenarios.load import HERE, shipped
from scenarios.schema import json_schema, organisation_schema

SCHEMAS = {"schema.json": json_schema, "organisation.schema.json": organisation_schema}
FILES = [*shipped().values(), *sorted(HERE.glob("organisations/*.toml"))]


@pytest.mark.parametrize("name", SCHEMAS)
def test_committed_schema_is_current(name: str) -> None:
    """The committed file says what the models say (if not: json.dumps(schema, indent=2, ensure_ascii=False))."""
    schema = SCHEMAS[name]()
    Draft202012Validator.check_schema(schema)
    assert (HERE / name).read_text("utf-8") == json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_shipped_files_point_at_a_schema_that_takes_them(path: Path) -> None:
    """The hint in the first line leads to the schema, and another implementation finds nothing wrong with the file."""
    text = path.read_text("utf-8")
    hint = text.splitlines()[0].removeprefix("#:schema ")
    schema = json.loads((path.parent / hint).read_text("utf-8"))
    data: dict[str, Any] = json.loads(json.dumps(tomllib.loads(text), default=str))
    assert not list(Draft202012Validator(schema).iter_errors(data))
    assert list(Draft202012Validator(schema).iter_errors(data | {"seeed": 1}))
    assert list(Draft202012Validator(schema).iter_errors(data | {"title": 1}))
