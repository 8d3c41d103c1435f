"""The child process behind "which column do you want to predict?": reads a data file and prints one JSON object.

`python -P -m tui.workbench.new_recipe columns FILE` prints the columns, `... recipe FILE [--target COLUMN]` a first
recipe. A file of the user's is parsed here, never in the process that holds the screen.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from engine.errors import UserError


def answer(arguments: list[str]) -> dict[str, Any]:
    """What is asked for, or `{error: {message, hint}}`."""
    from engine.data.start import columns, first_recipe

    verb, file, *rest = arguments
    try:
        if verb == "columns":
            return {"columns": columns(Path(file))}
        return {"text": first_recipe(Path(file), rest[1] if rest else None)}
    except UserError as error:
        return {"error": {"message": error.message, "hint": error.hint}}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(answer(sys.argv[1:]), default=str) + "\n")
