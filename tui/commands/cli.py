"""The command line: finds the verb, runs it, and turns whatever goes wrong into a sentence and an exit code."""

from __future__ import annotations

import difflib
import importlib
import os
import signal
import sys
from types import FrameType
from typing import NoReturn

import click

from engine.errors import UserError
from tui.commands.output import complain, prepare_streams
from tui.commands.verbs import LATER, VERBS, module_of

BAD_INPUT = 2
INTERRUPTED = 130
TERMINATED = 143
BROKEN_PIPE = 141


class Verbs(click.Group):
    """The verbs, each imported when it is called and not before."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        command = importlib.import_module(module_of(cmd_name)).command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))


@click.group(
    cls=Verbs,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    subcommand_metavar="[PATH] | VERB [ARGS]...",
    options_metavar="",
    epilog="`goodfit VERB --help` describes a verb. Every verb takes --json: one object a line on stdout.",
)
@click.version_option(package_name="goodfit", prog_name="goodfit")
def cli() -> None:
    """A workbench in the terminal for training neural networks well.

    `goodfit [PATH]` opens the workbench on a recipe, a run, or data (a file or folder).
    """


def unknown(word: str) -> UserError:
    """What to say about a first word that is neither a verb nor anything that can be opened."""
    if word in LATER:
        return UserError(f"this version has no verb '{word}' yet", "goodfit --help lists the verbs that it has")
    near = difflib.get_close_matches(word, list(VERBS), n=1)
    hint = f"did you mean `goodfit {near[0]}`?" if near else "goodfit --help lists the verbs"
    return UserError(f"'{word}' is neither a verb nor a recipe, run or data file", hint)


def run(argv: list[str]) -> int:
    """Run one verb and return the exit code. No traceback gets out."""
    prepare_streams()
    before = signal.signal(signal.SIGTERM, terminate)
    try:
        with cli.make_context("goodfit", list(argv)) as context:  # click's own main would swallow a broken pipe
            code = cli.invoke(context)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.ClickException as error:
        where = getattr(error, "ctx", None)
        usage = where.get_usage() if where is not None else ""
        complain("error", error.format_message(), usage)
        return BAD_INPUT
    except click.Abort:
        return INTERRUPTED
    except UserError as error:
        complain("error", error.message, error.hint)
        return error.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    except Terminated:
        return TERMINATED
    except BrokenPipeError:
        return broken_pipe()
    except Exception as error:
        return unexpected(error, argv)
    finally:
        signal.signal(signal.SIGTERM, before)


class Terminated(BaseException):
    """SIGTERM came: children are to be ended on the way out."""


def terminate(number: int, frame: FrameType | None) -> NoReturn:
    """Handler of SIGTERM."""
    raise Terminated


def broken_pipe() -> int:
    """The reader of our output went away: be quiet, also when the interpreter flushes at the end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return BROKEN_PIPE


def unexpected(error: BaseException, argv: list[str]) -> int:
    """A mistake of ours: one line for the person, the details in a file."""
    import platform
    import tempfile
    import traceback

    first = (str(error).splitlines() or [""])[0][:200]
    words = f"goodfit {' '.join(argv)}\nPython {platform.python_version()} on {platform.platform()}\n\n"
    words += "".join(traceback.format_exception(error))
    try:
        with tempfile.NamedTemporaryFile("w", prefix="goodfit-", suffix=".txt", delete=False, errors="replace") as file:
            file.write(words)
        where = f"the details are in {file.name}"
    except OSError:
        where = "the details could not be written"
    complain("error", f"something in goodfit went wrong ({type(error).__name__}: {first})", where)
    return 1
