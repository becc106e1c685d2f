# SPDX-License-Identifier: MIT
"""Replace generated lines between two markers of a document; the text around them is manual."""

from collections.abc import Sequence
from pathlib import Path

from whispersign_model.errors import WhisperSignError
from whispersign_model.recordings.atomic import replace_file


def write_between(path: Path, name: str, lines: Sequence[str]) -> None:
    """Replace the lines between ``<!-- NAME -->`` and ``<!-- /NAME -->``.

    Raises:
        WhisperSignError: the document cannot be read or lacks the markers.
    """
    before, _, after = _parts(path, name)
    replace_file(path, "\n".join([before, *lines, "", after]).encode())


def lines_between(path: Path, name: str) -> list[str]:
    """Return the lines between the markers; raises as ``write_between`` does."""
    return _parts(path, name)[1].splitlines()


def _parts(path: Path, name: str) -> tuple[str, str, str]:
    """Split a document: through the first marker, between, and from the second marker on."""
    try:
        text = path.read_text()
    except OSError as error:
        raise WhisperSignError(
            path, f"cannot be read ({error.strerror})", "name a document"
        ) from error
    begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
    before, found, rest = text.partition(begin)
    between, closed, after = rest.partition(end)
    if not found or not closed:
        raise WhisperSignError(path, f"has no marks '{name}'", f"add {begin.strip()} and {end}")
    return before + begin, between, end + after
