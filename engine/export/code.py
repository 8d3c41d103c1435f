"""`goodfit code`: a recipe as one plain PyTorch file that anybody can read, run and change.

The file reads the same data, splits and scales it in the same way, starts from the same weights and visits the rows in
the same order. On the same machine and torch build its losses are those of `train.executor: autograd` to the last bit,
and those of the other executors within rounding.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from engine.data.facts import Facts
from engine.export.augmentation import write_augmentation
from engine.export.data import write_data
from engine.export.learning_rate import write_learning_rate
from engine.export.network import write_network
from engine.export.script import Script, literal
from engine.export.training import write_training
from engine.parts.work import threads_for
from engine.recipe.schema import Recipe

TO_UNIT = '''
def to_unit(x: torch.Tensor, scaling: tuple) -> torch.Tensor:
    """Pixels as numbers of at most 1."""
    scale = scaling[0]
    return x.float() if scale == 1 else x.float() * scale
'''

NORMALIZED = '''
def normalized(x: torch.Tensor, scaling: tuple) -> torch.Tensor:
    """(x - mean) / std by channel."""
    mean, std = (torch.tensor(each, dtype=torch.float32, device=DEVICE) for each in scaling[1:])
    shape = (1, -1, *[1] * (x.ndim - 2))
    return (x - mean.view(shape)) / std.view(shape)
'''


def export(recipe: Recipe, facts: Facts, base: Path, *, device: str | None = None, threads: int | None = None) -> str:
    """The file's text.

    `recipe` is resolved, `facts` are its data's, relative paths are relative to `base`. `device` and `threads` are
    those of a run's plan; left out, the file decides as `goodfit train` would. Raises UserError where a part of the
    recipe cannot be written as plain code.
    """
    script = Script()
    sections = []
    script.use("import math", "import numpy as np", "import torch", "from torch import nn")
    image = len(facts.shape) > 1
    write_data(script, recipe, base)
    sections.append(("Data", script.section()))
    write_network(script, recipe, facts)
    sections.append(("Network", script.section()))
    if image or recipe.data.augment:
        if image:
            script.define(TO_UNIT)
            script.define(NORMALIZED)
        if recipe.data.augment:
            write_augmentation(script, recipe.data.augment, facts.shape)
        sections.append(("Batches", script.section()))
    write_learning_rate(script, recipe)
    sections.append(("Learning rate", script.section()))
    write_training(script, recipe, facts, image)
    sections.append(("Training", script.section()))
    name = recipe.name or "recipe"
    head = _head(name)
    setup = _setup(script, recipe, facts, device, threads)
    body = "\n\n\n".join(f"# {title}\n\n\n{text}" for title, text in sections)
    return (
        f"{head}\n\nfrom __future__ import annotations\n\n{script.imports()}\n\n{setup}\n\n\n{body}\n\n\n"
        'if __name__ == "__main__":\n    main()\n'
    )


def _head(name: str) -> str:
    shown = re.sub(r"[^\w .,:()+-]", "_", name)  # nothing that could end the docstring
    return f'''"""{shown}: trained by plain PyTorch.

Written by goodfit from a recipe. Same data, split, weights and order as `goodfit train`: on the same machine and torch
build the losses are the same, to the last bit where goodfit runs it by autograd, else within rounding.

    python FILE                 trains, a line an epoch
    python FILE --test          and scores the best weights on the test part
    python FILE --losses 20     prints the losses of the first 20 updates, and stops
"""'''


def _setup(script: Script, recipe: Recipe, facts: Facts, device: str | None, threads: int | None) -> str:
    lines = [
        f"SEED = {recipe.seed}",
        f"EPOCHS = {recipe.train.epochs}",
        f"BATCH_SIZE = {recipe.data.batch_size}",
        f"LEARNING_RATE = {recipe.optimizer.lr!r}",
        *script.constants,
        f"DEVICE = torch.device({_device(device or recipe.train.device)})",
        "",
    ]
    count = threads or threads_for(recipe, facts, _cores())[0]
    on_gpu = "" if count == 1 else ' if DEVICE.type == "cpu" else 1'
    lines.append(f"torch.set_num_threads({count}{on_gpu})")
    if recipe.train.deterministic:
        script.use("import os")
        lines.append('os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # CUDA reads it at its first use')
        lines.append('torch.set_deterministic_debug_mode("error")  # the same bits every time, or an error')
        lines.append("torch.utils.deterministic.fill_uninitialized_memory = False")
    lines.append("torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False")
    return "\n".join(lines)


def _device(name: str) -> str:
    if name != "auto":
        return literal(name)
    return '"cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"'


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
