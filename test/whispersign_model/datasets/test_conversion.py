# SPDX-License-Identifier: MIT
"""Conversion: what becomes an example, what is left out and why, and errors that stop or skip."""

from __future__ import annotations

import json
import re
import tracemalloc
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from whispersign_model.bundled import takes
from whispersign_model.datasets.archive import read_archive
from whispersign_model.datasets.conversion import ConversionOptions, Source, convert
from whispersign_model.datasets.dataset import Dataset
from whispersign_model.datasets.splits import SplitPolicy
from whispersign_model.errors import BagError, DatasetError, RecipeError
from whispersign_model.features.recipe import Recipe, Smoothing
from whispersign_model.recordings.bags.bag import read_bag, write_bag
from whispersign_model.recordings.recording import Coordinates, Segment, tracked_frames

ALL = SplitPolicy(test_every=1)


def sources(*recordings):
    return [Source(each.name, lambda each=each: each) for each in recordings]


def unreadable():
    raise BagError("broken.mcap", "is damaged", "record it again")


def test_recordings_become_examples_in_their_splits(tmp_path, make_recording):
    given = [make_recording(90 + i, name=f"r{i}", signer=f"s{i}") for i in range(6)]
    policy = SplitPolicy(test=("s1",), val=("s2",))
    report = convert(tmp_path / "out", sources(*given), ConversionOptions(splits=policy))
    data = Dataset.open(tmp_path / "out")
    assert [example.name for example in data.split("train")] == ["r0", "r3", "r4", "r5"]
    assert [example.name for example in data.split("test")] == ["r1"]
    assert [example.name for example in data.split("val")] == ["r2"]
    assert report.splits["train"].recordings == 4
    assert report.splits["train"].signers == {"s0": 1, "s3": 1, "s4": 1, "s5": 1}
    assert report.splits["train"].seconds == pytest.approx(4 * given[3].duration, rel=0.05)
    assert report.left_out == []
    assert report.warnings == []


def test_what_has_nothing_to_learn_from_is_left_out_and_named(tmp_path, make_recording):
    good = make_recording(name="good")
    bare = make_recording(name="bare")
    bare = replace(bare, positions=bare.positions * 0, confidence=bare.confidence * 0)
    span = (int(good.stamps[0]), int(good.stamps[-1]))
    given = [
        good,
        make_recording(0, name="empty"),
        make_recording(name="unlabelled", segments=()),
        make_recording(name="discarded", segments=(), discarded=(span,)),
        bare,
        make_recording(name="nameless", segments=(Segment(("",), *span),)),
    ]
    report = convert(tmp_path / "out", sources(*given), ConversionOptions(splits=ALL))
    assert report.left_out == [
        ("empty", "it has no frame"),
        ("unlabelled", "no annotation"),
        ("discarded", "discarded by its annotation"),
        ("bare", "no hand is tracked in any frame"),
        ("nameless", "has an empty gloss"),
    ]
    assert [example.name for example in Dataset.open(tmp_path / "out").split("test")] == ["good"]
    assert "  ".join(report.lines()).count("left out") == 5


def test_slow_recordings_are_named_in_one_warning(tmp_path, make_recording):
    def at(rate, name):
        recording = make_recording(40, name=name)
        stamps = recording.stamps[0] + np.round(np.arange(40) * 1e9 / rate).astype(np.int64)
        segment = Segment(("A",), int(stamps[2]), int(stamps[30]))
        return replace(recording, stamps=stamps, segments=(segment,))

    given = [at(5, "slow"), at(8.1, "fine"), at(7.9, "nearly"), make_recording(name="fast")]
    options = ConversionOptions(splits=ALL, cut=0.1)
    report = convert(tmp_path / "out", sources(*given), options)
    (warning,) = [line for line in report.warnings if "frames per second" in line]
    assert "recognize signs: slow (5.0), nearly (7.9); at least 8 are needed" in warning
    assert f"warning: {warning}" in report.lines()


def test_nothing_signed_is_a_label_too(tmp_path, make_recording):
    whole = make_recording(name="a")
    span = (int(whole.stamps[0]), int(whole.stamps[-1]))
    given = [
        whole,
        make_recording(name="said", segments=(Segment((), *span),)),
        make_recording(name="unsaid", segments=()),
        make_recording(name="discarded", segments=(), discarded=(span,)),
    ]
    report = convert(tmp_path / "plain", sources(*given), ConversionOptions(splits=ALL))
    assert [example.name for example in report.examples] == ["a", "said"]
    options = ConversionOptions(splits=ALL, keep_unlabelled=True)
    report = convert(tmp_path / "kept", sources(*given), options)
    assert report.left_out == [("discarded", "discarded by its annotation")]
    assert report.splits["test"].unlabelled == 2
    assert "2 recordings without glosses" in "\n".join(report.lines())
    examples = Dataset.open(tmp_path / "kept").split("test")
    assert [(each.name, each.labels.tolist()) for each in examples] == [
        ("a", [1]),
        ("said", []),
        ("unsaid", []),
    ]
    assert [each.labels.dtype for each in examples] == [np.int64] * 3


def test_segments_between_segments_are_kept_on_demand(tmp_path, make_recording):
    stamps = make_recording(900).stamps.tolist()
    segments = tuple(
        Segment((gloss,), stamps[first], stamps[last])
        for gloss, first, last in (("A", 300, 400), ("B", 450, 550))  # 9 ms a frame
    )
    given = sources(make_recording(900, segments=segments))
    options = ConversionOptions(splits=ALL, cut=0.1, keep_unlabelled=True)
    convert(tmp_path / "kept", given, options)
    kept = {example.name: example for example in Dataset.open(tmp_path / "kept").split("test")}
    assert {name: example.labels.tolist() for name, example in kept.items()} == {
        "take-1": [1],
        "take-2": [2],
        "take-idle-1": [],  # what lies between the two is too short
        "take-idle-2": [],
    }
    assert kept["take-idle-1"].frames == pytest.approx((300 * 0.009 - 0.1) * 60, abs=2)
    assert kept["take-idle-2"].frames == pytest.approx((349 * 0.009 - 0.1) * 60, abs=2)
    convert(tmp_path / "plain", given, ConversionOptions(splits=ALL, cut=0.1))
    assert len(Dataset.open(tmp_path / "plain").split("test")) == 2


def test_each_example_is_measured(tmp_path, make_recording):
    recording = make_recording(300)
    confidence = np.ones((300, 42), np.float32)
    confidence[150:] = 0
    positions = recording.positions * (confidence[..., None] > 0)
    given = sources(replace(recording, positions=positions, confidence=confidence))
    report = convert(tmp_path / "out", given, ConversionOptions(splits=ALL))
    (example,) = report.examples
    assert example.seconds == pytest.approx(recording.duration, abs=0.02)
    assert example.frame_rate == pytest.approx(111.1, abs=0.1)
    assert example.tracked == pytest.approx(0.5, abs=0.02)
    assert (example.origin, example.glosses) == ("take", ("HELLO",))
    (entry,) = json.loads((tmp_path / "out" / "manifest.json").read_text())["recordings"]
    for key in ("seconds", "frame_rate", "tracked"):
        assert entry[key] == getattr(example, key)


def test_report_lies_in_the_dataset(tmp_path, make_recording):
    given = [make_recording(name="a"), make_recording(name="b", segments=())]
    report = convert(tmp_path / "out", sources(*given), ConversionOptions(splits=ALL))
    assert (tmp_path / "out" / "report.txt").read_text().splitlines() == report.lines()
    content = json.loads((tmp_path / "out" / "report.json").read_text())
    assert content["splits"]["test"]["glosses"] == {"HELLO": 1}
    assert content["recordings"][0]["name"] == "a"
    assert content["left_out"] == [{"name": "b", "reason": "no annotation"}]
    assert content["warnings"] == report.warnings != []


def test_nothing_left_is_an_error(tmp_path, make_recording):
    given = sources(make_recording(segments=()))
    with pytest.raises(DatasetError, match="none of 1 can be used; take: no annotation"):
        convert(tmp_path / "out", given, ConversionOptions())
    assert list(tmp_path.iterdir()) == []


def test_unreadable_recording_stops_or_is_skipped(tmp_path, make_recording):
    given = [*sources(make_recording()), Source("broken.mcap", unreadable)]
    with pytest.raises(BagError, match=r"broken\.mcap: is damaged"):
        convert(tmp_path / "out", given, ConversionOptions())
    assert list(tmp_path.iterdir()) == []
    report = convert(tmp_path / "out", given, ConversionOptions(on_error="skip"))
    assert report.left_out == [("broken.mcap", "is damaged")]


def test_other_smoothing_than_the_recipe_s_is_refused(tmp_path, make_recording):
    recipe = Recipe(smoothing=Smoothing(kind="moving_average", window_size=5))
    options = ConversionOptions(recipe=recipe, splits=ALL)
    convert(tmp_path / "same", sources(make_recording(smoothing="moving_average(5)")), options)
    with pytest.raises(RecipeError, match="take: smoothed by moving_average"):
        convert(tmp_path / "other", sources(make_recording(smoothing="moving_average(3)")), options)
    assert not (tmp_path / "other").exists()


def test_recipe_takes_the_coordinates_of_the_recordings(tmp_path, make_recording):
    image = make_recording(coordinates=Coordinates.IMAGE_NORMALISED)
    options = ConversionOptions(splits=ALL)
    convert(tmp_path / "out", sources(image), options)
    assert Dataset.open(tmp_path / "out").recipe.coordinates == "image_normalised"
    with pytest.raises(RecipeError, match="coordinates are metric_sensor"):
        convert(tmp_path / "mixed", sources(image, make_recording()), options)


def test_cut_makes_each_segment_an_example_in_its_recording_s_split(tmp_path, make_recording):
    stamps = make_recording(300).stamps.tolist()
    segments = tuple(
        Segment((gloss,), stamps[first], stamps[first + 60])
        for gloss, first in (("A", 20), ("B", 120), ("C", 220))
    )
    given = [make_recording(300, name=name, segments=segments) for name in ("one", "two")]
    options = ConversionOptions(splits=SplitPolicy(test=("two",)), cut=0.1)
    convert(tmp_path / "out", sources(*given), options)
    tests = Dataset.open(tmp_path / "out").split("test")
    assert [example.name for example in tests] == ["two-1", "two-2", "two-3"]
    assert [example.labels.tolist() for example in tests] == [[1], [2], [3]]
    period = 9_000_001
    for example in tests:
        assert example.frames == pytest.approx((60 * period / 1e9 + 0.2) * 60, abs=2.5)
        assert example.segments[0].start == pytest.approx(0.1e9, abs=period)


def test_repairs_are_counted(tmp_path, make_recording):
    recording = make_recording(untrackable=3)
    stamps = recording.stamps.copy()
    stamps[40] = stamps[39]
    report = convert(
        tmp_path / "out", sources(replace(recording, stamps=stamps)), ConversionOptions(splits=ALL)
    )
    text = "\n".join(report.lines())
    assert "3 joints without a finite position" in text
    assert "1 frames out of order or repeated" in text


def test_progress_counts_every_source(tmp_path, make_recording):
    calls = []
    given = sources(make_recording(), make_recording(segments=()))
    convert(tmp_path / "out", given, ConversionOptions(splits=ALL), lambda: calls.append(1))
    assert len(calls) == 2


@pytest.mark.parametrize(("storage", "cut"), [("mcap", None), ("sqlite3", 0.2)])
def test_memory_does_not_grow_with_the_bag(tmp_path, make_recording, storage, cut):
    peaks = []
    for frames in (2500, 20000):
        write_bag(tmp_path / f"{frames}", make_recording(frames), storage)
        read = partial(read_bag, tmp_path / f"{frames}", scratch=tmp_path)
        tracemalloc.start()
        options = ConversionOptions(splits=ALL, cut=cut)
        convert(tmp_path / f"dataset{frames}", [Source("bag", read)], options)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    (example,) = Dataset.open(tmp_path / "dataset20000").split("test")
    assert example.frames == pytest.approx(20000 * 0.009 * 60, abs=3)
    assert peaks[1] < 1.1 * peaks[0]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "20000",
        "2500",
        "dataset20000",
        "dataset2500",
    ]


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
@pytest.mark.parametrize(
    ("name", "label"),
    [(takes("thai"), "lab"), (takes("german"), "lab"), ("sfinge3d.npz", "lab")],
    ids=["thai", "german", "sfinge3d"],
)
def test_archive_to_bag_to_dataset_is_archive_to_dataset(
    shared_data, tmp_path, storage, name, label
):
    recordings = read_archive(shared_data(name), label)
    recordings = [*recordings[:3], *recordings[-3:]]
    bags = []
    for recording in recordings:
        bag = tmp_path / "bags" / recording.name
        write_bag(bag, recording, storage)
        bags.append(Source(str(bag), lambda bag=bag: read_bag(bag)))
    options = ConversionOptions(splits=SplitPolicy(test_every=2, val_every=3))
    convert(tmp_path / "through", bags, options)
    convert(tmp_path / "direct", sources(*recordings), options)
    through, direct = (
        {
            path.relative_to(root): path.read_bytes()
            for path in root.rglob("*")
            if path.is_file() and path.stem != "report"  # which names the bags
        }
        for root in (tmp_path / "through", tmp_path / "direct")
    )
    assert len(direct) == 2 * len(recordings) + 2
    assert through == direct
    example = Dataset.open(tmp_path / "direct").split("test")[0]
    assert np.isfinite(example.features()).all()


SPELLINGS = ("GR\u00dcN", "GRU\u0308N", "GR\u00dcN ")


def test_spellings_of_one_gloss_and_signer_are_one(tmp_path, make_recording):
    """Bags and tables spell glosses as their keyboards do; the vocabulary has each once."""
    given = []
    for number, gloss in enumerate(SPELLINGS):
        recording = make_recording(90 + number, signer=("anna", "anna ", " anna")[number])
        span = (int(recording.stamps[0]), int(recording.stamps[-1]))
        signed = replace(recording, segments=(Segment((gloss,), *span),))
        write_bag(tmp_path / f"b{number}", signed)
        given.append(Source(f"b{number}", partial(read_bag, tmp_path / f"b{number}")))
    report = convert(tmp_path / "out", given, ConversionOptions(splits=ALL))
    assert Dataset.open(tmp_path / "out").glosses == ("GR\u00dcN",)
    assert report.splits["test"].signers == {"anna": 3}


def test_spellings_of_one_class_of_an_archive_are_one(archive):
    path = archive(classes=np.array(["GR\u00dcN", "GRU\u0308N ", "BYE"]))
    assert [each.glosses for each in read_archive(path)] == [
        ("GR\u00dcN",),
        ("GR\u00dcN", "BYE"),
        (),
    ]


def test_recording_in_two_splits_is_named_with_both_paths(tmp_path, make_recording):
    write_bag(tmp_path / "a", make_recording(90))
    write_bag(tmp_path / "b", make_recording(90), "sqlite3")
    write_bag(tmp_path / "c", make_recording(70))
    given = [Source(name, partial(read_bag, tmp_path / name)) for name in "abc"]
    options = ConversionOptions(splits=SplitPolicy(test=("b",), val=("c",)))
    report = convert(tmp_path / "out", given, options)
    assert "train and test hold the same recording: 'a' and 'b'" in report.warnings
    assert "warning: train and test hold the same" in (tmp_path / "out" / "report.txt").read_text()


def test_dataset_with_glosses_that_look_alike_warns(dataset):
    text = '{"glosses": ["Hello", "HELLO", "BYE"]}'
    (dataset / "vocabulary.json").write_text(text)
    assert Dataset.open(dataset).warnings() == [
        "glosses 'HELLO' and 'Hello' differ only in case or spaces, but are separate classes"
    ]


@pytest.mark.parametrize(
    ("factor", "fault"),
    [(1e3, "seems to be in (pixels|millimeters)"), (1e9, "beyond 1000 m: are the positions in")],
)
def test_positions_of_bags_in_another_unit(tmp_path, make_recording, factor, fault):
    good, large = make_recording(90, name="good"), make_recording(80, name="large")
    positions, confidence, lost = tracked_frames(large.positions * factor, large.confidence)
    large = replace(large, positions=positions, confidence=confidence, untrackable=lost)
    report = convert(tmp_path / "out", sources(good, large), ConversionOptions(splits=ALL))
    ((name, reason),) = report.left_out
    assert name == "large"
    assert re.search(fault, reason)


def test_stamps_that_never_rise(tmp_path, make_recording):
    good, still = make_recording(90, name="good"), make_recording(90, name="still")
    still = replace(still, stamps=still.stamps * 0)
    report = convert(tmp_path / "out", sources(good, still), ConversionOptions(splits=ALL))
    assert report.left_out == [("still", "the stamps of its frames never rise")]
