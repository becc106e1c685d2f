# SPDX-License-Identifier: MIT
"""Message definitions, their comparison, and annotations."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from rosbags.interfaces import MessageDefinition, MessageDefinitionFormat

from whispersign_model.recordings.bags import messages
from whispersign_model.recordings.recording import Segment

MSG, IDL, NONE = (MessageDefinitionFormat[name] for name in ("MSG", "IDL", "NONE"))
TYPES = [messages.HAND_FRAME, messages.GLOSS_ANNOTATION]
REPOSITORY = Path(__file__).resolve().parents[4]


def annotation(start, end, *glosses, status=messages.KEEP, signer=""):
    types = messages.typestore().types
    time = types["builtin_interfaces/msg/Time"]
    return types[messages.GLOSS_ANNOTATION](
        header=types["std_msgs/msg/Header"](stamp=time(sec=0, nanosec=0), frame_id=""),
        start_time=time(sec=0, nanosec=start),
        end_time=time(sec=0, nanosec=end),
        glosses=list(glosses),
        signer=signer,
        take=0,
        status=status,
    )


def test_definitions_are_those_of_the_message_package():
    text = (REPOSITORY / "whispersign_msgs" / "msg" / "HandFrame.msg").read_text()
    assert messages.definition_text(messages.HAND_FRAME).startswith(text)
    assert "MSG: std_msgs/Header\n" in messages.definition_text(messages.HAND_FRAME)


@pytest.mark.parametrize("message_type", TYPES)
def test_type_hash_is_the_one_ros_generates(message_type):
    package = pytest.importorskip("whispersign_msgs", reason="the messages are not built")
    if package.__file__ is None:
        pytest.skip("the messages are not built")  # the folder of their sources was found
    name = message_type.rpartition("/")[2]
    share = Path(package.__file__).parents[4] / "share" / "whispersign_msgs" / "msg"
    if not (share / f"{name}.json").exists():
        pytest.skip("this distribution has no type hashes (Humble)")
    hashes = json.loads((share / f"{name}.json").read_text())["type_hashes"]
    expected = [each["hash_string"] for each in hashes if each["type_name"] == message_type]
    assert [messages.typestore().hash_rihs01(message_type)] == expected


@pytest.mark.parametrize("message_type", TYPES)
def test_own_definition_agrees_in_every_form(message_type):
    text = messages.definition_text(message_type)
    digest = messages.typestore().hash_rihs01(message_type)
    for definition in (
        MessageDefinition(MSG, text),
        MessageDefinition(NONE, ""),
        MessageDefinition(MSG, "# a comment\n" + text.replace(" # ", " # more ")),
    ):
        assert messages.definition_difference(message_type, definition, digest) is None


@pytest.mark.parametrize(
    ("old", "new", "difference"),
    [
        ("float32[63] left_p", "float64[63] left_p", "'left_positions' is float64[63], ours is"),
        ("float32[63] left_p", "float32[66] left_p", "'left_positions' is float32[66], ours is"),
        ("uint64 sequence\n", "", "'sequence' is missing"),
        ("uint64 sequence", "uint64 number", "'sequence' is missing"),
        ("string source", "string extra\nstring source", "'extra' is not where ours has 'source'"),
        ("string smoothing", "string smoothing\nbool z", "'z' is not where ours has 'nothing'"),
        ("int32 sec", "int64 sec", "'header.stamp.sec' is int64, ours is int32"),
    ],
)
def test_another_definition_names_the_field(old, new, difference):
    text = messages.definition_text(messages.HAND_FRAME)
    assert old in text
    found = messages.definition_difference(
        messages.HAND_FRAME, MessageDefinition(MSG, text.replace(old, new)), ""
    )
    assert found is not None
    assert difference in found


def test_definition_in_idl_is_understood():
    # As rosbag2 stores it where only IDL is installed.
    separator = "=" * 80 + "\n"
    time = (
        "module builtin_interfaces { module msg { struct Time { int32 sec; uint32 nanosec; }; }; };"
    )
    header = (
        "module std_msgs { module msg { struct Header {"
        " builtin_interfaces::msg::Time stamp; string frame_id; }; }; };"
    )
    own = (
        "module whispersign_msgs { module msg { struct GlossAnnotation {"
        " std_msgs::msg::Header header;"
        " builtin_interfaces::msg::Time start_time; builtin_interfaces::msg::Time end_time;"
        " sequence<string> glosses; string signer; uint32 take; uint8 status; }; }; };"
    )
    text = "".join(
        f"{separator}IDL: {name}\n{body}\n"
        for name, body in (("a", own), ("b", header), ("c", time))
    )
    compare = messages.definition_difference
    assert compare(messages.GLOSS_ANNOTATION, MessageDefinition(IDL, text), "") is None
    other = text.replace("uint32 take", "uint16 take")
    assert "'take' is uint16" in str(
        compare(messages.GLOSS_ANNOTATION, MessageDefinition(IDL, other), "")
    )


def test_another_hash_without_a_definition_is_told():
    difference = messages.definition_difference(
        messages.HAND_FRAME, MessageDefinition(NONE, ""), "RIHS01_0"
    )
    assert difference == "its type hash is RIHS01_0, not ours"


def test_flags_untrack_a_hand_and_faulty_joints_are_counted(make_recording):
    frames = list(messages.write_frames(make_recording(3)))
    frames[1].left_tracked = False
    frames[2].right_positions[5] = np.nan
    stamps, positions, confidence, untrackable = messages.read_frames(frames)
    assert untrackable == 1
    assert not confidence[1, :21].any()
    assert not positions[1, :21].any()
    assert confidence[1, 21:].all()
    assert confidence[2, 21 + 1] == 0  # coordinate 5 is the second joint's z
    assert stamps.tolist() == make_recording(3).stamps.tolist()


def test_annotations_in_order_of_start_and_equal_times_mean_everything():
    segments, discarded = messages.read_annotations(
        [annotation(50, 60, "B", "C"), annotation(7, 7, "ALL"), annotation(10, 20, "A")], 0, 100
    )
    assert segments == (
        Segment(("ALL",), 0, 100),
        Segment(("A",), 10, 20),
        Segment(("B", "C"), 50, 60),
    )
    assert discarded == ()


def test_last_word_on_a_span_holds():
    discard = messages.DISCARD
    segments, discarded = messages.read_annotations(
        [
            annotation(10, 20, "A"),
            annotation(10, 20, "B"),  # corrects it
            annotation(30, 40, "C"),
            annotation(32, 45, status=discard),  # takes C back
            annotation(50, 60, status=discard),
            annotation(50, 60, "D"),  # after all
        ],
        0,
        100,
    )
    assert segments == (Segment(("B",), 10, 20), Segment(("D",), 50, 60))
    assert discarded == ((32, 45),)


def test_annotations_round_trip(make_recording):
    recording = make_recording(50)
    first, second, third = (int(recording.stamps[at]) for at in (3, 10, 30))
    recording = make_recording(
        50,
        segments=(
            Segment(("A",), first, second),
            Segment(("B",), first, second),  # a sentence whose parts have no times
            Segment(("C",), third, third),  # one frame, not the whole recording
        ),
        discarded=((second + 5, third - 5),),
    )
    segments, discarded = messages.read_annotations(
        list(messages.write_annotations(recording)), 0, 2**62
    )
    assert segments == (Segment(("A", "B"), first, second), Segment(("C",), third, third + 1))
    assert discarded == recording.discarded
