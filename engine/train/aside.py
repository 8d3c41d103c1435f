"""A long call made in a thread of its own, so that the one that wants it can listen meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, TimeoutError
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def aside(
    call: Callable[[], T], listen: Callable[[], Iterator[R]], given_up: Callable[[], bool], beat: float
) -> Generator[R, None, T | None]:
    """What the call returns or raises; None where it is `given_up`. Every `beat` seconds it gives what `listen` does.

    A call that is given up goes on, and a process that ends waits for it: torch does not bear to be left in the middle
    of one.
    """
    future: Future[T] = Future()

    def work() -> None:
        try:
            future.set_result(call())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=work, name="aside").start()
    while not future.done():
        with suppress(TimeoutError):
            future.exception(beat)
        yield from listen()
        if given_up():
            return None
    return future.result()
