"""Windows: no sign is half labelled."""

import numpy as np

from whispersign_model.training.windows import draw_window

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
