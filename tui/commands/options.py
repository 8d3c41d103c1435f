"""Options that several verbs share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Function = TypeVar("Function", bound=Callable[..., Any])
PATH = click.Path(path_type=Path)

json_lines = click.option("--json", "as_json", is_flag=True, help="One JSON object a line on stdout, nothing else.")
runs_folder = click.option(
    "--runs", type=PATH, default=None, metavar="DIR", help="Folder of the runs; left out: $GOODFIT_RUNS, else ./runs."
)
data_root = click.option(
    "--data-root",
    type=PATH,
    default=None,
    envvar="GOODFIT_DATA",
    metavar="DIR",
    help="Folder that relative data paths start from; left out: $GOODFIT_DATA, else the recipe's own folder.",
)
parts_files = click.option(
    "--parts",
    "parts",
    type=PATH,
    multiple=True,
    metavar="FILE.py",
    help="Python file that declares parts of your own. It is run: name only files that you trust.",
)
sets = click.option(
    "--set", "sets", multiple=True, metavar="PATH=VALUE", help="Change a setting, such as optimizer.lr=3e-4."
)
detach = click.option("--detach", is_flag=True, help="Return at once; the run goes on by itself.")
test_part = click.option("--test", "test", is_flag=True, help="Measure the best epoch on the test part at the end.")


def several(*decorators: Callable[[Function], Function]) -> Callable[[Function], Function]:
    """Apply option decorators so that help lists them in this order."""

    def apply(function: Function) -> Function:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return apply
