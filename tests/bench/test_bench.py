"""The bench's own words: works, recipes, requirements, the table. What it measures is no test's business."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from bench import install
from bench.contenders.goodfit_fit import recipe
from bench.contenders.names import CONTENDERS
from bench.data import make, read
from bench.document import BEGIN, END, put_table
from bench.rounds import Measured, Result
from bench.table import from_json, lines, to_json
from bench.works import BY_NAME, WORKS, Work, work_from
from engine.recipe.resolve import resolve
from engine.train.session import read_recipe

HERE = Path(install.__file__).parent


def little(work: Work) -> Work:
    if work.data in ("breast_cancer", "digits"):
        return work
    return replace(work, rows=3 * work.batch, validation=40)


@pytest.mark.parametrize("work", WORKS, ids=lambda work: work.name)
def test_a_work_is_what_its_recipe_says(work: Work, tmp_path: Path) -> None:
    from engine.data.prepare import prepare

    work = little(work)
    path = make(work, tmp_path)
    plain = read_recipe(recipe(work, path, 3))
    prepared = prepare(plain, tmp_path)
    assert resolve(plain, prepared.facts).train.epochs == work.epochs
    assert prepared.facts.rows == {"train": work.rows, "validation": work.validation, "test": 0}
    assert (prepared.facts.outputs, prepared.facts.task) == (work.classes, "classification")
    arrays = read(path)
    assert np.array_equal(arrays["y_val"], prepared.validation.y)
    assert arrays["x_train"].size == prepared.train.x[:].size


@pytest.mark.parametrize("work", WORKS, ids=lambda work: work.name)
def test_a_work_survives_json(work: Work) -> None:
    assert work_from(json.loads(json.dumps(asdict(work)))) == work
    assert {*work.peers} <= {*CONTENDERS}
    assert {*work.goals} <= {*CONTENDERS, "best"}


def test_every_peer_has_its_version_pinned() -> None:
    blocks = install.blocks((HERE / "requirements.txt").read_text())
    assert all("==" in line for block in blocks for line in block.lines), "a version is missing"
    assert not [line for block in blocks for line in block.lines if line.startswith(("torch==", "torchvision"))]
    assert next(block for block in blocks if block.name == "fastai").options == ["--no-deps"]


def test_ratios_are_taken_round_by_round_and_goals_judged_by_their_median(tmp_path: Path) -> None:
    results = {
        "goodfit": Result([1.0, 2.0, 1.0], [1.0] * 3, [0.9] * 3, [0.3] * 3),
        "plain": Result([12.0, 26.0, 11.0], [1.0] * 3, [0.91] * 3, [0.3] * 3),
        "sklearn": Result([7.0, 10.0], [1.0] * 2, [0.8] * 2, [0.3] * 2),
    }
    measured = Measured(BY_NAME["T1a"], results, {"keras": "not there"})
    assert measured.ratios("plain") == [12.0, 13.0, 11.0]
    assert (measured.ratio("plain"), measured.ratio("best")) == (12.0, 6.0)
    again = from_json(json.loads(json.dumps(to_json(measured))))
    assert again == measured
    table = "\n".join(lines(again))
    assert "12.00 [11.00-13.00] | 12: reached" in table
    assert "0.800 (not equal)" in table and "not there" in table
    document = tmp_path / "page.md"
    document.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    machine = {"python": "3", "system": "Linux", "cores": 2, "cpu": "AVX2"}
    put_table(document, {"machine": machine, "versions": {}, "works": {"T1a": to_json(measured)}})
    text = document.read_text()
    assert text.startswith("before\n") and text.endswith("after\n") and "old" not in text and table in text
