"""Shapes and parameters of stacks, and what is said where layers do not fit."""

from __future__ import annotations

import pytest

from engine.parts import catalog
from engine.parts.layer import Layer
from engine.parts.part import ShapeError, find
from engine.parts.stack import bind, trace, width

catalog.load()


def layer(type_: str, /, **settings: object) -> Layer:
    cls = find("layer", type_)
    assert cls is not None
    made = cls(**settings)
    assert isinstance(made, Layer)
    return made


def test_rows_follow_samples_through_the_layers() -> None:
    layers = [
        layer("Flatten"),
        layer("Linear", out_features=32),
        layer("ReLU"),
        layer("Linear", out_features="outputs"),
    ]
    rows = trace(layers, (1, 8, 8), 10)
    assert [row.output for row in rows] == [(64,), (32,), (32,), (10,)]
    assert [row.parameters for row in rows] == [0, 64 * 32 + 32, 0, 32 * 10 + 10]
    assert [row.path for row in rows] == [f"model.layers.{index}" for index in range(4)]
    assert all(row.error is None for row in rows)


def test_an_error_stands_at_its_layer_and_nothing_behind_it_is_blamed() -> None:
    layers = [layer("Flatten"), layer("Conv2d", out_channels=4), layer("Linear", out_features=2)]
    rows = trace(layers, (1, 8, 8), 2)
    assert rows[0].error is None and rows[2].error is None
    assert rows[1].error is not None and "Conv2d needs images" in rows[1].error.message
    assert rows[2].input is None and rows[2].output is None


def test_blocks_have_rows_of_their_own() -> None:
    block = layer("Residual", layers=[layer("Linear", out_features="outputs", name="inner"), layer("ReLU")])
    [row] = trace([block], (5,), 5)
    assert row.output == (5,)
    assert [(inner.path, inner.output) for inner in row.rows] == [
        ("model.layers.0.layers.0", (5,)),
        ("model.layers.0.layers.1", (5,)),
    ]
    assert row.parameters == sum(inner.parameters for inner in row.rows) == 30


def test_a_block_that_changes_the_shape_says_how_to_mend_it() -> None:
    block = layer("Residual", layers=[layer("Linear", out_features=3)])
    [row] = trace([block], (5,), None)
    assert row.error is not None
    assert "shortcut: projection" in row.error.hint
    [row] = trace([layer("Residual", layers=block.layers, shortcut="projection")], (5,), None)  # type: ignore[attr-defined]
    assert row.error is None and row.output == (3,)
    assert row.parameters == 5 * 3 + 3 + 5 * 3


def test_without_facts_widths_stay_symbols() -> None:
    rows = trace([layer("Linear", out_features="outputs")], None, None)
    assert rows[0].output is None and rows[0].error is None
    rows = trace([layer("Linear", out_features="outputs")], (4,), None)
    assert rows[0].error is not None and "width" in rows[0].error.message


def test_bind_reaches_into_blocks_and_leaves_the_rest_alone() -> None:
    plain = layer("ReLU")
    assert bind(plain, 3) is plain
    block = layer("Residual", layers=[layer("Linear", out_features="outputs")])
    assert bind(block, 3).layers[0].out_features == 3  # type: ignore[attr-defined]
    assert width("outputs", 3) == 3 and width(7, 3) == 7 and width("outputs", None) == "outputs"


def test_a_window_that_does_not_fit_is_an_error() -> None:
    with pytest.raises(ShapeError, match="does not fit in 2"):
        layer("Conv2d", out_channels=1, kernel_size=5).output((1, 2, 2))


@pytest.mark.parametrize("name", ["a.b", "3", "", "x y"])
def test_names_that_paths_cannot_hold_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="a name starts with a letter"):
        layer("ReLU", name=name)


@pytest.mark.parametrize(
    ("name", "settings", "words"),
    [
        ("Conv2d", {"out_channels": 3, "groups": 2}, "groups"),
        ("Conv2d", {"out_channels": 4, "kernel_size": [3]}, "kernel_size takes one number or 2"),
        ("Conv2d", {"out_channels": 4, "padding": "same", "stride": 2}, "stride 1"),
        ("MaxPool2d", {"kernel_size": 2, "padding": 2}, "half"),
        ("MaxPool2d", {"kernel_size": [2, 2, 2]}, "height, width"),
        ("AdaptiveAvgPool2d", {"output_size": [1]}, "height, width"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(name: str, settings: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        layer(name, **settings)
