# SPDX-License-Identifier: MIT
"""Run ``whispersign VERB``. The entry point group ``whispersign.verbs`` lists the verbs.

A verb module defines ``add_arguments(parser)`` and ``run(arguments) -> int``. The first line of its
docstring is its summary in ``whispersign --help``. Import heavy libraries inside ``run``: the help
then stays fast and works with any subset of the extras.
"""

import argparse
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import entry_points
from pathlib import Path
from typing import cast

from whispersign_model import __version__
from whispersign_model.cli.glyphs import missing_glyphs_told
from whispersign_model.streams import (
    EXIT_FAULT,
    EXIT_PIPE,
    debugging,
    finish_output,
    prepare_output,
    tell,
    tell_error,
)

NAME = "whispersign"
VERBS = "whispersign.verbs"  # entry point group
DEBUG = "--debug"
EXIT_USAGE = EXIT_FAULT
EXIT_INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb and return its exit code; an error prints one line and returns 2."""
    argv = list(sys.argv[1:] if argv is None else argv)
    prepare_output()
    with debugging(DEBUG in argv):
        try:
            return finish_output(NAME, _run(argv))
        except SystemExit as end:  # argparse has printed the help or an error
            raise SystemExit(finish_output(NAME, int(end.code or 0))) from None


def _run(argv: Sequence[str]) -> int:
    arguments = argparse.Namespace()
    try:
        run = _parse(argv, arguments)
        with missing_glyphs_told(), _broken_pipe_raised():
            return int(run(arguments))
    except BrokenPipeError:
        return EXIT_PIPE
    except KeyboardInterrupt:
        tell(f"{NAME}: interrupted")
        return EXIT_INTERRUPTED
    except Exception as error:
        tell_error(NAME, error, _files(vars(arguments).values()), DEBUG)
        return EXIT_USAGE


@contextmanager
def _broken_pipe_raised() -> Iterator[None]:
    """Undo what rich does when the reader of a pipe has closed it: it exits with code 1."""
    try:
        yield
    except SystemExit as end:
        if isinstance(end.__context__, BrokenPipeError):
            raise end.__context__ from None
        raise


def _parse(
    argv: Sequence[str], arguments: argparse.Namespace
) -> Callable[[argparse.Namespace], int]:
    """Parse the command line into ``arguments`` and return the verb's function."""
    verbs = {entry.name: entry for entry in entry_points(group=VERBS)}
    chosen = next((word for word in argv if not word.startswith("-")), None)
    parser = argparse.ArgumentParser(
        prog=NAME, description="Sign language recognition from 3D hand skeletons."
    )
    parser.add_argument("--version", action="version", version=f"{NAME} {__version__}")
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
