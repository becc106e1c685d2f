# SPDX-License-Identifier: MIT
"""The commands file: what is read, and what is refused in which line."""

from __future__ import annotations

import pytest

from whispersign_model.configuration import config_file
from whispersign_model.network.checkpoint import read_metadata
from whispersign_ros.commands.commands_file import read_commands
from whispersign_ros.commands.message_builder import build_messages
from whispersign_ros.commands.source_map import CommandsError
from whispersign_ros.node.assets import DEMO_MODEL

WHOLE = """\
stop:
  gloss: [STOP, WAIT]
  confidence: 0.3
  publish: {topic: cmd_vel, type: geometry_msgs/msg/Twist}
arming:
  gloss: HELLO
commands:
  - gloss: ON
    publish:
      topic: lamp
      type: std_msgs/msg/Bool
      message: {data: true}
  - sequence: [NO, OFF]
    mode: hold
    publish:
      - {topic: cmd_vel, type: geometry_msgs/msg/Twist}
  - gloss: YES
    call: {service: dock, type: std_srvs/srv/Trigger}
"""


def _check(path):
    file = read_commands(path)
    build_messages(file)
    file.check_glosses(read_metadata(DEMO_MODEL).glosses)


@pytest.fixture
def faults(tmp_path):
    """Return a function that gives each fault of a text as (line, words)."""

    def faults(text):
        path = tmp_path / "commands.yaml"
        path.write_text(text)
        with pytest.raises(CommandsError) as caught:
            _check(path)
        lines = str(caught.value).splitlines()
        assert len(lines) == len(caught.value.faults)
        assert all(line.startswith(f"{path}:") for line in lines)
        found = [line.removeprefix(f"{path}:").split(": ", 1) for line in lines]
        return [(int(number), words) for number, words in found]

    return faults


@pytest.fixture
def fault(faults):
    """Return a function that changes the whole file and gives its one fault."""

    def fault(old, new):
        assert WHOLE.count(old) == 1
        found = faults(WHOLE.replace(old, new))
        assert len(found) == 1, found
        return found[0]

    return fault


def test_glosses_that_other_readers_take_for_truth_values_stay_glosses(tmp_path):
    path = tmp_path / "commands.yaml"
    path.write_text(WHOLE)
    commands = read_commands(path).commands
    assert [command.pattern for command in commands.commands] == [("ON",), ("NO", "OFF"), ("YES",)]
    assert commands.commands[0].publish[0].message == {"data": True}
    assert commands.stop.gloss == ["STOP", "WAIT"]
    assert commands.commands[1].topics == {"cmd_vel"}
    assert [commands.cooldown(command) for command in commands.commands] == [1.0, 0.0, 1.0]


@pytest.mark.parametrize("name", ["commands.yaml", "drive.yaml"])
def test_the_files_of_the_package_fit_the_bundled_model(name):
    file = read_commands(config_file(name))
    built = build_messages(file)
    file.check_glosses(read_metadata(DEMO_MODEL).glosses)
    assert len(built) == len(file.commands.commands) + 1
    assert file.commands.arming.gloss == "HELLO"


@pytest.mark.parametrize("spelled", ["GRU\u0308N", " GR\u00dcN ", "GR\u00dcN"])
@pytest.mark.parametrize("known", ["GRU\u0308N", "GR\u00dcN"])
def test_glosses_are_compared_in_composed_unicode(tmp_path, spelled, known):
    path = tmp_path / "commands.yaml"
    path.write_text(WHOLE.replace("gloss: YES", f'gloss: "{spelled}"'))
    file = read_commands(path)
    assert file.commands.commands[2].gloss == "GR\u00dcN"
    file.check_glosses([*read_metadata(DEMO_MODEL).glosses, known])


def test_one_sign_in_two_spellings_is_defined_twice(faults):
    text = WHOLE.replace("gloss: YES", 'gloss: "GRU\u0308N"').replace(
        "gloss: ON", 'gloss: "GR\u00dcN"'
    )
    assert any("is already defined in entry 0" in words for _, words in faults(text))


@pytest.mark.parametrize(
    ("spelled", "known"),
    [("Yes", "YES"), ("YES", "Yes"), ("good_day", "GOOD DAY"), ("Good  Day", "GOODDAY"),
     ("gr\u00fcn", "GR\u00dcN"), ("YESS", "yes")],
)  # fmt: skip
def test_a_near_miss_names_the_gloss(tmp_path, spelled, known):
    path = tmp_path / "commands.yaml"
    path.write_text(WHOLE.replace("gloss: YES", f'gloss: "{spelled}"'))
    with pytest.raises(CommandsError, match=f"did you mean '{known}'\\?"):
        read_commands(path).check_glosses({"HELLO", "ON", "NO", "OFF", "STOP", "WAIT", known})


def test_a_gloss_of_spaces_is_refused(faults):
    assert any("at least 1 character" in words for _, words in faults(WHOLE.replace("YES", '" "')))


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ("gloss: YES", "gloss: YESS", 17, "'YESS' is not in the vocabulary; did you mean 'YES'?"),
        ("[NO, OFF]", "[NO, OF]", 13, "commands.1.sequence.1: gloss 'OF' is not in the"),
        ("gloss: HELLO", "gloss: HELO", 6, "'HELO' is not in the vocabulary"),
        ("[STOP, WAIT]", "[STOP, WAITT]", 2, "'WAITT' is not in the vocabulary"),
        ("msg/Bool", "msg/Boool", 11, "has no msg type 'Boool'"),
        ("std_msgs/msg/Bool", "std_msg/msg/Bool", 11, "'std_msg' is not installed"),
        ("std_msgs/msg/Bool", "std_msgs/Bool", 11, "String should match pattern"),
        ("srv/Trigger", "srv/Triger", 18, "has no srv type 'Triger'"),
        ("{data: true}", "{dat: true}", 12, "commands.0.publish.message.dat: is not a field; the"),
        ("{data: true}", "{data: 1}", 12, "should be true or false, not 1"),
        (
            "topic: lamp",
            "topic: lamp\n      publish_rate: 5.0",
            11,
            "publish.publish_rate: is not a known key",
        ),
        ("gloss: ON", "gloss: 1", 8, "Input should be a valid string"),
        ("gloss: ON", "gloss: STOP", 8, "STOP is already a stop sign"),
        ("gloss: ON", "gloss: HELLO", 8, "HELLO is already the arming sign"),
        ("gloss: HELLO", "gloss: WAIT", 6, "WAIT is already a stop sign"),
        ("gloss: YES", "gloss: ON", 17, "ON is already defined in entry 0"),
        ("gloss: YES", "gloss: YES\n    confidence: 0.2", 18, "is lower than the confidence of"),
        ("confidence: 0.3", "confidence: 1.1", 3, "less than or equal to 1"),
        ("confidence: 0.3", "confidence: .nan", 3, "finite number"),
        (
            "gloss: ON",
            "gloss: ON\n    mode: hold",
            8,
            "uses hold on 'lamp', but stop does not publish",
        ),
        (
            "gloss: ON",
            "gloss: ON\n    publish_rate: 5.0",
            8,
            "'publish_rate' applies only to mode hold",
        ),
        ("gloss: ON", "gloss: ON\n    within: 5.0", 8, "'within' applies only to a sequence"),
        ("mode: hold", "mode: repeat", 13, "'duration' is required in mode repeat"),
        ("mode: hold", "mode: hold\n    duration: 1.0", 13, "'duration' is required in mode"),
        ("gloss: YES", "gloss: YES\n    mode: hold", 17, "a service is called only once"),
        (
            "mode: hold",
            "cooldown: 2.0",
            14,
            "commands.1.cooldown: does not apply to a command that only stops",
        ),
        ("gloss: YES", "within: 1.0", 17, "needs either 'gloss' or"),
        ("gloss: YES", "sequence: [YES, GO]\n    gloss: YES", 17, "needs either"),
        (
            "    call: {service: dock, type: std_srvs/srv/Trigger}\n",
            "",
            17,
            "needs 'publish' or 'call'",
        ),
        ("topic: lamp", "topic: cmd_vel", 11, "has type geometry_msgs/msg/Twist elsewhere"),
        ("gloss: YES", "gloss: YES\n    gloss: NO", 18, "duplicate key"),
        ("gloss: HELLO", "gloss: &x HELLO\n  confidence: *x", 7, "an alias (*name)"),
        ("gloss: HELLO", "gloss: [HELLO", 7, "is not valid YAML here"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(fault, old, new, line, says):
    found, words = fault(old, new)
    assert says in words
    assert found == line


def test_all_faults_are_told_at_once(faults):
    text = WHOLE.replace("gloss: YES", "gloss: YESS").replace("gloss: HELLO", "gloss: HELO")
    assert [line for line, _ in faults(text)] == [6, 17]


def test_a_file_without_a_stop_is_refused(faults):
    assert faults(WHOLE[WHOLE.index("arming") :]) == [(1, "stop: is missing")]
    assert faults("") == [(1, "stop: is missing"), (1, "commands: is missing")]


def test_a_file_that_cannot_be_read_is_one_line(tmp_path):
    with pytest.raises(CommandsError, match=r"missing\.yaml: cannot be read"):
        read_commands(tmp_path / "missing.yaml")
    (tmp_path / "text.yaml").write_text("hello")
    with pytest.raises(CommandsError, match=r"text\.yaml:1: Input should be"):
        read_commands(tmp_path / "text.yaml")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CommandsError, match=r"binary\.yaml: is not UTF-8 text"):
        read_commands(tmp_path / "binary.yaml")


def test_the_faults_that_are_told_are_limited(tmp_path):
    path = tmp_path / "commands.yaml"
    path.write_text(WHOLE + "".join(f"key{number}: 1\n" for number in range(5000)))
    with pytest.raises(CommandsError) as caught:
        read_commands(path)
    lines = str(caught.value).splitlines()
    assert len(lines) == 21
    assert lines[-1] == f"{path}: has 4980 more faults"
    assert len(caught.value.faults) == 5000
