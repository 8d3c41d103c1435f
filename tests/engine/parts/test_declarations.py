"""What every part must have, whoever declares it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from engine.errors import UserError
from engine.parts import catalog
from engine.parts.part import Part, every_part, find, names
from engine.recipe.document import Document
from engine.recipe.resolve import dump, to_data
from engine.recipe.schema import Data, Model, Recipe
from engine.recipe.validate import validate
from tests.engine.parts import drawn

catalog.load()
PARTS = every_part()

FIRST_SET = {
    "layer": """Linear Conv1d Conv2d MaxPool2d AvgPool2d AdaptiveAvgPool2d Flatten ReLU LeakyReLU GELU SiLU Tanh Sigmoid
        Softmax Dropout Dropout2d BatchNorm1d BatchNorm2d LayerNorm Residual""",
    "init": "kaiming_normal kaiming_uniform xavier_normal xavier_uniform orthogonal normal uniform trunc_normal zeros",
    "loss": "CrossEntropyLoss BCEWithLogitsLoss MSELoss L1Loss HuberLoss SmoothL1Loss",
    "optimizer": "SGD Adam AdamW RMSprop Adagrad",
    "scheduler": "StepLR MultiStepLR ExponentialLR CosineAnnealingLR OneCycleLR ReduceLROnPlateau",
    "augmentation": """RandomRotation RandomHorizontalFlip RandomVerticalFlip RandomResizedCrop RandomCrop ColorJitter
        RandomErasing GaussianNoise Mixup Normalize""",
    "metric": """Accuracy F1Score AUROC Precision Recall ConfusionMatrix MeanSquaredError MeanAbsoluteError R2Score""",
    "source": "Builtin CSV Parquet NPZ NPY",
}


def test_the_first_set_is_complete() -> None:
    for family, expected in FIRST_SET.items():
        assert set(expected.split()) <= set(names(family))


def test_loading_twice_changes_nothing() -> None:
    before = every_part()
    catalog.load()
    assert every_part() == before


def test_the_order_does_not_depend_on_what_was_imported_first() -> None:
    script = (
        "import engine.parts.layers.residual, engine.parts.catalog as c, engine.parts.part as p; c.load();"
        "print(p.names('layer')[0], p.names('layer')[-1])"
    )
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert shown.split() == ["Linear", "Residual"]


@pytest.mark.parametrize("cls", PARTS, ids=lambda cls: f"{cls.family}-{cls.type_name()}")
def test_is_declared_fully(cls: type[Part]) -> None:
    assert catalog.summary(cls).endswith("."), "a docstring opens with a sentence"
    assert find(cls.family, cls.type_name()) is cls
    infos = catalog.describe(cls)
    assert [info.name for info in infos if not info.help] == []
    assert {info.name for info in infos} == set(cls.model_fields)
    for info in infos:
        assert info.kind != "choice" or info.choices
        assert info.required or info.default is not None or info.nullable
    schema = TypeAdapter(cls).json_schema()
    json.dumps(schema)
    assert all("description" in entry for entry in schema["properties"].values())


PLACES: dict[str, Callable[[Any], dict[str, Any]]] = {
    "layer": lambda part: {"model": Model(layers=[part])},
    "init": lambda part: {"model": Model(layers=[drawn.attempt_named("layer", "ReLU")], init=part)},
    "loss": lambda part: {"loss": part},
    "optimizer": lambda part: {"optimizer": part},
    "scheduler": lambda part: {"scheduler": part},
    "augmentation": lambda part: {"data": Data(source=SOURCE, augment=[part])},
    "metric": lambda part: {"metrics": [part]},
    "source": lambda part: {"data": Data(source=part)},
}
"""Where a recipe names a part."""
SOURCE = drawn.attempt_named("source", "Builtin", name="iris")


@pytest.mark.parametrize("cls", PARTS, ids=lambda cls: f"{cls.family}-{cls.type_name()}")
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_survives_a_trip_through_yaml(cls: type[Part], data: st.DataObject) -> None:
    whole: dict[str, Any] = {
        "data": Data(source=SOURCE),
        "model": Model(layers=[drawn.attempt_named("layer", "ReLU")]),
        "optimizer": drawn.attempt_named("optimizer", "SGD"),
    }
    recipe = Recipe(**(whole | PLACES[cls.family](data.draw(drawn.instances(cls)))))
    text = dump(to_data(recipe))
    back, problems = validate(Document.from_text(text).tree)
    assert problems == [], text
    assert back == recipe, text


@pytest.mark.parametrize("cls", PARTS, ids=lambda cls: f"{cls.family}-{cls.type_name()}")
def test_unknown_settings_and_wrong_types_are_refused(cls: type[Part]) -> None:
    with pytest.raises(ValueError, match="no_such_setting"):
        cls(no_such_setting=1)
    for info in catalog.describe(cls):
        wrong = {"number": "much", "integer": 1.5, "boolean": "yes", "choice": "neither", "list": "none"}.get(info.kind)
        if wrong is not None:
            with pytest.raises(ValueError, match=re.escape(info.name)):
                cls(**{info.name: wrong})


def test_papers_are_named_where_there_is_one() -> None:
    cited = [cls for cls in PARTS if "arXiv:" in (cls.__doc__ or "")]
    assert {"Conv2d", "Dropout", "BatchNorm1d", "Residual", "Adam", "CosineAnnealingLR"} & {c.__name__ for c in cited}
    for cls in cited:
        assert re.search(r"arXiv:\d{4}\.\d{4,5}", cls.__doc__ or ""), cls


def test_bounds_in_unions_and_words_are_described() -> None:
    linear = find("layer", "Linear")
    assert linear is not None
    width = {info.name: info for info in catalog.describe(linear)}["out_features"]
    assert (width.kind, width.ge, width.choices, width.required) == ("integer", 1, ("outputs",), True)
    scheduler = find("scheduler", "StepLR")
    assert scheduler is not None
    warmup = {info.name: info for info in catalog.describe(scheduler)}["warmup"]
    assert warmup.kind == "mapping" and warmup.nullable
    assert [info.name for info in warmup.fields] == ["epochs", "start_factor"]


def test_what_may_change_live_is_marked() -> None:
    live = {f"{cls.type_name()}.{info.name}" for cls in PARTS for info in catalog.describe(cls) if info.live}
    assert {"SGD.lr", "SGD.momentum", "Adam.lr", "Adam.weight_decay", "Dropout.p", "Dropout2d.p"} <= live
    assert not any(entry.startswith(("Linear", "Conv")) for entry in live)


def test_parts_of_a_file(tmp_path: pytest.TempPathFactory) -> None:
    file = tmp_path / "own.py"  # type: ignore[operator]
    file.write_text(
        "from typing import ClassVar\n"
        "from engine.parts.layer import Layer\n"
        "from engine.parts.part import part\n"
        "@part\n"
        "class Mish(Layer):\n"
        "    '''x tanh(softplus(x)), arXiv:1908.08681.'''\n"
        "    torch: ClassVar[str | None] = 'torch.nn.Mish'\n"
    )
    try:
        sha = catalog.load_file(file)
        assert re.fullmatch(r"[0-9a-f]{64}", sha)
        assert "Mish" in names("layer")
        assert catalog.load_file(file) == sha
    finally:
        from engine.parts import part as module

        module._registry["layer"].pop("Mish", None)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("raise RuntimeError('no')", "RuntimeError: no"),
        ("def (", "SyntaxError"),
        (
            "from engine.parts.layer import Layer\nfrom engine.parts.part import part\n@part\nclass Linear(Layer): ...",
            "twice",
        ),
    ],
)
def test_a_file_that_cannot_be_loaded_is_said_plainly(tmp_path, text: str, words: str) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path / "own.py"
    file.write_text(text)
    with pytest.raises(UserError, match=words) as caught:
        catalog.load_file(file)
    assert str(file) in caught.value.message


def test_a_missing_file_is_said_plainly(tmp_path) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UserError, match="No such file"):
        catalog.load_file(tmp_path / "gone.py")
