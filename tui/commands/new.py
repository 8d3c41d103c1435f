"""`goodfit new`: a first recipe for a data file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from engine.errors import UserError
from tui.commands.options import PATH, json_lines, several


@click.command("new")
@click.argument("data", type=PATH)
@click.option("--target", "targets", multiple=True, metavar="COL", help="The column to predict; several: repeat it.")
@click.option("--out", "-o", type=PATH, metavar="FILE", help="Recipe to write; left out: named after the data.")
@click.option("--force", is_flag=True, help="Write over a file that exists.")
@several(json_lines)
def command(data: Path, targets: tuple[str, ...], out: Path | None, force: bool, as_json: bool) -> int:
    """Write a first recipe for a data file: what each column is, a split, a small network, and sane settings."""
    from engine.data.start import columns, first_recipe
    from tui.commands.examine import load_parts
    from tui.commands.output import emit, narrate

    if not data.exists():
        raise UserError(f"there is no file {data}", near_files(data))
    load_parts(())
    file = out or Path(f"{data.stem}.yaml")
    if file.exists() and not force:
        raise UserError(f"{file} exists", "-o FILE names another; --force writes over it")
    target: str | list[str] | None = list(targets) if len(targets) > 1 else targets[0] if targets else None
    if target is None:
        found = columns(data)
        target = str(found[0]["name"]) if len(found) == 1 else choose_target(found, data) if found else None
    text = first_recipe(data, target, folder=file.parent, name=file.stem)
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{file} cannot be written: {error.strerror}") from error
    if as_json:
        emit("created", file=str(file))
    else:
        narrate(f"wrote {file}; next: goodfit check {file}, goodfit train {file}, or goodfit {file}")
    return 0


def choose_target(columns: list[dict[str, Any]], data: Path) -> str:
    """Ask which column to predict, the likeliest first; where nobody can answer, raise UserError with the columns."""
    from tui.clean import clean
    from tui.commands.output import narrate

    names = [str(column["name"]) for column in columns]
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        shown = ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
        raise UserError("which column do you want to predict?", f"--target COL, one of: {shown}")
    narrate(f"Which column of {data.name} do you want to predict?")
    for number, column in enumerate(columns, 1):
        narrate(f"  {number:>3}  {column['name']}  ({column.get('type')}, such as {column.get('example')})")
    while True:
        answer = click.prompt("number or name", default=names[0], err=True, value_proc=clean)
        if answer in names:
            return str(answer)
        if answer.isdecimal() and 1 <= int(answer) <= len(names):
            return names[int(answer) - 1]
        narrate("none of these")


def near_files(path: Path) -> str:
    """The files whose names are nearest, in a sentence."""
    import difflib

    names = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
    near = difflib.get_close_matches(path.name, names, n=3)
    return f"did you mean {' or '.join(near)}?" if near else ""
