"""The folder of runs: making one, finding one by what a person calls it, listing all."""

from __future__ import annotations

import json
import os
import re
import secrets
from datetime import UTC, datetime
from pathlib import Path

from engine.errors import UserError
from engine.runs.commands import COMMANDS
from engine.runs.journal import LOG, read
from engine.runs.records import Json
from engine.runs.storage import make_folder, refused, sync_folder, write_new
from engine.runs.summary import LAUNCH, RunInfo, info, launch_options, summarize

RECIPE = "recipe.yaml"
RESOLVED = "resolved.yaml"
"""The effective recipe with every default written out, as the worker last had it."""
CHECKPOINTS = "checkpoints"
_NAME = re.compile(r"^(\d{8}-\d{4})-(.+)-([0-9a-f]{4})$")


def runs_root(flag: str | Path | None = None) -> Path:
    """Where runs are: `--runs`, else GOODFIT_RUNS, else `./runs`. Absolute; need not exist."""
    return Path(flag or os.environ.get("GOODFIT_RUNS") or "runs").expanduser().absolute()


def slug(name: str) -> str:
    """A name as it stands in a folder's name."""
    return re.sub(r"[^A-Za-z0-9_.]+", "-", name).strip("-.")[:40].rstrip("-.") or "run"


def create(root: Path, name: str, kind: str, recipe_text: str, launch: Json, *, sync: bool = True) -> Path:
    """Make a run's folder, such as `20261122-0915-digits-7f3a`, with its recipe and what the worker is asked.

    The time is UTC. Folders are 0700, files 0600, whatever the umask. Without `sync` the caller makes it durable.
    Raises StorageError.
    """
    now = datetime.now(UTC)
    try:
        root.mkdir(parents=True, exist_ok=True)
        taken = {entry.name[-4:] for entry in os.scandir(root)}
        while True:
            short = secrets.token_hex(2)
            if short in taken and len(taken) < 1 << 15:
                continue
            run_dir = root / f"{now:%Y%m%d-%H%M}-{slug(name)}-{short}"
            try:
                make_folder(run_dir)
                break
            except FileExistsError:
                continue
        for folder in (COMMANDS, CHECKPOINTS):
            make_folder(run_dir / folder)
        options = {**launch, "name": name, "kind": kind, "created": now.isoformat(timespec="microseconds")}
        write_new(run_dir / RECIPE, recipe_text.encode(), sync=sync)
        write_new(run_dir / LAUNCH, json.dumps(options, indent=1).encode(), sync=sync)
        if sync:
            sync_folder(run_dir)
            sync_folder(root)
    except OSError as error:
        raise refused(error, "making the run's folder", root) from error
    return run_dir


def run_dirs(root: Path) -> list[Path]:
    """All runs in a folder, oldest first."""
    try:
        found = [Path(entry.path) for entry in os.scandir(root) if _NAME.match(entry.name)]
    except OSError:
        return []
    minutes: dict[str, int] = {}
    for path in found:
        minutes[path.name[:13]] = minutes.get(path.name[:13], 0) + 1

    def order(path: Path) -> tuple[str, str, str]:
        # a name tells the minute; only where a minute has several runs is the exact time looked up
        exact = str(launch_options(path).get("created", "")) if minutes[path.name[:13]] > 1 else ""
        return path.name[:13], exact, path.name

    return sorted(found, key=order)


def list_runs(root: Path, name: str | None = None) -> list[RunInfo]:
    """All runs in a folder, oldest first; with `name` those that are called so."""
    return [info(path) for path in run_dirs(root) if name is None or _label(path) == slug(name)]


def is_child(run_dir: Path) -> bool:
    """Whether a search or guide started this run, rather than a person."""
    parent = launch_options(run_dir).get("parent")
    return isinstance(parent, dict) and parent.get("how") == "child"


def find(root: Path, run: str) -> Path:
    """The run that a person means by `last`, `digits`, `digits~1`, `7f3a`, a unique prefix, or a path.

    Raises UserError, listing the candidates where several fit.
    """
    path = Path(run).expanduser()
    if (os.sep in run or path.is_dir()) and _is_run(path):
        return path.absolute()
    if os.sep in run:
        raise UserError(f"no run at {run}", "a run is a folder with a recipe.yaml and an events.log")
    every = run_dirs(root)
    if not every:
        raise UserError(f"there are no runs in {root}", "goodfit train RECIPE starts one; --runs names another folder")
    exact = [path for path in every if path.name == run]
    if exact:
        return exact[0]
    name, _, back = run.partition("~")
    if not back or back.isdigit():
        own = [path for path in reversed(every) if _called(path, name) and not is_child(path)]
        if own and int(back or 0) < len(own):
            others = [path for path in every if path.name.endswith(f"-{run}") and path not in own]
            if others:
                raise _ambiguous(run, [*others, own[0]])
            return own[int(back or 0)]
        if own:
            raise UserError(f"{name} has only {len(own)} runs", f"the earliest is {name}~{len(own) - 1}")
        if name == "last":
            raise UserError(f"no run in {root} was started by a person", "name one by its id: see goodfit runs")
    for fits in (
        [path for path in every if path.name.endswith(f"-{run}") and len(run) == 4],
        [path for path in every if path.name.startswith(run) or path.name[-4:].startswith(run)],
        [path for path in every if _label(path).startswith(run)],
    ):
        if len(fits) == 1:
            return fits[0]
        if fits:
            raise _ambiguous(run, fits)
    raise UserError(f"no run is called {run}", _nearest(root, every))


def effective_recipe(run_dir: Path, at_step: int | None = None) -> str:
    """The recipe's text with the edits that took effect on the run's effective line, up to and with `at_step`."""
    from engine.recipe.edits import edit_from_json
    from engine.recipe.splice import apply_edits

    try:
        text = (run_dir / RECIPE).read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"{run_dir.name} has no readable {RECIPE}: {error.strerror}") from error
    for record in summarize(run_dir).edits:
        if at_step is None or record.get("step", 0) <= at_step:
            text = apply_edits(text, tuple(edit_from_json(edit) for edit in record["edits"]))
    return text


def count_looks(root: Path, data_sha256: str) -> int:
    """How often a test set, known by its data's fingerprint, has been looked at by the runs in a folder."""
    looks = 0
    for run_dir in run_dirs(root):
        try:
            marked = b'"test_evaluated"' in (run_dir / LOG).read_bytes()
        except OSError:
            continue
        if marked:
            looks += sum(
                record["type"] == "test_evaluated" and record.get("data_sha256") == data_sha256
                for record in read(run_dir)
            )
    return looks


def _is_run(path: Path) -> bool:
    return (path / RECIPE).is_file() or (path / LOG).is_file()


def _label(path: Path) -> str:
    match = _NAME.match(path.name)
    return match.group(2) if match else path.name


def _called(path: Path, name: str) -> bool:
    return name == "last" or _label(path) == slug(name)


def _ambiguous(run: str, candidates: list[Path]) -> UserError:
    return UserError(f"{run} could be {len(candidates)} runs", "one of " + ", ".join(path.name for path in candidates))


def _nearest(root: Path, every: list[Path]) -> str:
    latest = ", ".join(path.name for path in reversed(every[-3:]))
    return f"the latest in {root}: {latest}"
