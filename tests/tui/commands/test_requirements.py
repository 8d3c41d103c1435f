"""`--require` expressions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import UserError
from tui.commands.requirements import judge, read_requirements

FINISHED = {"best": {"train_loss": 0.5, "val_loss": 0.25, "val_accuracy": "nan"}, "test": {"test_accuracy": 0.75}}


@pytest.mark.parametrize(
    ("expression", "met"),
    [
        ("val_loss <= 0.25", True),
        ("val_loss<0.25", False),
        ("  val_loss == 2.5e-1 ", True),
        ("train_loss > 0.4", True),
        ("test_accuracy >= 0.76", False),
        ("val_accuracy < 1", False),
        ("val_accuracy >= 0", False),
        ("val_f1_score >= 0", False),
    ],
)
def test_one_expression(expression: str, met: bool) -> None:
    assert bool(judge(FINISHED, [], read_requirements([expression]), None)) != met


def test_all_must_hold_and_each_that_does_not_is_named() -> None:
    unmet = judge(FINISHED, [], read_requirements(["val_loss < 1", "val_loss < 0", "train_loss < 0"]), None)
    assert len(unmet) == 2 and "val_loss < 0" in unmet[0] and "0.25" in unmet[0]


@pytest.mark.parametrize(
    "text", ["", "val_loss", "val_loss <", "< 1", "val_loss =< 1", "val_loss < x", "a b < 1", "a < nan"]
)
def test_what_cannot_be_read(text: str) -> None:
    with pytest.raises(UserError):
        read_requirements([text])


@given(st.sampled_from([">=", ">", "<=", "<", "=="]), st.floats(allow_nan=False), st.floats(allow_nan=False))
def test_means_what_python_means(op: str, number: float, value: float) -> None:
    (requirement,) = read_requirements([f"val_loss {op} {number!r}"])
    assert requirement.met({"val_loss": value}) == eval(f"a {op} b", {"a": value, "b": number})
