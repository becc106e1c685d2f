# SPDX-License-Identifier: MIT
"""Run ``whispersign VERB``. The entry point group ``whispersign.verbs`` lists the verbs.

A verb module defines ``add_arguments(parser)`` and ``run(arguments) -> int``. The first line of its
docstring is its summary in ``whispersign --help``. Import heavy libraries inside ``run``: the help
then stays fast and works with any subset of the extras.
"""

import argparse
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import cast

from whispersign_model import __version__
from whispersign_model.cli.glyphs import missing_glyphs_told
from whispersign_model.errors import FAULT, SUBJECT, WhisperSignError, printable
from whispersign_model.streams import escape_unencodable

VERBS = "whispersign.verbs"  # entry point group
ISSUES = "https://github.com/whispersign/whispersign/issues"
DEBUG = "--debug"
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130
EXIT_PIPE = 141  # a shell's exit code for SIGPIPE


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb and return its exit code; an error prints one line and returns 2."""
    argv = list(sys.argv[1:] if argv is None else argv)
    arguments = argparse.Namespace()
    escape_unencodable()
    try:
        run = _parse(argv, arguments)
        with missing_glyphs_told():
            code = int(run(arguments))
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # the reader of the pipe, such as head, has closed it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_PIPE
    except KeyboardInterrupt:
        print("whispersign: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    except Exception as error:
        if DEBUG in argv:
            traceback.print_exc()
        print(f"whispersign: error: {_reason(error, arguments)}", file=sys.stderr)
        return EXIT_USAGE


def _parse(
    argv: Sequence[str], arguments: argparse.Namespace
) -> Callable[[argparse.Namespace], int]:
    """Parse the command line into ``arguments`` and return the verb's function."""
    verbs = {entry.name: entry for entry in entry_points(group=VERBS)}
    chosen = next((word for word in argv if not word.startswith("-")), None)
    parser = argparse.ArgumentParser(
        prog="whispersign", description="Sign language recognition from 3D hand skeletons."
    )
    parser.add_argument("--version", action="version", version=f"whispersign {__version__}")
    _add_debug(parser)
    subparsers = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    modules = {
        name: entry.load()
        for name, entry in sorted(verbs.items())
        if chosen not in verbs or name == chosen
    }
    for name, module in modules.items():
        summary = (module.__doc__ or "").strip().splitlines()[0]
        verb_parser = subparsers.add_parser(name, help=summary, description=module.__doc__)
        module.add_arguments(verb_parser)
        _add_debug(verb_parser)
    parser.parse_args(argv, arguments)
    return cast("Callable[[argparse.Namespace], int]", modules[arguments.verb].run)


def _add_debug(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        DEBUG,
        action="store_true",
        default=argparse.SUPPRESS,
        help="also print the traceback of an error",
    )


def _reason(error: Exception, arguments: argparse.Namespace) -> str:
    """Describe an error on one line; an unforeseen one names the files on the command line."""
    if isinstance(error, WhisperSignError):
        return str(error)
    if isinstance(error, ModuleNotFoundError):
        package = str(error.name).partition(".")[0]
        return (
            f"the Python package '{package}' is missing; "
            "run `make setup`, or install the extra that docs/how-to/install.md names"
        )
    if isinstance(error, OSError) and error.filename is not None:
        name = printable(str(error.filename), SUBJECT)
        return f"{name}: {error.strerror}; check the path"
    if isinstance(error, MemoryError):
        fault = "needs more memory than there is"
    else:
        words = " ".join(f"{type(error).__name__}: {error}".split())
        fault = f"unexpected error ({printable(words, FAULT)})"
    files = " ".join(_files(vars(arguments).values()))
    subject = f"{printable(files, SUBJECT)}: " if files else ""
    return f"{subject}{fault}; repeat with {DEBUG} and report it at {ISSUES}"


def _files(values: Iterable[object]) -> list[str]:
    """Return the names of existing files and folders among parsed arguments."""
    found: list[str] = []
    for value in values:
        if isinstance(value, (list, tuple)):
            found += _files(value)
        elif isinstance(value, Path) and os.path.exists(value):
            found.append(str(value))
    return found


if __name__ == "__main__":
    sys.exit(main())
