# SPDX-License-Identifier: MIT
"""How smoothing and preprocessing follow the recogniser to another model, alone and together."""

from __future__ import annotations

import numpy as np
import pytest
from builtin_interfaces.msg import Time

from whispersign_model.decoding.streaming import StreamingRecognizer, recognize_recording
from whispersign_model.features.preprocessor import Preprocessor
from whispersign_model.features.recipe import Smoothing
from whispersign_model.features.smoothing import Smoother
from whispersign_model.network.checkpoint import read_metadata
from whispersign_model.runtime.loading import load_backend
from whispersign_msgs.msg import Gloss, HandFeatures, HandFrame, Recipe
from whispersign_ros.conversions.messages import nanoseconds, read_features, recipe_message
from whispersign_ros.node import qos
from whispersign_ros.node.recipe_sync import GracePeriod
from whispersign_ros.nodes.preprocessing_node import PreprocessingNode
from whispersign_ros.nodes.recognition_node import RecognitionNode
from whispersign_ros.nodes.smoothing_node import SmoothingNode

NEVER = 60.0  # seconds of idle_timeout that do not pass during a test


@pytest.fixture(scope="session")
def other(recipe):
    """Return a recipe with another filter and another origin."""
    return recipe.changed(location="sensor", smoothing=Smoothing(kind="moving_average"))


@pytest.fixture(scope="session")
def other_kind(tmp_path_factory, other, random_model):
    return random_model(tmp_path_factory.mktemp("kind") / "model", other, seed=2)


@pytest.fixture
def told(graph):
    """Return a function that tells of a recipe as a recogniser does."""
    publisher = graph.probe.create_publisher(Recipe, "recipe", qos.RECIPE)
    return lambda recipe: publisher.publish(recipe_message(Time(), recipe, "other@0"))


def test_preprocessing_goes_on_with_the_recipe_that_is_told(
    graph, model, told, messages, recording, recipe, other
):
    node = graph.start(PreprocessingNode, model=str(model), idle_timeout=NEVER, max_age=0.0)
    heard = graph.listen(HandFeatures, "hands/features")
    publisher = graph.speak(HandFrame, "hands/filtered")
    graph.heard_from("hands/features")
    first, last = (messages(Smoother(each.smoothing).smooth(recording)) for each in (recipe, other))
    graph.send(publisher, first[:100], node)
    told(other)
    graph.until(lambda: node._recipe_id == other.id)
    graph.send(publisher, first[100:103], node)  # smoothing_node has not followed yet
    assert node.diagnostics.drops == {"frames_of_previous_model": 3}
    assert node.diagnostics.refusal == ""
    told(recipe)
    told(other)
    told(other)  # nothing new: the stream goes on
    graph.send(publisher, last, node)
    node.flush()
    expected = Preprocessor(other).process(recording)
    graph.until(lambda: heard and heard[-1].sequence == len(expected) - 1)
    stamps, features = zip(*map(read_features, heard[-len(expected) :]))
    assert list(stamps) == expected.stamps.tolist()
    np.testing.assert_allclose(features, expected.frames, atol=1e-4)
    assert [message.sequence for message in heard[-len(expected) :]] == list(range(len(expected)))
    before = heard[: -len(expected)]
    assert {message.recipe_id for message in before} == {recipe.id}
    assert nanoseconds(before[-1].header.stamp) > recording.stamps[95]  # nothing was held back
    assert {message.recipe_id for message in heard[-len(expected) :]} == {other.id}


def test_smoothing_goes_on_with_the_filter_that_is_told(
    graph, model, told, messages, recording, other
):
    node = graph.start(SmoothingNode, model=str(model), max_age=0.0)
    heard = graph.listen(HandFrame, "hands/filtered")
    publisher = graph.speak(HandFrame, "hands/raw")
    graph.heard_from("hands/filtered")
    sent = messages(recording)
    graph.send(publisher, sent[:10], node)
    told(other)
    graph.until(lambda: node._filter_name == other.smoothing.name)
    graph.send(publisher, sent[10:20], node)
    graph.until(lambda: len(heard) == 20)
    names = [message.smoothing for message in heard]
    assert names == 10 * [Smoothing().name] + 10 * [other.smoothing.name]


def test_who_was_given_a_filter_or_shall_not_follow_does_not(graph, model, told, other):
    nodes = [
        graph.start(SmoothingNode, kind="none"),
        graph.start(SmoothingNode, model=str(model), follow=False),
        graph.start(PreprocessingNode, model=str(model), follow=False),
    ]
    assert not any(node.count_subscribers("recipe") for node in nodes)


def test_what_is_no_recipe_is_counted(graph, model, recipe):
    node = graph.start(PreprocessingNode, model=str(model))
    publisher = graph.probe.create_publisher(Recipe, "recipe", qos.RECIPE)
    publisher.publish(Recipe(recipe_id="x", json='{"rate": 1e9}'))
    graph.until(lambda: node.diagnostics.drops == {"recipes_unreadable": 1})
    assert node._recipe_id == recipe.id


@pytest.mark.parametrize("kind", [SmoothingNode, PreprocessingNode])
def test_each_takes_a_model_of_its_own_accord(graph, model, other_kind, other, kind, tmp_path):
    node = graph.start(kind, model=str(model))
    assert graph.set_parameter(node, "model", str(other_kind)).successful
    followed = node._filter_name if kind is SmoothingNode else node._recipe_id
    assert followed == (other.smoothing.name if kind is SmoothingNode else other.id)
    assert not graph.set_parameter(node, "model", str(tmp_path / "missing")).successful


def test_what_was_right_is_remembered_for_a_moment(monkeypatch):
    now = [10.0]
    monkeypatch.setattr("whispersign_ros.node.recipe_sync.time.monotonic", lambda: now[0])
    period = GracePeriod()
    assert not period.accepts("")
    period.start("a")
    assert period.accepts("a")
    assert not period.accepts("b")
    now[0] += 1.5
    period.extend()  # the change is announced only now
    now[0] += 1.5
    assert period.accepts("a")
    now[0] += 0.5
    assert not period.accepts("a")


def test_one_parameter_changes_the_model_of_the_whole_graph(
    graph, model, other_kind, other, messages, recording
):
    recorded = {"model": str(model), "max_age": 0.0}
    smoothing = graph.start(SmoothingNode, **recorded)
    preprocessing = graph.start(PreprocessingNode, **recorded, idle_timeout=0.3)
    recognition = graph.start(RecognitionNode, **recorded, device="cpu", idle_timeout=0.6)
    glosses = graph.listen(Gloss, "gloss")
    publisher = graph.speak(HandFrame, "hands/raw")
    graph.heard_from("gloss")
    graph.send(publisher, messages(recording)[: len(recording) // 2], smoothing)
    assert graph.set_parameter(recognition, "model", str(other_kind)).successful
    graph.until(lambda: preprocessing._recipe_id == other.id)
    graph.until(lambda: smoothing._filter_name == other.smoothing.name)
    graph.send(publisher, messages(recording), smoothing)
    metadata = read_metadata(other_kind)
    recognizer = StreamingRecognizer(
        load_backend(other_kind, "cpu"), metadata.glosses, recipe=metadata.recipe
    )
    expected = [
        (gloss.gloss, gloss.start, gloss.end)
        for result in recognize_recording(recognizer, Preprocessor(other), recording)
        if result.final
        for gloss in result.glosses
    ]
    assert expected

    def of_the_new():
        return [
            (message.gloss, nanoseconds(message.start_time), nanoseconds(message.end_time))
            for message in glosses
            if message.model_id == metadata.model_id
        ]

    graph.until(lambda: len(of_the_new()) >= len(expected))
    assert of_the_new() == expected
    for node in (smoothing, preprocessing, recognition):
        assert node.diagnostics.refusal == ""
        assert "refused" not in node.diagnostics.drops
