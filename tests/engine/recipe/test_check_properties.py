"""Whatever recipe comes, checking it gives problems and no exception, and every fix can be made."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.data.facts import Facts
from engine.recipe.check import check
from engine.recipe.document import Document
from engine.recipe.resolve import dump

WIDTHS = st.sampled_from([1, 2, 8, "outputs", 10**13])
LAYERS = st.deferred(
    lambda: st.one_of(
        st.sampled_from(
            [
                *("ReLU", "GELU", "Tanh", "Sigmoid", "Softmax", "Flatten", "Dropout", "Dropout2d", "BatchNorm1d"),
                *("BatchNorm2d", "LayerNorm", "MaxPool2d", "AvgPool2d", "AdaptiveAvgPool2d", "Linear"),
                {"type": "MaxPool2d", "kernel_size": 9},
                {"type": "Softmax", "dim": 5},
                {"type": "Flatten", "start_dim": 3},
            ]
        ),
        st.builds(lambda width: {"type": "Linear", "out_features": width}, WIDTHS),
        st.builds(
            lambda width, size: {"type": "Conv2d", "out_channels": width, "kernel_size": size},
            WIDTHS,
            st.integers(1, 9),
        ),
        st.builds(lambda layers: {"type": "Residual", "layers": layers}, st.lists(LAYERS, max_size=3)),
    )
)
SCHEDULES = st.one_of(
    st.none(),
    st.sampled_from(
        [
            "OneCycleLR",
            "CosineAnnealingLR",
            {"type": "CosineAnnealingLR", "T_max": 3, "eta_min": 1},
            {"type": "StepLR", "step_size": 1},
            {"type": "MultiStepLR", "milestones": [1, 50]},
            {"type": "ExponentialLR", "gamma": 0.01, "warmup": {"epochs": 0.5}},
            {"type": "ReduceLROnPlateau", "monitor": "val_accuracy", "mode": "min", "min_lr": 9},
            {"type": "StepLR", "warmup": {"epochs": 30}},
        ]
    ),
)
METRICS = ["Accuracy", "F1Score", "AUROC", "R2Score", "ConfusionMatrix", "MeanSquaredError"]
SPACES = st.dictionaries(
    st.sampled_from(["optimizer.lr", "data.batch_size", "model.layers.0", "a..b", "loss", "model.layers.0.p"]),
    st.sampled_from(
        [{"uniform": [0, 1]}, {"choice": [32, "ReLU"]}, {"int": [1, 9]}, {"log_uniform": [0, 1]}, {"x": 1}, 3, {}]
    ),
    max_size=2,
)


@st.composite
def recipes(draw: Any) -> dict[str, Any]:
    maybe = {
        "task": st.sampled_from(["classification", "binary", "multilabel", "regression"]),
        "loss": st.sampled_from(
            ["CrossEntropyLoss", "BCEWithLogitsLoss", "MSELoss", {"type": "CrossEntropyLoss", "weight": [1.0]}]
        ),
        "scheduler": SCHEDULES,
        "metrics": st.lists(st.sampled_from(METRICS), max_size=3),
        "search": st.builds(lambda space: {"space": space}, SPACES),
        "findings": st.sampled_from([{"ignore": ["overfitting", "nonsense"]}]),
    }
    data: dict[str, Any] = {
        "source": draw(
            st.sampled_from([{"type": "Builtin", "name": "digits"}, {"type": "CSV", "path": "a", "target": "y"}])
        )
    }
    data |= draw(
        st.fixed_dictionaries(
            {},
            optional={
                "batch_size": st.integers(1, 40),
                "drop_last": st.booleans(),
                "reshape": st.sampled_from([[1, 2, 2], [4], [2, 2]]),
                "augment": st.lists(
                    st.sampled_from(["RandomRotation", "RandomHorizontalFlip", "GaussianNoise"]), max_size=2
                ),
                "split": st.sampled_from(
                    [{"group": "g", "column": "c"}, {"stratify": True, "test": 0.9}, {"validation": 0}]
                ),
                "limit": st.integers(1, 40),
                "shuffle": st.booleans(),
                "normalize": st.sampled_from(["none", {"mean": [0.0], "std": [0.0, 1.0]}]),
            },
        )
    )
    train = draw(
        st.fixed_dictionaries(
            {},
            optional={
                "epochs": st.integers(1, 40),
                "clip_grad_norm": st.just(1.0),
                "clip_grad_value": st.just(1.0),
                "device": st.sampled_from(["cpu", "gpu", "cuda:0"]),
                "early_stopping": st.builds(
                    lambda monitor, patience: {"monitor": monitor, "patience": patience},
                    st.sampled_from(
                        ["val_loss", "val_accuracy", "val_auroc", "val_confusion_matrix", "x", "test_loss"]
                    ),
                    st.integers(1, 40),
                ),
            },
        )
    )
    optimizer = draw(st.sampled_from(["Adam", {"type": "SGD", "lr": 100}, {"type": "AdamW", "lr": 1}]))
    recipe = {
        "data": data,
        "model": {"layers": draw(st.lists(LAYERS, max_size=6))},
        "optimizer": optimizer,
        "train": train,
    }
    return recipe | {key: draw(value) for key, value in maybe.items() if draw(st.booleans())}


FACTS = st.builds(
    lambda goal, shape, rows: Facts(goal[0], shape, goal[1], {"train": rows, "validation": 2}, classes=["a"] * goal[1]),
    st.sampled_from([("classification", 3), ("binary", 1), ("multilabel", 4), ("regression", 2)]),
    st.sampled_from([(4,), (1, 8, 8), (3, 1, 1), (2, 5)]),
    st.integers(1, 40),
)


@settings(max_examples=80, deadline=None)
@given(recipes(), st.one_of(st.none(), FACTS))
def test_checking_never_fails_and_every_fix_can_be_made(recipe: dict[str, Any], facts: Facts | None) -> None:
    text = dump(recipe)
    found = check(Document.from_text(text), facts)
    lines = len(text.splitlines())
    for problem in found.problems:
        assert 1 <= problem.line <= lines
        assert problem.message
        for fix in problem.fixes:
            document = Document.from_text(text)
            document.apply(fix)
            assert not document.tree.broken
            assert document.text != text
