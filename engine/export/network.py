"""The part of the file that builds the network: one line a layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from engine.data.facts import Facts
from engine.errors import UserError
from engine.export.script import Script, literal
from engine.parts.layer import Init, Layer, WeightLayer
from engine.parts.layers.residual import Residual
from engine.parts.part import Part, Shape
from engine.parts.stack import bind
from engine.recipe.schema import Recipe

POSITIONAL: dict[str, tuple[str, ...]] = {
    "Linear": ("in_features", "out_features"),
    "Conv1d": ("in_channels", "out_channels", "kernel_size"),
    "Conv2d": ("in_channels", "out_channels", "kernel_size"),
    "MaxPool2d": ("kernel_size",),
    "AvgPool2d": ("kernel_size",),
    "BatchNorm1d": ("num_features",),
    "BatchNorm2d": ("num_features",),
    "LayerNorm": ("normalized_shape",),
    "Dropout": ("p",),
    "Dropout2d": ("p",),
    "LeakyReLU": ("negative_slope",),
}
"""Arguments written without their names, by layer."""
ALWAYS = {"Softmax": ("dim",)}
"""Arguments that are written even where they are goodfit's default."""

INITIALISED = '''
def initialised(module: nn.Module, fill, **settings) -> nn.Module:
    """The module with its weight filled by a scheme and its bias at zero."""
    fill(module.weight, **settings)
    if module.bias is not None:
        nn.init.zeros_(module.bias)
    return module
'''

RESIDUAL = '''
class Residual(nn.Module):
    """y = layers(x) + shortcut(x)."""

    def __init__(self, layers: nn.Module, shortcut: nn.Module) -> None:
        super().__init__()
        self.layers, self.shortcut = layers, shortcut

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x) + self.shortcut(x)
'''


ADAPTIVE = '''
class AdaptiveAvgPool2d(nn.AdaptiveAvgPool2d):
    """PyTorch's layer; on a GPU, where it has no deterministic gradient, the same averages as two matrix products."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        height, width = (self.output_size,) * 2 if isinstance(self.output_size, int) else self.output_size
        if not x.is_cuda or not torch.are_deterministic_algorithms_enabled() or height == width == 1:
            return super().forward(x)
        return averages(x.shape[-2], height, x) @ x @ averages(x.shape[-1], width, x).T


def averages(size: int, bins: int, like: torch.Tensor) -> torch.Tensor:
    """(bins, size): each row averages the values of one bin."""
    rows = []
    for index in range(bins):
        start, end = index * size // bins, -(-(index + 1) * size // bins)
        rows.append([1 / (end - start) if start <= place < end else 0.0 for place in range(size)])
    return torch.tensor(rows, dtype=like.dtype, device=like.device)
'''


def write_network(script: Script, recipe: Recipe, facts: Facts) -> None:
    """Define `build_network()`."""
    script.use("import torch", "from torch import nn")
    layers = [bind(layer, facts.outputs) for layer in recipe.model.layers]
    rows = _layers(script, layers, facts.shape, recipe.model.init, "        ")
    text = "\n".join(rows)
    script.define(f'''
def build_network() -> nn.Module:
    """Takes {" x ".join(map(str, facts.shape))} numbers a sample; the same weights for the same seed."""
    torch.manual_seed(SEED)
    return nn.Sequential(
{text}
    )
''')


def _layers(script: Script, layers: Sequence[Layer], shape: Shape, init: Init | None, indent: str) -> list[str]:
    """A line a layer, its comment the shape that leaves it."""
    lines = []
    for layer in layers:
        after = layer.output(shape)
        text = write_layer(script, layer, shape, init, indent)
        comment = " x ".join(map(str, after)) + (f", {layer.name}" if layer.name else "")
        lines.append(f"{indent}{text},  # {comment}")
        shape = after
    return lines


def write_layer(script: Script, layer: Layer, shape: Shape, init: Init | None, indent: str) -> str:
    """The expression that builds one layer."""
    exporter = EXPORTERS.get(layer.type_name())
    if exporter is not None:
        return exporter(script, layer, shape, init, indent)
    text = call(script, layer, layer.torch_arguments(shape))
    scheme = layer.init or init if isinstance(layer, WeightLayer) else None
    return initialised(script, text, scheme) if scheme is not None else text


def initialised(script: Script, text: str, scheme: Init) -> str:
    """The expression with an initialisation scheme around it."""
    script.define(INITIALISED)
    settings = "".join(f", {name}={literal(value)}" for name, value in scheme.arguments().items())
    return f"initialised({text}, {short(script, scheme.torch)}{settings})"


def call(script: Script, part: Part, arguments: dict[str, Any]) -> str:
    """The torch call of a part; what is the default in goodfit and in torch alike is left out."""
    name = part.type_name()
    if part.torch is None or part.torch.startswith("."):
        raise UserError(
            f"{name} cannot be written as code: nothing that can be imported builds it",
            "let its `torch` name a function or class of an installed module",
        )
    first = POSITIONAL.get(name, ())
    written = [literal(arguments[key]) for key in first]
    known = part.torch.startswith("torch.")
    for key, value in arguments.items():
        field = type(part).model_fields.get(key)
        usual = known and field is not None and not field.is_required() and field.default == value
        if key not in first and (not usual or key in ALWAYS.get(name, ())):
            written.append(f"{key}={literal(value)}")
    return f"{short(script, part.torch)}({', '.join(written)})"


def short(script: Script, path: str | None) -> str:
    """`torch.nn.Linear` as `nn.Linear`; other modules are imported under their own names."""
    assert path is not None
    if path.startswith("torch.nn."):
        return path.removeprefix("torch.")
    if not path.startswith("torch."):
        script.use(f"import {path.rpartition('.')[0]}")
    return path


def _residual(script: Script, layer: Layer, shape: Shape, init: Init | None, indent: str) -> str:
    assert isinstance(layer, Residual)
    script.define(RESIDUAL)
    inner = "\n".join(_layers(script, layer.layers, shape, init, indent + "        "))
    shortcut = "nn.Identity()"
    if layer.shortcut == "projection":
        result = layer.inner(shape)
        stride = layer.stride(shape, result)
        if not stride:
            shortcut = f"nn.Linear({shape[0]}, {result[0]}, bias=False)"
        else:
            by = stride[0] if len(stride) == 1 else stride
            shortcut = f"nn.Conv{len(stride)}d({shape[0]}, {result[0]}, 1, stride={by}, bias=False)"
        if init is not None:
            shortcut = initialised(script, shortcut, init)
    return f"Residual(\n{indent}    nn.Sequential(\n{inner}\n{indent}    ),\n{indent}    {shortcut},\n{indent})"


def _adaptive(script: Script, layer: Layer, shape: Shape, init: Init | None, indent: str) -> str:
    size = layer.torch_arguments(shape)["output_size"]
    if size in (1, [1, 1]):
        return f"nn.AdaptiveAvgPool2d({literal(size)})"
    script.define(ADAPTIVE)
    return f"AdaptiveAvgPool2d({literal(size)})"


EXPORTERS: dict[str, Callable[[Script, Layer, Shape, Init | None, str], str]] = {
    "Residual": _residual,
    "AdaptiveAvgPool2d": _adaptive,
}
"""Writers of the layers that no single torch call makes."""
