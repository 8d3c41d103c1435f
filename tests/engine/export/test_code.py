"""The exported file trains as the executor does, bit for bit."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from engine.errors import UserError
from engine.parts.part import names
from tests.engine.export.exported import executor_losses, losses_of, output_of, written

RECIPES = sorted((Path(__file__).parents[3] / "recipes").glob("*.yaml"))

IRIS = """
data:
  source: {type: Builtin, name: iris}
  batch_size: 16
  %s
model:
  layers: %s
  %s
%s
"""
PLAIN = "[{type: Linear, out_features: 8}, ReLU, {type: Dropout, p: 0.2}, {type: Linear, out_features: outputs}]"


def recipe(data: str = "", layers: str = PLAIN, model: str = "", rest: str = "optimizer: Adam") -> str:
    return IRIS % (data, layers, model, rest)


def agrees(text: str, base: Path = Path(), count: int = 20) -> None:
    code, _, _ = written(text, base)
    losses = losses_of(code, count)
    assert len(losses) == count
    assert losses == executor_losses(text, base, count)


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_first_twenty_losses_of_every_bundled_recipe(path: Path) -> None:
    agrees(path.read_text(), path.parent)


def test_the_files_run_by_themselves(tmp_path: Path) -> None:
    """In a folder and a process of their own (one for all of them: torch takes long to load)."""
    expected = []
    for path in RECIPES:
        (tmp_path / f"{path.stem}.py").write_text(written(path.read_text(), path.parent)[0])
        expected += executor_losses(path.read_text(), path.parent, 3)
    names = [f"{path.stem}.py" for path in RECIPES]
    script = f"import runpy\nfor name in {names}: runpy.run_path(name, run_name='__main__')"
    command = [sys.executable, "-P", "-c", script, "--losses", "3"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert run.stderr == ""
    assert [float(line) for line in run.stdout.split()] == expected


def test_it_trains_to_the_end_and_tests() -> None:
    text = recipe(
        rest="optimizer: {type: Adam, lr: 0.01}\ntrain: {epochs: 6, early_stopping: {patience: 2}}\n"
        "metrics: [Accuracy, AUROC, ConfusionMatrix]"
    )
    shown = output_of(written(text, Path())[0], "--test")
    assert shown.count("epoch ") == 6
    assert "val_accuracy" in shown and "test_accuracy" in shown and "test_confusion_matrix [[" in shown


@pytest.mark.parametrize("name", names("optimizer"))
def test_every_optimizer(name: str) -> None:
    momentum = ", momentum: 0.8" if name in ("SGD", "RMSprop") else ""
    agrees(recipe(rest=f"optimizer: {{type: {name}, lr: 0.01, weight_decay: 0.01{momentum}}}"))


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("StepLR", "step_size: 1"),
        ("MultiStepLR", "milestones: [1, 2]"),
        ("ExponentialLR", "gamma: 0.7"),
        ("CosineAnnealingLR", "eta_min: 1.0e-4, warmup: {epochs: 1.5}"),
        ("OneCycleLR", "cycle_momentum: true"),
        ("ReduceLROnPlateau", "patience: 0, warmup: {epochs: 0.5}"),
    ],
)
def test_every_schedule(name: str, settings: str) -> None:
    agrees(recipe(rest=f"optimizer: {{type: SGD, momentum: 0.9, lr: 0.05}}\nscheduler: {{type: {name}, {settings}}}"))


@pytest.mark.parametrize("name", names("init"))
def test_every_initialisation(name: str) -> None:
    agrees(recipe(model=f"init: {name}"), count=4)


@pytest.mark.parametrize(
    "loss",
    [
        "CrossEntropyLoss",
        "{type: CrossEntropyLoss, label_smoothing: 0.1, weight: balanced}",
        "{type: CrossEntropyLoss, weight: [1.0, 2.0, 0.5]}",
    ],
)
def test_losses_for_classes(loss: str) -> None:
    agrees(recipe(rest=f"loss: {loss}\noptimizer: Adam"), count=8)


def test_balanced_weights_of_a_few_rows() -> None:
    agrees(recipe(data="limit: 31", rest="loss: {type: CrossEntropyLoss, weight: balanced}\noptimizer: Adam"), count=4)


@pytest.mark.parametrize("weight", ["balanced", "2.5", "[0.5]"])
def test_losses_for_two_classes(weight: str) -> None:
    rest = f"loss: {{type: BCEWithLogitsLoss, pos_weight: {weight}}}\noptimizer: Adam"
    agrees(recipe(rest=rest).replace("iris", "breast_cancer"), count=8)


@pytest.mark.parametrize(
    "loss", ["MSELoss", "L1Loss", "{type: HuberLoss, delta: 0.5}", "{type: SmoothL1Loss, beta: 0.3}"]
)
def test_losses_for_numbers(loss: str) -> None:
    agrees(recipe(rest=f"loss: {loss}\noptimizer: Adam").replace("iris", "diabetes"), count=8)


@pytest.mark.parametrize("extra", ["clip_grad_norm: 0.5", "clip_grad_value: 0.05", "precision: bf16", "threads: 2"])
def test_training_settings(extra: str) -> None:
    agrees(recipe(rest=f"optimizer: Adam\ntrain: {{{extra}}}"))


@pytest.mark.parametrize("extra", ["shuffle: false", "drop_last: true", "limit: 20", "augment: [GaussianNoise]"])
def test_data_settings(extra: str) -> None:
    agrees(recipe(data=extra))


def test_images_with_everything() -> None:
    layers = """
    - {type: Conv2d, out_channels: 8, kernel_size: 3, padding: same}
    - BatchNorm2d
    - {type: LeakyReLU, negative_slope: 0.1}
    - {type: Residual, layers: [{type: Conv2d, out_channels: 8, padding: 1}, SiLU], name: block}
    - type: Residual
      shortcut: projection
      layers: [{type: Conv2d, out_channels: 12, stride: 2, padding: 1, init: xavier_normal}, GELU]
    - {type: Dropout2d, p: 0.1}
    - {type: AvgPool2d, kernel_size: 2, stride: 1}
    - {type: AdaptiveAvgPool2d, output_size: 2}
    - Flatten
    - LayerNorm
    - {type: Linear, out_features: outputs, bias: false}
"""
    data = "reshape: [1, 8, 8]\n  augment: [RandomRotation, RandomHorizontalFlip, GaussianNoise]"
    text = recipe(data=data, layers=layers, model="init: {type: kaiming_normal, nonlinearity: leaky_relu, a: 0.1}")
    agrees(text.replace("iris", "digits"), count=8)


WHOLE_LIST = """[RandomRotation, RandomHorizontalFlip, {type: RandomVerticalFlip, p: 0.2},
    {type: RandomResizedCrop, scale: [0.5, 1.0]}, {type: RandomCrop, padding: [1, 2], padding_mode: reflect},
    {type: ColorJitter, brightness: 0.3, contrast: 0.2}, RandomErasing, {type: Normalize, mean: [0.1], std: [0.8]},
    GaussianNoise, Mixup]"""


@pytest.mark.parametrize("layers", ["[Flatten, {type: Linear, out_features: outputs}]", None])
def test_the_whole_list_of_augmentations(layers: str | None) -> None:
    convolution = "[{type: Conv2d, out_channels: 4}, ReLU, Flatten, {type: Linear, out_features: outputs}]"
    data = f"reshape: [1, 8, 8]\n  normalize: none\n  augment: {WHOLE_LIST}"
    loss = "loss: {type: CrossEntropyLoss, weight: balanced}\noptimizer: Adam\ntrain: {epochs: 2}"
    text = recipe(data=data, layers=layers or convolution, rest=loss).replace("iris", "digits")
    agrees(text, count=12)
    code = written(text, Path())[0]
    defined = [line.split("(")[0] for line in code.splitlines() if line.startswith("def ")]
    assert len(defined) == len(set(defined))
    shown = output_of(written(text + "metrics: [Accuracy]\n", Path())[0])
    assert shown.count("epoch ") == 2 and "val_accuracy" in shown


def test_rows_are_mixed_too() -> None:
    agrees(recipe(data="augment: [GaussianNoise, {type: Mixup, alpha: 0.3}]"))


def test_a_part_without_a_writer_is_said_plainly() -> None:
    from engine.export.network import write_layer
    from engine.export.script import Script
    from engine.parts.layer import Layer

    class Own(Layer):
        """A layer of somebody's own."""

    with pytest.raises(UserError, match="Own cannot be written as code"):
        write_layer(Script(), Own(), (3,), None, "")
