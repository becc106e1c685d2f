# SPDX-License-Identifier: MIT
"""Run ``whispersign VERB``. The entry point group ``whispersign.verbs`` lists the verbs.

A verb module defines ``add_arguments(parser)`` and ``run(arguments) -> int``. The first line of its
docstring is its summary in ``whispersign --help``. Import heavy libraries inside ``run``: the help
then stays fast and works with any subset of the extras.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib.metadata import entry_points

from whispersign_model import __version__
from whispersign_model.cli.glyphs import missing_glyphs_told
from whispersign_model.errors import WhisperSignError

VERBS = "whispersign.verbs"  # entry point group
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130
EXIT_PIPE = 141  # a shell's exit code for SIGPIPE


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb and return its exit code; a user error prints one line and returns 2."""
    argv = list(sys.argv[1:] if argv is None else argv)
    verbs = {entry.name: entry for entry in entry_points(group=VERBS)}
    chosen = next((word for word in argv if not word.startswith("-")), None)
    parser = argparse.ArgumentParser(
        prog="whispersign", description="Sign language recognition from 3D hand skeletons."
    )
    parser.add_argument("--version", action="version", version=f"whispersign {__version__}")
    subparsers = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    try:
        modules = {
            name: entry.load()
            for name, entry in sorted(verbs.items())
            if chosen not in verbs or name == chosen
        }
        for name, module in modules.items():
            summary = (module.__doc__ or "").strip().splitlines()[0]
            verb_parser = subparsers.add_parser(name, help=summary, description=module.__doc__)
            module.add_arguments(verb_parser)
        arguments = parser.parse_args(argv)
        with missing_glyphs_told():
            code = int(modules[arguments.verb].run(arguments))
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # the reader of the pipe, such as head, has closed it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_PIPE
    except WhisperSignError as error:
        return _refuse(str(error))
    except ModuleNotFoundError as error:
        return _refuse(
            f"the Python package '{error.name}' is missing; "
            "run `make setup`, or install the extra that docs/how-to/install.md names"
        )
    except KeyboardInterrupt:
        print("whispersign: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED


def _refuse(reason: str) -> int:
    print(f"whispersign: error: {reason}", file=sys.stderr)
    return EXIT_USAGE


if __name__ == "__main__":
    sys.exit(main())
