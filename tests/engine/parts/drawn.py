"""Draws any part, with any settings that its declaration allows."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from pydantic import ValidationError

from engine.parts import catalog
from engine.parts.layer import Layer
from engine.parts.part import FieldInfo, Part, find, names

SPECIAL: dict[str, st.SearchStrategy[Any]] = {
    "betas": st.lists(st.floats(0, 0.99), min_size=2, max_size=2),
    "milestones": st.lists(st.integers(1, 8), min_size=1, max_size=3).map(sorted),
    "kernel_size": st.integers(1, 4) | st.lists(st.integers(1, 4), min_size=1, max_size=2),
    "stride": st.integers(1, 3) | st.lists(st.integers(1, 3), min_size=1, max_size=2),
    "padding": st.integers(0, 2) | st.sampled_from(["same", "valid"]) | st.lists(st.integers(0, 2), max_size=2),
    "dilation": st.integers(1, 2) | st.lists(st.integers(1, 2), min_size=1, max_size=2),
    "output_size": st.integers(1, 4) | st.lists(st.integers(1, 4), min_size=2, max_size=2),
    "weight": st.none() | st.just("balanced") | st.lists(st.floats(0.1, 3), min_size=3, max_size=3),
    "pos_weight": st.none() | st.just("balanced") | st.floats(0.1, 3) | st.lists(st.floats(0.1, 3), min_size=1),
    "monitor": st.just("val_loss"),
    "features": st.none() | st.lists(st.text(min_size=1), min_size=1, max_size=3),
    "name": st.none() | st.just("own"),
    "scale": st.lists(st.floats(0.01, 1), min_size=2, max_size=2).map(sorted),
    "ratio": st.lists(st.floats(0.2, 4), min_size=2, max_size=2).map(sorted),
    "mean": st.lists(st.floats(-1, 1), min_size=2, max_size=2),
    "std": st.lists(st.floats(0.1, 2), min_size=2, max_size=2),
    "size": st.none() | st.just([4, 6]),
}
"""Fields whose values a plain reading of the declaration does not give."""
PLAIN = {("features", "text"), ("mean", "number"), ("std", "number")}
"""Fields of that name that it gives."""


def field(info: FieldInfo, depth: int = 0) -> st.SearchStrategy[Any]:
    """Values of one field."""
    drawn: st.SearchStrategy[Any]
    low = info.ge if info.ge is not None else info.gt if info.gt is not None else -3
    high = info.le if info.le is not None else info.lt if info.lt is not None else low + 4
    if info.name in SPECIAL and info.kind != "choice" and (info.name, info.kind) not in PLAIN:
        return SPECIAL[info.name]
    if info.kind == "boolean":
        drawn = st.booleans()
    elif info.kind == "number":
        drawn = st.floats(low, high, exclude_min=info.ge is None, exclude_max=info.le is None, width=32)
    elif info.kind == "integer":
        drawn = st.integers(int(low), int(high))
    elif info.kind == "choice":
        drawn = st.sampled_from(info.choices)
    elif info.kind == "text":
        drawn = st.text(min_size=1, max_size=5)
    elif info.kind == "part":
        drawn = st.sampled_from(names(info.family)).flatmap(lambda name: part_of(info.family, name, depth + 1))
    elif info.kind == "layers":
        inner = [name for name in names("layer") if name != "Residual"]
        drawn = st.lists(
            st.sampled_from(inner).flatmap(lambda name: part_of("layer", name, depth + 1)), min_size=1, max_size=3
        ).map(lambda layers: [layer.model_copy(update={"name": None}) for layer in layers])
    elif info.fields:
        drawn = st.fixed_dictionaries({item.name: field(item) for item in info.fields})
    else:
        raise AssertionError(f"how is {info.name} drawn?")
    return st.none() | drawn if info.nullable else drawn


def part_of(family: str, name: str, depth: int = 0) -> st.SearchStrategy[Any]:
    """Instances of one part."""
    cls = find(family, name)
    assert cls is not None
    return instances(cls, depth)


def instances(cls: type[Part], depth: int = 0) -> st.SearchStrategy[Any]:
    """Instances of one part: required fields always, others now and then."""
    infos = catalog.describe(cls)
    required = {info.name: field(info, depth) for info in infos if info.required}
    optional = {info.name: field(info, depth) for info in infos if not info.required}
    settings = st.fixed_dictionaries(required, optional=optional)
    return settings.map(lambda given: attempt(cls, given)).filter(lambda made: made is not None)


def attempt(cls: type[Part], given: dict[str, Any]) -> Part | None:
    """The part, or None where its settings contradict each other."""
    hint = cls.model_fields.get("warmup")
    if hint is not None and isinstance(given.get("warmup"), dict):
        from engine.parts.scheduler import Warmup

        given = given | {"warmup": Warmup(**given["warmup"])}
    try:
        made = cls(**given)
        assert isinstance(made, Part)
        return made
    except ValidationError:
        return None


def shapes() -> st.SearchStrategy[tuple[int, ...]]:
    """Shapes of one sample: rows, signals and images."""
    size = st.integers(1, 9)
    return st.tuples(size) | st.tuples(size, size) | st.tuples(st.sampled_from([1, 2, 3, 4, 6]), size, size)


def fitting(layer: Layer) -> tuple[int, ...]:
    """A shape that most layers of this kind take."""
    for shape in ((4, 8, 8), (4, 8), (8,)):
        try:
            layer.output(shape)
        except Exception:
            continue
        return shape
    raise AssertionError(f"nothing enters {layer}")


def attempt_named(family: str, type_: str, **given: Any) -> Any:
    """A part by name, with these settings."""
    catalog.load()
    cls = find(family, type_)
    assert cls is not None
    return cls(**given)
