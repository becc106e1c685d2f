# SPDX-License-Identifier: MIT
"""Node ``synthetic_node``: publishes a synthetic signer on ``hands/raw`` and ``annotation``.

In a recording session, the signer follows the prompts. The session writes the labels.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import count
from queue import Empty, SimpleQueue
from typing import Any

import numpy as np
from rclpy.node import Node

from whispersign_model.recordings.labels import BETWEEN
from whispersign_model.recordings.recording import Recording
from whispersign_model.synthesis.sensor import SENSORS, SensorModel
from whispersign_model.synthesis.signer import AwayItem, Signer
from whispersign_msgs.msg import Prompt
from whispersign_ros.node import qos
from whispersign_ros.node.diagnostics import Diagnostics
from whispersign_ros.node.parameters import ParameterSpec, declare
from whispersign_ros.playback.player import SHARED_PARAMETERS, Player

REACTION = 0.2  # seconds without hands before and after a prompted sign
AWAY = 0.1  # seconds between two checks for a prompt
PARAMETERS = (
    ParameterSpec(
        "glosses",
        "",
        "gloss or list of glosses to repeat as one sentence; if empty, the sentences are random",
        one_or_many=True,
    ),
    ParameterSpec("sentence_length", 3, "number of glosses in a random sentence", (1, 20)),
    ParameterSpec("sentences", 0, "number of sentences; 0 means no limit", (0, 1_000_000)),
    ParameterSpec("seed", 0, "random seed for the signer and all variation", (0, 2**31 - 1)),
    ParameterSpec(
        "sensor", "leap", "simulated sensor; ideal publishes exact positions", choices=SENSORS
    ),
    ParameterSpec("frame_rate", 60.0, "frame rate of the simulated sensor in Hz", (5.0, 240.0)),
    ParameterSpec(
        "noise",
        -1.0,
        "standard deviation of the position noise in meters; if negative, the sensor's usual noise",
        (-1.0, 0.1),
    ),
    ParameterSpec(
        "prompted", False, "sign only as prompted on the topic prompt; ignore glosses and sentences"
    ),
    ParameterSpec(
        "exit_at_end", True, "exit after the last sentence; false keeps the node running"
    ),
    *SHARED_PARAMETERS,
)


class SyntheticNode(Node):
    """Signs sentences in one continuous stream; the hands leave the view between sentences.

    Args:
        on_end: called after the last sentence if ``exit_at_end`` is set.
        also_known: names of parameters that other nodes in the process declare.
        arguments: passed to ``rclpy.node.Node``.

    Raises:
        ConfigError: a parameter is invalid, or names a gloss that the lexicon lacks.
    """

    def __init__(
        self, on_end: Callable[[], None], also_known: Sequence[str] = (), **arguments: Any
    ) -> None:
        super().__init__(
            "synthetic_node", automatically_declare_parameters_from_overrides=True, **arguments
        )
        self._player: Player | None = None  # rclpy may destroy a partly constructed node
        values = declare(self, PARAMETERS, also_known)
        sensor = SensorModel.named(values["sensor"], values["frame_rate"])
        if values["noise"] >= 0:
            sensor = replace(sensor, noise=values["noise"])
        signer = Signer(values["seed"], sensor=sensor)
        glosses = [values["glosses"]] if isinstance(values["glosses"], str) else values["glosses"]
        sentence = [gloss for gloss in glosses if gloss]
        for gloss in sentence:
            signer.lexicon.sign(gloss)
        self.diagnostics = Diagnostics(self)
        if values["prompted"]:
            recordings = Prompted(self, signer).recordings()
        else:
            length, number = values["sentence_length"], values["sentences"]
            recordings = _sentences(signer, sentence, length, number)
        self._player = Player(
            self,
            values,
            recordings,
            self.diagnostics,
            on_end if values["exit_at_end"] else lambda: None,
            one_stream=True,
            pause=1.0 / values["frame_rate"],
        )
        self._player.start()

    def destroy_node(self) -> None:
        """Stop signing, and destroy the node."""
        if self._player is not None:
            self._player.stop()
        super().destroy_node()


def _sentences(
    signer: Signer, sentence: Sequence[str], length: int, number: int
) -> Iterator[Callable[[], Recording]]:
    """Yield a factory per sentence: ``sentence``, or if empty, ``length`` random glosses."""
    rng = np.random.default_rng(signer.seed)
    for take in range(number) if number else count():
        chosen = sentence or rng.choice(signer.lexicon.glosses, size=length).tolist()
        yield partial(signer.sign_sentence, chosen, take)


class Prompted:
    """A signer who follows a session's prompts, and keeps the hands out of view between signs.

    Args:
        node: node that subscribes to ``prompt``.
        signer: the synthetic signer.
    """

    def __init__(self, node: Node, signer: Signer) -> None:
        self._signer = signer
        self._requests: SimpleQueue[tuple[str, int]] = SimpleQueue()
        self._last: tuple[int, str, int] | None = None
        qos.subscribe(node, Prompt, "prompt", qos.STATE, self._on_prompt)

    def recordings(self) -> Iterator[Callable[[], Recording]]:
        """Yield factories of recordings, without end."""
        while True:
            try:
                gloss, take = self._requests.get_nowait()
            except Empty:
                yield self._away
            else:
                yield partial(self._sign, gloss.split(BETWEEN), take)

    def _on_prompt(self, message: Prompt) -> None:
        """Request a sign when its signing phase starts, and ignore repeated prompts."""
        now = (message.phase, message.gloss, message.take)
        if message.phase == Prompt.SIGNING and now != self._last:
            self._requests.put((message.gloss, message.take))
        self._last = now

    def _sign(self, glosses: Sequence[str], take: int) -> Recording:
        signed = self._signer.sign_sentence(glosses, take, lead=REACTION, tail=REACTION)
        return replace(signed, segments=())

    def _away(self) -> Recording:
        return self._signer.record([AwayItem(AWAY)])
