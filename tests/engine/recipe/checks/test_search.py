"""What a search may vary, beyond the table of problems in `test_check.py`."""

from __future__ import annotations

from typing import Any

import pytest

from engine.recipe.check import check
from engine.recipe.document import Document

RECIPE = """\
data:
  source: {type: Builtin, name: wine}
model:
  layers:
    - {type: Linear, out_features: outputs}
optimizer: {type: SGD, lr: 0.01}
search:
  sampler: SAMPLER
  space: SPACE
"""


def problems(space: str, sampler: str = "tpe") -> list[tuple[str, str]]:
    text = RECIPE.replace("SPACE", space).replace("SAMPLER", sampler)
    return [(problem.path, problem.message) for problem in check(Document.from_text(text)).errors]


def test_the_whole_of_data_cannot_be_searched() -> None:
    """It holds the split: trials would be judged on other rows, and some would train on the test part of others."""
    wine = "source: {type: Builtin, name: wine}"
    ((path, message),) = problems(f"{{data: {{choice: [{{{wine}}}, {{{wine}, split: {{seed: 1}}}}]}}}}")
    assert path == "search.space.data" and "same rows" in message


@pytest.mark.parametrize(
    ("space", "refused"),
    [
        ("{train.epochs: {int: [1, 100]}, data.batch_size: {int: [1, 100]}}", False),
        ("{train.epochs: {int: [1, 100]}, data.batch_size: {int: [1, 101]}}", True),
        ("{seed: {int: [0, 1000000000]}}", True),
    ],
)
def test_a_grid_has_an_end(space: str, refused: bool) -> None:
    found: list[Any] = [path for path, _ in problems(space, "grid")]
    assert found == (["search.sampler"] if refused else [])
    assert problems(space) == []
