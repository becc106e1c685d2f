# SPDX-License-Identifier: MIT
"""Messages of any type from nested values."""

from __future__ import annotations

import math

import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from geometry_msgs.msg import Twist, TwistStamped, TwistWithCovariance
from sensor_msgs.msg import JointState
from std_msgs.msg import ByteMultiArray, ColorRGBA, Int8, String, UInt16

from whispersign_ros.commands.message_builder import fill, interface, is_stamped


def test_nested_fields_are_written_and_the_rest_is_zero():
    message = TwistStamped()
    values = {"header": {"frame_id": "base"}, "twist": {"linear": {"x": 1}, "angular": {"z": -2.5}}}
    assert list(fill(message, values, ())) == []
    assert message.header.frame_id == "base"
    assert (message.twist.linear.x, message.twist.linear.y, message.twist.angular.z) == (1, 0, -2.5)


def test_lists_of_every_kind_are_written():
    joints = JointState()
    assert list(fill(joints, {"name": ["a", "b"], "position": [1, 2.5]}, ())) == []
    assert (list(joints.name), list(joints.position)) == (["a", "b"], [1.0, 2.5])
    twist = TwistWithCovariance()
    assert list(fill(twist, {"covariance": [0.5] * 36}, ())) == []
    assert list(twist.covariance) == [0.5] * 36
    array = DiagnosticArray()
    assert list(fill(array, {"status": [{"level": 2, "name": "arm"}]}, ())) == []
    assert array.status == [DiagnosticStatus(level=b"\x02", name="arm")]
    data = ByteMultiArray()
    assert list(fill(data, {"data": [1, 255]}, ())) == []
    assert data.data == [b"\x01", b"\xff"]


@pytest.mark.parametrize(
    ("kind", "values", "place", "says"),
    [
        (Twist, {"linear": {"w": 1.0}}, ("linear", "w"), "is not a field; the fields are: x, y, z"),
        (Twist, {"linear": 1.0}, ("linear",), "should be a mapping with these fields: x, y, z"),
        (Twist, {"linear": {"x": True}}, ("linear", "x"), "should be a finite number, not True"),
        (Twist, {"linear": {"x": math.inf}}, ("linear", "x"), "should be a finite number"),
        (Twist, {"linear": {"x": 10**400}}, ("linear", "x"), "should be a finite number"),
        (ColorRGBA, {"r": 1e39}, ("r",), "should be a finite number"),
        (String, {"data": 5}, ("data",), "should be text, not 5"),
        (Int8, {"data": -129}, ("data",), "should be a whole number from -128 to 127"),
        (UInt16, {"data": 65536}, ("data",), "should be a whole number from 0 to 65535"),
        (UInt16, {"data": True}, ("data",), "should be a whole number"),
        (DiagnosticStatus, {"level": 256}, ("level",), "should be a whole number from 0 to 255"),
        (JointState, {"name": "a"}, ("name",), "should be a list of string, not 'a'"),
        (JointState, {"name": ["a", 1]}, ("name", 1), "should be text, not 1"),
        (TwistWithCovariance, {"covariance": [0.5]}, ("covariance",), "should have 36 items"),
        (TwistStamped, {"header": {"stamp": {}}}, ("header", "stamp"), "is filled in"),
        (Twist, [1.0], (), "should be a mapping with these fields: linear, angular"),
    ],
)
def test_wrong_values_are_told_with_their_place(kind, values, place, says):
    ((found, words),) = fill(kind(), values, ())
    assert found == place
    assert says in words


def test_types_are_found_by_name():
    assert interface("geometry_msgs/msg/Twist") is Twist
    for name in ("nothing/msg/Twist", "geometry_msgs/msg/Tweest", "whispersign_model/msg/errors"):
        with pytest.raises(LookupError):
            interface(name)


def test_only_what_begins_with_a_header_is_stamped():
    assert is_stamped(TwistStamped())
    assert not is_stamped(Twist())
