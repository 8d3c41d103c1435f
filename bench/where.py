"""`python -m bench.where T1a`: where the CPU time of a whole run goes, by stage, each less the stages inside it."""

from __future__ import annotations

import argparse
import functools
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.contenders.goodfit_fit import fit
from bench.data import make
from bench.works import BY_NAME
from engine.runs import journal
from engine.train import checkpoint, guess, life, loop, session


class Ledger:
    """Exclusive CPU time of the main thread by stage, and how often each was entered."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.calls: dict[str, int] = {}
        self._open: list[str] = ["the rest"]
        self._since = time.thread_time()

    def enter(self, stage: str) -> None:
        self._book()
        self._open.append(stage)
        self.calls[stage] = self.calls.get(stage, 0) + 1

    def leave(self) -> None:
        self._book()
        self._open.pop()

    def _book(self) -> None:
        now = time.thread_time()
        stage = self._open[-1]
        self.seconds[stage] = self.seconds.get(stage, 0.0) + now - self._since
        self._since = now

    def watch(self, owner: Any, name: str, stage: str) -> None:
        """Book the time of a function, method or generator under the stage."""
        function = getattr(owner, name)

        @functools.wraps(function)
        def timed(*args: Any, **kwargs: Any) -> Any:
            self.enter(stage)
            try:
                result = function(*args, **kwargs)
            finally:
                self.leave()
            return self._followed(result, stage) if isinstance(result, Iterator) else result

        setattr(owner, name, timed)

    def _followed(self, values: Any, stage: str) -> Any:
        while True:
            self.enter(stage)
            try:
                value = next(values)
            except StopIteration as end:
                return end.value
            finally:
                self.leave()
            yield value


def stages(ledger: Ledger) -> None:
    """What is told apart."""
    ledger.watch(life.Life, "_begin", "announce the life")
    ledger.watch(life.Life, "_open", "open: read data, plan, build")
    ledger.watch(life.Life, "_plan", "open: losses of knowing nothing")
    ledger.watch(session, "prepare", "open: data")
    ledger.watch(journal.Journal, "append", "journal")
    ledger.watch(checkpoint.Saver, "save", "checkpoints")
    ledger.watch(checkpoint.Saver, "keep_best", "remember the best")
    ledger.watch(loop.Loop, "_account", "loop: digest and sums")
    ledger.watch(loop.Loop, "_rates", "loop: rates")
    ledger.watch(loop.Loop, "_obey", "loop: commands")
    ledger.watch(loop.Loop, "_advance", "loop: chunks")
    ledger.watch(loop.Loop, "_close_epoch", "loop: ends of epochs")
    ledger.watch(session.Session, "measure", "validation: metrics")
    opened: Callable[..., Any] = session.Session.loop

    def with_executor(self: Any, **given: Any) -> Any:
        for name, stage in (
            ("run", "executor: steps"),
            ("evaluate", "executor: validation"),
            ("mark", "executor: mark"),
            ("finite", "executor: finite"),
            ("state", "executor: state"),
        ):
            ledger.watch(self.executor, name, stage)
        return opened(self, **given)

    session.Session.loop = with_executor  # type: ignore[method-assign]
    assert guess.loss_at_init


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.where", description=__doc__)
    parser.add_argument("work")
    parser.add_argument("--executor", default="")
    parser.add_argument("--share", type=float, default=1.0)
    asked = parser.parse_args()
    work = BY_NAME[asked.work]
    if asked.share != 1:
        work = work.smaller(asked.share, work.epochs)
    with tempfile.TemporaryDirectory(prefix="goodfit-bench-") as folder:
        path = make(work, Path(folder))
        fit(replace(work, epochs=1), path, 1, asked.executor)()
        ledger = Ledger()
        stages(ledger)
        before = time.process_time()
        ledger._since = time.thread_time()
        fit(work, path, 1, asked.executor)
        ledger.enter("end")
        whole = time.process_time() - before
    own = sum(ledger.seconds.values())
    print(f"{work.title}: {1e3 * whole:.1f} ms of CPU time, {1e6 * whole / work.steps:.1f} us a step\n")
    for stage, seconds in sorted(ledger.seconds.items(), key=lambda item: -item[1]):
        times = f"{ledger.calls.get(stage, 1):6} times"
        print(f"{1e3 * seconds:9.2f} ms {100 * seconds / whole:5.1f} %  {times}  {stage}")
    print(f"{1e3 * (whole - own):9.2f} ms {100 * (1 - own / whole):5.1f} %                other threads")


if __name__ == "__main__":
    main()
