"""The part of the file that changes training batches at random, with the draws that goodfit makes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from engine.errors import UserError
from engine.export.script import Script
from engine.parts.augmentation import Augmentation

UNIT = '''
def unit(raw: np.ndarray) -> np.ndarray:
    """64 random bits as a number in [0, 1)."""
    return (raw >> np.uint64(11)).astype(np.float64) * 2.0**-53
'''

NORMAL = '''
def normal(key: torch.Tensor, count: int) -> torch.Tensor:
    """(B, count) normal numbers from a key a sample: splitmix64 over a counter, then Box-Muller."""
    def uniform(counter: torch.Tensor) -> torch.Tensor:
        bits = key + (counter + 1) * -7046029254386353131
        bits = (bits ^ shift(bits, 30)) * -4658895280553007687
        bits = (bits ^ shift(bits, 27)) * -7723592293110705685
        bits = bits ^ shift(bits, 31)
        return (shift(bits, 41).float() + 0.5) / float(1 << 23)

    def shift(bits: torch.Tensor, by: int) -> torch.Tensor:
        return (bits >> by) & ((1 << (64 - by)) - 1)

    counter = torch.arange(count, device=key.device, dtype=torch.int64).reshape(1, -1)
    first, second = uniform(2 * counter), uniform(2 * counter + 1)
    return torch.sqrt(-2.0 * torch.log(first)) * torch.cos(2.0 * math.pi * second)
'''


def write_augmentation(script: Script, augmentations: list[Augmentation]) -> None:
    """Define `augment(x, rows, epoch, draws)` and `draw(epoch, count, shape)`."""
    script.use("import numpy as np", "import torch", "import math")
    draws, changes = [], []
    for number, part in enumerate(augmentations):
        writer = EXPORTERS.get(part.type_name())
        if writer is None:
            raise UserError(
                f"{part.type_name()} cannot be written as code", "choose an augmentation that comes with goodfit"
            )
        plan, change = writer(script, part)
        draws.append(f"    raw = np.random.default_rng([SEED, epoch, {number}]).bit_generator.random_raw(count)")
        draws += [f"    {line}" for line in plan]
        changes.append(f"    plan = draws[{number}][rows]")
        changes += [f"    {line}" for line in change]
    script.define(
        "\n".join(
            [
                "def draw(epoch: int, count: int, shape: tuple[int, ...]) -> list[torch.Tensor]:",
                '    """What happens to every sample in an epoch, row i for sample i."""',
                "    plans = []",
                *draws,
                "    return [torch.from_numpy(plan).to(DEVICE) for plan in plans]",
            ]
        )
    )
    script.define(
        "\n".join(
            [
                "def augment(x: torch.Tensor, rows: torch.Tensor, draws: list[torch.Tensor]) -> torch.Tensor:",
                '    """The batch, changed; `rows` say which samples it holds."""',
                *changes,
                "    return x",
            ]
        )
    )


Pieces = tuple[list[str], list[str]]


def _rotation(script: Script, part: Any) -> Pieces:
    script.define(UNIT)
    script.use("from torch.nn import functional")
    plan = [
        f"angle = (2.0 * unit(raw) - 1.0) * math.radians({part.degrees!r})",
        "height, width = shape[-2:]",
        "cos, sin, zero = np.cos(angle), np.sin(angle), np.zeros_like(angle)",
        "maps = [[cos, -sin * height / width, zero], [sin * width / height, cos, zero]]",
        "plans.append(np.stack([np.stack(row, axis=-1) for row in maps], axis=-2).astype(np.float32))",
    ]
    change = [
        "grid = functional.affine_grid(plan, list(x.shape), align_corners=False)",
        'x = functional.grid_sample(x, grid, mode="bilinear", padding_mode="zeros", align_corners=False)',
    ]
    return plan, change


def _flip(script: Script, part: Any) -> Pieces:
    script.define(UNIT)
    return [f"plans.append((unit(raw) < {part.p!r}).reshape(-1, 1, 1, 1))"], ["x = torch.where(plan, x.flip(-1), x)"]


def _noise(script: Script, part: Any) -> Pieces:
    script.define(NORMAL)
    return (
        ["plans.append(raw.view(np.int64).reshape(-1, 1))"],
        [f"x = x + {part.std!r} * normal(plan, x[0].numel()).reshape(x.shape)"],
    )


EXPORTERS: dict[str, Callable[[Script, Any], Pieces]] = {
    "RandomRotation": _rotation,
    "RandomHorizontalFlip": _flip,
    "GaussianNoise": _noise,
}
"""Writers of augmentations: what each sample draws in an epoch, and how a batch is changed by it."""
