"""The command line as a whole: help, mistakes, pipes, and what it imports."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tui.commands.goodfit import MAIN, Goodfit
from tui.commands.cli import run
from tui.commands.verbs import LATER, VERBS


def test_help_lists_every_verb(goodfit: Goodfit) -> None:
    words = goodfit("--help").stdout
    assert all(f"\n  {verb} " in words for verb in VERBS)


def test_every_verb_has_help_and_json(capsys: pytest.CaptureFixture[str]) -> None:
    for verb in VERBS:
        assert run([verb, "--help"]) == 0
        words = capsys.readouterr().out
        assert f"Usage: goodfit {verb}" in words and "--json" in words


def test_help_loads_nothing_heavy() -> None:
    heavy = ("textual", "pydantic", "polars", "numpy", "plotext", "torch", "rich", "PIL")
    code = (
        "import sys\nfrom tui.commands.cli import run\nrun(['--help'])\n"
        f"print(sorted(set({heavy!r}) & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


def test_no_verb_imports_torch_or_the_screen_before_it_runs() -> None:
    code = (
        "import sys\nfrom tui.commands.cli import cli\nfrom click import Context\n"
        f"for verb in {list(VERBS)!r}: cli.get_command(Context(cli), verb)\n"
        "print(sorted({'torch', 'torchmetrics', 'textual', 'polars', 'plotext'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_misspelt_verb_is_told_the_right_one(goodfit: Goodfit) -> None:
    done = goodfit("trian", code=2)
    assert "'trian'" in done.stderr and "goodfit train" in done.stderr and done.stdout == ""


@pytest.mark.parametrize("verb", LATER)
def test_a_verb_of_a_later_version_says_so(verb: str, goodfit: Goodfit) -> None:
    assert "no verb" in goodfit(verb, code=2).stderr


def test_a_misspelt_recipe_is_told_the_right_one(goodfit: Goodfit) -> None:
    assert "did you mean iris.yaml?" in goodfit("iirs.yaml", code=2).stderr
    assert "did you mean iris.yaml?" in goodfit("train", "iirs.yaml", code=2).stderr


def test_an_unknown_option_is_bad_input(goodfit: Goodfit) -> None:
    done = goodfit("train", "iris.yaml", "--epoch", "3", code=2)
    assert "--epoch" in done.stderr and done.stdout == ""


def test_without_a_terminal_the_workbench_says_what_to_do(goodfit: Goodfit) -> None:
    assert "goodfit train" in goodfit("iris.yaml", code=2).stderr
    assert "goodfit train" in goodfit(code=2).stderr


def test_what_nobody_foresaw_is_one_line_and_a_file(goodfit: Goodfit) -> None:
    code = (
        "import sys\nfrom tui.commands import cli\nimport engine.runs.directory as d\n"
        "def broken(*_): raise RuntimeError('boiled \\x1b]0;over\\x07')\n"
        "d.list_runs = broken\nsys.exit(cli.run(['runs']))"
    )
    env = {**os.environ, "TMPDIR": str(goodfit.folder)}
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, cwd=goodfit.folder, env=env, check=False
    )
    assert done.returncode == 1 and done.stdout == ""
    assert "Traceback" not in done.stderr and "\x1b" not in done.stderr and "RuntimeError" in done.stderr
    file = done.stderr.partition("the details are in ")[2].strip()
    with Path(file).open(encoding="utf-8") as details:
        assert "Traceback" in details.read()


def test_a_closed_pipe_is_quiet(goodfit: Goodfit) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-P", "-c", MAIN, "schema"]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert done.stderr == b"" and done.returncode == 141


def test_text_from_outside_cannot_act_on_the_terminal(goodfit: Goodfit) -> None:
    evil = "\x1b]52;c;aGk=\x07\x1b[2J\x9b6n\u202e"
    for arguments in (
        (evil,),
        ("train", evil),
        ("train", f"--{evil}"),
        ("watch", evil),
        ("check", evil),
        ("parts", evil),
    ):
        done = goodfit(*arguments, code=2)
        assert not set(done.stderr + done.stdout) & set("\x1b\x07\x9b\u202e"), arguments


def test_names_with_control_characters_in_a_folder_are_listed_without(goodfit: Goodfit) -> None:
    (goodfit.folder / "evil\x1b[2J.yaml").write_text("")
    done = goodfit("train", "evil.yaml", code=2)
    assert "\x1b" not in done.stderr and "evil.yaml" in done.stderr
