"""All parts there are: goodfit's own, those of installed packages, and those of a file that a person names."""

from __future__ import annotations

import hashlib
import importlib
import inspect
import sys
import types
import typing
from importlib.metadata import entry_points
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel
from pydantic.fields import FieldInfo as PydanticField
from pydantic_core import PydanticUndefined

from engine.errors import UserError
from engine.parts.part import FieldInfo, Kind, Part, arrange, names

MODULES = (
    "layers.linear",
    "layers.convolution",
    "layers.pooling",
    "layers.flatten",
    "layers.activation",
    "layers.dropout",
    "layers.normalization",
    "layers.residual",
    "initialisation",
    "loss",
    "optimizer",
    "scheduler",
    "augmentation",
    "metric",
    "source",
)

SHARED = ("name", "init", "warmup")
"""Fields that a family's base class brings."""

_loaded: dict[str, str] = {}
"""Where parts came from: entry point name to version, file to sha256."""


def load() -> dict[str, str]:
    """Make every part known; calling it again does nothing.

    Returns the versions of packages that brought parts by the entry-point group `goodfit.parts`. Raises UserError where
    one of them cannot be loaded.
    """
    if "goodfit" not in _loaded:
        _loaded["goodfit"] = ""
        for module in MODULES:
            importlib.import_module(f"engine.parts.{module}")
        for entry in entry_points(group="goodfit.parts"):
            try:
                entry.load()
            except Exception as error:
                raise UserError(
                    f"the parts of {entry.value} cannot be loaded: {error}", "mend or uninstall that package"
                ) from error
            _loaded[entry.name] = entry.dist.version if entry.dist else ""
        arrange([f"engine.parts.{module}" for module in MODULES])
    return {name: version for name, version in _loaded.items() if name != "goodfit"}


def load_file(path: Path) -> str:
    """Make the parts of a Python file known and return its sha256; a file that is loaded already is left alone.

    The file runs with all rights of the user, so only a person may name it. Raises UserError where it cannot be read or
    run.
    """
    load()
    path = path.expanduser().resolve()
    try:
        text = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}", "name a Python file that declares parts") from error
    sha256 = hashlib.sha256(text).hexdigest()
    if _loaded.get(str(path)) == sha256:
        return sha256
    name = f"goodfit_parts_{path.stem}_{sha256[:8]}"
    spec = spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UserError(f"{path} is no Python file", "name a file that ends in .py")
    module = module_from_spec(spec)
    sys.modules[name] = module
    try:
        exec(compile(text, str(path), "exec"), module.__dict__)
    except Exception as error:
        del sys.modules[name]
        raise UserError(f"{path} cannot be run: {type(error).__name__}: {error}", "mend the file") from error
    _loaded[str(path)] = sha256
    return sha256


def summary(cls: type[BaseModel]) -> str:
    """The first sentence or so of a part's docstring, on one line."""
    return " ".join(inspect.cleandoc(cls.__doc__ or "").split("\n\n")[0].split())


def describe(cls: type[BaseModel]) -> list[FieldInfo]:
    """The fields of a part or of a recipe's section, as forms, completion and help need them.

    What every part of a family has beside its own settings (name, init, warmup) comes last.
    """
    hints = typing.get_type_hints(cls, include_extras=True)
    fields = [_field(name, hints.get(name, field.annotation), field) for name, field in cls.model_fields.items()]
    return sorted(fields, key=lambda field: not field.required and field.name in SHARED)


def _field(name: str, annotation: Any, field: PydanticField) -> FieldInfo:
    extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
    plain, choices, nullable = _members(annotation)
    bounds = _bounds([*field.metadata, *(meta for member in plain for meta in getattr(member, "__metadata__", ()))])
    kind, family, fields = _kind(plain, choices)
    if family:
        choices = tuple(names(family))
    if kind == "boolean":
        choices = ()
    default = None if field.default is PydanticUndefined else field.get_default(call_default_factory=True)
    return FieldInfo(
        name=name,
        kind=kind,
        required=field.is_required(),
        default=default,
        help=field.description or "",
        choices=choices,
        nullable=nullable,
        live=bool(extra.get("live")),
        log=bool(extra.get("log")),
        smaller=str(extra.get("smaller", "")),
        larger=str(extra.get("larger", "")),
        family=family,
        fields=fields,
        **bounds,
    )


def _members(annotation: Any) -> tuple[list[Any], tuple[Any, ...], bool]:
    """What a union is made of: types, the words of its literals, and whether None is one of it."""
    types_: list[Any] = []
    choices: list[Any] = []
    nullable = False
    origin = typing.get_origin(annotation)
    members = typing.get_args(annotation) if origin in (typing.Union, types.UnionType) else (annotation,)
    for member in members:
        if member is type(None):
            nullable = True
        elif typing.get_origin(member) is Literal:
            choices.extend(typing.get_args(member))
        elif typing.get_origin(member) in (typing.Union, types.UnionType):
            inner, words, none = _members(member)
            types_ += inner
            choices += words
            nullable |= none
        else:
            types_.append(member)
    return types_, tuple(choices), nullable


def _kind(members: list[Any], choices: tuple[Any, ...]) -> tuple[Kind, str, tuple[FieldInfo, ...]]:
    """Kind, family and nested fields. A number beside a list of numbers is a number: the usual case."""
    bare = [typing.get_args(member)[0] if typing.get_origin(member) is Annotated else member for member in members]
    models = [member for member in bare if isinstance(member, type) and issubclass(member, BaseModel)]
    for model in models:
        if issubclass(model, Part):
            return "part", model.family, ()
    if bool in bare:
        return "boolean", "", ()
    for type_, kind in ((float, "number"), (int, "integer"), (str, "text")):
        if type_ in bare:
            return typing.cast(Kind, kind), "", ()
    for member in bare:
        if typing.get_origin(member) is list:
            item = typing.get_args(member)[0]
            if isinstance(item, type) and issubclass(item, Part):
                return ("layers" if item.family == "layer" else "list"), item.family, ()
            return "list", "", ()
    if choices:
        return "choice", "", tuple(describe(models[0])) if models else ()
    return "mapping", "", tuple(describe(models[0])) if models else ()


def _bounds(metadata: list[Any]) -> dict[str, float | None]:
    """ge, gt, le, lt out of constraints, wherever they stand."""
    bounds: dict[str, float | None] = {}
    for meta in metadata:
        inner = meta.metadata if isinstance(meta, PydanticField) else [meta]
        for constraint in inner:
            for bound in ("ge", "gt", "le", "lt"):
                if getattr(constraint, bound, None) is not None:
                    bounds.setdefault(bound, getattr(constraint, bound))
    return bounds
