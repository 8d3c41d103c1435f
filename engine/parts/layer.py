"""What every layer has: a name, an initialisation, and the arithmetic of shapes and parameters."""

from __future__ import annotations

import re
from typing import Any, ClassVar

from pydantic import field_validator

from engine.parts.part import Count, Natural, Part, Shape, ShapeError, setting

Size = Count | list[Count]
"""A size from 1: one number for every axis, or one an axis."""
Zero = Natural | list[Natural]
"""A size from 0, likewise."""


class Init(Part):
    """How the weights of a layer start. Biases start at zero under every scheme but torch's own."""

    family: ClassVar[str] = "init"

    @classmethod
    def type_name(cls) -> str:
        """As in `torch.nn.init`, without the underscore at the end: `kaiming_normal`."""
        return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", cls.__name__).lower()


class Layer(Part):
    """One row of the model."""

    family: ClassVar[str] = "layer"

    name: str | None = setting(None, help="a name of your own, to point at the layer in edits and findings")

    @field_validator("name")
    @classmethod
    def _usable_in_paths(cls, name: str | None) -> str | None:
        if name is not None and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]*", name):
            raise ValueError("a name starts with a letter and goes on with letters, digits, _ or -")
        return name

    def output(self, shape: Shape) -> Shape:
        """Shape of one sample after the layer. Raises ShapeError where `shape` cannot enter."""
        return shape

    def parameters(self, shape: Shape) -> int:
        """Number of trainable values, for samples of `shape`."""
        return 0

    def torch_arguments(self, shape: Shape) -> dict[str, Any]:
        """Keyword arguments of the `torch` call for samples of `shape`: `in_features` and the like come from it."""
        return {name: value for name, value in self.arguments().items() if name not in ("name", "init")}


class WeightLayer(Layer):
    """A layer with weights that an initialisation scheme can fill."""

    init: Init | None = setting(
        None, help="initialisation of this layer's weights; left out: the model's, else torch's"
    )


def distinct(layers: list[Layer]) -> list[Layer]:
    """The layers. Raises ValueError where two of them bear the same name."""
    seen: set[str] = set()
    for layer in layers:
        if layer.name is not None and layer.name in seen:
            raise ValueError(f"two layers are called {layer.name}")
        seen.add(layer.name or "")
    return layers


def needs(condition: bool, message: str, hint: str) -> None:
    """Raise ShapeError unless `condition` holds."""
    if not condition:
        raise ShapeError(message, hint)


def words(shape: Shape) -> str:
    """A shape in words: `rows of 64 numbers`, `samples of 3 x 8 x 8`."""
    return f"rows of {shape[0]} numbers" if len(shape) == 1 else f"samples of {' x '.join(map(str, shape))}"


def number(width: int | str) -> int:
    """A width as a number. Raises ShapeError for `outputs` where the task's width is not known."""
    if isinstance(width, int):
        return width
    raise ShapeError("the task's width is not known yet", "write a number in place of `outputs`")


def pair(size: int | list[int], axes: int) -> tuple[int, ...]:
    """One number for every axis."""
    return tuple(size) if isinstance(size, list) else (size,) * axes


def slide(
    size: int, kernel: int, stride: int, padding: int, dilation: int, *, name: str, ceil_mode: bool = False
) -> int:
    """How many places a window finds along an axis of `size`. Raises ShapeError where it finds none."""
    span = dilation * (kernel - 1) + 1
    room = size + 2 * padding - span + (stride - 1 if ceil_mode else 0)
    places = room // stride + 1 if room >= 0 else 0
    # A last window that would start in the border on the far side is not counted.
    if ceil_mode and (places - 1) * stride >= size + padding:
        places -= 1
    if places < 1:
        raise ShapeError(
            f"{name}: a window of {span} does not fit in {size + 2 * padding}",
            "use a smaller kernel_size, more padding, or fewer pooling layers in front",
        )
    return places
