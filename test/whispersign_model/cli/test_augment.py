# SPDX-License-Identifier: MIT
"""`whispersign augment`: a page appears, and faults are told in one line."""

import pytest

from whispersign_model.cli.main import main


def test_a_page_of_made_up_signs(tmp_path, capsys):
    page = tmp_path / "pages" / "page.png"
    assert main(["augment", "--out", str(page)]) == 0
    assert page.read_bytes().startswith(b"\x89PNG")
    assert "OPEN" in capsys.readouterr().out
    assert main(["augment", "--out", str(tmp_path / "page.cat")]) == 2
    message = capsys.readouterr().err
    assert "page.cat" in message
    assert message.count("\n") == 1


@pytest.mark.parametrize("missing", ["nowhere"])
def test_missing_dataset(tmp_path, capsys, missing):
    words = ["augment", "--out", str(tmp_path / "page.png"), "--data", str(tmp_path / missing)]
    assert main(words) == 2
    assert "does not exist" in capsys.readouterr().err
