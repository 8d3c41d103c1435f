"""Values of fields: read, shown, stepped."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import UserError
from engine.parts import catalog
from engine.parts.part import FieldInfo, every_part
from tui.forms.starting import starting_part
from tui.forms.values import default_words, out_of_bounds, parse, show, step

catalog.load()


def info(kind: Any, **more: Any) -> FieldInfo:
    return FieldInfo(**{"name": "x", "required": False, "default": None, "help": "h", "kind": kind, **more})


@pytest.mark.parametrize(
    ("field", "text", "value"),
    [
        (info("number"), "1e-4", 1e-4),
        (info("number"), "3", 3),
        (info("integer"), "64", 64),
        (info("integer"), "1e2", 100),
        (info("integer", choices=("outputs",)), "outputs", "outputs"),
        (info("number", nullable=True), "none", None),
        (info("list"), "[1, 2]", [1, 2]),
        (info("list"), "Accuracy", ["Accuracy"]),
        (info("text"), "yes, please", "yes, please"),
        (info("text"), '"quoted"', "quoted"),
        (info("text", nullable=True), "", None),
        (info("mapping"), "{a: number}", {"a": "number"}),
        (info("boolean"), "true", True),
    ],
)
def test_what_is_typed_is_read_as_a_recipe_reads_it(field: FieldInfo, text: str, value: Any) -> None:
    found = parse(field, text)
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize(
    ("field", "text", "why"),
    [
        (info("number"), "fast", "a number"),
        (info("number"), "true", "a number"),
        (info("number"), ".nan", "a number"),
        (info("integer"), "1.5", "a whole number"),
        (info("integer", choices=("outputs",)), "output", "or outputs"),
        (info("number", ge=0, lt=1), "1", "below 1"),
        (info("number", gt=0), "0", "above 0"),
        (info("integer", ge=1, le=9), "10", "at most 9"),
        (info("mapping"), "3", "a mapping"),
        (info("choice", choices=("a", "b")), "c", "one of a, b"),
    ],
)
def test_what_is_wrong_is_said(field: FieldInfo, text: str, why: str) -> None:
    with pytest.raises(UserError, match=why):
        parse(field, text)


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**62), 2**62), st.booleans())
def test_what_is_shown_reads_back(value: float, log: bool) -> None:
    assert parse(info("number"), show(value, log)) == value


@given(st.floats(1e-9, 1e9), st.booleans())
def test_steps_on_a_log_scale_go_along_1_2_5_and_back(value: float, up: bool) -> None:
    field = info("number", log=True, gt=0)
    once = step(field, value, up)
    assert (once > value) is up and f"{once:e}"[0] in "125"
    assert step(field, step(field, once, up), not up) == once


@given(st.floats(0, 1), st.booleans())
def test_steps_stay_within_bounds(value: float, up: bool) -> None:
    field = info("number", ge=0, le=1)
    assert not out_of_bounds(field, step(field, value, up))


def test_integers_on_a_log_scale_double() -> None:
    field = info("integer", log=True, ge=1)
    assert step(field, 32, True) == 64 and step(field, 32, False) == 16 and step(field, 1, False) == 1


def test_every_default_can_be_shown_and_every_shown_default_reads_back() -> None:
    for cls in every_part():
        for field in catalog.describe(cls):
            words = default_words(field)
            assert words
            if field.kind in ("number", "integer") and isinstance(field.default, int | float):
                assert parse(field, words) == field.default


def test_every_part_starts_with_what_it_needs() -> None:
    for cls in every_part():
        start = starting_part(cls.family, cls.type_name())
        given = start if isinstance(start, dict) else {}
        assert all(field.name in given for field in catalog.describe(cls) if field.required)
