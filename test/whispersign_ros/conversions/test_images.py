# SPDX-License-Identifier: MIT
"""Images on topics, to and from arrays."""

from __future__ import annotations

import zlib
from contextlib import suppress

import cv2
import numpy as np
import pytest
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

from whispersign_model.errors import ConfigError, SensorError
from whispersign_model.sensors.frame_source import DepthScale
from whispersign_ros.conversions.images import (
    ENCODINGS,
    image_message,
    read_camera_info,
    read_compressed,
    read_image,
)

COLOUR = (20, 120, 220)  # blue green red
PLAIN = np.full((6, 8, 3), COLOUR, np.uint8)


def message(encoding, pixels, padding=0):
    rows = pixels.reshape(pixels.shape[0], -1).view(np.uint8)
    rows = np.pad(rows, ((0, 0), (0, padding)))
    return Image(
        height=pixels.shape[0],
        width=pixels.shape[1],
        encoding=encoding,
        step=rows.shape[1],
        data=rows.tobytes(),
    )


@pytest.mark.parametrize("padding", [0, 5])
@pytest.mark.parametrize("encoding", ["bgr8", "rgb8", "bgra8", "rgba8"])
def test_colours_are_blue_green_red(encoding, padding):
    order = [0, 1, 2] if encoding.startswith("bgr") else [2, 1, 0]
    pixels = PLAIN[..., order]
    if encoding.endswith("a8"):
        pixels = np.dstack([pixels, np.full((6, 8), 255, np.uint8)])
    np.testing.assert_array_equal(read_image(message(encoding, pixels, padding)), PLAIN)


@pytest.mark.parametrize("encoding", ["mono8", "8UC1"])
def test_grey_pictures(encoding):
    grey = np.arange(48, dtype=np.uint8).reshape(6, 8)
    np.testing.assert_array_equal(read_image(message(encoding, grey)), np.dstack([grey] * 3))


@pytest.mark.parametrize("big", [0, 1])
def test_grey_pictures_of_16_bits_keep_the_upper_ones(big):
    grey = ((np.arange(48, dtype=np.uint16) + 208) << 8).reshape(6, 8) + 7
    sent = message("mono16", grey.byteswap() if big else grey)
    sent.is_bigendian = big
    np.testing.assert_array_equal(read_image(sent)[..., 0], grey >> 8)


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("encoding", ["mono16", "16UC1", "png"])
def test_grey_pictures_of_fewer_significant_bits_are_as_bright(encoding, bits):
    grey = np.linspace(0, 255, 48).astype(np.uint16).reshape(6, 8)
    wide = grey << (bits - 8)
    if encoding == "png":
        data = cv2.imencode(".png", wide)[1].tobytes()
        read = read_compressed(CompressedImage(format="mono16; png compressed", data=data))
    else:
        read = read_image(message(encoding, wide))
    np.testing.assert_array_equal(read, np.dstack([grey] * 3))


def test_the_brightness_of_a_16_bit_camera_stays_steady():
    scale = DepthScale()
    light, dark = (np.full((6, 8), value, np.uint16) for value in (4000, 500))
    read = [read_image(message("mono16", each), scale)[0, 0, 0] for each in (light, dark, light)]
    assert read == [4000 >> 4, 500 >> 4, 4000 >> 4]
    assert scale.bits == 12


@pytest.mark.parametrize(("encoding", "luma"), [("yuv422", 1), ("yuv422_yuy2", 0)])
def test_yuv_pictures(encoding, luma):
    y, u, v = cv2.cvtColor(PLAIN[:1, :1], cv2.COLOR_BGR2YUV)[0, 0]
    pixels = np.empty((6, 8, 2), np.uint8)
    pixels[..., luma] = y
    pixels[:, 0::2, 1 - luma], pixels[:, 1::2, 1 - luma] = u, v
    np.testing.assert_allclose(
        read_image(message(encoding, pixels)), PLAIN, atol=40
    )  # of video range


@pytest.mark.parametrize("pattern", ["rggb", "bggr", "gbrg", "grbg"])
def test_bayer_pictures(pattern):
    channel = {"b": 0, "g": 1, "r": 2}
    raw = np.empty((6, 8), np.uint8)
    for index, letter in enumerate(pattern):
        raw[index // 2 :: 2, index % 2 :: 2] = COLOUR[channel[letter]]
    np.testing.assert_allclose(
        read_image(message(f"bayer_{pattern}8", raw))[2:-2, 2:-2], PLAIN[2:-2, 2:-2], atol=2
    )


def test_what_was_drawn_is_read_back():
    sent = image_message(PLAIN, Header(frame_id="hands"))
    assert sent.header.frame_id == "hands"
    np.testing.assert_array_equal(read_image(sent), PLAIN)


def test_compressed_pictures():
    data = cv2.imencode(".png", PLAIN)[1].tobytes()
    np.testing.assert_array_equal(read_compressed(CompressedImage(data=data)), PLAIN)
    for broken in (b"", b"no picture"):
        with pytest.raises(SensorError, match=r"bytes are not a JPEG or PNG image"):
            read_compressed(CompressedImage(data=broken))


def test_faults_of_an_image():
    with pytest.raises(SensorError, match=r"encoding '32FC1' is unknown; known: bgr8"):
        read_image(Image(encoding="32FC1", height=1, width=1, step=4, data=bytes(4)))
    short = message("bgr8", PLAIN)
    short.height = 7
    with pytest.raises(SensorError, match=r"144 bytes are not 8x7 bgr8 with 24 bytes per row"):
        read_image(short)
    assert set(ENCODINGS) >= {"bgr8", "rgb8", "mono8", "bayer_rggb8", "yuv422_yuy2"}


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("size", [(1, 1), (7, 5), (3, 1), (1, 3), (0, 5), (5, 0), (2**32 - 1, 1)])
def test_odd_sizes_are_read_or_refused(encoding, size):
    width, height = size
    step = min(width * ENCODINGS[encoding][0], 2**32 - 1)
    odd = Image(width=width, height=height, encoding=encoding, step=step)
    odd.data = bytes(min(step * height, 100))
    with suppress(SensorError):
        assert read_image(odd).shape == (height, width, 3)


def test_odd_yuv_and_huge_png_say_why():
    odd = message("yuv422", np.zeros((5, 7, 2), np.uint8))
    with pytest.raises(SensorError, match=r"7x5 yuv422 cannot be converted to color \(error: "):
        read_image(odd)
    png = bytearray(cv2.imencode(".png", PLAIN)[1].tobytes())
    png[16:24] = 2 * (60000).to_bytes(4, "big")
    png[29:33] = zlib.crc32(png[12:29]).to_bytes(4, "big")
    with pytest.raises(SensorError, match=r"bytes cannot be decoded \(error: "):
        read_compressed(CompressedImage(data=bytes(png)))


def test_camera_info():
    info = CameraInfo(width=640, height=480, distortion_model="plumb_bob")
    info.k = [600.0, 0.0, 320.0, 0.0, 600.0, 240.0, 0.0, 0.0, 1.0]
    info.d = [-0.1, 0.0, 0.0, 0.0, 0.0]
    known = read_camera_info(info)
    assert (known.focal, known.model, known.distortion[0]) == ((600.0, 600.0), "plumb_bob", -0.1)
    with pytest.raises(ConfigError, match=r"camera_info: holds no calibration"):
        read_camera_info(CameraInfo())
