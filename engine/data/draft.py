"""The text of a first recipe: a network, an optimizer and a length that suit the task and the number of rows."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from engine.data.facts import Facts
from engine.parts.loss import USUAL_LOSS
from engine.recipe.scalars import write_flow, write_key

METRICS = {
    "classification": "Accuracy, F1Score",
    "binary": "Accuracy, AUROC",
    "multilabel": "Accuracy, F1Score",
    "regression": "R2Score, MeanAbsoluteError",
}


@dataclass(frozen=True)
class Draft:
    """What is known when the recipe is written."""

    label: str
    """The file's name."""
    n: int
    """Rows in it."""
    data: dict[str, Any]
    """source, missing, split ({} or {group}) and perhaps columns."""
    facts: Facts
    reasons: dict[str, str]
    """Why each column in `data.columns` is what it is."""
    own: tuple[str, ...] = ()
    """Parts that have files of their own."""

    def text(self, name: str) -> str:
        """The recipe's YAML; `name` becomes the run's."""
        facts = self.facts
        n = facts.rows["train"]
        epochs, patience = self._epochs(n)
        lr = "2e-3" if n < 1000 else "1e-3"
        lines = [*self._head(name), f"task: {facts.task}{self._task_words()}", "seed: 0", *self._data(n), "model:"]
        lines += ["  layers:", *(f"    - {layer}" for layer in self._layers(n))]
        lines += [
            f"loss: {USUAL_LOSS[facts.task]}",
            f"optimizer: {{type: AdamW, lr: {lr}, weight_decay: 1e-2}}",
            "scheduler: {type: CosineAnnealingLR} # down to 0 at the end of the run",
            "train:",
            f"  epochs: {epochs}",
            f"  early_stopping: {{monitor: val_loss, patience: {patience}}} # the best weights are kept",
            f"metrics: [{METRICS[facts.task]}]",
        ]
        return "\n".join(lines) + "\n"

    def _head(self, name: str) -> list[str]:
        facts = self.facts
        several = len(facts.target_names) > 1
        goal = f"{len(facts.target_names)} columns" if several else facts.target_names[0]
        loss = facts.baseline.get("val_loss")
        beat = f"a validation loss below {loss:.3f}, that of always guessing the average" if loss else "a falling loss"
        what = "images" if self.data["source"].get("size") else "rows"
        return [
            f"# {one_line(f'What: a first model that predicts {goal} from {self.label}, {self.n} {what}.')}",
            f"# Expect: {beat}.",
            "# Next: train it, look at train and validation loss together, then change one thing at a time.",
            "goodfit: 1",
            f"name: {write_flow(re.sub(r'[^A-Za-z0-9_.-]+', '_', name) or 'model')}",
        ]

    def _task_words(self) -> str:
        facts = self.facts
        if facts.task == "binary":
            return one_line(f" # {facts.classes[0]} or {facts.classes[1]}; scores are of the second")
        if facts.task == "classification":
            return f" # {len(facts.classes)} classes"
        if facts.task == "multilabel":
            return f" # {len(facts.classes)} labels, each yes or no"
        return ""

    def _data(self, n: int) -> list[str]:
        data = self.data
        lines = ["data:", f"  source: {write_flow(data['source'])}"]
        if data.get("columns"):
            lines.append("  columns:")
            lines += [f"    {write_key(name)}: {kind} # {self.reasons[name]}" for name, kind in data["columns"].items()]
        if data["missing"] == "median":
            lines.append("  missing: median # empty cells take the training rows' median")
        elif data["missing"] == "drop":
            lines.append("  missing: drop # rows with empty cells are left out: the target has some")
        if len(self.own) < 2:
            lines.append(f"  split: {self._split()}")
        lines.append("  normalize: standard # from the training rows alone")
        lines.append(f"  batch_size: {batch_size(n)}")
        return lines

    def _split(self) -> str:
        facts = self.facts
        shares = "".join(f"{part}: 0.15, " for part in ("validation", "test") if part not in self.own)
        group = self.data["split"].get("group")
        if group is not None:
            return f"{{{shares}group: {write_flow(group)}, seed: 0}} # its rows stay together"
        counts = [sum(part[index] for part in facts.class_counts.values()) for index in range(len(facts.classes))]
        if facts.task in ("binary", "classification") and min(counts) >= 3:
            return f"{{{shares}stratify: true, seed: 0}}"
        return f"{{{shares}seed: 0}}"

    def _epochs(self, n: int) -> tuple[int, int]:
        if len(self.facts.shape) > 1:
            return (40, 10) if n < 5000 else (20, 6)
        epochs = 100 if n < 1000 else 60 if n < 10_000 else 30 if n < 100_000 else 15
        return epochs, max(5, epochs // 5)

    def _layers(self, n: int) -> list[str]:
        shape = self.facts.shape
        last = "{type: Linear, out_features: outputs} # the width that the task needs"
        if len(shape) == 3 and min(shape[1:]) >= 4:
            layers = []
            side = min(shape[1:])
            for channels in (16, 32) if side < 16 else (16, 32, 64):
                layers += [
                    f"{{type: Conv2d, out_channels: {channels}, kernel_size: 3, padding: 1}}",
                    "BatchNorm2d",
                    "ReLU",
                    "{type: MaxPool2d, kernel_size: 2}",
                ]
            if side >= 32:
                layers.append("{type: AdaptiveAvgPool2d, output_size: 4}")
            return [*layers, "Flatten", "{type: Dropout, p: 0.3}", last]
        first, second, p = (64, 32, 0.2) if n < 1000 else (128, 64, 0.2) if n < 20_000 else (256, 128, 0.1)
        dropout = f"{{type: Dropout, p: {p}}}"
        layers = [f"{{type: Linear, out_features: {first}}}", "ReLU", dropout]
        layers += [f"{{type: Linear, out_features: {second}}}", "ReLU", last]
        return layers if len(shape) == 1 else ["Flatten", *layers]


def batch_size(n: int) -> int:
    """A batch that makes some dozens of updates an epoch of a small set, and uses the machine for a large one."""
    for rows, size in ((400, 16), (5000, 32), (20_000, 64), (100_000, 128)):
        if n < rows:
            return size
    return 256


def one_line(text: str) -> str:
    """Text that can stand in a comment: printable, on one line, no longer than a line should be."""
    clean = "".join(char if char.isprintable() else " " for char in text)
    return clean if len(clean) <= 118 else clean[:115] + "..."
