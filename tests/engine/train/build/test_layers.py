"""Every layer against PyTorch: shapes, parameters, building, and three steps of training."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.parts import catalog, part
from engine.parts.layer import Layer
from engine.parts.layers.activation import Softmax
from engine.parts.part import ShapeError, find, names
from engine.parts.stack import bind
from engine.recipe.schema import Model
from engine.train.build.model import BUILDERS, build_layer, build_layers, call, count_parameters
from engine.train.build.pooling import averages
from tests.engine.parts import drawn

catalog.load()
LAYERS = names("layer")
AXES = {"Conv1d": 2, "Conv2d": 3, "Dropout2d": 3, "MaxPool2d": 3, "AvgPool2d": 3, "AdaptiveAvgPool2d": 3}
"""Layers for which PyTorch may take a batch of smaller samples for one larger sample: refused here."""


@pytest.mark.parametrize("name", LAYERS)
def test_there_is_one_way_to_build_it(name: str) -> None:
    cls = find("layer", name)
    assert cls is not None
    assert (cls.torch is None) == (name in BUILDERS)
    if cls.torch is not None:
        assert call(cls.torch).__name__ == name


@pytest.mark.parametrize("name", LAYERS)
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data(), shape=drawn.shapes())
def test_shape_and_parameters_equal_pytorchs(name: str, data: st.DataObject, shape: tuple[int, ...]) -> None:
    layer = bind(data.draw(drawn.part_of("layer", name)), 4)
    try:
        expected = layer.output(shape)
    except ShapeError:
        expected = None
    if expected is None:
        if name != "Residual" and len(shape) == AXES.get(name, len(shape)):
            assert not torch_takes(layer, shape)
        return
    with torch.device("meta"):
        module = build_layer(layer, shape).eval()
        result = module(torch.empty(2, *shape))
    assert tuple(result.shape) == (2, *expected)
    assert layer.parameters(shape) == count_parameters(module)


def torch_takes(layer: Layer, shape: tuple[int, ...]) -> bool:
    """Whether PyTorch gets through, without mixing samples."""
    try:
        with torch.device("meta"):
            result = build_layer(layer, shape).eval()(torch.empty(2, *shape))
    except (RuntimeError, ValueError, IndexError, TypeError):
        return False
    if isinstance(layer, Softmax):  # the meta device does not look at the axis
        return -result.ndim <= layer.dim < result.ndim and layer.dim % result.ndim != 0
    return 0 not in result.shape


@pytest.mark.parametrize("name", LAYERS)
@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_trains_three_steps(name: str, data: st.DataObject) -> None:
    layer = bind(data.draw(drawn.part_of("layer", name).filter(enters)), 4)
    shape = drawn.fitting(layer)
    flatten, linear = find("layer", "Flatten"), find("layer", "Linear")
    assert flatten is not None and linear is not None
    torch.manual_seed(0)
    model = build_layers([linear(out_features=shape[-1]), layer, flatten(), linear(out_features=2)], shape)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    x, y = torch.randn(8, *shape), torch.randn(8, 2)
    before = [parameter.clone() for parameter in model[3].parameters()]
    for _ in range(3):
        loss = torch.nn.functional.mse_loss(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        assert torch.isfinite(loss)
    assert any(not torch.equal(a, b) for a, b in zip(before, model[3].parameters(), strict=True))


def enters(layer: Layer) -> bool:
    """Whether some usual shape can enter."""
    try:
        drawn.fitting(bind(layer, 4))
    except AssertionError:
        return False
    return True


@pytest.mark.parametrize("name", names("init"))
def test_initialisation_fills_weights_and_clears_biases(name: str) -> None:
    scheme, linear = find("init", name), find("layer", "Linear")
    assert scheme is not None and linear is not None
    torch.manual_seed(3)
    module = build_layer(linear(out_features=64, init=scheme()), (64,))
    torch.manual_seed(3)
    same = build_layer(linear(out_features=64), (64,), scheme())
    torch.manual_seed(3)
    own = build_layer(linear(out_features=64), (64,))
    assert torch.equal(module.weight, same.weight)
    assert not torch.equal(module.weight, own.weight)
    assert not module.bias.any() and own.bias.any()
    assert torch.isfinite(module.weight).all()


def test_a_scheme_of_a_layer_goes_before_the_models_and_reaches_into_blocks() -> None:
    ones, zeros = find("init", "ones"), find("init", "zeros")
    linear, residual, norm = find("layer", "Linear"), find("layer", "Residual"), find("layer", "BatchNorm1d")
    assert ones and zeros and linear and residual and norm
    block = residual(layers=[linear(out_features=4), linear(out_features=4, init=ones()), norm()])
    model = build_layers([block], (4,), zeros())
    inner = model[0].layers
    assert not inner[0].weight.any() and inner[1].weight.eq(1).all()
    assert inner[2].weight.eq(1).all(), "a norm's scale is no weight to initialise"


def test_the_block_adds_what_went_in() -> None:
    linear, residual = find("layer", "Linear"), find("layer", "Residual")
    assert linear and residual
    model = build_layers([residual(layers=[linear(out_features=4)])], (4,))
    x = torch.randn(3, 4)
    assert torch.equal(model(x), model[0].layers[0](x) + x)
    projected = build_layers([residual(layers=[linear(out_features=2)], shortcut="projection")], (4,))
    assert torch.equal(projected(x), projected[0].layers(x) + x @ projected[0].shortcut.weight.T)


def test_children_bear_names() -> None:
    linear, relu = find("layer", "Linear"), find("layer", "ReLU")
    assert linear and relu
    model = build_layers([linear(out_features=3), relu(), linear(out_features=1, name="head")], (2,))
    assert list(model.state_dict()) == ["0.weight", "0.bias", "head.weight", "head.bias"]
    model = build_layers([linear(out_features=1, name="type"), linear(out_features=1, name="insert")], (2,))
    assert list(model.state_dict())[::2] == ["type_.weight", "insert_.weight"]


def test_two_layers_of_one_name_are_refused() -> None:
    linear, residual = find("layer", "Linear"), find("layer", "Residual")
    assert linear and residual
    twins = [linear(out_features=3, name="a"), linear(out_features=3, name="a")]
    with pytest.raises(ValueError, match="two layers are called a"):
        residual(layers=twins)
    with pytest.raises(ValueError, match="two layers are called a"):
        Model(layers=twins)


@settings(max_examples=40, deadline=None)
@given(size=st.tuples(st.integers(1, 9), st.integers(1, 9)), bins=st.tuples(st.integers(1, 9), st.integers(1, 9)))
def test_averages_as_matrix_products_equal_adaptive_pooling(size: tuple[int, int], bins: tuple[int, int]) -> None:
    x = torch.rand(2, 3, *size, dtype=torch.float64)
    expected = torch.nn.functional.adaptive_avg_pool2d(x, bins)
    rows, columns = (averages(*pair, x.dtype, x.device) for pair in zip(size, bins, strict=True))
    assert torch.allclose(rows @ x @ columns.T, expected)


def test_a_part_of_somebodys_own_builds_what_stands_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "own.py"
    file.write_text(
        "from engine.parts.layer import Layer\n"
        "from engine.parts.part import part, setting\n"
        "def build_scale(factor):\n"
        "    import torch\n"
        "    class Scale(torch.nn.Module):\n"
        "        def forward(self, x):\n"
        "            return x * factor\n"
        "    return Scale()\n"
        "@part\n"
        "class Scale(Layer):\n"
        '    """Multiplies by a factor."""\n'
        "    torch = '.build_scale'\n"
        "    factor: float = setting(2.0, help='factor')\n"
    )
    try:
        catalog.load_file(file)
        scale = find("layer", "Scale")
        assert scale is not None
        assert torch.equal(build_layers([scale(factor=3.0)], (2,))(torch.ones(1, 2)), torch.full((1, 2), 3.0))
    finally:
        part._registry["layer"].pop("Scale", None)
