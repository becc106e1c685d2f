# SPDX-License-Identifier: MIT
"""A contact sheet: one picture per sign, with the paths of wrist and index fingertip."""

from pathlib import Path

import cv2
import numpy as np

from whispersign_model.errors import ConfigError
from whispersign_model.recordings.atomic import replace_file
from whispersign_model.recordings.recording import Recording
from whispersign_model.skeleton import JOINTS_PER_HAND, WRIST
from whispersign_model.synthesis.lexicon import Lexicon
from whispersign_model.synthesis.render import Image, Renderer
from whispersign_model.synthesis.sensor import SensorModel
from whispersign_model.synthesis.signer import Signer
from whispersign_model.synthesis.style import SignerStyle

CELL = (256, 192)  # width and height in pixels
COLUMNS = 6
MOMENT = 0.6  # share of the stroke completed at the pictured moment
INDEX_TIP = 8
PATHS = ((WRIST, (90, 200, 255)), (INDEX_TIP, (120, 255, 120)))  # joint and BGR color
SUFFIXES = (".png", ".jpg")


def draw_sheet(lexicon: Lexicon) -> Image:
    """Draw all signs of a lexicon by the standard signer, as ``(H, W, 3)`` uint8 BGR."""
    sensor = SensorModel.ideal(60.0)
    signer = Signer(0, SignerStyle(), lexicon, sensor, naturalness=0.0)
    renderer = Renderer()
    cells = [_cell(gloss, signer.sign_sentence([gloss]), renderer) for gloss in lexicon.glosses]
    while len(cells) % COLUMNS:
        cells.append(np.zeros_like(cells[0]))
    rows = [np.hstack(cells[i : i + COLUMNS]) for i in range(0, len(cells), COLUMNS)]
    return np.vstack(rows)


def write_sheet(lexicon: Lexicon, path: Path) -> None:
    """Write the contact sheet to a picture file atomically.

    Raises:
        ConfigError: the file name does not end in one of ``SUFFIXES``.
    """
    if path.suffix not in SUFFIXES:
        raise ConfigError(path, "is not a picture format", f"end it in {' or '.join(SUFFIXES)}")
    quality = [cv2.IMWRITE_JPEG_QUALITY, 85] if path.suffix == ".jpg" else []
    _, encoded = cv2.imencode(path.suffix, draw_sheet(lexicon), quality)
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, encoded.tobytes())


def _cell(gloss: str, recording: Recording, renderer: Renderer) -> Image:
    segment = recording.segments[0]
    stroke = recording.between(segment.start, segment.end)
    shown = stroke.positions[round(MOMENT * (len(stroke) - 1))]
    picture = renderer.draw(shown, (True, True))
    for hand in range(2):
        for joint, colour in PATHS:
            pixels = renderer.camera.project(stroke.positions[:, hand * JOINTS_PER_HAND + joint])
            way = np.round(pixels).astype(np.int32)[:, None]
            cv2.polylines(picture, [way], False, colour, 2, cv2.LINE_AA)
            x, y = way[-1, 0]
            cv2.circle(picture, (int(x), int(y)), 5, colour, -1, cv2.LINE_AA)
    small = cv2.resize(picture, CELL, interpolation=cv2.INTER_AREA)
    cv2.putText(
        small, gloss, (8, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (255, 255, 255), 1, cv2.LINE_AA
    )
    return np.asarray(small, dtype=np.uint8)
