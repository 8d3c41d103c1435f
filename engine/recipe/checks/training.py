"""Loss, metrics, optimizer and the training loop: what does not fit the task, and what contradicts itself."""

from __future__ import annotations

import re
from collections.abc import Callable

from engine.parts.loss import USUAL_LOSS
from engine.parts.metric import Metric
from engine.parts.optimizer import Adam, AdamW
from engine.parts.part import find, names
from engine.recipe.checks.subject import Subject
from engine.recipe.edits import Transaction
from engine.recipe.words import listed, nearest, suggestion

RULES = (
    "overfitting",
    "underfitting",
    "nan_loss",
    "diverged",
    "lr_too_high",
    "lr_too_low",
    "plateau",
    "exploding_gradients",
    "vanishing_gradients",
    "dead_relus",
    "noisy_validation",
    "majority_collapse",
    "leakage",
    "label_noise_memorisation",
    "saturated_activations",
    "class_imbalance",
    "loss_at_init",
    "slow_data",
    "stalled",
    "schedule_mismatch",
    "unused_parameters",
)
"""Names of findings that `findings.ignore` can silence."""
DEVICE = re.compile(r"auto|cpu|mps|cuda(:[0-9]{1,3})?")
SIZE = re.compile(r"\s*([0-9]+(\.[0-9]*)?|\.[0-9]+)\s*([kKMGT]i?)?B?\s*")


def loss_fits(subject: Subject) -> None:
    """A loss that fits the task, with weights of the right number."""
    loss, task = subject.recipe.loss, subject.task
    if loss is None:
        return
    if task and loss.tasks and task not in loss.tasks:
        usual = USUAL_LOSS[task]
        message = f"{loss.type_name()} is for {listed(loss.tasks, 'or')}, and the task is {task}"
        subject.error("loss", message, f"use {usual}", subject.set("loss", usual))
        return
    outputs = subject.outputs
    for name in ("weight", "pos_weight"):
        weights = getattr(loss, name, None)
        if isinstance(weights, list) and outputs is not None and len(weights) != outputs:
            message = f"{len(weights)} weights for {outputs} {'classes' if name == 'weight' else 'outputs'}"
            subject.error(f"loss.{name}", message, f"give {outputs} numbers, or balanced")


def metrics_fit(subject: Subject) -> None:
    """Metrics that fit the task, each once."""
    seen: set[str] = set()
    metrics = subject.recipe.metrics or []
    for index, metric in enumerate(metrics):
        path = f"metrics.{index}"
        name = metric.type_name()
        remove = subject.unset(path) if len(metrics) > 1 else subject.unset("metrics")
        if subject.task and metric.tasks and subject.task not in metric.tasks:
            message = f"{name} is for {listed(metric.tasks, 'or')}, and the task is {subject.task}"
            fitting = [other for other in names("metric") if subject.task in _metric(other).tasks]
            subject.error(path, message, f"these fit: {listed(fitting)}", remove)
        if name in seen:
            subject.warn(path, f"{name} stands twice", "remove one", remove)
        seen.add(name)


def _metric(name: str) -> type[Metric]:
    cls = find("metric", name)
    assert cls is not None and issubclass(cls, Metric)
    return cls


def monitors_exist(subject: Subject) -> None:
    """Series that early stopping and schedules watch."""
    train, scheduler = subject.recipe.train, subject.recipe.scheduler
    if train.early_stopping:
        _monitor(subject, "train.early_stopping.monitor", train.early_stopping.monitor)
    monitor = getattr(scheduler, "monitor", None)
    if isinstance(monitor, str):
        _monitor(subject, "scheduler.monitor", monitor)
        mode = getattr(scheduler, "mode", None)
        better = _direction(subject, monitor)
        if mode and better and mode != better:
            message = f"{monitor} is better when {'higher' if better == 'max' else 'lower'}, and mode is {mode}"
            subject.warn("scheduler.mode", message, f"use {better}", subject.set("scheduler.mode", better))


def _direction(subject: Subject, monitor: str) -> str | None:
    if monitor.endswith("_loss"):
        return "min"
    metric = next((metric for metric in subject.metrics or [] if f"val_{metric.series()}" == monitor), None)
    if metric is None or metric.higher_is_better is None:
        return None
    return "max" if metric.higher_is_better else "min"


def _monitor(subject: Subject, path: str, monitor: str) -> None:
    metrics = subject.metrics
    if monitor in ("val_loss", "train_loss") or metrics is None:
        return
    known = [f"val_{metric.series()}" for metric in metrics if metric.higher_is_better is not None]
    if monitor in known:
        return
    all_metrics = {f"val_{_metric(name).series()}": name for name in names("metric")}
    name = all_metrics.get(monitor)
    if name and _metric(name).higher_is_better is None:
        subject.error(
            path, f"{monitor} has no order and cannot be monitored", "watch val_loss", subject.set(path, "val_loss")
        )
    elif name and subject.task and subject.task not in _metric(name).tasks:
        message = f"{name} does not fit a {subject.task}, so there is no {monitor}"
        subject.error(path, message, f"watch {listed(['val_loss', *known], 'or')}", subject.set(path, "val_loss"))
    elif name:
        message = f"no metric gives {monitor}"
        subject.error(
            path, message, f"add {name} to metrics", _with_metric(subject, name), subject.set(path, "val_loss")
        )
    elif monitor.startswith("test_"):
        message = "the test part is not looked at while training"
        subject.error(path, message, "watch val_loss", subject.set(path, "val_" + monitor.removeprefix("test_")))
    else:
        valid = ["val_loss", *known, "train_loss"]
        close = f"val_{monitor}" if f"val_{monitor}" in all_metrics else nearest(monitor, valid)
        close = close or nearest(monitor, all_metrics)
        hint, fixes = suggestion(close or monitor, valid, "series"), [subject.set(path, close)] if close else []
        if close and close not in valid:
            hint = f"did you mean {close}? Then add {all_metrics[close]} to metrics"
            fixes = [subject.set(path, close) + _with_metric(subject, all_metrics[close])]
        subject.error(path, f"there is no series {monitor!r}", hint, *fixes)


def _with_metric(subject: Subject, name: str) -> Transaction:
    """A fix: one more metric."""
    written = subject.document.get("metrics")
    held = written if isinstance(written, list) else [metric.type_name() for metric in subject.metrics or []]
    return subject.set("metrics", [*held, name])


def stopping(subject: Subject) -> None:
    """Early stopping that can never stop, or that stops before the schedule acts."""
    train, scheduler = subject.recipe.train, subject.recipe.scheduler
    early = train.early_stopping
    if early is None:
        return
    path = "train.early_stopping.patience"
    if early.patience >= train.epochs:
        message = f"early stopping waits {early.patience} epochs, and the run has {train.epochs}: it can never stop it"
        fixes = subject.set(path, max(1, train.epochs // 4)), subject.unset("train.early_stopping")
        subject.warn(path, message, "be less patient", *fixes)
    patience = getattr(scheduler, "patience", None)
    if isinstance(patience, int) and early.patience <= patience:
        message = f"early stopping waits {early.patience} epochs and the schedule {patience}: the rate never drops"
        subject.warn(path, message, "stop later than the schedule acts", subject.set(path, 2 * patience + 2))


def clipping(subject: Subject) -> None:
    """One way to clip gradients."""
    train = subject.recipe.train
    if train.clip_grad_norm is not None and train.clip_grad_value is not None:
        message = "gradients are clipped by norm or by value, not both"
        ways = [subject.unset(f"train.clip_grad_{name}") for name in ("value", "norm")]
        subject.error("train.clip_grad_value", message, "keep one of clip_grad_norm and clip_grad_value", *ways)


def learning_rate(subject: Subject) -> None:
    """Learning rates that hardly ever work."""
    optimizer = subject.recipe.optimizer
    onecycle = subject.recipe.scheduler is not None and subject.recipe.scheduler.type_name() == "OneCycleLR"
    high = 0.1 if isinstance(optimizer, Adam | AdamW) and not onecycle else 10.0
    if optimizer.lr >= high:
        usual = 1e-3 if isinstance(optimizer, Adam | AdamW) else 1e-2
        message = f"a learning rate of {optimizer.lr:g} is very high for {optimizer.type_name()}"
        subject.warn("optimizer.lr", message, f"{usual:g} is usual", subject.set("optimizer.lr", usual))


def device(subject: Subject) -> None:
    """A device that there could be."""
    train = subject.recipe.train
    if not DEVICE.fullmatch(train.device):
        close = "cuda" if "gpu" in train.device.lower() else nearest(train.device, ["auto", "cpu", "cuda", "mps"])
        fixes = [subject.set("train.device", close)] if close else []
        known = "auto, cpu, cuda, cuda:1 or mps"
        subject.error("train.device", f"there is no device {train.device!r}", f"one of {known}", *fixes)


def budget(subject: Subject) -> None:
    """An amount of disk."""
    size = subject.recipe.train.checkpoints.budget
    if not SIZE.fullmatch(size):
        message = f"{size!r} is no amount of disk"
        fix = subject.set("train.checkpoints.budget", "1GB")
        subject.error("train.checkpoints.budget", message, "like 500MB or 2GB", fix)


def range_test(subject: Subject) -> None:
    """A range of learning rates that begins below its end."""
    find_lr = subject.recipe.find_lr
    if find_lr.start >= find_lr.end:
        message = f"the range test begins at {find_lr.start:g} and must end above it, not at {find_lr.end:g}"
        subject.error("find_lr", message, "start: 1e-7 and end: 10 are usual")


def silenced_rules(subject: Subject) -> None:
    """Rules that `findings.ignore` names."""
    for index, rule in enumerate(subject.recipe.findings.ignore):
        if rule not in RULES:
            path = f"findings.ignore.{index}"
            close = nearest(rule, RULES)
            fixes = [subject.set(path, close)] if close else []
            subject.error(path, f"there is no rule {rule!r}", suggestion(rule, RULES, "rules"), *fixes)


CHECKS: tuple[Callable[[Subject], None], ...] = (
    loss_fits,
    metrics_fit,
    monitors_exist,
    stopping,
    clipping,
    learning_rate,
    device,
    budget,
    range_test,
    silenced_rules,
)
