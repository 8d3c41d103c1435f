"""Writes docs/parts.md from the declarations of the parts. A test holds the page up to date."""

from __future__ import annotations

import inspect
from pathlib import Path

from engine.parts import catalog
from engine.parts.loss import Loss
from engine.parts.metric import Metric
from engine.parts.part import FieldInfo, Part, find, names

FILE = Path(__file__).parent.parent / "docs" / "parts.md"
FAMILIES = {
    "layer": (
        "Layers",
        "Items of `model.layers`, from the input to the output. Each may have a `name`, to point at it in edits"
        " (`model.layers.drop1.p`); those with weights may have an `init`.",
    ),
    "init": ("Initialisation", "For `init` of a layer, or `model.init` for all of them. Biases start at zero."),
    "loss": ("Losses", "For `loss`. Left out, the task's usual one is taken."),
    "optimizer": ("Optimizers", "For `optimizer`."),
    "scheduler": (
        "Schedules",
        "For `scheduler`: a factor on `optimizer.lr`. Epochs count from 0, and from the end of the warm-up if there is"
        " one. All but OneCycleLR take `warmup: {epochs: 1, start_factor: 0.1}`: a linear climb in front.",
    ),
    "augmentation": (
        "Augmentations",
        "Items of `data.augment`: random changes of the training rows, new in every epoch, each sample with draws of"
        " its own. Images are changed after they are scaled to [0, 1] and before mean and standard deviation.",
    ),
    "metric": ("Metrics", "Items of `metrics`, computed over the whole validation part after every epoch."),
    "source": ("Sources", "For `data.source`."),
}
HEAD = """# Parts

Everything that a recipe can name, with its settings. This page is written by `scripts/make_docs.py` from the
declarations in `engine/parts/`; `goodfit parts NAME` shows the same in the terminal.

A part without settings can be written as its name alone: `ReLU` is short for `{type: ReLU}`. Settings marked *live* may
change while a run trains.
"""


def page() -> str:
    """The whole page."""
    catalog.load()
    sections = [HEAD.strip()]
    sections.append("\n".join(f"- [{title}](#{title.lower()})" for title, _ in FAMILIES.values()))
    for family, (title, text) in FAMILIES.items():
        sections.append(f"## {title}\n\n{text}")
        for name in names(family):
            cls = find(family, name)
            assert cls is not None
            if cls.__module__.startswith("engine."):
                sections.append(entry(cls))
    return "\n\n".join(sections) + "\n"


def entry(cls: type[Part]) -> str:
    """One part: what it does, its settings."""
    lines = [f"### {cls.type_name()}", "", inspect.cleandoc(cls.__doc__ or "").replace("*", "\\*"), ""]
    facts = []
    if issubclass(cls, Loss | Metric) and cls.tasks:
        facts.append(f"For {', '.join(cls.tasks)}.")
    if issubclass(cls, Metric):
        facts.append(f"Series: `val_{cls.series()}`.")
    if cls.torch is not None:
        facts.append(f"PyTorch: `{cls.torch}`.")
    if facts:
        lines += [" ".join(facts), ""]
    infos = [info for info in catalog.describe(cls) if info.name not in catalog.SHARED or info.required]
    if infos:
        lines += ["| setting | values | default | meaning |", "| --- | --- | --- | --- |"]
        lines += [row(info) for info in infos]
    return "\n".join(lines).rstrip()


def row(info: FieldInfo) -> str:
    """One setting as a row of a table."""
    meaning = info.help
    if info.smaller and info.larger:
        meaning += f" (smaller: {info.smaller}; larger: {info.larger})"
    if info.live:
        meaning += " *live*"
    default = "required" if info.required else "" if info.default is None else f"`{shown(info.default)}`"
    return f"| `{info.name}` | {values(info)} | {default} | {meaning} |".replace("|  |", "| |")


def values(info: FieldInfo) -> str:
    """What a setting may be, in words."""
    words = [f"`{shown(choice)}`" for choice in info.choices] if info.kind not in ("part", "layers") else []
    if info.kind == "choice":
        return ", ".join(words)
    text = "yes or no" if info.kind == "boolean" else info.kind
    bounds = [
        f"{sign} {bound:g}"
        for sign, bound in (("≥", info.ge), (">", info.gt), ("≤", info.le), ("<", info.lt))
        if bound is not None
    ]
    if bounds:
        text += " " + ", ".join(bounds)
    return ", ".join([text, *words])


def shown(value: object) -> str:
    """A value as a recipe would write it."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(page(), encoding="utf-8")
