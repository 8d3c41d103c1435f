"""Where augmentations take their pixels from, against plain loops that are written from the definitions."""

from __future__ import annotations

import colorsys
import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from engine.parts.augmentation import Augmentation
from engine.train.build.augmentation import APPLY, PLAN, Augmenter
from engine.train.build.augmentations import gather, stretch
from engine.train.build.augmentations.draws import keys_of
from engine.train.build.augmentations.moves import moved
from tests.engine.train.build.cases import part

ROWS = 24
SHAPES = [(1, 6, 6), (3, 5, 8), (1, 9, 4), (2, 1, 7)]
Image = list[list[list[float]]]


def images(shape: tuple[int, int, int], rows: int = ROWS) -> torch.Tensor:
    return torch.rand(rows, *shape, generator=torch.Generator().manual_seed(1)) + 0.1


def drawn(made: Augmentation, shape: tuple[int, ...], rows: int = ROWS) -> Any:
    return PLAN[made.type_name()](made, keys_of(7, 3, 0, np.arange(rows)), shape)


def applied(made: Augmentation, x: torch.Tensor) -> torch.Tensor:
    return APPLY[made.type_name()](made, x, torch.from_numpy(drawn(made, x.shape[1:], len(x))))


def looped(x: torch.Tensor, value: Any) -> torch.Tensor:
    """Every pixel by itself: value(sample, channel, row, column)."""
    result = torch.empty_like(x)
    for place in np.ndindex(*x.shape):
        result[place] = value(*place)
    return result


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("degrees", [10.0, 45.0, 90.0, 180.0])
def test_nearest_rotation(shape: tuple[int, int, int], degrees: float) -> None:
    made = part("augmentation", "RandomRotation", degrees=degrees, fill=0.5)
    x, plan = images(shape), drawn(made, shape)
    result = applied(made, x)
    _, height, width = shape
    compared = 0
    for sample, channel, row, column in np.ndindex(*x.shape):
        angle = math.radians((plan[sample] / made.turns - 1) * degrees)
        down, right = row - (height - 1) / 2, column - (width - 1) / 2
        source_row = math.sin(angle) * right + math.cos(angle) * down + (height - 1) / 2
        source_column = math.cos(angle) * right - math.sin(angle) * down + (width - 1) / 2
        if any(abs(place - math.floor(place) - 0.5) < 1e-3 for place in (source_row, source_column)):
            continue  # between two pixels: either is the nearest
        i, j = round(source_row), round(source_column)
        inside = 0 <= i < height and 0 <= j < width
        expected = x[sample, channel, i, j] if inside else 0.5
        assert result[sample, channel, row, column] == expected
        compared += 1
    assert compared > 0.8 * x.numel()


@pytest.mark.parametrize("shape", SHAPES)
def test_bilinear_rotation(shape: tuple[int, int, int]) -> None:
    made = part("augmentation", "RandomRotation", degrees=60.0, interpolation="bilinear", fill=0.25)
    x, plan = images(shape, 8), drawn(made, shape, 8)
    _, height, width = shape

    def value(sample: int, channel: int, row: int, column: int) -> float:
        angle = math.radians((plan[sample] / made.turns - 1) * 60.0)
        down, right = row - (height - 1) / 2, column - (width - 1) / 2
        r = math.sin(angle) * right + math.cos(angle) * down + (height - 1) / 2
        c = math.cos(angle) * right - math.sin(angle) * down + (width - 1) / 2
        total = 0.0
        for i in (math.floor(r), math.floor(r) + 1):
            for j in (math.floor(c), math.floor(c) + 1):
                inside = 0 <= i < height and 0 <= j < width
                pixel = float(x[sample, channel, i, j]) if inside else 0.25
                total += (1 - abs(r - i)) * (1 - abs(c - j)) * pixel
        return total

    assert torch.allclose(applied(made, x), looped(x, value), atol=1e-4)


def test_positive_angles_turn_against_the_clock() -> None:
    quarter = part("augmentation", "RandomRotation", degrees=90.0)
    for interpolation in ("nearest", "bilinear"):
        quarter = part("augmentation", "RandomRotation", degrees=90.0, interpolation=interpolation)
        for size in ((4, 4), (5, 5)):
            x = torch.rand(1, 2, *size)
            turned = APPLY["RandomRotation"](quarter, x, torch.tensor([2 * quarter.turns]))
            assert torch.allclose(turned, x.rot90(1, (2, 3)), atol=1e-5)
            turned = APPLY["RandomRotation"](quarter, x, torch.tensor([0]))
            assert torch.allclose(turned, x.rot90(-1, (2, 3)), atol=1e-5)
        # A bar one pixel wide keeps its length when it is turned within an image that is not square.
        x = torch.zeros(1, 1, 9, 15)
        x[..., 4, 5:10] = 1.0
        expected = torch.zeros(1, 1, 9, 15)
        expected[..., 2:7, 7] = 1.0
        turned = APPLY["RandomRotation"](quarter, x, torch.tensor([0]))
        assert torch.allclose(turned, expected, atol=1e-4)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("padding", [2, [1, 2], [3, 0, 1, 2]])
@pytest.mark.parametrize("mode", ["constant", "edge", "reflect", "symmetric"])
def test_crop(shape: tuple[int, int, int], padding: int | list[int], mode: str) -> None:
    made = part("augmentation", "RandomCrop", padding=padding, padding_mode=mode, fill=0.75)
    _, height, width = shape
    left, top, right, bottom = made.around
    if mode == "reflect" and (max(top, bottom) >= height or max(left, right) >= width):
        return
    if mode == "symmetric" and (max(top, bottom) > height or max(left, right) > width):
        return
    x, plan = images(shape), drawn(made, shape)
    name = {"constant": {"mode": "constant", "constant_values": 0.75}}.get(mode, {"mode": mode})
    padded = np.pad(x.numpy(), ((0, 0), (0, 0), (top, bottom), (left, right)), **name)
    windows = [(i, j) for i in range(top + bottom + 1) for j in range(left + right + 1)]
    expected = looped(x, lambda n, c, i, j: padded[n, c, windows[plan[n]][0] + i, windows[plan[n]][1] + j].item())
    assert torch.equal(applied(made, x), expected)
    everywhere = drawn(made, shape, 4000)
    assert set(everywhere.tolist()) == set(range(len(windows)))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("interpolation", "corners"), [("nearest", None), ("bilinear", False)])
def test_resized_pieces(shape: tuple[int, int, int], interpolation: str, corners: bool | None) -> None:
    made = part("augmentation", "RandomResizedCrop", interpolation=interpolation)
    x, plan = images(shape), drawn(made, shape)

    def piece(sample: int) -> torch.Tensor:
        top, left, h, w = plan[sample].tolist()
        cut = x[sample : sample + 1, :, top : top + h, left : left + w]
        return functional.interpolate(cut, shape[1:], mode=interpolation, align_corners=corners)

    assert torch.allclose(applied(made, x), torch.cat([piece(sample) for sample in range(ROWS)]), atol=1e-5)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", ["RandomHorizontalFlip", "RandomVerticalFlip"])
def test_flips(shape: tuple[int, int, int], name: str) -> None:
    made = part("augmentation", name)
    x, plan = images(shape), drawn(made, shape)
    _, height, width = shape

    def value(n: int, c: int, i: int, j: int) -> float:
        if name == "RandomHorizontalFlip":
            return float(x[n, c, i, width - 1 - j if plan[n] else j])
        return float(x[n, c, height - 1 - i if plan[n] else i, j])

    assert torch.equal(applied(made, x), looped(x, value))


@pytest.mark.parametrize("value", [0.0, 0.3, "random"])
def test_erasing(value: Any) -> None:
    made = part("augmentation", "RandomErasing", p=0.8, value=value)
    x, plan = images((3, 9, 12)), drawn(made, (3, 9, 12))
    result = applied(made, x)
    assert (plan[:, 2] > 0).any() and (plan[:, 2] == 0).any()
    for n, c, i, j in np.ndindex(*x.shape):
        top, left, h, w = plan[n, :4]
        if top <= i < top + h and left <= j < left + w:
            assert result[n, c, i, j] == value or value == "random"
        else:
            assert result[n, c, i, j] == x[n, c, i, j]
    if value == "random":
        painted = result[result != x]
        assert abs(float(painted.mean())) < 0.2 and float(painted.std()) == pytest.approx(1.0, abs=0.15)


# Colours


def cut(value: float) -> float:
    return min(max(value, 0.0), 1.0)


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_colours(channels: int) -> None:
    shape = (channels, 4, 5)
    x = torch.rand(ROWS, *shape, generator=torch.Generator().manual_seed(2))
    x[0, :, 0, 0], x[0, :, 0, 1] = 0.0, 0.5  # no hue
    x[0, 0, 0, 2] = 1.0
    reaches = {"brightness": 0.5, "contrast": 1.5, "saturation": 0.7, "hue": 0.5}
    for name, reach in reaches.items():
        made = part("augmentation", "ColorJitter", **{name: reach})
        plan = drawn(made, shape)
        column = plan[:, list(reaches).index(name)]
        low, high = (-reach, reach) if name == "hue" else (max(0.0, 1 - reach), 1 + reach)
        assert low <= column.min() < low + 0.4 and high - 0.4 < column.max() <= high
        result = applied(made, x)
        for n in range(ROWS):
            f = float(column[n])
            pixels = x[n].reshape(channels, -1).T.tolist()
            grey = [0.2989 * p[0] + 0.587 * p[1] + 0.114 * p[2] if channels == 3 else sum(p) / len(p) for p in pixels]
            mean = sum(grey) / len(grey)
            expected = []
            for pixel, light in zip(pixels, grey, strict=True):
                if name == "brightness":
                    expected.append([cut(f * value) for value in pixel])
                elif name == "contrast":
                    expected.append([cut(f * value + (1 - f) * mean) for value in pixel])
                elif channels != 3:
                    expected.append(pixel)
                elif name == "saturation":
                    expected.append([cut(f * value + (1 - f) * light) for value in pixel])
                else:
                    hue, saturation, brightness = colorsys.rgb_to_hsv(*pixel)
                    expected.append(list(colorsys.hsv_to_rgb((hue + f) % 1.0, saturation, brightness)))
            assert torch.allclose(result[n].reshape(channels, -1).T, torch.tensor(expected), atol=2e-5)


def test_colours_change_in_order() -> None:
    reaches = {"brightness": 0.5, "contrast": 0.5, "saturation": 0.5, "hue": 0.25}
    x = images((3, 4, 5)).clamp(0, 1)
    whole = part("augmentation", "ColorJitter", **reaches)
    plan = torch.from_numpy(drawn(whole, (3, 4, 5)))
    expected = x
    for name in reaches:
        expected = APPLY["ColorJitter"](part("augmentation", "ColorJitter", **{name: reaches[name]}), expected, plan)
    assert torch.equal(APPLY["ColorJitter"](whole, x, plan), expected)
    assert float(expected.min()) >= 0 and float(expected.max()) <= 1


# Many moves as one


MOVES = st.sampled_from(
    [
        ("RandomRotation", {"degrees": 30.0}),
        ("RandomRotation", {"degrees": 170.0, "fill": 0.5}),
        ("RandomHorizontalFlip", {}),
        ("RandomVerticalFlip", {"p": 0.3}),
        ("RandomCrop", {"padding": 1}),
        ("RandomCrop", {"padding": [2, 1], "padding_mode": "reflect"}),
        ("RandomCrop", {"padding": 1, "fill": 0.5}),
        ("RandomResizedCrop", {"interpolation": "nearest"}),
        ("RandomErasing", {}),
    ]
)


@settings(max_examples=60, deadline=None)
@given(
    chosen=st.lists(MOVES, min_size=1, max_size=6),
    shape=st.sampled_from([(1, 6, 6), (3, 5, 8)]),
    largest=st.sampled_from([1, 40, 3000, 1 << 22]),
)
def test_moves_at_once_are_moves_one_by_one(
    chosen: list[tuple[str, dict[str, Any]]], shape: tuple[int, int, int], largest: int
) -> None:
    """To the last bit, with whatever fits into tables."""
    parts = [part("augmentation", name, **settings_) for name, settings_ in chosen]
    x = images(shape)
    usual = gather.LARGEST_TABLE
    gather.LARGEST_TABLE = largest
    try:
        augmenter = Augmenter(parts, 5, "cpu")
        together, _ = augmenter(x, torch.arange(ROWS), 2)
    finally:
        gather.LARGEST_TABLE = usual
    for made, plan in zip(parts, augmenter.plans(2, ROWS, shape), strict=True):
        x = APPLY[made.type_name()](made, x, plan)
    assert torch.equal(together, x)


@settings(max_examples=60, deadline=None)
@given(
    before=st.lists(MOVES, max_size=2),
    chosen=st.lists(MOVES, max_size=4),
    shape=st.sampled_from([(1, 6, 6), (3, 5, 8), (2, 1, 4), (1, 4, 1)]),
    largest=st.sampled_from([1, 100, 1 << 22]),
)
def test_moves_behind_a_stretched_piece_are_moves_one_by_one(
    before: list[tuple[str, dict[str, Any]]],
    chosen: list[tuple[str, dict[str, Any]]],
    shape: tuple[int, int, int],
    largest: int,
) -> None:
    made = [("RandomResizedCrop", {"scale": [0.3, 1.0]}), ("RandomCrop", {"padding": [1, 0], "padding_mode": "edge"})]
    parts = [part("augmentation", name, **settings_) for name, settings_ in [*before, *made, *chosen]]
    parts = [each for each in parts if getattr(each, "padding_mode", "") != "reflect" or min(shape[1:]) > 2]
    x = images(shape)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stretch, "LARGEST_TABLE", largest)
        augmenter = Augmenter(parts, 5, "cpu")
        together, _ = augmenter(x, torch.arange(ROWS), 2)
    for each, plan in zip(parts, augmenter.plans(2, ROWS, shape), strict=True):
        if not each.idle(shape):
            x = APPLY[each.type_name()](each, x, plan)
    assert torch.allclose(together, x, atol=1e-6)


def test_flips_and_crops_without_a_colour_of_their_own_go_along_with_a_stretched_piece() -> None:
    taken = stretch.Stretch(0, 6, 8, torch.device("cpu"))
    assert taken.take(1, part("augmentation", "RandomHorizontalFlip"))
    assert taken.take(2, part("augmentation", "RandomCrop", padding=2))
    assert not taken.take(3, part("augmentation", "RandomCrop", padding=2, fill=0.5))
    assert not taken.take(3, part("augmentation", "RandomRotation"))


def test_tables_stay_within_their_bound() -> None:
    wild = [(0, part("augmentation", "RandomRotation", degrees=180.0))]
    wild += [(number, part("augmentation", "RandomHorizontalFlip")) for number in range(1, 9)]
    for side in (28, 64, 224, 600):
        for group in gather.tabled(wild, side * side):
            entries = math.prod(gather.variants_of(each) for _, each in group) * side * side
            assert entries <= gather.LARGEST_TABLE or len(group) == 1


def test_places_outside_are_filled() -> None:
    x = torch.arange(6, dtype=torch.uint8).view(1, 1, 2, 3)
    index = torch.tensor([[6, 0, 5, 1, 6, 2]])
    assert moved(x, index, 0.0).flatten().tolist() == [0, 0, 5, 1, 0, 2]
