"""What every layer has: a name, an initialisation, and the arithmetic of shapes and parameters."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import field_validator

from engine.parts.part import Part, Shape, setting


class Init(Part):
    """How the weights of a layer start. Biases start at zero under every scheme but torch's own."""

    family: ClassVar[str] = "init"


class Layer(Part):
    """One row of the model."""

    family: ClassVar[str] = "layer"

    name: str | None = setting(None, help="a name of your own, to point at the layer in edits and findings")

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

    @field_validator("init", mode="before")
    @classmethod
    def _only_parts(cls, value: Any) -> Any:
        return value
