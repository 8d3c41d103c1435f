"""What a recipe can name: the declaration that every face of goodfit is made from.

A part is one class. Its fields carry bounds and help, its docstring says what it computes, and `torch` names the one
call that builds it, as text, so that reading a declaration never imports torch. Schema, form, completion, help,
documentation, the built object and the exported code all come from here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

Shape = tuple[int, ...]
"""The shape of one sample, without the batch axis: `(64,)` for a row, `(channels, height, width)` for an image."""

Count = Annotated[int, Field(ge=1)]
"""A whole number from 1, for a union with something that is no number: `Count | Literal["auto"]`."""
Natural = Annotated[int, Field(ge=0)]
"""A whole number from 0, for a union."""
Share = Annotated[float, Field(ge=0, lt=1)]
"""A share of a whole, for a union."""

FAMILIES = (
    "layer",
    "init",
    "loss",
    "optimizer",
    "scheduler",
    "augmentation",
    "metric",
    "source",
)


class ShapeError(Exception):
    """A layer cannot take what reaches it. `message` says why, `hint` how to mend it."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Part(BaseModel):
    """One thing that a recipe can name, with its settings."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, ser_json_inf_nan="strings")

    family: ClassVar[str]
    torch: ClassVar[str | None] = None
    """Dotted name of the call that builds the part, or None where `engine/train/build/` has a builder. With a dot in
    front it is a function or class beside the part: `.build_swish` in a file of your own."""

    @classmethod
    def type_name(cls) -> str:
        """The word that a recipe uses: the class's own name."""
        return cls.__name__

    @classmethod
    def torch_path(cls) -> str | None:
        """Where the call is to be imported from."""
        if cls.torch is not None and cls.torch.startswith("."):
            return cls.__module__ + cls.torch
        return cls.torch

    def arguments(self) -> dict[str, Any]:
        """Keyword arguments of the `torch` call; by default every field under its own name."""
        return {name: getattr(self, name) for name in type(self).model_fields}


def setting(
    default: Any = ...,
    *,
    help: str,
    ge: float | None = None,
    gt: float | None = None,
    le: float | None = None,
    lt: float | None = None,
    live: bool = False,
    log: bool = False,
    smaller: str = "",
    larger: str = "",
) -> Any:
    """A field of a part or of a section.

    `live` fields may change while a run trains; `log` fields are searched and drawn on a log scale;
    `smaller` and `larger` say in a few plain words what a smaller or larger value means.
    """
    extra: dict[str, Any] = {"live": live, "log": log, "smaller": smaller, "larger": larger}
    return Field(default, description=help, ge=ge, gt=gt, le=le, lt=lt, json_schema_extra=extra)


PartType = TypeVar("PartType", bound=type[Part])

_registry: dict[str, dict[str, type[Part]]] = {family: {} for family in FAMILIES}


def part(cls: PartType) -> PartType:
    """Class decorator: make a part known under its name. Raises ValueError where the name is taken."""
    names = _registry[cls.family]
    if cls.type_name() in names:
        raise ValueError(f"{cls.family} {cls.type_name()} is declared twice")
    names[cls.type_name()] = cls
    return cls


def arrange(modules: Sequence[str]) -> None:
    """Order every family by the module of its parts, those of other modules last: an import somewhere else may have
    come first."""
    place = {module: index for index, module in enumerate(modules)}
    for family, parts in _registry.items():
        ordered = sorted(parts.items(), key=lambda item: place.get(item[1].__module__, len(place)))
        _registry[family] = dict(ordered)


def names(family: str) -> list[str]:
    """The names of a family, in the order of declaration."""
    return list(_registry[family])


def find(family: str, name: str) -> type[Part] | None:
    """The class of a part, or None where there is none of that name."""
    return _registry[family].get(name)


def every_part() -> list[type[Part]]:
    """All registered parts, family by family."""
    return [cls for family in FAMILIES for cls in _registry[family].values()]


Kind = Literal["number", "integer", "boolean", "text", "choice", "list", "mapping", "layers", "part"]


@dataclass(frozen=True)
class FieldInfo:
    """One field of a part as a form, a completion list or a help page needs it."""

    name: str
    kind: Kind
    required: bool
    default: Any
    help: str
    choices: tuple[Any, ...] = ()
    """Allowed values: all of them for a `choice`; for other kinds words allowed beside a plain value ("outputs")."""
    ge: float | None = None
    gt: float | None = None
    le: float | None = None
    lt: float | None = None
    nullable: bool = False
    live: bool = False
    log: bool = False
    smaller: str = ""
    larger: str = ""
    family: str = ""
    """For a `part` or `layers`: the family whose names may stand here."""
    fields: tuple[FieldInfo, ...] = ()
    """For a `mapping` with fixed keys: its fields."""
