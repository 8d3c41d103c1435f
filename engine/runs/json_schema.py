"""The journal's records as JSON Schema, and a check of single records against their declaration."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from pydantic import TypeAdapter, ValidationError

from engine.runs.records import RECORDS, Json, Record

_ADDED: Json = {
    "seq": {"type": "integer", "minimum": 1, "description": "number of the record, from 1"},
    "time": {"type": "number", "minimum": 0, "description": "seconds of work on the run"},
    "life": {"type": "integer", "minimum": 1, "description": "number of the worker's life, from 1"},
}
"""What the journal adds to every record."""


def events_schema() -> Json:
    """JSON Schema of a journal's records: one of the types, told apart by `type`."""
    branches: list[Json] = []
    definitions: Json = {}
    for name, cls in RECORDS.items():
        schema = _numbers(_adapter(cls).json_schema(ref_template="#/$defs/{model}"))
        definitions.update(schema.pop("$defs", {}))
        for key, value in schema["properties"].items():
            value.pop("title", None)
            optional = key in ("epoch", "step")
            if optional:
                schema["properties"][key] = {"type": "integer", "minimum": 0}
        schema["properties"] = {"type": {"const": name}, **_ADDED, **schema["properties"]}
        schema["required"] = ["type", *_ADDED, *schema.get("required", [])]
        schema["additionalProperties"] = False
        branches.append({**schema, "title": name})
    # what readers say of a run whose worker is gone without a word stands in no journal
    branches.append(
        {
            "title": "finished (inferred)",
            "type": "object",
            "properties": {
                "type": {"const": "finished"},
                "reason": {"const": "killed"},
                "inferred": {"const": True},
            },
            "required": ["type", "reason", "inferred"],
            "additionalProperties": False,
        }
    )
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A record of a goodfit journal",
        "oneOf": branches,
        **({"$defs": definitions} if definitions else {}),
    }


def check_record(record: Json) -> list[str]:
    """What is wrong with a record as read from a journal, in words; empty where nothing is."""
    cls = RECORDS.get(record.get("type", ""))
    if cls is None:
        return [f"no record is called {record.get('type')!r}"]
    problems = [f"{key} is missing" for key in _ADDED if key not in record]
    known = {item.name for item in fields(cls)}
    values = {key: value for key, value in record.items() if key in known}
    problems += [f"{cls.type} has no {key}" for key in record.keys() - known - {"type", *_ADDED}]
    try:
        _adapter(cls).validate_python(values)
    except ValidationError as error:
        problems += [f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()]
    return problems


_adapters: dict[str, TypeAdapter[Record]] = {}


def _adapter(cls: type[Record]) -> TypeAdapter[Record]:
    if cls.type not in _adapters:
        _adapters[cls.type] = TypeAdapter(cls)
    return _adapters[cls.type]


def _numbers(schema: Any) -> Any:
    """Wherever a number may stand, "nan", "inf" and "-inf" may too."""
    if isinstance(schema, list):
        return [_numbers(item) for item in schema]
    if isinstance(schema, dict):
        if schema.get("type") == "number":
            rest = {key: value for key, value in schema.items() if key not in ("type", "title")}
            return {"anyOf": [{"type": "number"}, {"enum": ["nan", "inf", "-inf"]}], **rest}
        return {key: _numbers(value) for key, value in schema.items()}
    return schema
