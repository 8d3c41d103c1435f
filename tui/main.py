"""The entry point: a verb of the command line, or the workbench."""

from __future__ import annotations

import sys


def main() -> None:
    """`goodfit ...`"""
    from tui.commands.cli import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
