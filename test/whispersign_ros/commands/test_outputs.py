# SPDX-License-Identifier: MIT
"""What ``command_node`` sends, between real nodes: messages, velocity types, calls and faults."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import rclpy
from geometry_msgs.msg import Twist, TwistStamped
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, QoSProfile
from std_msgs.msg import Bool, String
from std_srvs.srv import Trigger

from whispersign_ros.commands import service_calls
from whispersign_ros.commands.commands_file import read_commands
from whispersign_ros.commands.outputs import CommandOutputs
from whispersign_ros.commands.source_map import CommandsError
from whispersign_ros.commands.subscribers import Subscriber, base_warning
from whispersign_ros.commands.velocity import VELOCITY_TYPE
from whispersign_ros.node.diagnostics import Diagnostics
from whispersign_ros.node.parameters import declare
from whispersign_ros.nodes.robot_node import RobotNode

TWIST = """\
stop:
  gloss: STOP
  publish: {topic: cmd_vel, type: geometry_msgs/msg/Twist}
commands:
  - gloss: GO
    publish: {topic: cmd_vel, type: geometry_msgs/msg/Twist, message: {linear: {x: 0.2}}}
  - gloss: THANKS
    publish: {topic: speech, type: std_msgs/msg/String, message: {data: hello}}
  - gloss: CHARGE
    call: {service: dock, type: std_srvs/srv/Trigger}
"""
STAMPED = """\
stop:
  gloss: STOP
  publish: {topic: cmd_vel, type: geometry_msgs/msg/TwistStamped}
commands:
  - gloss: GO
    publish:
      topic: cmd_vel
      type: geometry_msgs/msg/TwistStamped
      message: {header: {frame_id: base}, twist: {linear: {x: 0.2}}}
"""
LIMIT = 60.0  # seconds for a condition
LISTENERS = """
import sys, time, rclpy
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from std_msgs.msg import Bool, String
from std_srvs.srv import SetBool
from geometry_msgs.msg import Twist, TwistStamped

rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
node = Node("listener")
for argument in sys.argv[1:]:
    topic, kind = argument.split(":")
    if kind == "SetBool":
        node.create_service(SetBool, topic, lambda request, response: response)
    else:
        node.create_subscription(globals()[kind], topic, lambda message: None, 10)
print("listens", flush=True)
time.sleep(3600)
"""


class Desk:
    """CommandOutputs of a file in a node of their own, and a probe that listens."""

    def __init__(self, graph, path, text, velocity_type="auto", **parameters):
        path.write_text(text)
        overrides = [Parameter(name, value=value) for name, value in parameters.items()]
        self.graph = graph
        self.node = graph.add(Node("desk", parameter_overrides=overrides))
        self.file = read_commands(path)
        self.diagnostics = Diagnostics(self.node)
        self.outputs = CommandOutputs(self.node, self.file, self.diagnostics, velocity_type)

    def do(self, gloss="GO"):
        """Carry out a command, or STOP."""
        entries = {command.name: command for command in self.file.commands.commands}
        self.outputs.perform(entries.get(gloss, self.file.commands.stop).actions)

    def until(self, condition):
        """Tick until a condition holds."""
        deadline = time.monotonic() + LIMIT

        def holds():
            assert time.monotonic() < deadline, "the condition never came true"
            self.outputs.tick()
            return condition()

        self.graph.until(holds)

    def do_until(self, heard, gloss="GO"):
        """Carry out a command until a list is no longer empty, and return its last message."""
        self.until(lambda: self.do(gloss) or heard)
        return heard[-1]

    def faults_of(self, node):
        """Return the faults that name a node, whose name arrives after its subscriptions."""
        return [fault for fault in self.faults if f"{node} " in fault]

    @property
    def faults(self):
        return self.outputs.faults()


@pytest.fixture
def desk(graph, tmp_path):
    """Return a function that opens outputs of a commands file."""
    return lambda text, **settings: Desk(graph, tmp_path / "commands.yaml", text, **settings)


@pytest.fixture
def listener():
    """Return a function that starts a process with subscriptions or services, ``name:Type`` each.

    Other types than ours need a process of their own, as ROS allows one type per participant.
    """
    children = []

    def start(*subscriptions):
        command = [sys.executable, "-c", LISTENERS, *subscriptions]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        children.append(child)
        assert child.stdout.readline() == "listens\n"
        return child

    yield start
    for child in children:
        child.kill()
        child.wait()
        child.stdout.close()


def test_a_stop_that_cannot_be_serialized_is_refused_with_its_line(desk):
    text = """\
stop:
  gloss: STOP
  publish:
    - {topic: cmd_vel, type: geometry_msgs/msg/Twist}
    - topic: said
      type: std_msgs/msg/String
      message: {data: "\\ud800"}
commands:
  - gloss: GO
    publish: {topic: said, type: std_msgs/msg/String, message: {data: "GO \\udfff"}}
  - gloss: SAVE
    call:
      service: save
      type: rcl_interfaces/srv/DescribeParameters
      request: {names: [fine, "\\ud800"]}
"""
    with pytest.raises(CommandsError) as caught:
        desk(text)
    first, second, third = str(caught.value).splitlines()
    assert "commands.yaml:7: stop.publish.1.message: cannot be serialized" in first
    assert "commands.yaml:10: commands.0.publish.message: cannot be serialized" in second
    assert "commands.yaml:15: commands.1.call.request: cannot be serialized" in third


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("cmd_vel", "cmd vel", "commands.yaml:3: stop.publish.topic: Invalid topic name"),
        ("dock", "do ck", "commands.yaml:10: commands.2.call.service: Invalid"),
        ("speech", "/cmd_vel", "'/cmd_vel' has type geometry_msgs/msg/Twist elsewhere"),
        ("std_msgs/msg/String", "std_msgs/msg/Strong", "no msg type 'Strong'"),
    ],
)
def test_a_name_or_type_at_fault_is_refused(desk, old, new, says):
    with pytest.raises(CommandsError) as caught:
        desk(TWIST.replace(old, new))
    assert says in str(caught.value)


def test_an_action_that_fails_does_not_hold_up_the_others(desk, graph, monkeypatch):
    text = TWIST.replace(
        "publish: {topic: cmd_vel, type: geometry_msgs/msg/Twist}",
        "publish: [{topic: speech, type: std_msgs/msg/String},"
        " {topic: cmd_vel, type: geometry_msgs/msg/Twist}]",
    )
    desk = desk(text)
    heard = graph.listen(Twist, "cmd_vel")
    speech = desk.outputs._topics["/speech"].publisher

    def fail(message):
        raise RuntimeError("out of order")

    monkeypatch.setattr(speech, "publish", fail)
    desk.do_until(heard, "STOP")
    assert desk.diagnostics.drops["actions_failed"] >= 1
    assert set(desk.diagnostics.drops) == {"actions_failed"}


def test_a_twist_file_serves_a_stamped_subscriber(desk, graph):
    heard = graph.listen(TwistStamped, "cmd_vel")
    desk = desk(TWIST)
    message = desk.do_until(heard)
    assert message.twist.linear.x == 0.2
    assert message.header.frame_id == "base_link"
    age = desk.node.get_clock().now().nanoseconds * 1e-9 - message.header.stamp.sec
    assert abs(age) < 10
    assert desk.faults == []


def test_a_stamped_file_serves_a_twist_subscriber(desk, graph):
    heard = graph.listen(Twist, "cmd_vel")
    desk = desk(STAMPED)
    assert desk.do_until(heard).linear.x == 0.2
    assert desk.faults == []


def test_the_stamp_is_the_time_of_sending_and_the_frame_that_of_the_file(desk, graph):
    desk = desk(STAMPED)
    heard = graph.listen(TwistStamped, "cmd_vel")
    first = desk.do_until(heard)
    assert first.header.frame_id == "base"
    heard.clear()
    time.sleep(0.02)
    second = desk.do_until(heard)
    stamps = [(each.header.stamp.sec, each.header.stamp.nanosec) for each in (first, second)]
    assert stamps[0] < stamps[1]
    desk.until(lambda: desk.do("STOP") or heard[-1].twist.linear.x == 0.0)
    assert heard[-1].header.frame_id == "base_link"


@pytest.mark.parametrize(
    ("text", "kind", "final"),
    [
        (TWIST, "TwistStamped", "geometry_msgs/msg/TwistStamped"),
        (STAMPED, "Twist", "geometry_msgs/msg/Twist"),
    ],
)
def test_the_type_follows_a_subscriber_that_comes_late(desk, listener, text, kind, final):
    desk = desk(text)
    topic = desk.outputs._topics["/cmd_vel"]
    desk.outputs.tick()
    assert topic.type == topic.file_type != final
    child = listener(f"cmd_vel:{kind}")
    desk.until(lambda: topic.type == final)
    desk.graph.until(lambda: topic.publisher.get_subscription_count() == 1)
    desk.do()
    assert desk.outputs.deliver(5.0)
    assert desk.faults == []
    child.kill()
    desk.outputs.tick()
    assert topic.type == final


def test_overrides_of_qos_survive_a_change_of_type(desk, graph, listener):
    parameter = "qos_overrides./cmd_vel.publisher.depth"
    desk = desk(TWIST, **{parameter: 7})
    topic = desk.outputs._topics["/cmd_vel"]
    assert topic.publisher.qos_profile.depth == 7
    listener("cmd_vel:TwistStamped")
    desk.until(lambda: topic.type == "geometry_msgs/msg/TwistStamped")
    assert topic.publisher.qos_profile.depth == 7


def test_both_types_at_once_are_a_fault_that_says_what_to_set(desk, listener):
    listener("cmd_vel:Twist")
    listener("cmd_vel:TwistStamped")
    desk = desk(TWIST)
    desk.until(lambda: desk.faults_of("/listener"))
    (fault,) = desk.faults
    # The subscriber that the node discovers first decides which type it publishes.
    types = [("Twist", "twist"), ("TwistStamped", "twist_stamped")]
    if "carries geometry_msgs/msg/TwistStamped" in fault:
        types.reverse()
    (carried, _), (expected, value) = types
    start = "commands.yaml:3: stop.publish.type: /cmd_vel carries"
    assert f"{start} geometry_msgs/msg/{carried}, " in fault
    assert f"/listener expects geometry_msgs/msg/{expected};" in fault
    assert f"set the parameter velocity_type to '{value}'" in fault


def test_a_forced_type_is_kept_although_nobody_expects_it(desk, listener):
    listener("cmd_vel:TwistStamped")
    desk = desk(TWIST, velocity_type="twist")
    desk.until(lambda: desk.faults_of("/listener"))
    (fault,) = desk.faults
    assert "/listener expects geometry_msgs/msg/TwistStamped" in fault
    assert "set the parameter velocity_type to 'auto'" in fault
    assert desk.outputs._topics["/cmd_vel"].type == "geometry_msgs/msg/Twist"


def test_a_forced_type_needs_no_subscriber(desk):
    desk = desk(TWIST, velocity_type="twist_stamped")
    assert desk.outputs._topics["/cmd_vel"].type == "geometry_msgs/msg/TwistStamped"
    assert desk.faults == []


def test_a_type_that_this_process_already_uses_is_a_fault(desk, graph):
    stamped = graph.probe.create_subscription(TwistStamped, "cmd_vel", lambda message: None, 1)
    desk = desk(TWIST, velocity_type="twist")
    (fault,) = desk.faults
    assert "another node of this process" in fault
    assert "set the parameter velocity_type to auto" in fault
    desk.do()
    assert desk.diagnostics.drops == {"actions_failed": 1}
    graph.probe.destroy_subscription(stamped)
    desk.until(lambda: desk.faults == [])
    heard = graph.listen(Twist, "cmd_vel")
    desk.do_until(heard)


def test_a_change_that_is_impossible_leaves_the_publisher_alone(desk, graph, listener):
    desk = desk(TWIST)
    topic = desk.outputs._topics["/cmd_vel"]
    graph.probe.create_publisher(Twist, "cmd_vel", 1)  # holds the type in this process
    listener("cmd_vel:TwistStamped")
    desk.until(lambda: desk.faults)
    publisher = topic.publisher
    desk.outputs.tick()
    assert topic.publisher is publisher
    assert topic.type == "geometry_msgs/msg/Twist"
    assert "/cmd_vel cannot carry geometry_msgs/msg/TwistStamped" in desk.faults[0]


def test_another_type_on_another_topic_is_a_fault(desk, listener):
    listener("speech:Bool")
    desk = desk(TWIST)
    desk.until(lambda: desk.faults_of("/listener"))
    (fault,) = desk.faults
    assert "commands.yaml:8: commands.1.publish.type: /speech carries std_msgs/msg/String" in fault
    assert "/listener expects std_msgs/msg/Bool; change 'type'" in fault


def test_a_subscriber_that_requests_more_than_is_offered_is_a_fault(desk, graph):
    profile = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    graph.listen(String, "speech", profile)
    desk = desk(TWIST, **{"qos_overrides./speech.publisher.reliability": "best_effort"})
    desk.until(lambda: desk.faults)
    reliability, durability = desk.faults
    assert (
        "commands.yaml:8: commands.1.publish.topic: /probe requests reliability: re" in reliability
    )
    assert "qos_overrides./speech.publisher.durability to transient_local" in durability


def test_a_base_that_may_not_stop_by_itself_is_a_warning(desk, graph):
    desk = desk(TWIST)
    assert desk.outputs.base_warnings() == []
    graph.listen(Twist, "cmd_vel")
    desk.until(desk.outputs.base_warnings)
    (warning,) = desk.outputs.base_warnings()
    assert warning.startswith(
        "/cmd_vel: no subscriber is known to stop when commands cease: /probe"
    )
    assert "stop.base_timeout" in warning
    graph.start(RobotNode)
    desk.until(lambda: not desk.outputs.base_warnings())


def test_a_stated_timeout_of_the_base_is_no_warning(desk, graph, monkeypatch):
    graph.listen(Twist, "cmd_vel")
    desk = desk(TWIST)
    desk.until(desk.outputs.base_warnings)
    object.__setattr__(desk.file.commands.stop, "base_timeout", 0.5)
    desk.outputs.tick()
    assert desk.outputs.base_warnings() == []


@pytest.mark.parametrize(
    ("node", "others", "warns"),
    [
        ("/velocity_smoother", (), False),
        ("/r1/diff_drive_controller", ("controller_manager",), False),
        ("/motor_controller", (), True),
        ("/twist_mux", (), False),
        ("/collision_monitor", (), False),
        ("/teleop", ("controller_manager",), True),
    ],
)
def test_who_is_known_to_stop(node, others, warns):
    warning = base_warning("/cmd_vel", [Subscriber(node, "geometry_msgs/msg/Twist")], others)
    assert bool(warning) == warns


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ("publish: {topic: /cmd_vel, type: geometry_msgs/msg/Twist}", "is also named 'cmd_vel'"),
        ("call: {service: /dock, type: std_srvs/srv/Trigger}", "is also named 'dock'"),
        ("publish: {topic: /diagnostics, type: std_msgs/msg/String}", "yaml:13: "),
    ],
)
def test_one_name_has_one_spelling_and_one_type(desk, entry, says):
    with pytest.raises(CommandsError, match=says):
        desk(TWIST + f"  - gloss: AGAIN\n    stops_itself: true\n    {entry}\n")


def test_ten_topics_with_a_stopped_process_end_within_the_budget(desk, graph, listener):
    topics = [f"stop{number}" for number in range(10)]
    entries = ", ".join(f"{{topic: {topic}, type: std_msgs/msg/Bool}}" for topic in topics)
    own = "{topic: cmd_vel, type: geometry_msgs/msg/Twist}"
    text = TWIST.replace(own, f"[{own}, {entries}]", 1)
    desk = desk(text)
    heard = graph.listen(Bool, "stop9")
    child = listener(*(f"{topic}:Bool" for topic in topics))
    publishers = [desk.outputs._topics[f"/{topic}"].publisher for topic in topics]
    graph.until(lambda: all(each.get_subscription_count() for each in publishers))
    desk.do_until(heard, "STOP")
    assert desk.outputs.deliver(5.0)
    child.send_signal(signal.SIGSTOP)
    heard.clear()
    begin = time.monotonic()
    desk.do("STOP")
    assert not desk.outputs.deliver(0.3)
    elapsed = time.monotonic() - begin
    child.send_signal(signal.SIGCONT)
    assert 0.25 < elapsed < 0.6
    graph.until(lambda: heard)


def test_a_missing_service_is_counted_and_a_warning_after_a_while(desk, graph, monkeypatch):
    desk = desk(TWIST)
    desk.do("CHARGE")
    assert desk.diagnostics.drops == {"calls": 1}
    assert desk.outputs.service_warnings() == []
    monkeypatch.setattr(service_calls, "GRACE", 0.0)
    desk.outputs.tick()
    (warning,) = desk.outputs.service_warnings()
    assert "commands.yaml:10: commands.2.call.service: no node serves /dock" in warning
    served = []

    def serve(request, response):
        served.append(request)
        response.success = True
        return response

    graph.probe.create_service(Trigger, "dock", serve)
    desk.until(lambda: not desk.outputs.service_warnings())
    desk.do("CHARGE")
    graph.until(lambda: served)
    graph.until(lambda: not desk.outputs._calls._unanswered)
    assert desk.diagnostics.drops == {"calls": 1}


def test_a_call_without_an_answer_is_given_up(desk, graph, monkeypatch):
    silent = graph.add(Node("silent"))
    silent.create_service(Trigger, "dock", lambda request, response: response)
    desk = desk(TWIST)
    desk.until(lambda: not desk.outputs.service_warnings())
    graph.until(lambda: desk.outputs._calls._clients["/dock"].service_is_ready())
    graph.executor.remove_node(silent)
    monkeypatch.setattr(service_calls, "ANSWER_TIMEOUT", 0.1)
    desk.do("CHARGE")
    desk.until(lambda: desk.diagnostics.drops == {"calls_unanswered": 1})
    graph.add(silent)


def test_a_refused_call_is_counted(desk, graph):
    graph.probe.create_service(Trigger, "dock", lambda request, response: response)
    desk = desk(TWIST)
    graph.until(lambda: desk.outputs._calls._clients["/dock"].service_is_ready())
    desk.do("CHARGE")
    graph.until(lambda: desk.diagnostics.drops == {"calls_refused": 1})


def test_a_service_of_another_type_is_a_fault(desk, listener):
    listener("dock:SetBool")
    desk = desk(TWIST)
    desk.until(lambda: desk.faults)
    (fault,) = desk.faults
    assert "commands.yaml:10: commands.2.call.type: /dock has type std_srvs/srv/SetBool" in fault


def test_nothing_is_raised_once_the_context_has_ended(desk):
    desk = desk(TWIST)
    rclpy.shutdown()
    desk.do("STOP")
    desk.outputs.deliver(0.1)
    rclpy.init()


def test_velocity_type_is_a_parameter(graph):
    node = graph.add(Node("parameters", automatically_declare_parameters_from_overrides=True))
    assert declare(node, [VELOCITY_TYPE]) == {"velocity_type": "auto"}


def test_the_file_of_the_package_can_be_sent(desk):
    desk(Path("config/commands.yaml").read_text())
