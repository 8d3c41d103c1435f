"""Augmentations: each sample has draws of its own, whatever the batches are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.errors import UserError
from engine.parts.augmentation import Augmentation
from engine.parts.part import names
from engine.recipe.schema import Data
from engine.train.build import augmentation
from engine.train.build.augmentation import APPLY, PLAN, Augmenter, Mix, build_augmentation
from engine.train.build.augmentations.draws import keys_of, unit, whole
from engine.train.build.augmentations.values import mixing, normal, stock
from tests.engine.train.build.cases import part, recipe

ALL = names("augmentation")
USEFUL: dict[str, dict[str, Any]] = {
    "RandomCrop": {"padding": 2},
    "ColorJitter": {"brightness": 0.4, "contrast": 0.4, "saturation": 0.4, "hue": 0.2},
    "Normalize": {"mean": [0.3], "std": [0.6]},
}
"""Settings of those that need some to do anything."""
OWN = [name for name in ALL if name != "Mixup"]
"""Those that change each sample by itself."""
SHAPES = [(1, 6, 5), (3, 5, 8)]


def images(shape: tuple[int, ...] = (3, 5, 8), rows: int = 40, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    values = torch.randint(0, 256, (rows, *shape), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    return values if dtype == torch.uint8 else values.float() / 255


def useful(name: str, **settings: Any) -> Any:
    return part("augmentation", name, **(USEFUL.get(name, {}) | settings))


def augment(*parts: object, seed: int = 0) -> Augmenter:
    whole = recipe(seed=seed, data=Data(source=part("source", "Builtin", name="digits"), augment=list(parts)))
    made = build_augmentation(whole, "cpu")
    assert made is not None
    return made


def changed(made: Augmenter, x: torch.Tensor, epoch: int = 0) -> torch.Tensor:
    return made(x, torch.arange(len(x)), epoch)[0]


def test_a_recipe_without_augmentation_has_none() -> None:
    assert build_augmentation(recipe(), "cpu") is None


@pytest.mark.parametrize("name", ALL)
def test_there_is_one_builder(name: str) -> None:
    assert name in PLAN
    assert (name in APPLY) == (name != "Mixup")


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data(), size=st.integers(1, 40), epoch=st.integers(0, 3), seed=st.integers(0, 3))
def test_what_happens_to_a_sample_depends_on_seed_and_epoch_alone(
    data: st.DataObject, size: int, epoch: int, seed: int
) -> None:
    """Whatever the list, and to the last bit: neither order nor size of the batches, nor what else is in them."""
    shape = data.draw(st.sampled_from(SHAPES))
    chosen = data.draw(st.lists(st.sampled_from(OWN), min_size=1, max_size=5))
    order = data.draw(st.permutations(range(40)))
    parts = [useful(name) for name in chosen]
    x = images(shape)
    whole = augment(*parts, seed=seed)(x, torch.arange(40), epoch)[0]
    fresh = augment(*parts, seed=seed)
    for start in range(0, 40, size):
        positions = torch.tensor(order[start : start + size])
        assert torch.equal(fresh(x[positions], positions, epoch, start)[0], whole[positions])


@pytest.mark.parametrize("name", OWN)
def test_samples_beyond_those_drawn_at_once_are_drawn_alike(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made, x = augment(useful(name)), images()
    expected = changed(made, x)
    monkeypatch.setattr(augmentation, "ROWS", 16)
    fresh = augment(useful(name))
    for start in (0, 3, 25):
        here = torch.arange(start, start + 10)
        assert torch.equal(fresh(x[here], here, 0)[0], expected[here])
    assert torch.equal(fresh.change(x, fresh.plans(0, 40, x.shape[1:])), expected)


@pytest.mark.parametrize("name", OWN)
def test_epochs_and_samples_differ(name: str) -> None:
    made = augment(useful(name))
    same = images()[:1].expand(40, -1, -1, -1)
    first, second = changed(made, same), changed(made, same, 1)
    assert torch.equal(changed(made, same), first)
    assert first.shape == same.shape and first.dtype == same.dtype
    if name == "Normalize":
        return
    assert not torch.equal(first, second)
    different = len({tuple(row.flatten().tolist()) for row in first})
    least = {
        "RandomHorizontalFlip": 2,
        "RandomVerticalFlip": 2,
        "RandomErasing": 12,
        "RandomCrop": 16,
        "RandomRotation": 4,
    }
    assert different >= least.get(name, 20)
    assert not torch.equal(first, changed(augment(useful(name), seed=1), same))


@pytest.mark.parametrize("name", OWN)
def test_two_of_a_kind_draw_by_themselves(name: str) -> None:
    keys = [keys_of(3, 1, number, np.arange(100)) for number in range(2)]
    assert not (keys[0] == keys[1]).any()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", ALL)
def test_bytes_are_changed_as_their_floats_are(name: str, shape: tuple[int, ...]) -> None:
    """Pixels may be moved while they are bytes; what comes out has the same bits."""
    for parts in ([useful(name)], [useful("RandomRotation"), useful(name), useful("RandomHorizontalFlip")]):
        raw = images(shape, dtype=torch.uint8)
        scaled = raw.float() * (1 / 255)
        positions = torch.arange(40)
        from_bytes, _ = augment(*parts)(raw, positions, 0, 0, lambda x: x.float() * (1 / 255))
        from_floats, _ = augment(*parts)(scaled, positions, 0)
        assert from_bytes.dtype == torch.float32
        assert torch.equal(from_bytes, from_floats)
        assert torch.equal(raw, images(shape, dtype=torch.uint8)), "the batch itself stays as it was"
        assert torch.equal(scaled, raw.float() * (1 / 255))


IDLE = [
    ("RandomRotation", {"degrees": 0.0}),
    ("RandomRotation", {"degrees": 0.0, "interpolation": "bilinear"}),
    ("RandomHorizontalFlip", {"p": 0.0}),
    ("RandomVerticalFlip", {"p": 0.0}),
    ("RandomCrop", {}),
    ("RandomCrop", {"padding": 0}),
    ("RandomResizedCrop", {"scale": [1.0, 1.0], "ratio": [8 / 5, 8 / 5]}),
    ("RandomResizedCrop", {"scale": [1.0, 1.0], "ratio": [8 / 5, 8 / 5], "interpolation": "nearest"}),
    ("ColorJitter", {}),
    ("RandomErasing", {"p": 0.0}),
    ("GaussianNoise", {"std": 0.0}),
    ("Normalize", {"mean": [0.0], "std": [1.0]}),
]


@pytest.mark.parametrize(("name", "settings_"), IDLE)
def test_settings_that_change_nothing_change_no_bit(name: str, settings_: dict[str, Any]) -> None:
    made, x = part("augmentation", name, **settings_), images()
    assert made.idle((3, 5, 8))
    assert torch.equal(changed(augment(made), x), x)
    plan = torch.from_numpy(PLAN[name](made, keys_of(0, 0, 0, np.arange(40)), (3, 5, 8)))
    if (
        settings_.get("interpolation") != "bilinear" or name != "RandomRotation"
    ):  # the grid of torch has other roundings
        assert torch.equal(APPLY[name](made, x, plan), x)


@pytest.mark.parametrize("name", ALL)
def test_useful_settings_are_not_idle(name: str) -> None:
    assert not useful(name).idle((3, 5, 8))


def test_gray_images_have_no_colours() -> None:
    coloured = part("augmentation", "ColorJitter", saturation=0.5, hue=0.3)
    assert coloured.idle((1, 5, 8)) and not coloured.idle((3, 5, 8))
    x = images((1, 5, 8))
    assert torch.equal(changed(augment(coloured, useful("RandomHorizontalFlip", p=1.0)), x), x.flip(-1))


def test_a_part_without_a_builder_is_said_plainly() -> None:
    class Own(Augmentation):
        """An augmentation of somebody's own."""

    with pytest.raises(UserError, match="does not know how to apply Own"):
        Augmenter([Own()], 0, "cpu")


# What is drawn


def test_draws_are_even() -> None:
    keys = keys_of(5, 2, 1, np.arange(20_000))
    for draw in range(3):
        numbers = unit(keys, draw)
        assert numbers.min() >= 0 and numbers.max() < 1
        counts = np.histogram(numbers, bins=20, range=(0, 1))[0]
        assert float(((counts - 1000) ** 2 / 1000).sum()) < 50  # chi squared of 19 degrees: 43.8 at one in a thousand
    assert abs(np.corrcoef(unit(keys, 0), unit(keys, 1))[0, 1]) < 0.03
    assert abs(np.corrcoef(unit(keys[1:], 0), unit(keys[:-1], 0))[0, 1]) < 0.03
    assert set(whole(keys, 0, 7).tolist()) == set(range(7))


@pytest.mark.parametrize(("name", "axis"), [("RandomHorizontalFlip", -1), ("RandomVerticalFlip", -2)])
def test_flips_mirror_a_share_of_the_images(name: str, axis: int) -> None:
    x = torch.arange(12.0).reshape(1, 2, 2, 3).expand(4000, -1, -1, -1)
    result = changed(augment(part("augmentation", name, p=0.3)), x)
    mirrored = (result == x.flip(axis)).flatten(1).all(1)
    assert ((result == x).flatten(1).all(1) | mirrored).all()
    assert abs(int(mirrored.sum()) - 1200) < 4 * (4000 * 0.3 * 0.7) ** 0.5
    assert torch.equal(changed(augment(part("augmentation", name, p=1.0)), x), x.flip(axis))


def test_angles_are_even() -> None:
    turns = part("augmentation", "RandomRotation", degrees=10.0)
    assert turns.turns == 40
    drawn = PLAN["RandomRotation"](turns, keys_of(0, 0, 0, np.arange(20_000)), (1, 4, 4))
    counts = np.bincount(drawn, minlength=81)
    assert len(counts) == 81
    assert float(((counts - 20_000 / 81) ** 2 / (20_000 / 81)).sum()) < 130  # of 80 degrees: 124.8 at one in a thousand


def test_erased_shares_and_areas() -> None:
    erasing = part("augmentation", "RandomErasing", p=0.4)
    boxes = PLAN["RandomErasing"](erasing, keys_of(0, 0, 0, np.arange(4000)), (3, 40, 30))[:, :4]
    hit = boxes[:, 2] > 0
    assert abs(int(hit.sum()) - 1600) < 4 * (4000 * 0.4 * 0.6) ** 0.5
    assert (boxes[~hit] == 0).all()
    top, left, height, width = boxes[hit].T
    assert (top >= 0).all() and (left >= 0).all() and (top + height <= 40).all() and (left + width <= 30).all()
    area = height * width / 1200
    assert 0.01 < area.min() < 0.03 and 0.3 < area.max() < 0.36
    assert abs(float(area.mean()) - 0.17) < 0.02  # of 0.02 to 0.33, less what does not fit
    shape = np.log(height / width)
    assert shape.min() > np.log(0.25) and shape.max() < np.log(4)


@pytest.mark.parametrize("size", [(32, 32), (20, 45), (45, 7), (1, 9)])
def test_pieces_lie_in_the_image(size: tuple[int, int]) -> None:
    height, width = size
    crop = part("augmentation", "RandomResizedCrop")
    top, left, h, w = PLAN["RandomResizedCrop"](crop, keys_of(0, 0, 0, np.arange(3000)), (3, *size)).T
    assert (top >= 0).all() and (left >= 0).all() and (h > 0).all() and (w > 0).all()
    assert (top + h <= height).all() and (left + w <= width).all()
    if size == (32, 32):
        share = h * w / 1024
        assert abs(float(share.mean()) - 0.5) < 0.03 and share.min() > 0.06
        assert 0.65 < float((w / h).min()) < 0.8 < 1.25 < float((w / h).max()) < 1.5


def test_noise_is_normal_and_works_on_rows() -> None:
    x = torch.zeros(2000, 50)
    result = changed(augment(part("augmentation", "GaussianNoise", std=2.0)), x)
    assert float(result.mean()) == pytest.approx(0.0, abs=0.03)
    assert float(result.std()) == pytest.approx(2.0, rel=0.02)
    ordered = torch.sort(result.flatten() / 2).values.double()
    reached = (torch.arange(len(ordered)) + 0.5) / len(ordered)
    assert float((torch.special.ndtr(ordered) - reached).abs().max()) < 0.006  # Kolmogorov: 0.0062 at one in a thousand
    columns = torch.corrcoef(result.T)
    assert float((columns - torch.eye(50)).abs().max()) < 0.15
    neighbours = torch.corrcoef(result[:50])
    assert float((neighbours - torch.eye(50)).abs().max()) < 0.75


def test_noise_of_awkward_keys() -> None:
    keys = torch.tensor([[0], [-1], [2**63 - 1], [-(2**63)]])
    for count in (1, 8, 17, 256, 257, 3001):
        values = normal(keys, count, 1.0)
        assert values.shape == (4, count)
        assert torch.isfinite(values).all()
        assert len(values.flatten().unique()) > 0.97 * 4 * count


def test_samples_seldom_share_noise() -> None:
    """However many there are: pieces of a stock come from places of their own."""
    keys = torch.from_numpy(keys_of(0, 0, 0, np.arange(20_000)).view(np.int64)).view(-1, 1)
    assert len(normal(keys, 30, 1.0).unique(dim=0)) == 20_000
    first = normal(keys, 8, 1.0)[:, 0]
    assert len(first.unique()) > 19_000
    whole = stock(1.0, torch.device("cpu"))
    assert float(whole[: 2**18].mean()) == pytest.approx(0, abs=1e-6)
    assert float(whole[: 2**18].double().std()) == pytest.approx(1, abs=1e-5)
    neighbours = torch.corrcoef(torch.stack([whole[:-1], whole[1:]]))
    assert abs(float(neighbours[0, 1])) < 0.01


def test_clipped_noise_stays_within_bounds() -> None:
    result = changed(augment(part("augmentation", "GaussianNoise", std=1.0, clip=True)), images())
    assert float(result.min()) == 0 and float(result.max()) == 1


# Mixup


def test_mixup_mixes_samples_and_losses() -> None:
    x, made = images(), augment(useful("Mixup", alpha=0.4))
    assert made.mixes
    result, mix = made(x, torch.arange(40), 2, 5)
    assert mix is not None
    assert sorted(mix.partner.tolist()) == list(range(40))
    assert 0 <= float(mix.weight) <= 1
    expected = x * mix.weight + x[mix.partner] * (1 - mix.weight)
    assert torch.allclose(result, expected, atol=1e-6)
    outputs, targets = torch.randn(40, 3), torch.arange(40) % 3
    for weight in (None, torch.tensor([1.0, 5.0, 0.2])):
        criterion = torch.nn.CrossEntropyLoss(weight=weight)
        both = criterion(outputs, targets), criterion(outputs, targets[mix.partner])
        assert torch.allclose(mix.loss(criterion, outputs, targets), mix.weight * both[0] + (1 - mix.weight) * both[1])


def test_mixed_weighted_losses_have_one_denominator() -> None:
    """The mean of a weighted loss mixed is the loss of every sample, mixed, over the sum of the weights."""
    weight = torch.tensor([1.0, 5.0, 0.2], dtype=torch.float64)
    outputs, targets = torch.randn(30, 3, dtype=torch.float64), torch.arange(30) % 3
    mix = Mix(torch.tensor(0.3), torch.from_numpy(np.random.default_rng(0).permutation(30)))
    each = torch.nn.CrossEntropyLoss(weight=weight, reduction="none")
    total = 0.3 * each(outputs, targets) + 0.7 * each(outputs, targets[mix.partner])
    mixed = mix.loss(torch.nn.CrossEntropyLoss(weight=weight), outputs, targets)
    assert float(mixed) == pytest.approx(float(total.sum() / weight[targets].sum()), rel=1e-6)


def test_shares_come_from_the_step_and_lie_as_beta_numbers_do() -> None:
    shares = np.array([mixing(0, step // 50, 0, step % 50, 8, 0.5)[0] for step in range(3000)])
    assert len(set(shares.tolist())) > 2900
    assert abs(float(shares.mean()) - 0.5) < 0.03
    assert float(shares.var()) == pytest.approx(1 / 8, rel=0.1)  # of Beta(a, a): 1 / (4 (2 a + 1))
    first, second = mixing(1, 2, 0, 3, 64, 1.0), mixing(1, 2, 0, 3, 64, 1.0)
    assert first[0] == second[0] and (first[1] == second[1]).all()
    assert mixing(1, 2, 0, 4, 64, 1.0)[0] != first[0]


def test_mixup_works_on_rows_and_within_a_list() -> None:
    rows = torch.randn(9, 4)
    made = augment(useful("GaussianNoise"), useful("Mixup"), useful("GaussianNoise"))
    result, mix = made(rows, torch.arange(9), 0, 0)
    assert result.shape == rows.shape and mix is not None
    again, _ = made(rows, torch.arange(9), 0, 0)
    assert torch.equal(result, again)


# What belongs to every row


def test_normalize_is_for_every_row_and_nothing_else_is() -> None:
    x = images()
    made = augment(*(useful(name) for name in ALL))
    assert torch.equal(made.steady(x), (x - 0.3) / 0.6)
    assert torch.equal(augment(useful("GaussianNoise")).steady(x), x)
    by_channel = augment(part("augmentation", "Normalize", mean=[0.1, 0.2, 0.3], std=[1.0, 2.0, 4.0]))
    mean, std = torch.tensor([0.1, 0.2, 0.3]).view(3, 1, 1), torch.tensor([1.0, 2.0, 4.0]).view(3, 1, 1)
    assert torch.equal(changed(by_channel, x), (x - mean) / std)
