# SPDX-License-Identifier: MIT
"""Names of glosses and signers: one spelling for one name, and names that look alike."""

import unicodedata
from collections.abc import Iterable
from difflib import get_close_matches


def normalized(name: str) -> str:
    """Return a name in Unicode's composed form (NFC), with single spaces and none at its ends.

    Keyboards, spreadsheets and file systems write the same letters in different ways.
    """
    return " ".join(unicodedata.normalize("NFC", name).split())


def look_alikes(names: Iterable[str]) -> list[list[str]]:
    """Return the groups of different names that differ only in case, spaces or width."""
    groups: dict[str, set[str]] = {}
    for name in names:
        groups.setdefault(_letters(name), set()).add(name)
    return sorted(sorted(group) for group in groups.values() if len(group) > 1)


def did_you_mean(name: str, names: Iterable[str], otherwise: str) -> str:
    """Return a 'did you mean' question with the most similar name, ignoring case and spaces.

    Args:
        name: an unknown name.
        names: the known names.
        otherwise: text to return if no name is similar.
    """
    by_letters = {_letters(each): each for each in sorted(names, reverse=True)}
    near = get_close_matches(_letters(name), by_letters, n=1)
    return f"did you mean '{by_letters[near[0]]}'?" if near else otherwise


def _letters(name: str) -> str:
    """Return a name without case, spaces, underscores and invisible characters."""
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    letters = (each for each in text if not each.isspace() and each != "_")
    return "".join(each for each in letters if unicodedata.category(each) != "Cf")


def quoted(names: Iterable[str]) -> str:
    """Return names in quotes, joined by "and"."""
    return " and ".join(f"'{name}'" for name in names)
