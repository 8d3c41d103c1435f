"""`goodfit search`: try many settings of a recipe, and name the best."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from engine.errors import UserError
from tui.commands.options import data_root as data_root_option
from tui.commands.options import detach as detach_option
from tui.commands.options import json_lines, parts_files, runs_folder, sets, several


@click.command("search")
@click.argument("recipe", required=False)
@click.option("--trials", type=click.IntRange(1), metavar="N", help="How many trials in all, instead of search.trials.")
@click.option("--minutes", type=click.FloatRange(0, min_open=True), metavar="M", help="Begin no trial after M minutes.")
@click.option("--join", metavar="RUN", help="Instead of a recipe: one more worker for a search that is running.")
@several(sets, detach_option)
@click.option("--device", metavar="D", help="auto, cpu, cuda, cuda:1 or mps, instead of train.device.")
@click.option("--frozen", is_flag=True, help="Choose nothing by measuring: defaults for whatever is auto.")
@click.option("--require", "require", multiple=True, metavar="EXPR", help="Exit 3 unless the best trial meets it.")
@several(data_root_option, runs_folder, parts_files, json_lines)
def command(
    recipe: str | None,
    trials: int | None,
    minutes: float | None,
    join: str | None,
    sets: tuple[str, ...],
    detach: bool,
    device: str | None,
    frozen: bool,
    require: tuple[str, ...],
    data_root: Path | None,
    runs: Path | None,
    parts: tuple[Path, ...],
    as_json: bool,
) -> int:
    """Try the settings that a recipe's `search` names, and say which trial was the best.

    Every trial is a run of its own. The test part is never looked at. ^C stops the search, and `goodfit resume` goes on
    with it.
    """
    from engine.runs.directory import runs_root
    from engine.runs.launch import Options, start_run
    from tui.commands.attach import started, train_to_the_end
    from tui.commands.examine import examine
    from tui.commands.problems import count, show_problems, summary
    from tui.commands.requirements import read_requirements, refuse_unknown, score_names
    from tui.commands.train import refuse_bad_device

    requirements = read_requirements(require)
    if detach and require:
        raise UserError("--require cannot go with --detach", "it judges the end of the search: goodfit watch")
    if join is not None:
        if recipe is not None or sets or trials or minutes:
            raise UserError("--join takes the recipe of the search that it joins", "name the search alone")
        run_dir = join_search(join, runs, Options(argv=("goodfit", *sys.argv[1:]), device=device, owner=not detach))
        return started(run_dir, as_json) if detach else train_to_the_end(run_dir, as_json, requirements=requirements)
    if recipe is None:
        raise UserError("name a recipe with a search in it", "goodfit search RECIPE, or --join RUN")
    given = [("search.trials", trials), ("search.minutes", minutes)]
    examined = examine(recipe, [*sets, *(f"{p}={v}" for p, v in given if v is not None)], data_root, parts)
    show_problems(examined.file, examined.document.text, examined.problems, stream=sys.stderr)
    if examined.errors or examined.facts is None:
        warnings = count(examined.problems, "warning")
        raise UserError(f"{examined.file} cannot be searched: {summary(examined.errors, warnings)}")
    refuse_without_search(examined.document.get("search.space"), examined.file)
    if device is not None:
        refuse_bad_device(examined.document.text, device)
    resolved = examined.resolved()
    validated = bool(examined.facts.rows.get("validation"))
    refuse_unknown(requirements, score_names(resolved, validated=validated, test=False))
    options = Options(
        base=str(examined.base),
        argv=("goodfit", *sys.argv[1:]),
        device=device,
        frozen=frozen,
        parts=tuple(str(file.absolute()) for file in parts),
        owner=not detach,
        extra={"recipe_path": str(examined.path.absolute())},
    )
    name = resolved.name or Path(examined.file).stem
    run_dir = start_run(runs_root(runs), name, examined.document.text, options, kind="search")
    if detach:
        return started(run_dir, as_json)
    return train_to_the_end(run_dir, as_json, requirements=requirements)


def refuse_without_search(space: object, file: str) -> None:
    """Raise UserError for a recipe that names nothing to vary."""
    if not space:
        raise UserError(
            f"{file} names nothing to search",
            "add one: search: {trials: 10, space: {optimizer.lr: {log_uniform: [1e-4, 1e-2]}}}",
        )


def join_search(word: str, runs: Path | None, options: object) -> Path:
    """Start one more worker for a search; returns the folder of its own run. Raises UserError."""
    from dataclasses import replace

    from engine.runs.directory import effective_recipe
    from engine.runs.launch import Options, start_run
    from engine.runs.summary import launch_options
    from tui.commands.run_target import find_run

    assert isinstance(options, Options)
    joined = find_run(word, runs)
    before = launch_options(joined)
    if before.get("kind") != "search":
        raise UserError(f"{joined.name} is no search", "goodfit runs says what kind each run is")
    origin = str(before.get("join") or joined)
    kept: Sequence[str] = before.get("parts") or ()
    asked = replace(
        options,
        base=str(before.get("base") or ""),
        parts=tuple(kept),
        extra={"join": origin, **{key: before[key] for key in ("recipe_path",) if key in before}},
    )
    name = str(before.get("name") or "search")
    return start_run(joined.parent, name, effective_recipe(joined), asked, kind="search")
