"""Where what is worth keeping between runs lies: facts about data, decoded images."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def cache_folder() -> Path:
    """`GOODFIT_CACHE`, else the system's folder for caches."""
    named = os.environ.get("GOODFIT_CACHE")
    if named:
        return Path(named).expanduser()
    from platformdirs import user_cache_path

    return user_cache_path("goodfit", appauthor=False)


def write_aside(path: Path, content: bytes) -> None:
    """Put a file in place at once: nobody ever reads half of it. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
