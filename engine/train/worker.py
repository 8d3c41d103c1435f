"""The worker: trains one run in a process of its own, and outlives whoever started it.

`python -P -m engine.train.worker RUN_DIR`. It holds the run's lock for its whole life and writes the journal; it has no
terminal and waits for nobody. Torch is imported only once the run has been announced.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path


def main(arguments: list[str]) -> int:
    """Work on the run named; the exit code."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read by CUDA once, before its first use
    if arguments == ["--standby"]:
        from engine.train.standby import wait_for_claim

        claim = wait_for_claim()
        if claim is None:
            os._exit(0)  # in the middle of loading, perhaps: nothing is to be put in order first
        arguments = [claim]
    if len(arguments) != 1:
        print("usage: python -P -m engine.train.worker (RUN_DIR | --standby)", file=sys.stderr)  # noqa: T201
        return 2
    from engine.errors import UserError
    from engine.train.duty import EXIT
    from engine.train.life import live

    try:
        return EXIT.get(live(Path(arguments[0]).absolute()), 1)
    except UserError as error:  # the run could not even be announced: it is another worker's, or not there
        print(error.sentence(), file=sys.stderr)  # noqa: T201
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
