"""`goodfit parts`: what a recipe can name."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import click

from engine.errors import UserError
from tui.commands.options import json_lines, parts_files, several


@click.command("parts")
@click.argument("name", required=False)
@several(parts_files, json_lines)
def command(name: str | None, parts: tuple[Path, ...], as_json: bool) -> int:
    """List what a recipe can name (layers, losses, optimizers, ...), or describe one of them."""
    from engine.parts import catalog
    from engine.parts.part import every_part
    from tui.commands.examine import load_parts
    from tui.commands.output import emit, paint, write

    load_parts(parts)
    every = every_part()
    if name is not None:
        every = [cls for cls in every if cls.type_name() == name]
        if not every:
            raise UserError(f"there is no part {name}", near(name))
    family = ""
    for cls in every:
        if as_json:
            fields = [field_json(field) for field in catalog.describe(cls)]
            emit("part", name=cls.type_name(), kind=cls.family, fields=fields, help=inspect.cleandoc(cls.__doc__ or ""))
        elif name is not None:
            describe(cls)
        else:
            if cls.family != family:
                family = cls.family
                write(paint(family, "bold"))
            write(f"  {cls.type_name():20} {catalog.summary(cls)[:100]}")
    return 0


def near(name: str) -> str:
    """The parts whose names are nearest."""
    import difflib

    from engine.parts.part import every_part

    by_lower = {cls.type_name().lower(): cls.type_name() for cls in every_part()}
    found = difflib.get_close_matches(name.lower(), list(by_lower), n=3, cutoff=0.5)
    return f"did you mean {' or '.join(by_lower[key] for key in found)}?" if found else "goodfit parts lists them all"


def field_json(field: Any) -> dict[str, Any]:
    """A field as plain JSON, without what is not set."""
    values = {key: value for key, value in vars(field).items() if value not in (None, "", (), False)}
    if "fields" in values:
        values["fields"] = [field_json(inner) for inner in values["fields"]]
    for key in ("default", "required"):
        values[key] = plain(getattr(field, key))
    return values


def plain(value: Any) -> Any:
    """A default value as plain JSON."""
    return value.model_dump() if hasattr(value, "model_dump") else value


def describe(cls: Any) -> None:
    """All about one part, for a person."""
    from engine.parts import catalog
    from tui.commands.output import paint, say, say_block, write

    write(f"{paint(cls.type_name(), 'bold')}  {paint(cls.family, 'dim')}")
    say_block(inspect.cleandoc(cls.__doc__ or ""))
    if cls.torch:
        say(f"builds {cls.torch}")
    for field in catalog.describe(cls):
        bounds = [f"{sign} {getattr(field, key):g}" for key, sign in BOUNDS if getattr(field, key) is not None]
        words = ", ".join(
            filter(
                None,
                (
                    "needed" if field.required else f"default {plain(field.default)}",
                    " and ".join(bounds),
                    f"one of {', '.join(map(str, field.choices))}" if field.choices else "",
                    "may change while the run trains" if field.live else "",
                ),
            )
        )
        write(f"  {paint(field.name, 'bold')}  {field.kind}; {words}")
        say(f"      {field.help}")


BOUNDS = (("ge", ">="), ("gt", ">"), ("le", "<="), ("lt", "<"))
