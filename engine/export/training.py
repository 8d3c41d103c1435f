"""The part of the file that trains: loss, optimizer, one loop that reads top to bottom, validation, test."""

from __future__ import annotations

from typing import Any

from engine.data.facts import Facts
from engine.errors import UserError
from engine.export.augmentation import is_steady, mixes
from engine.export.network import call
from engine.export.script import Script, literal
from engine.parts.loss import BCEWithLogitsLoss, CrossEntropyLoss
from engine.parts.metric import Metric, higher_is_better
from engine.parts.work import format_for
from engine.recipe.schema import Recipe

FUSED = ("SGD", "Adam", "AdamW", "Adagrad")


def write_training(script: Script, recipe: Recipe, facts: Facts, image: bool) -> None:
    """Define loss, optimizer, `evaluate` and `main`."""
    script.use("import argparse", "import math", "import numpy as np", "import torch", "from torch import nn")
    script.define(_loss(script, recipe))
    script.define(_optimizer(script, recipe))
    script.define(_evaluate(script, recipe, facts, image))
    script.define(_main(recipe, facts, image))


# Loss and optimizer


def _loss(script: Script, recipe: Recipe) -> str:
    part = recipe.loss
    assert part is not None
    arguments: dict[str, Any] = {name: value for name, value in part.arguments().items() if value is not None}
    lines = ["def build_loss(y: torch.Tensor) -> nn.Module:"]
    extra = ""
    if isinstance(part, CrossEntropyLoss) and part.weight is not None:
        lines.append('    """Mean loss of a batch, each row weighted by its class; y: all training targets."""')
        del arguments["weight"]
        extra = "weight=torch.tensor(weight)"
        if part.weight == "balanced":
            lines.append("    counts = np.bincount(y.cpu().numpy(), minlength=len(CLASSES)).tolist()")
            lines.append("    weight = [sum(counts) / (len(counts) * max(count, 1)) for count in counts]")
        else:
            lines.append(f"    weight = {part.weight!r}")
    elif isinstance(part, BCEWithLogitsLoss) and part.pos_weight is not None:
        lines.append('    """Mean loss of a batch; y: all training targets."""')
        del arguments["pos_weight"]
        extra = "pos_weight=torch.tensor(weight)"
        if part.pos_weight == "balanced":
            lines.append("    counts = [int(count) for count in y.cpu().numpy().sum(axis=0)]")
            lines.append("    weight = [(len(y) - count) / max(count, 1) or 1.0 for count in counts]")
        else:
            weight = part.pos_weight if isinstance(part.pos_weight, list) else [part.pos_weight]
            lines.append(f"    weight = {weight!r}")
    else:
        lines.append('    """Mean loss of a batch."""')
    text = call(script, part, arguments)
    if extra:
        text = text.removesuffix(")") + (", " if arguments and not text.endswith("()") else "") + extra + ")"
    lines.append(f"    return {text}.to(DEVICE)")
    return "\n".join(lines)


def _optimizer(script: Script, recipe: Recipe) -> str:
    part = recipe.optimizer
    if part.torch is None:
        raise UserError(f"{part.type_name()} cannot be written as code", "choose an optimizer of PyTorch")
    written = []
    for name, value in part.arguments().items():
        field = type(part).model_fields[name]
        if name == "lr":
            written.append("lr=LEARNING_RATE")
        elif field.default != value:
            written.append(f"{name}={literal(tuple(value) if isinstance(value, list) else value)}")
    if part.type_name() == "Adagrad":
        written.append('fused=DEVICE.type == "cpu"')
    elif part.type_name() in FUSED:
        written.append('fused=DEVICE.type != "mps"')
    else:
        written.append('foreach=DEVICE.type == "cuda"')
    arguments = "".join(f"        {each},\n" for each in ["model.parameters()", *written])
    return (
        "def build_optimizer(model: nn.Module) -> torch.optim.Optimizer:\n"
        '    """The update rule, over all weights."""\n'
        f"    return {part.torch}(\n{arguments}    )"
    )


# Validation and test


def _evaluate(script: Script, recipe: Recipe, facts: Facts, image: bool) -> str:
    regression = facts.task == "regression"
    slice_ = 128 if len(facts.shape) > 1 else 2048
    arguments = "model, criterion, part" + (", scaling" if image else "") + (", scale" if regression else "")
    lines = [f"def evaluate({arguments}) -> dict[str, float]:"]
    lines.append(
        '    """Loss over a part of the data in evaluation mode (a ratio of sums), and metrics of all its rows."""'
    )
    lines.append("    model.eval()")
    lines.append("    numerator = denominator = 0.0")
    lines.append("    outputs = []")
    lines.append("    x, y = part")
    lines.append("    with torch.inference_mode():")
    lines.append(f"        for start in range(0, len(x), {slice_}):")
    lines.append(f"            inputs = torch.tensor(x[start : start + {slice_}], device=DEVICE)")
    lines.append(f"            targets = torch.tensor(y[start : start + {slice_}], device=DEVICE)")
    if image:
        settled = "to_unit(inputs, scaling)"
        settled = f"steady({settled})" if is_steady(recipe.data.augment) else settled
        lines.append(f"            inputs = normalized({settled}, scaling)")
    lines += [f"            {line}" for line in forward(recipe, facts, "found")]
    lines.append("            loss = float(criterion(found, targets))")
    lines.append(f"            weight = {_denominator(recipe, 'targets')}")
    lines.append("            numerator, denominator = numerator + loss * weight, denominator + weight")
    lines.append("            outputs.append(found.cpu())")
    if recipe.metrics:
        lines.append("    found, targets = torch.cat(outputs), torch.tensor(y)")
        lines += [f"    {line}" for line in _prediction(facts)]
    lines.append('    row = {"loss": numerator / denominator}')
    for metric in recipe.metrics or []:
        lines.append(f"    row[{literal(metric.series())}] = {_metric(script, metric, facts)}")
    lines.append("    return row")
    return "\n".join(lines)


def forward(recipe: Recipe, facts: Facts, name: str) -> list[str]:
    """Lines that put `inputs` through the network."""
    lines = ["inputs = inputs.contiguous(memory_format=torch.channels_last)"] if channels_last(recipe, facts) else []
    if recipe.train.precision == "fp32":
        return [*lines, f"{name} = model(inputs)"]
    enabled = "" if recipe.train.precision == "bf16" else ', enabled=DEVICE.type == "cuda"'
    return [
        *lines,
        f"with torch.autocast(DEVICE.type, dtype=torch.bfloat16{enabled}):",
        f"    {name} = model(inputs).float()",
    ]


def channels_last(recipe: Recipe, facts: Facts) -> bool:
    """Whether images lie in memory with their channels last, as convolutions like them."""
    return format_for(recipe, facts) == "channels_last"


def _denominator(recipe: Recipe, targets: str) -> str:
    if isinstance(recipe.loss, CrossEntropyLoss) and recipe.loss.weight is not None:
        return f"float(criterion.weight[{targets}].double().sum())"
    return f"len({targets})"


def _prediction(facts: Facts) -> list[str]:
    if facts.task == "regression":
        return [
            "mean, std = (torch.tensor(each, dtype=torch.float64) for each in zip(*scale))",
            "found, targets = found.double() * std + mean, targets.double() * std + mean",
        ]
    if facts.task == "classification":
        return ["found = torch.softmax(found, dim=1)"]
    flat = ".reshape(-1)" if facts.task == "binary" else ""
    return [f"found, targets = torch.sigmoid(found){flat}, targets.long(){flat}"]


SEVERAL_AREAS = '''
def auroc(found: torch.Tensor, targets: torch.Tensor) -> float:
    """Mean area over the {what} that have members and others; not a number where none has."""
    members = {members}
    defined = (members > 0) & (members < len(targets))
    areas = classification.{prefix}_auroc(found, targets, {count}=found.shape[1], average="none")
    return float(areas[defined].mean())
'''
AUROC = {
    "binary": '''
def auroc(found: torch.Tensor, targets: torch.Tensor) -> float:
    """Area under the curve of the second class; not a number where all rows are of one class."""
    return float(classification.binary_auroc(found, targets)) if targets.min() != targets.max() else math.nan
''',
    "classification": SEVERAL_AREAS.format(
        what="classes",
        members="torch.bincount(targets, minlength=found.shape[1])",
        prefix="multiclass",
        count="num_classes",
    ),
    "multilabel": SEVERAL_AREAS.format(
        what="labels", members="targets.sum(dim=0)", prefix="multilabel", count="num_labels"
    ),
}
OF_CLASSES = ("Accuracy", "Precision", "Recall", "F1Score", "AUROC", "ConfusionMatrix")
OF_NUMBERS = ("R2Score", "MeanSquaredError", "MeanAbsoluteError")
"""Metrics that can be written, of classes or labels and of a regression."""


def _metric(script: Script, metric: Metric, facts: Facts) -> str:
    name = metric.type_name()
    if facts.task == "regression":
        if name not in OF_NUMBERS:
            raise UserError(f"{name} cannot be written as code", "choose a metric that comes with goodfit")
        script.use("from torchmetrics.functional import regression")
        squeeze = ".squeeze(-1)" if facts.outputs == 1 else ""
        text = f"float(regression.{metric.series()}(found{squeeze}, targets{squeeze}))"
        return f"{text} if len(targets) > 1 else math.nan" if name == "R2Score" else text
    if name not in OF_CLASSES:
        raise UserError(f"{name} cannot be written as code", "choose a metric that comes with goodfit")
    script.use("from torchmetrics.functional import classification")
    prefix = {"classification": "multiclass", "binary": "binary", "multilabel": "multilabel"}[facts.task]
    if name == "AUROC":
        script.define(AUROC[facts.task])
        return "auroc(found, targets)"
    arguments = "found, targets"
    if facts.task != "binary":
        arguments += f", {'num_classes' if facts.task == 'classification' else 'num_labels'}={facts.outputs}"
        if name != "ConfusionMatrix":
            arguments += f', average="{"micro" if name == "Accuracy" else "macro"}"'
    text = f"classification.{prefix}_{metric.series()}({arguments})"
    return f"{text}.tolist()" if name == "ConfusionMatrix" else f"float({text})"


# The loop


TEST_OPTION = '    parser.add_argument("--test", action="store_true", help="score the best weights on the test part")'


def _main(recipe: Recipe, facts: Facts, image: bool) -> str:
    validated = facts.rows.get("validation", 0) > 0
    return "\n".join(
        [
            "def main() -> None:",
            '    parser = argparse.ArgumentParser(description=__doc__.split("\\n")[0])',
            '    parser.add_argument("--losses", type=int, metavar="N", help="print N losses, and stop")',
            *([TEST_OPTION] if facts.rows.get("test") else []),
            "    arguments = parser.parse_args()",
            "",
            *_setup(recipe, facts, image),
            "",
            *_epochs(recipe, facts, image, validated),
            *_finish(facts, image),
        ]
    )


def _extra(facts: Facts, image: bool) -> str:
    return (", scaling" if image else "") + (", scale" if facts.task == "regression" else "")


def _setup(recipe: Recipe, facts: Facts, image: bool) -> list[str]:
    lines = [f"    parts{_extra(facts, image)} = prepare()"]
    lines.append('    x, y = (torch.tensor(array, device=DEVICE) for array in parts["train"])')
    layout = ", memory_format=torch.channels_last" if channels_last(recipe, facts) else ""
    lines.append(f"    model = build_network().to(DEVICE{layout})")
    lines.append("    criterion = build_loss(y)")
    lines.append("    optimizer = build_optimizer(model)")
    steps = "len(x) // BATCH_SIZE" if recipe.data.drop_last else "-(-len(x) // BATCH_SIZE)"
    lines.append(f"    steps_per_epoch = {steps}")
    lines.append("    step, best, history = 0, None, []")
    if recipe.train.early_stopping is not None:
        lines.append("    waited, reference = 0, math.inf")
    lines.append("    weights = model.state_dict()")
    return lines


def _epochs(recipe: Recipe, facts: Facts, image: bool, validated: bool) -> list[str]:
    train, data = recipe.train, recipe.data
    order = "np.random.default_rng([SEED, epoch]).permutation(len(x))" if data.shuffle else "np.arange(len(x))"
    lines = ["    for epoch in range(EPOCHS):"]
    body = ["model.train()", f"order = torch.from_numpy({order}).to(DEVICE)"]
    if data.augment:
        body.append("draws = draw(epoch, len(x), tuple(x.shape[1:]))")
    body.append("total = weight = 0.0")
    body.append("for index in range(steps_per_epoch):")
    mixed = mixes(data.augment)
    drawn = "rows, draws, share, partner" if mixed else "rows, draws"
    step = [
        "rows = order[index * BATCH_SIZE : (index + 1) * BATCH_SIZE]",
        "inputs, targets = x.index_select(0, rows), y.index_select(0, rows)",
    ]
    if mixed:
        step.append("share, partner = mix(epoch, index, len(rows))")
    if image:
        inner = f"augment(to_unit(inputs, scaling), {drawn})" if data.augment else "to_unit(inputs, scaling)"
        step.append(f"inputs = normalized({inner}, scaling)")
    elif data.augment:
        step.append(f"inputs = augment(inputs, {drawn})")
    step += forward(recipe, facts, "outputs")
    loss = "criterion(outputs, targets)"
    if mixed:
        loss = f"share * {loss} + (1 - share) * criterion(outputs, targets[partner])"
    step += [f"loss = {loss}", "optimizer.zero_grad()", "loss.backward()"]
    if train.clip_grad_norm is not None:
        step.append(f"torch.nn.utils.clip_grad_norm_(list(model.parameters()), {train.clip_grad_norm!r})")
    elif train.clip_grad_value is not None:
        step.append(f"torch.nn.utils.clip_grad_value_(list(model.parameters()), {train.clip_grad_value!r})")
    step.append("for group in optimizer.param_groups:")
    step.append('    group["lr"] = learning_rate(step, epoch, steps_per_epoch, history)')
    if getattr(recipe.scheduler, "cycle_momentum", False):
        arguments = recipe.optimizer.arguments()
        if "betas" in arguments:
            step.append('    group["betas"] = (momentum_of(step, steps_per_epoch), group["betas"][1])')
        elif "momentum" in arguments:
            step.append('    group["momentum"] = momentum_of(step, steps_per_epoch)')
    step += [
        "optimizer.step()",
        "step += 1",
        "if arguments.losses is not None:",
        "    print(loss.item())",
        "    if step >= arguments.losses:",
        "        return",
        f"denominator = {_denominator(recipe, 'targets')}",
        "total, weight = total + loss.item() * denominator, weight + denominator",
    ]
    body += [f"    {line}" for line in step]
    body.append('row = {"train_loss": total / weight}')
    if validated:
        arguments_ = f'model, criterion, parts["validation"]{_extra(facts, image)}'
        body.append(f'row |= {{f"val_{{name}}": value for name, value in evaluate({arguments_}).items()}}')
    body.append("history.append(row)")
    body.append("if arguments.losses is None:")
    body.append('    shown = [f"{name} {value:.4g}" for name, value in row.items() if isinstance(value, float)]')
    body.append('    print(f"epoch {epoch + 1}/{EPOCHS}", *shown)')
    body += _judge(recipe, validated)
    return lines + [f"        {line}" for line in body]


def _judge(recipe: Recipe, validated: bool) -> list[str]:
    stopping = recipe.train.early_stopping
    series = "train_loss" if not validated else stopping.monitor if stopping else "val_loss"
    sign = "-" if higher_is_better(series) else ""
    lines = [
        f"value = {sign}row[{literal(series)}]",
        "if best is None or value < best:",
        "    best, weights = value, {name: tensor.clone() for name, tensor in model.state_dict().items()}",
    ]
    if stopping is not None:
        delta = f" - {stopping.min_delta!r}" if stopping.min_delta else ""
        lines += [
            f"if value < reference{delta}:",
            "    reference, waited = value, 0",
            "else:",
            "    waited += 1",
            f"if waited >= {stopping.patience}:",
            "    break",
        ]
    return lines


def _finish(facts: Facts, image: bool) -> list[str]:
    if not facts.rows.get("test"):
        return []
    return [
        "",
        "    if arguments.test:",
        "        model.load_state_dict(weights)",
        f'        for name, value in evaluate(model, criterion, parts["test"]{_extra(facts, image)}).items():',
        '            print(f"test_{name} {value}")',
    ]
