from __future__ import annotations

import math
from pathlib import Path

import pytest

from engine.runs.journal import Journal, read
from engine.runs.json_schema import check_record, events_schema
from engine.runs.records import RECORDS, Finished, Resumed, Started, Steps

CONTRACT = {
    *("started", "progress", "data", "plan", "steps", "probe", "epoch", "edited", "checkpoint", "finding"),
    *("finding_updated", "finding_cleared", "command_accepted", "command_refused", "paused", "resumed", "replanned"),
    *("test_evaluated", "device_use", "trial", "trial_epochs", "importance", "finished"),
}


def test_every_type_of_the_contract_is_declared() -> None:
    assert set(RECORDS) == CONTRACT
    branches = events_schema()["oneOf"]
    assert {branch["properties"]["type"]["const"] for branch in branches} == CONTRACT
    for branch in branches[:-1]:
        assert {"type", "seq", "time", "life"} <= set(branch["required"])
        assert not {"epoch", "step"} & set(branch["required"]) and branch["additionalProperties"] is False
        assert branch["properties"]["step"] == {"type": "integer", "minimum": 0}


def test_numbers_may_be_words_where_they_are_not_finite() -> None:
    steps = next(branch for branch in events_schema()["oneOf"] if branch["title"] == "steps")
    assert {"enum": ["nan", "inf", "-inf"]} in steps["properties"]["loss_mean"]["anyOf"]
    assert steps["properties"]["count"] == {"type": "integer"}


def test_what_the_journal_writes_passes_its_own_check(journal: Journal, run_dir: Path) -> None:
    journal.append(
        Started(
            run="r",
            kind="train",
            path="p",
            pid=1,
            host="h",
            parent=None,
            base="/",
            versions={},
            git=None,
            argv=[],
            wall="w",
        )
    )
    nan = math.nan
    journal.append(Steps(step=2, first=1, count=2, loss_mean=nan, loss_min=nan, loss_max=math.inf, lr=1, crc="0"))
    journal.append(Resumed(from_step=2))
    journal.append(Finished(reason="stopped", best_epoch=None, best={}, test=None, recipe=""))
    records = read(run_dir)
    assert [check_record(record) for record in records] == [[]] * 4
    assert records[0]["schema"] == 1


@pytest.mark.parametrize(
    ("record", "word"),
    [
        ({"type": "dance"}, "dance"),
        ({"type": "paused", "seq": 1, "time": 0.0}, "life is missing"),
        ({"type": "paused", "seq": 1, "time": 0.0, "life": 1, "mood": "good"}, "no mood"),
        ({"type": "resumed", "seq": 1, "time": 0.0, "life": 1}, "from_step"),
        ({"type": "resumed", "seq": 1, "time": 0.0, "life": 1, "from_step": "far"}, "from_step"),
        ({"type": "finished", "seq": 1, "time": 0.0, "life": 1, "reason": "bored"}, "reason"),
    ],
)
def test_what_is_wrong_is_said(record: dict[str, object], word: str) -> None:
    assert any(word in problem for problem in check_record(record))
