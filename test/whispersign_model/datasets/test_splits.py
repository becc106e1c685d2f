# SPDX-License-Identifier: MIT
"""Splits: by name, by turn, by the recordings' own word, by signer."""

from __future__ import annotations

import pytest

from whispersign_model.datasets.splits import SplitItem, SplitPolicy, assign_splits, few_clips
from whispersign_model.errors import DatasetError


def items(count, signer=lambda i: f"s{i % 10}", split=lambda i: "", gloss=lambda i: "A"):
    return [SplitItem(i, f"r{i}", signer(i), split(i), (gloss(i),)) for i in range(count)]


def chosen(policy, given):
    return dict(zip((item.name for item in given), assign_splits(policy, given)[0]))


def test_whole_signers_are_drawn():
    given = items(200)
    splits = chosen(SplitPolicy(), given)
    of_signer = {
        signer: {splits[i.name] for i in given if i.signer == signer}
        for signer in {i.signer for i in given}
    }
    assert all(len(found) == 1 for found in of_signer.values())
    counts = [sum(found == {split} for found in of_signer.values()) for split in ("val", "test")]
    assert counts == [2, 2]  # 15 % of ten


def test_draw_follows_from_the_seed_alone():
    given = items(200)
    assert chosen(SplitPolicy(), given) == chosen(SplitPolicy(), given[::-1])
    draws = {tuple(chosen(SplitPolicy(seed=seed), given).values()) for seed in range(5)}
    assert len(draws) > 1


def test_three_signers_fill_three_splits():
    splits, warnings = assign_splits(SplitPolicy(), items(9, lambda i: f"s{i % 3}"))
    assert sorted(set(splits)) == ["test", "train", "val"]
    assert warnings == []


def test_recordings_of_unknown_signers_train():
    given = items(40, lambda i: f"s{i % 4}" if i < 30 else "")
    splits, warnings = assign_splits(SplitPolicy(), given)
    assert set(splits[30:]) == {"train"}
    assert warnings == ["10 recordings of unknown signers go to train"]


@pytest.mark.parametrize("signers", [0, 1, 2])
def test_too_few_signers_are_split_by_recording_and_warn(signers):
    given = items(200, lambda i: f"s{i % signers}" if signers else "", gloss=lambda i: f"g{i % 10}")
    splits, warnings = assign_splits(SplitPolicy(), given)
    assert splits.count("val") == splits.count("test") == 30
    for split in ("val", "test"):  # every gloss has its share
        found = [i.glosses for i, own in zip(given, splits) if own == split]
        assert {found.count((f"g{g}",)) for g in range(10)} <= {2, 3, 4}
    assert "by recording, from signers that are also in train" in warnings[0]


def test_few_recordings_train_first():
    assert set(chosen(SplitPolicy(), items(3, lambda i: "")).values()) == {"train"}


def test_names_of_signers_recordings_and_own_splits():
    given = items(40, split=lambda i: "continuous" if i == 21 else "dictionary")
    splits = chosen(SplitPolicy(test=("s3", "continuous"), val=("r0*", "s9")), given)
    assert {name for name, split in splits.items() if split == "test"} == {
        "r3",
        "r13",
        "r21",
        "r23",
        "r33",
    }
    assert {name for name, split in splits.items() if split == "val"} == {
        "r0",
        "r9",
        "r19",
        "r29",
        "r39",
    }


def test_name_that_fits_nothing_or_both():
    with pytest.raises(
        DatasetError, match=r"--test s77: fits no signer, recording or split; .*s0, s1"
    ):
        assign_splits(SplitPolicy(test=("s77",)), items(20))
    with pytest.raises(DatasetError, match=r"--val s3: r3 is in --test too"):
        assign_splits(SplitPolicy(test=("s3",), val=("s3",)), items(20))


def test_turns_count_the_order_given():
    given = items(40, lambda i: "")
    policy = SplitPolicy(test_every=5, test_offset=2, val_every=10)
    splits, _ = assign_splits(policy, given)
    assert [i for i, split in enumerate(splits) if split == "test"] == [
        2,
        7,
        12,
        17,
        22,
        27,
        32,
        37,
    ]
    assert [i for i, split in enumerate(splits) if split == "val"] == [1, 11, 21, 31]
    gaps = [item for item in given if item.index % 2]  # some were left out: the turns stay
    assert [i.index for i, s in zip(gaps, assign_splits(policy, gaps)[0]) if s == "test"] == [
        7,
        17,
        27,
        37,
    ]


def test_turns_that_share_signers_warn():
    _, warnings = assign_splits(
        SplitPolicy(test_every=5, val_every=7), items(40, lambda i: f"s{i % 4}")
    )
    assert "train and test share 4 signers (s0, s1, s2, s3)" in warnings


def test_own_word_is_honoured_synonyms_too():
    words = ["train", "test", "val", "Validation", "dev", "training"]
    given = items(6, split=lambda i: words[i])
    assert assign_splits(SplitPolicy(), given)[0] == ["train", "test", "val", "val", "val", "train"]


def test_name_goes_before_own_word():
    given = items(6, split=lambda i: "train")
    assert assign_splits(SplitPolicy(test=("s1",), val=("s2",)), given)[0][1:3] == ["test", "val"]


def test_validation_is_drawn_where_only_test_is_named():
    given = items(200)
    splits = chosen(SplitPolicy(test=("s3",)), given)
    tested = {i.signer for i in given if splits[i.name] == "test"}
    validated = {i.signer for i in given if splits[i.name] == "val"}
    assert tested == {"s3"}
    assert len(validated) == 1
    splits, _ = assign_splits(SplitPolicy(val=("s3",)), given)
    assert "test" not in splits


def test_val_and_test_share_signers_too():
    _, warnings = assign_splits(
        SplitPolicy(test=("r1*",), val=("r2*",)), items(30, lambda i: f"s{i % 10 + i // 10}")
    )
    assert any(warning.startswith("val and test share 9 signers") for warning in warnings)


def test_empty_splits_and_unseen_glosses_warn():
    given = items(10, split=lambda i: "test" if i == 4 else "train", gloss=lambda i: "AB"[i == 4])
    _, warnings = assign_splits(SplitPolicy(), given)
    assert "no recording is for val: give --val or --val-every" in warnings
    assert "test has 1 glosses that train lacks (B)" in warnings


def test_spellings_of_one_signer_warn():
    names = ["anna", "Anna", "bea", "carl", "dora"]
    given = items(5, lambda i: names[i], lambda i: ["train", "test", "train", "val", "train"][i])
    _, warnings = assign_splits(SplitPolicy(), given)
    assert "signers 'Anna' and 'anna' (train and test) differ only in case or spaces" in warnings
    assert not any("share" in warning for warning in warnings)


def test_signer_of_a_bag_with_two_signers_is_shared():
    names = ["anna", "anna+bea", "carl"]
    given = items(3, lambda i: names[i], lambda i: ["train", "test", "val"][i])
    assert "train and test share 1 signers (anna)" in assign_splits(SplitPolicy(), given)[1]


def test_glosses_that_look_alike_warn():
    given = items(30, gloss=lambda i: ["HELLO", "Hello", "BYE"][i % 3])
    _, warnings = assign_splits(SplitPolicy(), given)
    expected = "glosses 'HELLO' and 'Hello' differ only in case or spaces, but are separate classes"
    assert expected in warnings


def test_own_word_with_spaces():
    given = items(3, split=lambda i: [" train", "Test ", "VAL"][i])
    assert assign_splits(SplitPolicy(), given)[0] == ["train", "test", "val"]


@pytest.mark.parametrize(("clips", "points"), [(1, 100), (4, 25), (9, 11)])
def test_few_clips_are_told(clips, points):
    expected = f"val has {clips} clips, so one clip changes its figures by {points} points"
    assert few_clips("val", clips) == [expected]


@pytest.mark.parametrize("clips", [0, 10, 100])
def test_no_and_many_clips_are_not(clips):
    assert few_clips("val", clips) == []
