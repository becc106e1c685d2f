# SPDX-License-Identifier: MIT
"""Words of the command line that no command takes are told of in its usage, before any work."""

from __future__ import annotations

import pytest

from whispersign_model.cli.main import main


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["train", "--data", "x", "--out", "y", "--seed", "-1"], "--seed: -1 is below 0"),
        (["train", "--data", "x", "--out", "y", "--seed", "4294967296"], "is above 4294967295"),
        (["synthesize", "--out", "y", "--seed", "-1"], "--seed: -1 is below 0"),
        (["synthesize", "--out", "y", "--first-signer", "-1"], "--first-signer: -1 is below 0"),
        (["augment", "--out", "y.png", "--seed", "x"], "--seed: 'x' is not a whole number"),
        (["bench", "--threads", "0"], "--threads: 0 is below 1"),
    ],
)
def test_numbers_out_of_range(words: list[str], says: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit, match="2"):
        main(words)
    assert says in capsys.readouterr().err.splitlines()[-1]
