# SPDX-License-Identifier: MIT
"""Leap Motion over both transports, with hands of the parametric signer whose joints are known."""

from __future__ import annotations

import socket
import sys
import time
import types

import numpy as np
import pytest

from whispersign_model.errors import SensorError
from whispersign_model.sensors import leap_websocket
from whispersign_model.sensors.clock import DeviceClock
from whispersign_model.sensors.leap_hands import AXES, LeapHand, observe
from whispersign_model.sensors.leap_leapc import LeapCLeap
from whispersign_model.sensors.leap_websocket import WebSocketLeap
from whispersign_model.skeleton import LEFT, RIGHT

from .leap_service import DeafService, Service, frame

MS = 1_000_000


@pytest.fixture
def serve():
    services = []

    def start(*scripts, **options):
        services.append(Service(*scripts, **options))
        return services[-1]

    yield start
    for service in services:
        service.close()


def both(positions, identities=(7, 9)):
    return [(identities[0], "left", positions[LEFT]), (identities[1], "right", positions[RIGHT])]


def read(sensor, count):
    found = []
    while len(found) < count:
        observation = sensor.read(5.0)
        if observation is not None:
            found.append(observation)
    return found


def test_joints_are_the_true_ones_to_a_tenth_of_a_millimetre(serve, truth):
    sent = [frame(1000 + 8000 * n, both(p)) for n, p in enumerate(truth.positions)]
    service = serve(sent)
    sensor = WebSocketLeap(service.url, "desktop")
    sensor.open()
    seen = read(sensor, len(sent))
    sensor.close()
    positions = np.array([observation.positions for observation in seen])
    assert np.abs(positions - truth.positions).max() < 1e-4
    np.testing.assert_allclose([o.confidence for o in seen], 0.8, rtol=1e-6)
    assert service.paths == ["/v6.json"]
    # One service compares text: without a blank, and the mode last.
    assert service.asked == ['{"background":true}', '{"focused":true}', '{"optimizeHMD":false}']
    assert sensor.values()["service"] == "2.3.1+33747"


def test_hands_go_by_their_type_whatever_their_order_and_identity(serve, truth):
    pair = both(truth.positions[20])
    changed = both(truth.positions[20], (100, 101))
    sent = [
        frame(1, pair),
        frame(2, pair[::-1]),
        frame(3, changed),
        frame(4, [pair[1]]),
        frame(5, []),
    ]
    sensor = WebSocketLeap(serve(sent).url, "desktop")
    sensor.open()
    seen = read(sensor, 5)
    sensor.close()
    for observation in seen[:3]:
        np.testing.assert_allclose(observation.positions, truth.positions[20], atol=1e-4)
    assert [observation.hands_tracked for observation in seen] == [2, 2, 2, 1, 0]
    assert not seen[3].positions[LEFT].any()
    assert seen[3].confidence[RIGHT].all()


def test_garbage_is_counted_and_nothing_is_invented(serve, truth):
    good = frame(1000, both(truth.positions[20]))
    headless = frame(2000, both(truth.positions[20]))
    del headless["timestamp"]
    fingerless = frame(3000, both(truth.positions[20]))
    fingerless["pointables"] = fingerless["pointables"][:9]
    nan = frame(4000, [(7, "left", np.full((21, 3), np.nan))])
    sent = [
        "no json",
        "[" * 100_000,
        "[]",
        "3",
        headless,
        good,
        good,
        fingerless,
        nan,
        frame(5000, []),
    ]
    sensor = WebSocketLeap(serve(sent).url, "desktop")
    sensor.open()
    seen = read(sensor, 4)
    sensor.close()
    assert [observation.hands_tracked for observation in seen] == [2, 1, 0, 0]
    assert sensor.drops() == {"unreadable_messages": 5, "frames_repeated": 1}


def event(attached, streaming):
    state = {"attached": attached, "streaming": streaming, "id": "LP1", "type": "peripheral"}
    return {"event": {"type": "deviceEvent", "state": state}}


def test_devices_that_come_and_go(serve):
    sensor = WebSocketLeap(serve([event(True, True), frame(1, []), event(False, False)]).url, "hmd")
    sensor.open()
    assert read(sensor, 1)
    with pytest.raises(SensorError, match=r"leap: the device is unplugged; plug it in"):
        read(sensor, 1)
    sensor.close()


def test_a_service_that_closes_is_opened_again(serve):
    service = serve([frame(1, [])], [frame(2, [])])
    sensor = WebSocketLeap(service.url, "screentop")
    sensor.open()
    assert read(sensor, 1)
    with pytest.raises(SensorError, match=r"the Leap service has closed"):
        read(sensor, 1)
    sensor.close()
    sensor.open()
    assert read(sensor, 1)
    sensor.close()
    assert service.asked[2] == '{"optimizeScreentop":true}'


@pytest.mark.parametrize("period", [0.01, 60.0])  # seconds from frame to frame
def test_a_service_that_answers_nothing_is_left_at_once(period):
    service = DeafService(period)
    sensor = WebSocketLeap(service.url, "desktop")
    sensor.open()
    assert read(sensor, 1)
    begin = time.monotonic()
    sensor.close()
    assert time.monotonic() - begin < 5  # 1 s; without a bound of ours, 10
    service.close()


def test_no_ping_ends_a_connection_but_the_kernel_notices_a_lost_machine(serve):
    sensor = WebSocketLeap(serve([frame(1, [])]).url, "desktop")
    sensor.open()
    assert sensor._socket.ping_interval is None
    level, keeps = socket.SOL_SOCKET, socket.SO_KEEPALIVE
    assert sensor._socket.socket.getsockopt(level, keeps) == 1
    tcp = [socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT]
    limits = [sensor._socket.socket.getsockopt(socket.IPPROTO_TCP, option) for option in tcp]
    assert limits[0] + limits[1] * limits[2] == 30  # seconds
    sensor.close()


def test_faults_of_a_service(serve):
    with pytest.raises(SensorError, match=r"no Leap service answers.*start the tracking service"):
        WebSocketLeap("ws://127.0.0.1:9/v6.json", "desktop").open()
    with pytest.raises(SensorError, match=r"nonsense: is not an address"):
        WebSocketLeap("nonsense", "desktop").open()
    with pytest.raises(SensorError, match=r"speaks version 4; a service of version 6 is needed"):
        WebSocketLeap(serve(version=4).url, "desktop").open()
    leap_websocket.WebSocketLeap("ws://127.0.0.1:9/v6.json", "desktop").close()


def test_axes_of_every_mode_are_right_handed():
    for axes in AXES.values():
        assert np.linalg.det(axes) == pytest.approx(1)
    up = {"desktop": (0, 1, 0), "hmd": (0, 0, -1), "screentop": (0, -1, 0)}
    for mode, device in up.items():
        fingers = np.tile(np.array(device, dtype=float) * 1000, (5, 4, 1))
        hand = LeapHand(True, np.zeros(3), fingers, 1.0, 1.0)
        np.testing.assert_allclose(observe(0, [hand], mode).positions[25], (0, 1, 0), atol=1e-6)


def test_trust_grows_with_the_time_in_view_where_there_is_no_confidence():
    hands = [LeapHand(True, np.zeros(3), np.ones((5, 4, 3)), None, t) for t in (0, 0.125, 9)]
    assert [hand.trust for hand in hands] == pytest.approx([0.2, 0.6, 1.0])


def test_of_two_hands_of_one_side_the_more_trusted_counts():
    hands = [
        LeapHand(True, np.full(3, x), np.ones((5, 4, 3)), c, 1) for x, c in ((1, 0.9), (2, 0.3))
    ]
    assert observe(0, hands, "desktop").positions[21, 0] == pytest.approx(0.001)


@pytest.mark.parametrize("drift", [-1e-4, 0.0, 1e-4])
def test_device_time_becomes_host_time_through_jitter_and_drift(drift):
    rng = np.random.default_rng(0)
    clock, true, found = DeviceClock(), [], []
    for number in range(6000):  # 60 s at 100 Hz
        host = 10**12 + number * 10 * MS
        device = round(12345 + (host - 10**12) * (1 + drift))
        delay = round(2 * MS + rng.exponential(3 * MS) + (60 * MS if number % 500 == 0 else 0))
        true.append(host)
        found.append(clock.host(device, host + delay))
    error = (np.array(found) - true)[200:]
    assert error.min() > 1 * MS
    assert error.max() < 4 * MS
    assert np.diff(found).min() > 0
    assert np.abs(np.diff(found) - 10 * MS)[200:].max() < 0.1 * MS
    assert 0.01 < clock.jitter < 0.1


def test_a_device_clock_that_starts_anew_is_followed_at_once():
    clock = DeviceClock()
    for number in range(100):
        clock.host(number * 10 * MS, 10**12 + number * 10 * MS)
    assert clock.host(5, 2 * 10**12) == 2 * 10**12


class FakeLeap(types.ModuleType):
    """Ultraleap's package ``leap``, as far as its official classes are used."""

    class LeapError(Exception):
        pass

    EventType = types.SimpleNamespace(
        Connection=1, ConnectionLost=2, Device=3, DeviceLost=4, DeviceFailure=5, Tracking=6
    )
    HandType = types.SimpleNamespace(Left=0, Right=1)
    TrackingMode = types.SimpleNamespace(Desktop=0, HMD=1, ScreenTop=2)

    def __init__(self, events):
        super().__init__("leap")
        fake, self.modes, self.open = self, [], False
        timeout = type("LeapTimeoutError", (self.LeapError,), {})

        class Connection:
            def connect(self, *, auto_poll=True, timeout=10):
                assert not auto_poll
                fake.open = True

            def poll(self, timeout_=None):
                event = events.pop(0) if events else timeout()
                if isinstance(event, Exception):
                    raise event
                return event

            def set_tracking_mode(self, mode):
                fake.modes.append(mode)

            def disconnect(self):
                fake.open = False

        self.Connection = Connection


def bone(previous, following):
    return types.SimpleNamespace(prev_joint=iter(previous), next_joint=iter(following))


def leapc_hand(joints, right):
    """Return a hand as LeapC gives it: four bones a finger, the thumb's first without length."""
    joints = joints.astype(np.float64) * 1000
    digits = []
    for finger in range(5):
        ends = joints[1 + 4 * finger : 5 + 4 * finger]
        begin = ends[0] if finger == 0 else joints[0]
        starts = [begin, *ends[:-1]]
        digits.append(types.SimpleNamespace(bones=[bone(a, b) for a, b in zip(starts, ends)]))
    return types.SimpleNamespace(
        type=FakeLeap.HandType.Right if right else FakeLeap.HandType.Left,
        arm=bone(joints[0] + 200, joints[0]),
        digits=digits,
        confidence=1.0,
        visible_time=500_000,
    )


def simple(kind, **fields):
    return types.SimpleNamespace(type=kind, **fields)


def test_leapc_gives_the_true_joints_too(monkeypatch, truth):
    kinds = FakeLeap.EventType
    events = [simple(kinds.Connection), simple(kinds.Device)]
    for number, p in enumerate(truth.positions):
        hands = [leapc_hand(p[RIGHT], True), leapc_hand(p[LEFT], False)]
        events.append(simple(kinds.Tracking, timestamp=1000 + 8000 * number, hands=hands))
    events.append(simple(kinds.Tracking, timestamp=1000, hands=[]))
    fake = FakeLeap(events)
    monkeypatch.setitem(sys.modules, "leap", fake)
    sensor = LeapCLeap("screentop")
    sensor.open()
    seen = read(sensor, len(truth))
    positions = np.array([observation.positions for observation in seen])
    np.testing.assert_allclose(positions, truth.positions * (-1, -1, 1), atol=1e-4)
    assert sensor.read(0.0) is None
    assert sensor.drops() == {"frames_repeated": 1}
    assert sensor.read(0.0) is None  # a timeout
    assert fake.modes == [FakeLeap.TrackingMode.ScreenTop]
    sensor.close()
    assert not fake.open


@pytest.mark.parametrize(
    ("happens", "text"),
    [
        (simple(2), "the tracking service has closed"),
        (simple(4), "the device is unplugged"),
        (FakeLeap.LeapError(), r"the tracking service failed \(LeapError\)"),
    ],
)
def test_what_happens_to_leapc(monkeypatch, happens, text):
    monkeypatch.setitem(sys.modules, "leap", FakeLeap([happens]))
    sensor = LeapCLeap("desktop")
    sensor.open()
    with pytest.raises(SensorError, match=text):
        sensor.read(0.0)


def test_missing_bindings_are_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "leap", None)
    with pytest.raises(SensorError, match=r"bindings cannot be imported.*transport:=websocket"):
        LeapCLeap("desktop")
