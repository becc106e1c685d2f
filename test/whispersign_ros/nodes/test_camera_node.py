# SPDX-License-Identifier: MIT
"""``camera_node`` with a detector that always sees one hand."""

from __future__ import annotations

import sys

import cv2
import numpy as np
import pytest
import rclpy
from builtin_interfaces.msg import Time
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

from whispersign_model.errors import ConfigError, SensorError
from whispersign_model.sensors import camera as camera_module
from whispersign_model.sensors import picture_device
from whispersign_model.sensors.detector import find_bundle
from whispersign_msgs.msg import HandFrame
from whispersign_msgs.msg import Recipe as RecipeMessage
from whispersign_ros.conversions import images as module_of_images
from whispersign_ros.conversions.images import image_message, read_image
from whispersign_ros.conversions.messages import nanoseconds, read_frame
from whispersign_ros.node import qos
from whispersign_ros.nodes import camera_node as module
from whispersign_ros.nodes.camera_node import CameraNode

from ..large_images import NUMBER, large_images

PICTURE = np.zeros((48, 64, 3), np.uint8)


@pytest.fixture(autouse=True)
def detector(one_hand, monkeypatch):
    monkeypatch.setattr(module, "find_bundle", lambda given: None)


@pytest.fixture
def video(tmp_path):
    path = tmp_path / "a.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 25.0, (64, 48))
    for _ in range(10):
        writer.write(PICTURE)
    writer.release()
    return path


def start(graph, ended=lambda: None, **parameters):
    return graph.start(CameraNode, ended, field_of_view=90.0, **parameters)


def test_a_file_becomes_one_stream_and_the_process_ends(graph, video):
    frames, ends = graph.listen(HandFrame, "hands/raw"), []
    before = graph.probe.get_clock().now().nanoseconds
    start(graph, lambda: ends.append(True), input=str(video), every_frame=True)
    graph.until(lambda: ends and len(frames) >= 10)
    assert [frame.sequence for frame in frames] == list(range(10))
    stamps = [nanoseconds(frame.header.stamp) for frame in frames]
    assert np.diff(stamps) == pytest.approx([40e6] * 9, abs=1e3)
    assert before < stamps[0]
    assert {(f.source, f.coordinates, f.header.frame_id) for f in frames} == {
        ("camera", HandFrame.METRIC_SENSOR, "hands")
    }
    assert not frames[0].left_tracked
    right = read_frame(frames[5]).positions[21:]
    np.testing.assert_allclose(right.mean(axis=0), (0.0, 0.0, 0.5), atol=1e-3)
    assert read_frame(frames[5]).confidence[21:] == pytest.approx(0.9, abs=0.02)


def test_hands_are_measured_as_the_model_was_trained_also_when_it_is_changed(
    graph, recipe, random_model, model, tmp_path
):
    images_model = random_model(tmp_path / "m", recipe.changed(coordinates="image_normalised"))
    frames = graph.listen(HandFrame, "hands/raw")
    node = start(graph, input="topic", model=str(images_model))
    images, seconds = graph.speak(Image, "image"), iter(range(1, 100))

    def look():
        done = len(frames)
        images.publish(image_message(PICTURE, Header(stamp=Time(sec=next(seconds)))))
        graph.until(lambda: len(frames) > done)
        return frames[-1].coordinates, read_frame(frames[-1]).positions[21:, 2].mean()

    coordinates, depth = look()
    assert (coordinates, depth) == (HandFrame.IMAGE_NORMALISED, pytest.approx(0.0, abs=0.1))
    assert graph.set_parameter(node, "model", str(model)).successful
    coordinates, depth = look()
    assert (coordinates, depth) == (HandFrame.METRIC_SENSOR, pytest.approx(0.5, abs=0.01))
    recipes = graph.probe.create_publisher(RecipeMessage, "recipe", qos.RECIPE)
    for name, told in (
        ("image_normalised", HandFrame.IMAGE_NORMALISED),
        ("metric_hand_centred", HandFrame.IMAGE_NORMALISED),
    ):
        message = RecipeMessage(json=recipe.changed(coordinates=name).to_json(), model_id=name)
        recipes.publish(message)
        graph.until(lambda told=told: look()[0] == told)
    graph.until(lambda: node.diagnostics.drops["recipes_unusable"] == 1)


def test_what_no_camera_gives_is_refused(graph, recipe, random_model, tmp_path):
    path = random_model(tmp_path / "m", recipe.changed(coordinates="metric_hand_centred"))
    with pytest.raises(ConfigError, match=r"the model needs metric_hand_centred.*image_normalised"):
        start(graph, input="topic", model=str(path))
    start(graph, input="topic", model=str(path), coordinates="metric_sensor")


def test_pictures_of_a_topic_keep_their_stamps_and_camera_info(graph):
    frames = graph.listen(HandFrame, "hands/raw")
    node = start(graph, input="topic")
    images = graph.speak(Image, "image")
    infos = graph.speak(CameraInfo, "camera_info")
    info = CameraInfo(width=64, height=48)
    info.k = [64.0, 0.0, 32.0, 0.0, 64.0, 24.0, 0.0, 0.0, 1.0]
    infos.publish(info)
    graph.until(lambda: node.sensor._source._intrinsics)
    for second in (7, 8, 8, 9):
        done = len(frames) + sum(node.diagnostics.drops.values())
        images.publish(image_message(PICTURE, Header(stamp=Time(sec=second))))
        graph.until(lambda done=done: len(frames) + sum(node.diagnostics.drops.values()) > done)
    assert [nanoseconds(f.header.stamp) // 10**9 for f in frames] == [7, 8, 9]
    assert node.diagnostics.drops == {"frames_out_of_order": 1}
    # Twice the focal length of 90 degrees: the same picture is of a hand twice as far.
    assert read_frame(frames[-1]).positions[21:, 2].mean() == pytest.approx(1.0, abs=0.01)
    images.publish(Image(encoding="32FC1"))
    graph.until(lambda: node.diagnostics.received >= 3 and node.sensor.drops())
    assert node.sensor.drops() == {"unreadable_pictures": 1}


def test_large_pictures_of_a_topic_arrive(graph):
    frames = graph.listen(HandFrame, "hands/raw")
    node = start(graph, input="topic", coordinates="metric_sensor")
    with large_images("image"):  # best effort delivers less than a quarter of them
        graph.until(lambda: len(frames) + sum(node.sensor.drops().values()) >= 0.8 * NUMBER)


def test_odd_pictures_are_lost_and_the_stream_goes_on(graph, monkeypatch):
    frames = graph.listen(HandFrame, "hands/raw")
    node = start(graph, input="topic", coordinates="metric_sensor")
    images, seconds = graph.speak(Image, "image"), iter(range(1, 100))

    def send(odd):
        odd.header.stamp.sec = next(seconds)
        images.publish(odd)

    def whole():
        done = len(frames)
        send(image_message(PICTURE, Header()))
        graph.until(lambda: len(frames) > done)

    whole()
    read, failures = module_of_images.read_image, iter((ValueError("odd"), MemoryError()))
    odd = (
        Image(width=7, height=5, encoding="yuv422", step=14, data=bytes(70)),
        Image(width=5, height=0, encoding="rgb8", step=15),
        image_message(np.zeros((1, 32767, 3), np.uint8), Header()),
        Image(encoding="raises"),
        Image(encoding="raises"),
    )

    def raising(message, scale):
        if message.encoding == "raises":
            raise next(failures)
        return read(message, scale)

    monkeypatch.setattr(module_of_images, "read_image", raising)
    for number, each in enumerate(odd, 1):
        send(each)
        graph.until(lambda number=number: node.sensor.drops().get("unreadable_pictures") == number)
        whole()
    assert [frame.sequence for frame in frames] == list(range(1 + len(odd)))
    assert node.diagnostics.refusal == ""


def test_why_no_pictures_come_from_a_topic_is_told(graph):
    node = start(graph, input="topic", coordinates="metric_sensor", silence=0.2)

    def told(text):
        graph.until(lambda: text in node._silence())

    graph.until(lambda: "/image: has no publisher" in node.diagnostics.refusal)
    context = rclpy.Context()  # a participant cannot publish two types on one topic
    rclpy.init(args=[], context=context, signal_handler_options=SignalHandlerOptions.NO)
    other = Node("other", context=context)
    other.create_publisher(CompressedImage, "image", 5)
    told("/image: is of type sensor_msgs/msg/CompressedImage, not sensor_msgs/msg/Image")
    other.destroy_node()
    rclpy.shutdown(context=context)
    images = graph.probe.create_publisher(Image, "image", 5)
    told("/image: has a publisher that sends no images")
    images.publish(Image(encoding="32FC1"))
    told("/image: images arrive but cannot be read: image: encoding '32FC1' is unknown")
    graph.probe.create_publisher(Image, "image", qos_profile_sensor_data)
    told("no image arrives, and a publisher is best effort, which loses large images")
    frames, seconds = graph.listen(HandFrame, "hands/raw"), iter(range(1, 1000))

    def send():
        images.publish(image_message(PICTURE, Header(stamp=Time(sec=next(seconds)))))
        return frames

    graph.until(send)
    node._release()
    assert node._silence() == ""


def test_the_drawn_picture_comes_only_where_somebody_looks(graph, monkeypatch):
    drawn = []
    draw = camera_module.draw_hands
    monkeypatch.setattr(camera_module, "draw_hands", lambda *a: drawn.append(1) or draw(*a))
    frames = graph.listen(HandFrame, "hands/raw")
    start(graph, input="topic")
    images = graph.speak(Image, "image")
    images.publish(image_message(PICTURE, Header(stamp=Time(sec=1))))
    graph.until(lambda: frames)
    assert not drawn
    pictures = graph.listen(Image, "hands/image")
    graph.heard_from("hands/image")
    for second in range(2, 400):
        images.publish(image_message(PICTURE, Header(stamp=Time(sec=second))))
        graph.executor.spin_once(timeout_sec=0.1)
        if pictures:
            break
    graph.until(lambda: pictures)
    assert read_image(pictures[0]).any()
    assert nanoseconds(pictures[0].header.stamp) >= 2 * 10**9


def test_image_heights_are_said_to_be_such(graph, video):
    frames = graph.listen(HandFrame, "hands/raw")
    start(graph, input=str(video), coordinates="image_normalised", every_frame=True)
    graph.until(lambda: frames)
    assert frames[0].coordinates == HandFrame.IMAGE_NORMALISED
    np.testing.assert_allclose(
        read_frame(frames[0]).positions[21:, :2].mean(axis=0), (64 / 96, 0.5), atol=0.1
    )


def test_a_camera_that_is_not_there_is_told_and_looked_for(graph):
    node = start(graph, input="/dev/nosuch", retry=0.05, longest_retry=0.05)
    graph.until(lambda: "/dev/nosuch: there is no such device" in node.diagnostics.refusal)
    assert node.diagnostics.drops == {}


def test_faults_at_the_start(graph, tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match=r"'input': there is no file .*nosuch.mp4"):
        start(graph, input=str(tmp_path / "nosuch.mp4"))
    with pytest.raises(ConfigError, match=r"'pixel_format': must have four letters"):
        start(graph, pixel_format="JPEGS")
    with pytest.raises(ConfigError, match=r"nosuch.yaml: cannot be read"):
        start(graph, calibration=str(tmp_path / "nosuch.yaml"))
    monkeypatch.setattr(module, "find_bundle", find_bundle)
    with pytest.raises(
        SensorError, match=r"nosuch.task: the hand detector's model is missing; run"
    ):
        start(graph, model_file=str(tmp_path / "nosuch.task"))


def test_a_system_library_that_is_missing_ends_the_node(graph, monkeypatch):
    def load(options):
        raise SensorError("camera", "the system library libEGL.so.1 is missing")

    monkeypatch.setattr(camera_module, "HandDetector", load)
    with pytest.raises(SensorError, match=r"libEGL.so.1 is missing"):
        start(graph, input="/dev/nosuch")
    monkeypatch.delitem(sys.modules, "whispersign_model.sensors.camera")
    absent = "cannot open shared object file: No such file or directory"

    class Finder:
        @staticmethod
        def find_spec(name, path=None, target=None):
            if name == "whispersign_model.sensors.camera":
                raise ImportError(f"libGL.so.1: {absent}")

    monkeypatch.setattr(sys, "meta_path", [Finder, *sys.meta_path])
    with pytest.raises(SensorError, match=r"camera_node: the system library libGL.so.1 is missing"):
        start(graph, input="/dev/nosuch")


def test_the_detector_is_loaded_once_and_released_with_the_node(graph, one_hand, monkeypatch):
    loaded, closed = [], []

    class Detector(one_hand):
        def __init__(self, options):
            loaded.append(self)

        def close(self):
            closed.append(self)

    monkeypatch.setattr(camera_module, "HandDetector", Detector)
    tried = []
    exists = picture_device.Path.exists
    monkeypatch.setattr(
        picture_device.Path, "exists", lambda path: (tried.append(path), exists(path))[1]
    )
    node = start(graph, input="/dev/nosuch", retry=0.05, longest_retry=0.05)
    graph.until(lambda: tried.count(picture_device.Path("/dev/nosuch")) > 3)
    assert (len(loaded), closed) == (1, [])
    graph.executor.remove_node(node)
    node.destroy_node()
    assert closed == loaded


def test_a_camera_may_be_given_by_its_number(graph):
    assert start(graph, input=99, autostart=False).values["input"] == "99"


def test_a_camera_that_vanishes_and_comes_back_is_a_new_stream(graph, monkeypatch):
    class Capture:
        """Gives five pictures, then none any more."""

        def __init__(self, *_):
            self.left = 5
            opened.append(self)

        def isOpened(self):  # noqa: N802
            return len(opened) != 2  # at the first new attempt it is still away

        def set(self, key, value):
            pass

        def get(self, key):
            return 0.0

        def read(self):
            self.left -= 1
            return (True, PICTURE) if self.left >= 0 else (False, None)

        def release(self):
            pass

    opened = []
    monkeypatch.setattr(picture_device.cv2, "VideoCapture", Capture)
    monkeypatch.setattr(picture_device.Path, "exists", lambda path: True)
    frames = graph.listen(HandFrame, "hands/raw")
    node = start(
        graph, input="/dev/video7", coordinates="metric_sensor", retry=0.05, longest_retry=0.05
    )
    told = set()
    graph.until(lambda: told.add(node.diagnostics.refusal) or len(opened) > 4)
    graph.until(lambda: sum(frame.sequence == 0 for frame in frames) >= 2)
    assert any("camera /dev/video7: delivers no pictures" in text for text in told)
    stamps = [nanoseconds(frame.header.stamp) for frame in frames]
    assert stamps == sorted(set(stamps))
    assert all(frame.right_tracked for frame in frames)
