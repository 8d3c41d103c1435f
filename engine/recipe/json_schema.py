"""JSON Schema of the recipe, for editors: completion, hover help and a first check."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, TypeAdapter

from engine.parts import catalog
from engine.parts.part import FAMILIES, Part, every_part
from engine.recipe.schema import Recipe
from engine.recipe.words import members


def recipe_schema() -> dict[str, Any]:
    """The schema of a whole recipe; each family of parts is a `oneOf` over its types, or the type's bare word."""
    catalog.load()
    definitions: dict[str, Any] = {}
    root = _model(Recipe, definitions)
    for family in FAMILIES:
        classes = [cls for cls in every_part() if cls.family == family]
        short = [cls.type_name() for cls in classes if not any(f.is_required() for f in cls.model_fields.values())]
        alternatives: list[dict[str, Any]] = []
        if short:
            alternatives.append(
                {"enum": short, "description": f"short for {{type: ...}} with every default ({family})"}
            )
        for cls in classes:
            name = f"{family}.{cls.type_name()}"
            definitions[name] = _model(cls, definitions)
            alternatives.append({"$ref": f"#/$defs/{name}"})
        definitions[family] = {"oneOf": alternatives} if alternatives else {"type": ["string", "object"]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "goodfit recipe",
        **root,
        "$defs": definitions,
    }


def _model(cls: type[BaseModel], definitions: dict[str, Any]) -> dict[str, Any]:
    """A section or a part as an object; sections that it holds go to `definitions`."""
    properties: dict[str, Any] = {}
    required: list[str] = []
    if issubclass(cls, Part):
        properties["type"] = {"const": cls.type_name()}
        required.append("type")
    for name, field in cls.model_fields.items():
        schema = _field(field.annotation, field.metadata, definitions)
        if field.description:
            schema["description"] = field.description
        if field.is_required():
            required.append(name)
        else:
            schema["default"] = _default(field.get_default(call_default_factory=True))
        properties[name] = schema
    schema = {"type": "object", "properties": properties, "additionalProperties": False}
    if required:
        schema["required"] = required
    help_ = catalog.summary(cls)
    return {"description": help_, **schema} if help_ else schema


def _field(annotation: Any, metadata: list[Any], definitions: dict[str, Any]) -> dict[str, Any]:
    models = [member for member in members(annotation) if isinstance(member, type) and issubclass(member, BaseModel)]
    inner = [argument for member in members(annotation) for argument in getattr(member, "__args__", ())]
    parts = [model for model in [*models, *inner] if isinstance(model, type) and issubclass(model, BaseModel)]
    if not parts:
        typed: Any = Annotated[annotation, *metadata] if metadata else annotation
        return dict(TypeAdapter(typed).json_schema())
    references = [_reference(model, definitions) for model in parts]
    if any(model in parts and model not in models for model in inner):
        references = [{"type": "array", "items": references[0]}]
    plain = [member for member in members(annotation) if member not in models and not _holds(member, parts)]
    others = [dict(TypeAdapter(member).json_schema()) for member in plain]
    if type(None) in getattr(annotation, "__args__", ()):
        others.append({"type": "null"})
    alternatives = [*references, *others]
    return alternatives[0] if len(alternatives) == 1 else {"anyOf": alternatives}


def _holds(member: Any, parts: list[type[BaseModel]]) -> bool:
    return any(argument in parts for argument in getattr(member, "__args__", ()))


def _reference(model: type[BaseModel], definitions: dict[str, Any]) -> dict[str, Any]:
    if issubclass(model, Part):
        return {"$ref": f"#/$defs/{model.family}"}
    name = f"section.{model.__name__}"
    if name not in definitions:
        definitions[name] = {}
        definitions[name] = _model(model, definitions)
    return {"$ref": f"#/$defs/{name}"}


def _default(value: Any) -> Any:
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else value
