"""What a search varies: values that survive the storage, and edits that make a recipe."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import UserError
from engine.parts import catalog
from engine.recipe.document import Document
from engine.search.importance import importance
from engine.search.space import Dimension, edits_of, read_space, settings

RECIPE = """\
data: {source: {type: Builtin, name: iris}}
model: {layers: [{type: Linear, out_features: outputs}]}
optimizer: {type: SGD, lr: 0.1, momentum: 0.9}   # the classic
"""
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@given(st.lists(VALUES, min_size=1, max_size=6))
def test_choices_of_any_kind_come_back_as_they_were(choices: list[Any]) -> None:
    dimension = Dimension("x", "choice", choices=tuple(choices))
    keys = dimension.keys
    assert len(set(keys)) == len(keys) == dimension.size
    for choice in choices:
        found = dimension.value(dimension.key(choice))
        assert json.dumps(found) == json.dumps(choice)


@given(st.floats(1e-9, 1e3), st.floats(1e-9, 1e3), st.floats(0, 1))
def test_numbers_are_short_and_stay_within_their_bounds(a: float, b: float, share: float) -> None:
    low, high = min(a, b), max(a, b)
    drawn = low + share * (high - low)
    value = Dimension("x", "uniform", low, high).value(drawn)
    assert low <= value <= high
    assert value in (low, high) or len(repr(value).replace(".", "").strip("0").partition("e")[0]) <= 7
    assert value == pytest.approx(min(max(drawn, low), high), rel=1e-5)


def test_a_choice_that_is_gone_is_named() -> None:
    with pytest.raises(UserError, match="none of its choices"):
        Dimension("x", "choice", choices=(1, 2)).value("3")


def test_a_space_that_is_none_says_so() -> None:
    entries: list[Any] = [3, {}, {"uniform": [1]}, {"choice": []}, {"nonsense": [1, 2]}]
    for entry in entries:
        with pytest.raises(UserError, match="no range for optimizer"):
            read_space({"optimizer.lr": entry})


def test_what_holds_others_is_set_first() -> None:
    params = {"optimizer.lr": 0.01, "optimizer": {"type": "Adam"}, "seed": 3}
    document = Document.from_text(RECIPE)
    document.apply(edits_of(document.data, params))
    assert document.data["optimizer"] == {"type": "Adam", "lr": 0.01}
    assert document.data["seed"] == 3
    assert [edit.path for edit in settings(params)] == ["optimizer", "seed", "optimizer.lr"]


def test_a_new_type_drops_what_it_lacks_and_comments_stay() -> None:
    catalog.load()
    document = Document.from_text(RECIPE)
    document.apply(edits_of(document.data, {"optimizer.lr": 0.01, "optimizer.type": "Adam"}))
    assert document.data["optimizer"] == {"type": "Adam", "lr": 0.01}
    assert "# the classic" in document.text


def trials(count: int, seed: int = 0) -> list[dict[str, Any]]:
    import random

    rng = random.Random(seed)
    return [{"a": 10 ** rng.uniform(-4, -1), "b": rng.uniform(0, 1), "c": rng.choice("xy")} for _ in range(count)]


SPACE = read_space({"a": {"log_uniform": [1e-4, 1e-1]}, "b": {"uniform": [0, 1]}, "c": {"choice": ["x", "y"]}})


@given(st.integers(0, 1000), st.integers(25, 60))
def test_importance_adds_to_one_and_finds_what_matters(seed: int, count: int) -> None:
    params = trials(count, seed)
    found = importance(SPACE, params, [row["b"] ** 2 for row in params])
    assert found is not None and found.keys() == {"a", "b", "c"}
    assert sum(found.values()) == pytest.approx(1) and min(found.values()) >= 0
    assert found["b"] == max(found.values())
    found = importance(SPACE, params, [float(row["c"] == "x") for row in params])
    if 8 <= [row["c"] for row in params].count("x") <= count - 8:
        assert found is not None and found["c"] == max(found.values())


def test_importance_of_too_little_is_unknown() -> None:
    assert importance(SPACE, trials(3), [1.0, 2.0, 3.0]) is None
    assert importance(SPACE, trials(9), [1.0] * 9) is None
    assert importance(SPACE, trials(9), [float("nan")] * 9) is None
    odd = importance(SPACE, trials(9), [float("nan"), float("inf"), *map(float, range(7))])
    assert odd is None or sum(odd.values()) == pytest.approx(1)
