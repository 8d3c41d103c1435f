"""What nearly every run does, done once for nobody: so that a worker in waiting has it behind it.

Modules are imported, parts are read, kernels pick their code paths. Nothing of it reaches a run: each sets torch up and
seeds every generator for itself. No GPU is looked for, let alone touched: who waits takes nothing from others.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

RECIPE = """\
seed: 0
data: {source: {type: Builtin, name: iris}, batch_size: 32}
model:
  layers: [{type: Linear, out_features: 16}, ReLU, {type: Dropout, p: 0.1}, {type: Linear, out_features: outputs}]
loss: CrossEntropyLoss
optimizer: {type: Adam, lr: 1e-3}
scheduler: CosineAnnealingLR
train: {epochs: 2, device: cpu}
metrics: [Accuracy, F1Score]
"""
ALSO = ("engine.train.life", "engine.train.checkpoint", "engine.train.refusals", "polars", "safetensors.numpy")
"""What a run imports after its first loss, or for tables alone."""


def rehearse() -> None:
    """Train a small network for a moment on every executor that covers it."""
    import torch

    from engine.data.prepare import prepare
    from engine.recipe.resolve import resolve
    from engine.train import guess, origin, plan
    from engine.train.build.optimizer import kernel_for
    from engine.train.desk import Script
    from engine.train.executors import choice as executors
    from engine.train.position import Position
    from engine.train.rows import TimedRows
    from engine.train.session import open_session, read_recipe

    plain = read_recipe(RECIPE)
    recipe = resolve(plain, prepare(plain, Path()).facts)
    cpu = torch.device("cpu")
    for name in executors.MODULES:
        if executors.refusal(name, recipe, prepare(plain, Path()).facts, cpu, "fp32"):
            continue
        choice = plan.Choice(
            executor=name,
            device="cpu",
            threads=1,
            precision="fp32",
            optimizer_kernel=kernel_for(recipe.optimizer, cpu),
            memory_format="contiguous",
            torch=torch.__version__,
            cpu=plan.cpu_name(),
            gpu=None,
        )
        session = open_session(RECIPE, Path(), choice=choice)
        try:
            guess.loss_at_init(session.executor, "validation")
            guess.loss_of_average(session.executor, session.prepared, "validation")
            for _ in session.loop(position=Position(), desk=Script([]), rows=TimedRows()).run():
                pass
            session.executor.state()
        finally:
            session.executor.close()
    origin.versions()
    for module in ALSO:
        import_module(module)
