"""The verbs of the command line, in the order in which `goodfit --help` lists them. Plain data: nothing is imported."""

from __future__ import annotations

VERBS: dict[str, str] = {
    "new": "Write a first recipe for a data file.",
    "check": "Say what is wrong in recipes, with line, column and how to mend it.",
    "show": "Print a recipe as written, resolved, or as a run ended up with it.",
    "diff": "List what differs between two recipes or runs.",
    "train": "Train a recipe.",
    "search": "Try many settings of a recipe, and name the best.",
    "resume": "Go on with a paused, stopped, killed or finished run.",
    "fork": "Start a new run from a checkpoint of another.",
    "watch": "Follow a run; ^C only detaches.",
    "pause": "Let a run hold between two steps.",
    "stop": "Save and end a run.",
    "checkpoint": "Have a run write a checkpoint now.",
    "set": "Change settings of a recipe file or of a running run.",
    "runs": "List the runs.",
    "parts": "List what a recipe can name, or describe one of them.",
    "schema": "Print the JSON Schema of recipes or of a run's records.",
    "doctor": "Check versions, device, terminal, disk, and what would kill a detached run.",
    "replay": "Play a recorded run again; trains nothing.",
    "verify": "Train a run again and compare every bit of its losses.",
    "test": "Measure a run on its test part or on a file.",
    "predict": "Write a run's predictions for a file.",
    "code": "Print a recipe or run as one plain PyTorch file.",
}
LATER = ("find-lr", "guide", "diagnose", "step", "serve")
"""Verbs that the contract names and that this version does not have yet."""


def module_of(verb: str) -> str:
    """The module that holds a verb's `command`."""
    return f"tui.commands.{verb.replace('-', '_')}"
