"""JSON Schema of a run's records, made from the dataclasses that the worker writes."""

from __future__ import annotations

from typing import Any

from engine.runs.records import RECORDS, Record

_NUMBER: dict[str, Any] = {"anyOf": [{"type": "number"}, {"enum": ["nan", "inf", "-inf"]}]}
_ADDED: dict[str, Any] = {
    "seq": {"type": "integer", "minimum": 1, "description": "Counts the records of a run."},
    "time": {"type": "number", "minimum": 0, "description": "Seconds of work on the run."},
    "life": {"type": "integer", "minimum": 1, "description": "Which worker's work on the run it belongs to."},
}


def events_schema() -> dict[str, Any]:
    """The schema of one record: of any type, told apart by `type`. Later versions may add fields and types."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "a record of a goodfit run",
        "oneOf": [record_schema(cls) for cls in RECORDS.values()],
    }


def record_schema(cls: type[Record]) -> dict[str, Any]:
    """The schema of one type of record."""
    from pydantic import TypeAdapter

    made = TypeAdapter(cls).json_schema()
    properties = {name: _field(schema) for name, schema in made["properties"].items()}
    required = ["type", "seq", "time", "life", *made.get("required", ())]
    if cls.type == "finished":  # readers infer one where a worker died without a word
        required = ["type", "reason"]
        properties["inferred"] = {"type": "boolean", "description": "No worker wrote it: the worker is gone."}
    return {
        "title": cls.type,
        "description": " ".join((cls.__doc__ or "").split()),
        "type": "object",
        "properties": {"type": {"const": cls.type}, **_ADDED, **properties},
        "required": required,
    }


def _field(schema: Any) -> Any:
    """A field's schema, in which a number may also be one that JSON cannot say."""
    if isinstance(schema, list):
        return [_field(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("type") == "number":
        return {**{key: value for key, value in schema.items() if key != "type"}, **_NUMBER}
    return {key: _field(value) for key, value in schema.items()}
