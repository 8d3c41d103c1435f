"""Starting a worker that outlives whoever started it.

The launcher takes the run's lock, writes what the worker is asked (`launch.json`), and hands the locked descriptor on:
there is no moment in which a second worker could slip in, and the run is `preparing` from the first.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import site
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import engine
from engine.errors import UserError
from engine.runs import checkpoints, storage
from engine.runs.commands import NotRunning, worker_of
from engine.runs.directory import RECIPE, create, effective_recipe
from engine.runs.journal import read
from engine.runs.lock import INHERIT, Lock
from engine.runs.process import Owner, host, start_token
from engine.runs.records import Json
from engine.runs.storage import PRIVATE_FILE, refused
from engine.runs.summary import LAUNCH, launch_options

if TYPE_CHECKING:
    from engine.runs.standby import Standby

WORKER_LOG = "worker.log"
WORKER = "engine.train.worker"


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a worker is asked beside the recipe; `launch.json` holds it."""

    base: str = ""
    """Folder that relative data paths start from; absolute."""
    argv: tuple[str, ...] = ()
    test: bool = False
    """Evaluate the test part at the end."""
    device: str | None = None
    """Replaces `train.device` for this life."""
    frozen: bool = False
    """Choose nothing by calibration."""
    parts: tuple[str, ...] = ()
    """Files of own parts, absolute."""
    owner: bool = False
    """The worker stops, saving, within 5 s of the death of the process that launched it."""
    parent: Json | None = None
    """`{run, how: child | fork, step}`."""
    extra: Json | None = None
    """More keys for launch.json."""

    def to_json(self) -> Json:
        """The keys of launch.json: owner becomes `owner_pid` and `owner_token`."""
        owner = Owner.current() if self.owner else None
        return {
            "base": self.base,
            "argv": list(self.argv),
            "test": self.test,
            "device": self.device,
            "frozen": self.frozen,
            "parts": list(self.parts),
            "parent": self.parent,
            "owner_pid": owner.pid if owner else None,
            "owner_token": owner.token if owner else None,
            **(self.extra or {}),
        }


def owner_of(run_dir: Path) -> Owner | None:
    """The process whose death ends this worker, or None for a detached one. For the worker to poll."""
    options = launch_options(run_dir)
    pid, token = options.get("owner_pid"), options.get("owner_token")
    return Owner(int(pid), str(token or "")) if pid else None


def start_run(root: Path, name: str, recipe_text: str, options: Options, *, kind: str = "train") -> Path:
    """Make a new run's folder and start its worker. Raises StorageError."""
    run_dir = create(root, name, kind, recipe_text, {**options.to_json(), "edits": [], "from": None})
    launch(run_dir)
    return run_dir


def resume_run(run_dir: Path, options: Options, edits: Iterable[Json] = ()) -> int:
    """Give a run that has ended a new life, with `edits` to begin with; returns the worker's pid.

    What `options` leaves empty (base, parts, parent) stays as it was. Raises Held where a worker lives.
    """
    with Lock.acquire(run_dir, purpose="launch") as lock:
        before = launch_options(run_dir)
        kept = replace(
            options,
            base=options.base or str(before.get("base", "")),
            parts=options.parts or tuple(before.get("parts", ())),
            parent=before.get("parent"),
        )
        asked = {**before, **kept.to_json(), "edits": list(edits)}
        try:
            storage.replace(run_dir / LAUNCH, json.dumps(asked, indent=1).encode())
        except OSError as error:
            raise refused(error, "writing what the worker is asked", run_dir / LAUNCH) from error
        return launch(run_dir, lock)


def fork_run(
    root: Path,
    source: Path,
    record: Json,
    options: Options,
    *,
    name: str | None = None,
    edits: Iterable[Any] = (),
) -> Path:
    """A new run that goes on from a checkpoint of another (`pick_checkpoint` finds the record); returns its folder.

    Its recipe is the source's effective recipe at that step with `edits` (of `engine.recipe.edits`) made; the
    checkpoint is copied, and named with its manifest under `from` in launch.json, so that the source may go.
    """
    from engine.recipe.splice import apply_edits

    step = int(record["step"])
    text = apply_edits(effective_recipe(source, step), tuple(edits))
    before = launch_options(source)
    asked = replace(
        options,
        base=options.base or str(before.get("base", "")),
        parts=options.parts or tuple(before.get("parts", ())),
        parent={"run": source.name, "how": "fork", "step": step},
        extra={**{key: before[key] for key in ("recipe_path",) if key in before}, **(options.extra or {})},
    )
    run_dir = create(root, name or str(before.get("name") or "run"), "train", text, {**asked.to_json(), "edits": []})
    try:
        written = checkpoints.copy(source, record, run_dir)
    except UserError:
        shutil.rmtree(run_dir, ignore_errors=True)  # a run that has never been is no run
        raise
    origin = {
        "run": str(source),
        "step": step,
        "epoch": record.get("epoch"),
        "path": written.path,
        "manifest_sha": written.manifest_sha,
    }
    with Lock.acquire(run_dir, purpose="launch") as lock:
        storage.replace(run_dir / LAUNCH, json.dumps({**launch_options(run_dir), "from": origin}, indent=1).encode())
        launch(run_dir, lock)
    return run_dir


def pick_checkpoint(run_dir: Path, epoch: int | str | None = None) -> Json:
    """The `checkpoint` record of an epoch, of the best one ("best"), or the last (None). Raises UserError."""
    found = checkpoints.available(run_dir, read(run_dir))
    if not found:
        raise UserError(f"{run_dir.name} has no checkpoint yet", "goodfit checkpoint RUN makes one now")
    if epoch is None:
        return found[-1]
    if epoch == "best":
        record = checkpoints.best(found)
        if record is None:
            raise UserError(f"{run_dir.name} has no best epoch yet", "leave out --epoch for the last checkpoint")
        return record
    fits = [record for record in found if record.get("epoch") == epoch]
    if not fits:
        epochs = sorted({record["epoch"] for record in found if record.get("epoch") is not None})
        raise UserError(
            f"{run_dir.name} has no checkpoint of epoch {epoch}",
            f"there are some of epochs {', '.join(map(str, epochs))}; train.checkpoints.budget says how many are kept",
        )
    return fits[-1]


_started: list[subprocess.Popen[bytes]] = []
"""Workers started by this process, kept so that they are reaped when they end."""


_standby: Standby | None = None


def keep(standby: Standby | None) -> None:
    """From now on workers that wait there take the runs that this process starts; with None, new ones do."""
    global _standby
    _standby = standby


def launch(run_dir: Path, lock: Lock | None = None, *, module: str | None = None) -> int:
    """Start the run's worker in a session of its own, handing the lock on; returns its pid.

    No terminal, no pipe: stdin is empty, output goes to `worker.log`. A worker in waiting (`keep`) takes the run where
    there is one. Raises Held, StorageError.
    """
    if lock is None:
        with Lock.acquire(run_dir, purpose="launch") as taken:
            return launch(run_dir, taken, module=module)
    reap()
    fd = lock.fileno()
    try:
        log = os.open(
            run_dir / WORKER_LOG,
            os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC,
            PRIVATE_FILE,
        )
    except OSError as error:
        raise refused(error, "opening the worker's log", run_dir / WORKER_LOG) from error
    try:
        worker = _standby.claim(run_dir, fd, log) if _standby is not None and module is None else None
        if worker is None:
            worker = subprocess.Popen(
                [sys.executable, "-P", "-m", module or WORKER, str(run_dir)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                pass_fds=(fd,),
                env={**worker_environment(), INHERIT: str(fd)},
            )
    finally:
        os.close(log)
    _started.append(worker)
    return worker.pid


def reap() -> None:
    """Let go of workers of this process that have ended."""
    _started[:] = [worker for worker in _started if worker.poll() is None]


def worker_environment() -> dict[str, str]:
    """The environment of child processes: they import this very `engine`, whatever the current folder holds."""
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONFAULTHANDLER": "1"}
    home = Path(engine.__file__).resolve().parents[1]
    installed = {Path(path).resolve() for path in (*site.getsitepackages(), site.getusersitepackages())}
    if home not in installed:  # a checkout: say so, since -P leaves the current folder out
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, (str(home), os.environ.get("PYTHONPATH"))))
    return environment


def kill_worker(run_dir: Path, number: int = signal.SIGKILL) -> bool:
    """Send the run's live worker on this host a signal; False where there is none.

    SIGINT and SIGTERM let it save and stop. Raises UserError for a worker on another host.
    """
    try:
        holder = worker_of(run_dir)
    except NotRunning:
        return False
    if holder is None or holder.purpose == "launch":
        return False
    if holder.host != host():
        raise UserError(f"the worker runs on {holder.host}", f"run goodfit stop --kill there (process {holder.pid})")
    if start_token(holder.pid) != holder.token:
        return False
    try:
        os.kill(holder.pid, number)
    except ProcessLookupError:
        return False
    return True


def recipe_text(run_dir: Path) -> str:
    """The exact text that was started. Raises UserError."""
    try:
        return (run_dir / RECIPE).read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"{run_dir.name} has no readable {RECIPE}: {error.strerror}") from error
