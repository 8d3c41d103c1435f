"""`goodfit schema`: the JSON Schema of recipes, or of a run's records."""

from __future__ import annotations

import json
from pathlib import Path

import click

from tui.commands.options import json_lines, parts_files, several


@click.command("schema")
@click.option("--events", is_flag=True, help="Of the records in events.log and in --json output.")
@several(parts_files, json_lines)
def command(events: bool, parts: tuple[Path, ...], as_json: bool) -> int:
    """Print the JSON Schema of recipes (for editors), or of a run's records."""
    from tui.commands.examine import load_parts
    from tui.commands.output import emit, write

    load_parts(parts)
    if events:
        from engine.runs.json_schema import events_schema

        schema = events_schema()
    else:
        from engine.recipe.json_schema import recipe_schema

        schema = recipe_schema()
    if as_json:
        emit("schema", schema=schema)
    else:
        write(json.dumps(schema, indent=2, ensure_ascii=True))
    return 0
