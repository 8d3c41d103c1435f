"""How a run is resolved to run on this machine: decided once, journalled, kept by every later life and by verify."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass

import torch

from engine.data.facts import Facts
from engine.errors import UserError
from engine.parts.work import format_for, threads_for
from engine.recipe.schema import Recipe
from engine.runs.records import Json
from engine.train import devices, origin
from engine.train.build.optimizer import kernel_for
from engine.train.executors import choice as executors


@dataclass(frozen=True)
class Choice:
    """What the bits of a run depend on beside its recipe."""

    executor: str
    device: str
    threads: int
    precision: str
    optimizer_kernel: str
    memory_format: str
    torch: str
    cpu: str
    gpu: str | None
    reason: str = ""
    """In words; the bits do not depend on it."""


def choose(recipe: Recipe, facts: Facts, device: str | None = None) -> Choice:
    """Decide what the recipe leaves `auto`, by rules alone; `engine.train.calibration` times what is worth it.

    `device` stands in for the recipe's. Raises UserError where the machine cannot do what is asked.
    """
    name = device or recipe.train.device
    found = devices.find() if name == "auto" else devices.Found(find_device(name))
    chosen = found.device
    precision = _precision(recipe, chosen)
    picked = executors.pick(recipe, facts, chosen, precision)
    threads, why = _threads(recipe, facts, chosen)
    return Choice(
        executor=picked.name,
        device=str(chosen),
        threads=threads,
        precision=precision,
        optimizer_kernel=kernel_for(recipe.optimizer, chosen),
        memory_format=format_for(recipe, facts) if picked.name == "autograd" else "contiguous",
        torch=torch.__version__,
        cpu=cpu_name(),
        gpu=gpu_name(chosen),
        reason="; ".join(filter(None, (found.reason, picked.reason, why))),
    )


def recorded(record: Json) -> Choice:
    """The choice that a `plan` record holds."""
    return Choice(**{name: record.get(name) for name in Choice.__dataclass_fields__})  # type: ignore[arg-type]


def differences(choice: Choice) -> list[str]:
    """What on this machine differs from where the choice was made, in words; empty where the bits can be the same."""
    found = []
    if choice.torch != torch.__version__:
        found.append(f"torch was {choice.torch}, here it is {torch.__version__}")
    if choice.cpu != cpu_name():
        found.append(f"the CPU was {choice.cpu}, here it is {cpu_name()}")
    try:
        device = find_device(choice.device)
    except UserError as error:
        return [*found, error.message]
    if choice.gpu != gpu_name(device):
        found.append(f"the GPU was {choice.gpu}, here it is {gpu_name(device)}")
    return found


def of_next_life(records: list[Json], options: Json) -> tuple[Choice | None, str]:
    """The choice that goes on holding for a run with this journal, or None and why there has to be another one.

    `options` are those of launch.json. Raises UserError where it cannot be kept and must not change.
    """
    plans = [r for r in records if r["type"] in ("plan", "replanned")]
    if not plans:
        return None, ""
    choice = recorded(plans[-1] if plans[-1]["type"] == "plan" else plans[-1]["plan"])
    reasons = differences(choice)
    started = next(r for r in records if r["type"] == "started")
    if started["versions"].get("parts", {}) != origin.parts_versions(options.get("parts") or []):
        reasons.append("own parts have changed")
    device = options.get("device")
    if device and not _is_meant(device, choice):
        reasons = [f"{device} was asked for in place of {choice.device}"]
    if not reasons:
        return choice, ""
    if options.get("frozen"):
        raise UserError(f"the plan cannot be kept: {reasons[0]}", "leave out --frozen to plan anew")
    return None, "; ".join(reasons)


def _is_meant(device: str, choice: Choice) -> bool:
    """Whether a plan is on the device that is asked for: with `auto`, on any GPU where there is one."""
    found = find_device(device)
    return str(found) == choice.device or (device == "auto" and found.type == torch.device(choice.device).type)


def find_device(name: str) -> torch.device:
    """The device of that name; `auto` takes the GPU with the most free memory, if there is one. Raises UserError."""
    cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    if name == "auto":
        return devices.find().device
    kind, _, number = name.partition(":")
    if kind == "cpu" and not number:
        return torch.device("cpu")
    if kind == "mps" and not number:
        if not mps:
            raise UserError("train.device is mps, but torch finds no Apple GPU here", "use device: auto or cpu")
        return torch.device("mps")
    if kind == "cuda" and (not number or number.isdecimal()):
        if not cuda:
            raise UserError(
                f"train.device is {name}, but torch finds no CUDA GPU here",
                "use device: auto or cpu; `goodfit doctor` shows what torch and the driver say",
            )
        if int(number or 0) >= torch.cuda.device_count():
            raise UserError(f"there is no {name}: torch finds {torch.cuda.device_count()} GPUs", "use device: cuda:0")
        return torch.device("cuda", int(number or 0))
    raise UserError(f"{name} is no device", "use auto, cpu, cuda, cuda:1 or mps")


def prepare_torch(choice: Choice, deterministic: bool) -> torch.device:
    """Set torch up as the choice says, before any tensor is made; the device to work on."""
    torch.set_num_threads(choice.threads)
    # the same switch as use_deterministic_algorithms, which would import torch's compiler for a second first
    torch.set_deterministic_debug_mode("error" if deterministic else "default")
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = deterministic
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.set_float32_matmul_precision("highest")
    device = torch.device(choice.device)
    if device.type == "cuda":
        torch.cuda.set_device(device)  # else what names no device takes memory on the first GPU too
    return device


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def cpu_name() -> str:
    """Architecture and the vector instructions that torch uses: what its kernels are chosen by."""
    return f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}"


def gpu_name(device: torch.device) -> str | None:
    """Name of the GPU, None on a CPU."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return "Apple GPU" if device.type == "mps" else None


def _threads(recipe: Recipe, facts: Facts, device: torch.device) -> tuple[int, str]:
    if recipe.train.threads == "auto" and device.type != "cpu":
        return 1, f"one thread, since the work is on {device}"
    return threads_for(recipe, facts, cores())


def _precision(recipe: Recipe, device: torch.device) -> str:
    if recipe.train.precision != "auto":
        return recipe.train.precision
    return "bf16" if device.type == "cuda" and torch.cuda.is_bf16_supported() else "fp32"
