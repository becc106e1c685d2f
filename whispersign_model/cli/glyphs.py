# SPDX-License-Identifier: MIT
"""Tell in one line which characters of glosses a font lacks."""

import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

MISSING = re.compile(r"Glyph (\d+) ")  # start of matplotlib's warning about one character
SHOWN = 20  # characters that the line names


@contextmanager
def missing_glyphs_told() -> Iterator[None]:
    """Replace matplotlib's warnings about missing characters, one for each, by one line."""
    missing: dict[str, None] = {}
    with warnings.catch_warnings():
        warnings.filterwarnings("always", MISSING.pattern, UserWarning)
        show = warnings.showwarning

        def note(
            message: Warning | str,
            category: type[Warning],
            filename: str,
            lineno: int,
            file: TextIO | None = None,
            line: str | None = None,
        ) -> None:
            found = MISSING.match(str(message))
            if found:
                missing[chr(int(found[1]))] = None
            else:
                show(message, category, filename, lineno, file, line)

        warnings.showwarning = note
        try:
            yield
        finally:
            if missing:
                characters = "".join(list(missing)[:SHOWN])
                print(
                    f"whispersign: note: the font of pictures lacks {characters}; "
                    "name another one as font.family in a matplotlibrc file",
                    file=sys.stderr,
                )
