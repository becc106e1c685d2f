"""Node ``synthetic_node``: a made-up person who signs, on ``hands/raw`` and ``annotation``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import count
from typing import Any

import numpy as np
from rclpy.node import Node

from whispersign_model.recordings.recording import Recording
from whispersign_model.synthesis.sensor import SENSORS, SensorModel
from whispersign_model.synthesis.signer import Signer
from whispersign_ros import playback
from whispersign_ros.diagnostics import Diagnostics
from whispersign_ros.parameters import Setting, declare
from whispersign_ros.playback import Player, PlayerOptions
from whispersign_ros.process import run

TABLE = (
    Setting(
        "glosses",
        "",
        "gloss to sign, or a list: one sentence, signed again and again; empty: random sentences",
        one_or_many=True,
    ),
    Setting("sentence_length", 3, "glosses in a random sentence", 1, 20),
    Setting("sentences", 0, "sentences to sign; 0: without end", 0, 1_000_000),
    Setting("seed", 0, "decides the person and everything that varies", 0, 2**31 - 1),
    Setting("sensor", "leap", "what the person signs before; ideal: the truth", choices=SENSORS),
    Setting("frame_rate", 60.0, "frames the sensor gives a second, Hz", 5.0, 240.0),
    Setting(
        "noise",
        -1.0,
        "standard deviation of a joint's position, metres; below 0: the sensor's own",
        -1.0,
        0.1,
    ),
    Setting("exit_at_end", True, "end the process after the last sentence; false: stay idle"),
    *playback.SETTINGS,
)


class SyntheticNode(Node):
    """Signs sentences, one after the other, in one stream; the hands leave the view in between.

    Args:
        on_end: called after the last sentence when ``exit_at_end`` is set.
        also_known: parameter names of other nodes in the process.
        arguments: for ``rclpy.node.Node``.

    Raises:
        ConfigError: a parameter is at fault, or names a gloss that the lexicon lacks.
    """

    def __init__(
        self, on_end: Callable[[], None], also_known: Sequence[str] = (), **arguments: Any
    ) -> None:
        super().__init__(
            "synthetic_node", automatically_declare_parameters_from_overrides=True, **arguments
        )
        self._player: Player | None = None  # rclpy may destroy a node that was never whole
        values = declare(self, TABLE, also_known)
        sensor = SensorModel.named(values["sensor"], values["frame_rate"])
        if values["noise"] >= 0:
            sensor = replace(sensor, noise=values["noise"])
        signer = Signer(values["seed"], sensor=sensor)
        glosses = [values["glosses"]] if isinstance(values["glosses"], str) else values["glosses"]
        sentence = [gloss for gloss in glosses if gloss]
        for gloss in sentence:
            signer.lexicon.sign(gloss)
        self.diagnostics = Diagnostics(self)
        options = PlayerOptions(
            restamp=True,
            one_stream=True,
            pause=1.0 / values["frame_rate"],
            **playback.shared_options(values),
        )
        self._player = Player(
            self,
            options,
            _sentences(signer, sentence, values["sentence_length"], values["sentences"]),
            self.diagnostics,
            on_end if values["exit_at_end"] else lambda: None,
        )
        self._player.start()

    def destroy_node(self) -> None:
        """Stop signing, then free the node."""
        if self._player is not None:
            self._player.stop()
        super().destroy_node()


def _sentences(
    signer: Signer, sentence: Sequence[str], length: int, number: int
) -> Iterator[Callable[[], Recording]]:
    """Yield what makes each sentence: the given one, or random ones of ``length`` glosses."""
    rng = np.random.default_rng(signer.seed)
    for take in range(number) if number else count():
        chosen = sentence or rng.choice(signer.lexicon.glosses, size=length).tolist()
        yield partial(signer.sign_sentence, chosen, take)


def main() -> int:
    """Run the executable ``synthetic_node``."""
    return run("synthetic_node", lambda end: [SyntheticNode(end)], __doc__ or "", TABLE)


if __name__ == "__main__":
    raise SystemExit(main())
