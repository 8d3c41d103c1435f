"""`goodfit train`: train a recipe."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from engine.errors import UserError
from tui.commands.options import data_root as data_root_option
from tui.commands.options import detach as detach_option
from tui.commands.options import json_lines, parts_files, runs_folder, sets, several, test_part


@click.command("train")
@click.argument("recipe")
@several(sets, test_part, detach_option)
@click.option("--device", metavar="D", help="auto, cpu, cuda, cuda:1 or mps, instead of train.device.")
@click.option("--frozen", is_flag=True, help="Choose nothing by measuring: defaults for whatever is auto.")
@click.option("--require", "require", multiple=True, metavar="EXPR", help="Exit 3 unless it holds: 'val_loss < 0.1'.")
@click.option("--fail-on", type=click.Choice(["error", "warning"]), help="Exit 3 on open findings as bad as this.")
@several(data_root_option, runs_folder, parts_files, json_lines)
def command(
    recipe: str,
    sets: tuple[str, ...],
    test: bool,
    detach: bool,
    device: str | None,
    frozen: bool,
    require: tuple[str, ...],
    fail_on: str | None,
    data_root: Path | None,
    runs: Path | None,
    parts: tuple[Path, ...],
    as_json: bool,
) -> int:
    """Train a recipe. Without --detach the run ends with this command: ^C saves and stops, ^C again kills."""
    from engine.runs.directory import runs_root
    from engine.runs.launch import Options, start_run
    from tui.commands.attach import started, train_to_the_end
    from tui.commands.examine import examine
    from tui.commands.problems import count, show_problems, summary
    from tui.commands.requirements import read_requirements, refuse_unknown, score_names

    requirements = read_requirements(require)
    if detach and (require or fail_on):
        raise UserError(
            "--require and --fail-on cannot go with --detach", "they judge the end of the run: goodfit watch"
        )
    # the worker reads large data anyway, and says how far it is: twice is only for what has to be known beforehand
    examined = examine(recipe, sets, data_root, parts, patient=bool(test or requirements))
    show_problems(examined.file, examined.document.text, examined.problems, stream=sys.stderr)
    if examined.errors or not (examined.facts or examined.unread):
        warnings = count(examined.problems, "warning")
        raise UserError(f"{examined.file} cannot be trained: {summary(examined.errors, warnings)}")
    if device is not None:
        refuse_bad_device(examined.document.text, device)
    trained = examined.checked.recipe
    assert trained is not None
    refuse_missing_device(trained.train.device, device)
    if examined.facts is not None:
        rows = examined.facts.rows
        if test and not rows.get("test"):
            raise UserError("--test: the data has no test part", "give data.split.test a share above 0")
        scores = score_names(examined.resolved(), validated=bool(rows.get("validation")), test=test)
        refuse_unknown(requirements, scores)
    options = Options(
        base=str(examined.base),
        argv=("goodfit", *sys.argv[1:]),
        test=test,
        device=device,
        frozen=frozen,
        parts=tuple(str(file.absolute()) for file in parts),
        owner=not detach,
        extra={"recipe_path": str(examined.path.absolute())},
    )
    name = trained.name or Path(examined.file).stem
    run_dir = start_run(runs_root(runs), name, examined.document.text, options)
    if detach:
        return started(run_dir, as_json)
    return train_to_the_end(run_dir, as_json, requirements=requirements, fail_on=fail_on)


def refuse_bad_device(text: str, device: str) -> None:
    """Raise UserError where the recipe could not name this device."""
    from engine.recipe.check import check
    from engine.recipe.document import Document
    from engine.recipe.edits import Edit

    document = Document.from_text(text)
    document.apply(Edit("set", "train.device", device))
    for problem in check(document).problems:
        if problem.path == "train.device" and problem.severity == "error":
            raise UserError(f"--device {device}: {problem.message}", problem.hint)


def refuse_missing_device(written: str, device: str | None) -> None:
    """Raise UserError where this machine surely lacks the device that is asked for; the worker finds out the rest."""
    from engine.machine.nvidia import surely_none

    asked = device or written
    why = ""
    if asked.startswith("cuda"):
        why = surely_none()
    elif asked == "mps" and sys.platform != "darwin":
        why = "only a Mac has one"
    if why:
        where = f"--device {device}" if device else f"train.device is {written}"
        raise UserError(f"{where}: there is no such GPU here, since {why}", "use auto or cpu; see `goodfit doctor`")
