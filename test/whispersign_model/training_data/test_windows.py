# SPDX-License-Identifier: MIT
"""Windows: no sign is half labelled."""

import numpy as np

from whispersign_model.training_data.windows import draw_segments, draw_window

SPANS = [(10, 50), (60, 100), (130, 190), (200, 240)]


def test_a_window_never_cuts_through_the_middle_of_a_sign():
    sizes = set()
    for seed in range(300):
        window = draw_window(SPANS, 260, 80, np.random.default_rng(seed))
        assert 0 <= window.first < window.last <= 260
        assert window.glosses
        assert list(window.glosses) == sorted(window.glosses)
        for number, (start, end) in enumerate(SPANS):
            inside = max(0, min(end, window.last) - max(start, window.first)) / (end - start)
            assert inside >= 0.75 if number in window.glosses else inside < 0.25
        sizes.add(window.last - window.first)
    assert min(sizes) == 80
    assert len(sizes) > 10


def test_a_stream_without_signs_gives_a_window_without_labels():
    window = draw_window([], 260, 80, np.random.default_rng(0))
    assert window.last - window.first == 80
    assert window.glosses == ()


def test_a_stretch_lies_about_each_sign_and_others_hold_hardly_any_of_one():
    nothings = 0
    for seed in range(100):
        generator = np.random.default_rng(seed)
        drawn = draw_segments(SPANS, [3, 1, 2, 1], 400, (30, 120), generator).tolist()
        assert [gloss_id for _, _, gloss_id in drawn[:4]] == [3, 1, 2, 1]
        for (start, end), (first, last, _) in zip(SPANS, drawn):
            assert abs(first - start) <= (end - start) / 4 + 1
            assert abs(last - end) <= (end - start) / 4 + 1
        for first, last, gloss_id in drawn[4:]:
            assert gloss_id == 0
            assert 0 <= first < last <= 400
            assert 30 <= last - first <= 120
            for start, end in SPANS:
                assert min(end, last) - max(start, first) < 0.45 * (end - start)
        nothings += len(drawn) - 4
    assert nothings > 150


def test_segments_stay_in_the_clip_and_need_room_for_nothing():
    for seed in range(20):
        drawn = draw_segments([(0, 40)], [5], 40, (30, 50), np.random.default_rng(seed))
        ((first, last, gloss_id),) = drawn
        assert 0 <= first < last <= 40
        assert gloss_id == 5
    assert draw_segments([], [], 10, (30, 50), np.random.default_rng(0)).shape == (0, 3)
