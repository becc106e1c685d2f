# SPDX-License-Identifier: MIT
"""The benchmark of a room: what counts as false, as once, and as right."""

import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from whispersign_model.benchmarks import room
from whispersign_model.benchmarks.room import Room
from whispersign_model.benchmarks.room_figures import table
from whispersign_model.bundled import bundled
from whispersign_model.decoding.result import RecognizedGloss
from whispersign_model.recordings.recording import Recording

SECOND = 1_000_000_000


def gloss(name: str, start: int, confidence: float = 0.9) -> RecognizedGloss:
    return RecognizedGloss(name, 1, start, start + SECOND // 10, confidence, ())


def hears(*found: tuple[str, float, float]) -> Callable[[Recording], list[RecognizedGloss]]:
    """Return a network that hears glosses at seconds from the start, each with its confidence."""

    def listen(recording: Recording) -> list[RecognizedGloss]:
        start = int(recording.stamps[0])
        return [gloss(name, start + round(at * SECOND), sure) for name, at, sure in found]

    return listen


def room_with(listen, signs, others, noise_scale=1.0, costs=lambda *_: np.zeros(1)):
    return Room(listen, signs, others, noise_scale, costs)


@pytest.fixture
def random():
    return np.random.default_rng(0)


def test_signs_are_right_if_every_gloss_is_and_kept_if_sure(signing):
    lonely = replace(signing(), segments=())
    found = room.signs(room_with(hears(("GO", 0, 0.7)), [signing(), signing(), lonely], {}))
    assert found.exact.report() == {"count": 2, "of": 3, "share": 2 / 3}
    assert found.kept.report() == {"count": 0, "of": 2, "share": 0}
    assert len(found.right) == 2


def test_glosses_of_a_motionless_hand_are_late_after_three_seconds(signing, random, monkeypatch):
    monkeypatch.setattr(room, "POSTURES", 5)
    listen = hears(("GO", 0.5, 0.9), ("GO", 3.1, 0.79))
    found = room.still(room_with(listen, [signing(), signing()], {}), random)
    assert list(found) == ["0 mm", "0.2 mm", "0.5 mm", "1 mm"]
    for each in found.values():
        assert (each["glosses"], each["late"], each["sure"]) == (10, 5, 5)
        assert each["minutes"] == pytest.approx(5, abs=0.1)
        assert each["sure_an_hour"] == pytest.approx(60, rel=0.02)


def test_a_resting_hand_is_late_from_where_it_stopped(signing, random, monkeypatch):
    monkeypatch.setattr(room, "POSTURES", 3)
    sign = signing(100)  # 2 seconds at 50 frames a second: it stops after 0.22 s
    found = room.rest(room_with(hears(("GO", 3.1, 0.9)), [sign], {}), random)
    assert [each["late"] for each in found.values()] == [0] * 4
    found = room.rest(room_with(hears(("GO", 3.3, 0.9)), [sign], {}), random)
    assert [each["late"] for each in found.values()] == [3] * 4


def test_noise_is_in_the_networks_units(signing, random, monkeypatch):
    monkeypatch.setattr(room, "POSTURES", 1)
    seen = []

    def listen(recording):
        seen.append(recording.positions[:, 21:].std(axis=0).mean())
        return []

    room.still(room_with(listen, [signing()], {}, noise_scale=2.0), random)
    assert seen == pytest.approx([0, 0.0004, 0.001, 0.002], rel=0.05, abs=1e-5)


def test_an_hour_of_rest_costs_a_share_of_a_core_and_at_most_a_frame(signing, random):
    asked = []

    def costs(recording, times):
        asked.append((recording.duration, times))
        return np.array([18.0, 0.25, 17.75])

    found = room.cost_of_rest(room_with(hears(), [signing()], {}, costs=costs), random)
    assert asked == [(pytest.approx(60), 60)]
    assert found == {"minutes": 60, "share_of_core": 0.01, "longest_ms": 18000}


def test_a_coming_counts_if_a_gloss_is_sure_and_postures_are_left_out(signing, random):
    same = replace(signing(), positions=np.tile(signing().positions[20], (60, 1, 1)))
    still = replace(same, positions=same.positions.copy())
    still.positions[:, -10:] += 0.1
    signs = [signing(), still]
    assert room.comings(room_with(hears(("GO", 1, 0.8), ("GO", 2, 0.9)), signs, {}), random) == {
        "count": 2,
        "of": 2,
        "share": 1.0,
    }
    assert room.comings(room_with(hears(("GO", 1, 0.79)), signs, {}), random)["count"] == 0
    assert room.comings(room_with(hears(), [still], {}), random)["share"] is None
    assert room.comings(room_with(hears(), [*signs, same], {}), random)["of"] == 0


def test_other_movement_is_counted_by_kind(signing):
    others = {"rest": [signing(), signing()], "scratch": [signing()]}
    found = room.other_movement(room_with(hears(("GO", 0, 0.9), ("GO", 1, 0.1)), [], others))
    assert (found["rest"]["glosses"], found["rest"]["sure"]) == (4, 2)
    assert found["scratch"]["sure_an_hour"] == pytest.approx(3600 / 1.18, rel=0.01)


def test_a_held_sign_comes_once_whatever_its_confidence_and_twice_only_if_sure(signing, random):
    signs = [signing()] * 4
    once = room.holds(room_with(hears(("GO", 0, 0.1)), signs, {}), signs, random)
    assert once["once"]["share"] == 1
    assert once["twice"]["share"] == 0
    unsure = room.holds(room_with(hears(("GO", 0, 0.9), ("GO", 1, 0.79)), signs, {}), signs, random)
    assert unsure["once"]["share"] == 0
    assert unsure["twice"]["share"] == 0
    twice = room.holds(room_with(hears(("GO", 0, 0.9), ("GO", 1, 0.8)), signs, {}), signs, random)
    assert twice["twice"]["share"] == 1
    other = room.holds(room_with(hears(("GO", 0, 0.9), ("NO", 1, 0.8)), signs, {}), signs, random)
    assert other["twice"]["share"] == 1


def test_a_visitor_is_right_by_its_own_glosses_alone(signing, random):
    signs = [signing(frames) for frames in (50, 55, 60)]

    def listen(recording):
        """Hear each sign where it starts, but not after hands of another size."""
        starts = [segment.start for segment in recording.segments]
        sizes = [float(recording.positions[at, 21:].max()) for at in (10, -5)]
        after = len(starts) > 1 and sizes[0] > 0.7
        return [gloss("GO", start) for start in starts[: 1 if after else 2]]

    found = room.visitors(room_with(listen, signs, {}), random)
    assert found == {"of": 30, "fresh": 30, "0.5": 0, "0.75": 30, "1": 30, "1.33": 30, "2": 30}


def test_frame_rates_are_those_up_to_the_recordings_own(signing, random):
    found = room.frame_rates(room_with(hears(("GO", 0, 0.9)), [signing()], {}), random)
    assert list(found) == ["8 Hz", "10 Hz", "12 Hz", "15 Hz", "30 Hz", "50 Hz, 20 % lost"]
    assert set(found.values()) == {0.0}
    deaf = room.frame_rates(room_with(hears(), [signing()], {}), random)
    assert set(deaf.values()) == {1.0}


def test_all_situations_are_measured_and_tabled(signing, monkeypatch):
    monkeypatch.setattr(room, "POSTURES", 2)
    monkeypatch.setattr(room, "VISITS", 2)
    done = []
    tried = room_with(hears(("GO", 0, 0.9)), [signing()], {"rest": [signing()]})
    figures = room.measure(tried, lambda: done.append(1))
    assert len(done) == room.ROUNDS
    json.dumps(figures)
    lines = table({"one": figures, "two": {**figures, "other_movement": {}}})
    assert lines[0] == "| | one | two |"
    assert all(line.count("|") == 4 for line in lines)
    assert "| held signs, once | 100.0 % of 1 | 100.0 % of 1 |" in lines
    (rest,) = [line for line in lines if line.startswith("| rest:")]
    assert rest.endswith("|  |")


def test_a_listener_costs_time_for_every_frame_of_every_repetition(signing):
    rest = replace(signing(300, 60.0), segments=())
    costs = room.Listener(bundled()).costs(rest, 3)
    assert len(costs) == pytest.approx(3 * 300, abs=9)
    assert 0 < costs.mean() < 0.1


def test_a_listener_hears_what_the_live_graph_hears(make_recording):
    listen = room.Listener(bundled())
    assert all(found.gloss for found in listen(make_recording()))
