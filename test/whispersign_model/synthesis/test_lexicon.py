# SPDX-License-Identifier: MIT
from pathlib import Path

import pytest
import yaml

from whispersign_model.configuration import load_yaml
from whispersign_model.errors import ConfigError
from whispersign_model.synthesis.lexicon import Lexicon, default_lexicon

from .minimal_pairs import minimal_pairs

ROOT = Path(__file__).resolve().parents[3]
FLAT = {finger: [0, 0, 0, 0] for finger in ("thumb", "index", "middle", "ring", "pinky")}
STOP = {
    "handshape": "flat",
    "palm": "forward",
    "fingers": "up",
    "location": "neutral",
    "movement": {"path": "straight", "direction": "forward", "size": 0.1},
    "duration": 0.5,
}


def write(path: Path, sign: dict, handshape: dict | None = None) -> Path:
    content = {
        "handshapes": {"flat": handshape or FLAT},
        "locations": {"neutral": [0, 0.25, 0]},
        "signs": {"STOP": sign},
    }
    path.write_text(yaml.safe_dump(content))
    return path


def test_the_lexicon_is_rich_enough() -> None:
    signs = default_lexicon().signs
    assert len(signs) >= 24
    assert sum(sign.two_handed for sign in signs.values()) >= 6
    assert {"mirror", "alternate"} <= {s.other for s in signs.values() if isinstance(s.other, str)}
    assert sum(sign.movement.repeats > 1 for sign in signs.values()) >= 8
    assert {s.movement.path for s in signs.values()} == {
        "none", "straight", "arc", "circle", "zigzag", "tap",
    }  # fmt: skip
    assert {s.movement.wrist for s in signs.values()} == {"none", "wave", "nod", "twist"}
    assert {s.movement.fingers for s in signs.values()} == {"still", "change", "wiggle"}


def test_minimal_pairs_exist_for_every_parameter() -> None:
    pairs = minimal_pairs(default_lexicon())
    assert {parameter for _, _, parameter in pairs} >= {
        "handshape", "orientation", "location", "movement",
    }  # fmt: skip
    assert ("GOOD", "BAD", "orientation") in pairs
    assert ("EAT", "CHARGE", "location") in pairs
    assert ("GO", "HURRY", "movement") in pairs
    assert ("PLEASE", "SORRY", "handshape") in pairs


def test_every_handshape_and_location_is_used() -> None:
    lexicon = default_lexicon()
    shapes, places = {"relaxed"}, {"ready", "lap"}  # those of hands that do not sign
    for sign in lexicon.signs.values():
        shapes |= set(sign.handshapes)
        places.add(sign.location)
        if not isinstance(sign.other, str):
            shapes.add(sign.other.handshape)
            places.add(sign.other.location)
    assert shapes == set(lexicon.handshapes)
    assert places == set(lexicon.locations)


def test_no_two_signs_are_the_same() -> None:
    signs = list(default_lexicon().signs.values())
    assert all(one != other for n, one in enumerate(signs) for other in signs[:n])


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"handshape": "flaat"}, "STOP: no handshape.*flaat"),
        ({"location": "nowhere"}, "STOP: no location.*nowhere"),
        ({"palm": "down", "fingers": "up"}, "not at right angles"),
        ({"handshape": ["flat", "flat"]}, "two handshapes"),
        ({"movement": {}}, "nothing moves"),
        ({"movement": {"path": "tap"}}, "a path has a size"),
        ({"movement": {"wrist": "nod"}}, "degrees"),
        ({"movement": {"path": "arc", "size": 0.1, "bulge": "back"}}, "right angles to direction"),
        ({"movement": {"path": "strait", "size": 0.1}}, "movement.path"),
        ({"other": "alternate"}, "alternating hands need"),
        ({"other": "mirror", "fingers": "left"}, "left and right"),
        ({"speed": 1}, "speed"),
        ({"duration": 9}, "duration"),
    ],
)
def test_a_faulty_sign_is_refused_with_its_name(tmp_path: Path, change: dict, fault: str) -> None:
    path = write(tmp_path / "lexicon.yaml", {**STOP, **change})
    with pytest.raises(ConfigError, match=fault) as caught:
        load_yaml(Lexicon, path)
    assert "\n" not in str(caught.value)
    assert "STOP" in str(caught.value)


def test_a_handshape_beyond_the_joint_limits_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "lexicon.yaml", STOP, {**FLAT, "index": [0, 0, 150, 0]})
    with pytest.raises(ConfigError, match="handshape flat: index angle 2 is 150 degrees"):
        load_yaml(Lexicon, path)


def test_a_sound_file_is_read(tmp_path: Path) -> None:
    assert load_yaml(Lexicon, write(tmp_path / "lexicon.yaml", STOP)).glosses == ("STOP",)


@pytest.mark.parametrize("content", [None, "a: [", "5"])
def test_a_file_that_is_no_lexicon_is_refused(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "lexicon.yaml"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigError, match=r"lexicon\.yaml"):
        load_yaml(Lexicon, path)


def test_an_unknown_gloss_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"XYZ.*HELLO"):
        default_lexicon().sign("XYZ")


def test_the_documented_table_is_that_of_the_code() -> None:
    lexicon: Lexicon = default_lexicon()
    table = lexicon.table()
    assert table.count("\n") == len(lexicon.signs) + 2
    assert table in (ROOT / "docs/reference/signs.md").read_text(encoding="utf-8")
