# SPDX-License-Identifier: MIT
"""Quality of service: who can listen to whom, and how to change it."""

from __future__ import annotations

from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import ReliabilityPolicy, qos_profile_sensor_data
from sensor_msgs.msg import Image

from whispersign_msgs.msg import HandFrame
from whispersign_ros.node import qos

from ..large_images import NUMBER, large_images


def _reliability(graph, node_name):
    infos = graph.probe.get_subscriptions_info_by_topic("/hands/raw")
    return [info.qos_profile.reliability for info in infos if info.node_name == node_name]


def test_hands_are_heard_reliably(graph):
    heard = []
    qos.HandsInput(graph.probe, "hands/raw", heard.append)
    publisher = graph.speak(HandFrame, "hands/raw", qos.HANDS)
    publisher.publish(HandFrame())
    graph.until(lambda: heard)
    assert _reliability(graph, "probe") == [ReliabilityPolicy.RELIABLE]


def test_a_best_effort_sensor_is_heard_once_and_so_is_a_reliable_one(graph, capfd):
    heard = []
    reliable = graph.probe.create_publisher(HandFrame, "hands/raw", 10)
    listener = graph.add(Node("listener"))
    qos.HandsInput(listener, "hands/raw", heard.append)
    graph.until(lambda: reliable.get_subscription_count() == 1)
    sensor = graph.speak(HandFrame, "hands/raw", qos_profile_sensor_data)
    graph.until(lambda: _reliability(graph, "listener") == [ReliabilityPolicy.BEST_EFFORT])
    graph.until(lambda: sensor.publish(HandFrame(source="sensor")) or heard)
    graph.until(lambda: reliable.get_subscription_count() == 1)
    for _ in range(10):
        graph.executor.spin_once(timeout_sec=0.05)
    heard.clear()
    for publisher, source in ((sensor, "a"), (reliable, "b"), (sensor, "c")):
        publisher.publish(HandFrame(source=source))
        graph.until(lambda source=source: source in [message.source for message in heard])
    assert sorted(message.source for message in heard) == ["a", "b", "c"]
    assert "is best effort; using best effort too" in capfd.readouterr().err


def test_large_images_arrive(graph):
    """Raw images of 640x480 need many packets; best effort lost most of them."""
    heard = []
    listener = graph.add(Node("listener"))
    qos.AdaptiveSubscription(listener, Image, "image", heard.append, qos.IMAGES_INPUT)
    with large_images("image"):
        graph.until(lambda: len(heard) >= 0.8 * NUMBER)
    infos = graph.probe.get_subscriptions_info_by_topic("/image")
    assert [info.qos_profile.reliability for info in infos] == [ReliabilityPolicy.RELIABLE]


def test_a_best_effort_camera_is_heard_and_a_destroyed_subscription_stays_away(graph):
    heard = []
    listener = graph.add(Node("listener"))
    kept, ended = (
        qos.AdaptiveSubscription(listener, Image, topic, heard.append, qos.IMAGES_INPUT, raw=True)
        for topic in ("image", "other")
    )
    camera = graph.speak(Image, "image", qos_profile_sensor_data)
    graph.until(lambda: camera.publish(Image(encoding="mono8")) or heard)
    assert isinstance(heard[0], bytes)
    kept.destroy()
    ended.destroy()
    ended._meet(None)  # an event that was under way when the subscription was destroyed
    graph.until(lambda: not graph.probe.count_subscribers("/image"))
    graph.until(lambda: not graph.probe.count_subscribers("/other"))


def test_a_reliable_listener_hears_our_hands(graph):
    publisher = qos.publish(graph.probe, HandFrame, "hands/raw", qos.HANDS)
    heard = graph.listen(HandFrame, "hands/raw", 10)
    graph.until(lambda: publisher.get_subscription_count() > 0)
    publisher.publish(HandFrame())
    graph.until(lambda: heard)


def test_parameters_override_a_profile_and_that_of_no_other_node(graph):
    name = "qos_overrides./hands/raw.publisher.depth"
    node = graph.add(Node("other", parameter_overrides=[Parameter(name, value=7)]))
    depths = [
        qos.publish(owner, HandFrame, "hands/raw", qos.HANDS).qos_profile.depth
        for owner in (node, graph.probe)
    ]
    assert depths == [7, qos.HANDS.depth]


def test_what_comes_while_a_node_waits_for_its_turn_is_kept(graph):
    """A pipeline on a starved machine: the source keeps time, and those who listen do not."""
    heard = []
    graph.add(Node("busy"))
    listener = Node("listener")  # not in the executor: it has no turn yet
    qos.HandsInput(listener, "hands/raw", lambda message: heard.append(message.sequence))
    publisher = graph.speak(HandFrame, "hands/raw", qos.HANDS)
    frames = 10 * 120  # 10 s
    for sequence in range(frames):
        publisher.publish(HandFrame(sequence=sequence))
    graph.add(listener)
    graph.until(lambda: heard and heard[-1] == frames - 1)
    assert heard == list(range(frames))
