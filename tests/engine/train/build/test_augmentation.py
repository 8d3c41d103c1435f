"""Augmentations: each sample has draws of its own, whatever the batches are."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.parts.part import names
from engine.recipe.schema import Data
from engine.train.build.augmentation import APPLY, PLAN, Augmenter, build_augmentation, normal
from tests.engine.train.build.cases import part, recipe

ALL = names("augmentation")
IMAGES = torch.rand(40, 2, 6, 5, generator=torch.Generator().manual_seed(0))


def augment(*parts: object, seed: int = 0) -> Augmenter:
    whole = recipe(seed=seed, data=Data(source=part("source", "Builtin", name="digits"), augment=list(parts)))
    made = build_augmentation(whole, "cpu")
    assert made is not None
    return made


def test_a_recipe_without_augmentation_has_none() -> None:
    assert build_augmentation(recipe(), "cpu") is None


@pytest.mark.parametrize("name", ALL)
def test_there_is_one_builder(name: str) -> None:
    assert name in PLAN and name in APPLY


@settings(max_examples=25, deadline=None)
@given(order=st.permutations(range(40)), size=st.integers(1, 40), epoch=st.integers(0, 3), seed=st.integers(0, 3))
def test_what_happens_to_a_sample_depends_on_seed_and_epoch_alone(
    order: list[int], size: int, epoch: int, seed: int
) -> None:
    parts = [part("augmentation", name) for name in ALL]
    whole = augment(*parts, seed=seed)(IMAGES, torch.arange(40), epoch)[0]
    fresh = augment(*parts, seed=seed)
    for start in range(0, 40, size):
        positions = torch.tensor(order[start : start + size])
        assert torch.allclose(fresh(IMAGES[positions], positions, epoch, start)[0], whole[positions], atol=1e-6)


@pytest.mark.parametrize("name", ALL)
def test_epochs_and_samples_differ(name: str) -> None:
    made = augment(part("augmentation", name))
    same = IMAGES[:1].expand(40, -1, -1, -1)
    first, second = made(same, torch.arange(40), 0)[0], made(same, torch.arange(40), 1)[0]
    assert not torch.equal(first, second)
    assert len({tuple(row.flatten().tolist()) for row in first}) >= (2 if name == "RandomHorizontalFlip" else 35)
    assert torch.equal(made(same, torch.arange(40), 0)[0], first)
    assert first.shape == same.shape and first.dtype == same.dtype


def test_flips_mirror_a_share_of_the_images() -> None:
    x = torch.arange(6.0).reshape(1, 1, 2, 3).expand(4000, -1, -1, -1)
    result = augment(part("augmentation", "RandomHorizontalFlip", p=0.3))(x, torch.arange(4000), 0)[0]
    mirrored = (result == x.flip(-1)).flatten(1).all(1)
    assert ((result == x).flatten(1).all(1) | mirrored).all()
    assert float(mirrored.float().mean()) == pytest.approx(0.3, abs=0.03)
    never = augment(part("augmentation", "RandomHorizontalFlip", p=0.0))(x, torch.arange(4000), 0)[0]
    assert torch.equal(never, x)


def test_rotation_by_a_quarter_turns_pixels_also_off_square() -> None:
    import numpy as np

    from engine.train.build.augmentation import plan_rotation, rotate

    quarter = part("augmentation", "RandomRotation", degrees=90.0)
    most = np.array([2**64 - 1], np.uint64)
    for size in ((4, 4), (5, 5)):
        x = torch.rand(1, 1, *size)
        turned = rotate(quarter, x, torch.from_numpy(plan_rotation(quarter, most, torch.Size((1, *size)))))
        assert torch.allclose(turned, x.rot90(-1, (2, 3)), atol=1e-4) or torch.allclose(
            turned, x.rot90(1, (2, 3)), atol=1e-4
        )
    # A bar one pixel wide keeps its length when it is turned within an image that is not square.
    x = torch.zeros(1, 1, 9, 15)
    x[..., 4, 5:10] = 1.0
    turned = rotate(quarter, x, torch.from_numpy(plan_rotation(quarter, most, torch.Size((1, 9, 15)))))
    expected = torch.zeros(1, 1, 9, 15)
    expected[..., 2:7, 7] = 1.0
    assert torch.allclose(turned, expected, atol=1e-3)


def test_rotation_by_nothing_changes_nothing() -> None:
    made = augment(part("augmentation", "RandomRotation", degrees=0.0))
    assert torch.allclose(made(IMAGES, torch.arange(40), 0)[0], IMAGES, atol=1e-5)


def test_noise_is_normal_and_works_on_rows() -> None:
    x = torch.zeros(2000, 50)
    result = augment(part("augmentation", "GaussianNoise", std=2.0))(x, torch.arange(2000), 0)[0]
    assert float(result.mean()) == pytest.approx(0.0, abs=0.03)
    assert float(result.std()) == pytest.approx(2.0, rel=0.02)
    assert float((result.abs() < 2.0).float().mean()) == pytest.approx(math.erf(1 / math.sqrt(2)), abs=0.01)
    assert torch.isfinite(result).all()
    columns = torch.corrcoef(result.T)
    assert float((columns - torch.eye(50)).abs().max()) < 0.15


def test_noise_of_awkward_keys_is_finite() -> None:
    keys = torch.tensor([[0], [-1], [2**63 - 1], [-(2**63)]])
    values = normal(keys, 3001)
    assert torch.isfinite(values).all()
    assert len(values.flatten().unique()) > 11_500
