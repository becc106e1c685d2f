# SPDX-License-Identifier: MIT
"""Labels from CSV tables: which rows a bag gets, what they mean, and faults with their lines."""

from __future__ import annotations

import pytest

from whispersign_model.errors import LabelError
from whispersign_model.recordings.labels import find_labels, labelled, read_table
from whispersign_model.recordings.recording import Segment

SECOND = 1_000_000_000


@pytest.fixture
def table(tmp_path):
    """Return a function that writes a table and returns its path."""

    def write(text, name="labels.csv"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return write


def bags(tmp_path, *names):
    for name in names:
        if name.endswith(".mcap"):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).touch()
        else:
            (tmp_path / name).mkdir(parents=True)
    return [tmp_path / name for name in names]


def test_rows_become_segments(table, make_recording):
    path = table(
        "recording,glosses,start,end,signer,split,status\n"
        'take,HELLO,0.1,0.3,bea,test,\n\n"take",YOU|COME HERE,0.4,0.6,bea,,keep\n'
        "take,,0.65,0.7,,,\ntake,,0.35,0.38,,,discard\n"
    )
    recording = make_recording(
        90, segments=(Segment(("OLD",), 0, 1),), discarded=((5, 6),), split="train"
    )
    found = labelled(recording, read_table(path))
    first = int(recording.stamps[0])
    spans = [
        (each.glosses, (each.start - first) / SECOND, (each.end - first) / SECOND)
        for each in found.segments
    ]
    assert spans == [(("HELLO",), 0.1, 0.3), (("YOU", "COME HERE"), 0.4, 0.6), ((), 0.65, 0.7)]
    assert found.discarded == ((first + 350_000_000, first + 380_000_000),)
    assert (found.signer, found.split) == ("bea", "test")


def test_row_without_times_is_the_whole_recording(table, make_recording):
    recording = make_recording(90)
    (segment,) = labelled(recording, read_table(table("glosses\nBYE\n"))).segments
    assert segment == Segment(("BYE",), int(recording.stamps[0]), int(recording.stamps[-1]))
    kept = labelled(recording, read_table(table("glosses\nBYE\n")))
    assert kept.signer == "anna"  # the bag's own word, where the table says nothing


def test_row_may_run_over_the_end_a_little(table, make_recording):
    recording = make_recording(90)  # 0.8 s
    (segment,) = labelled(recording, read_table(table("glosses,start,end\nA,0.5,1.5\n"))).segments
    assert segment.end == recording.stamps[-1]


def test_tables_of_a_spreadsheet(table):
    rows = read_table(table("\ufeffGlosses;Start;End\nÜNLÜ;0,5;1,25\n"))
    assert [(row.glosses, row.span) for row in rows] == [(("ÜNLÜ",), (0.5, 1.25))]
    assert read_table(table("glosses\tstart\tend\nA\t0.5\t1\n"))[0].span == (0.5, 1.0)


def test_given_table_before_own_before_the_folder_s(tmp_path, table):
    given = bags(tmp_path, "a", "b.mcap", "c")
    table("recording,glosses\na,FOLDER\nb,FOLDER\nc,FOLDER\n")
    table("glosses\nOWN\n", "b.csv")
    table("glosses\nOWN\n", "c.csv")
    rows, warnings = find_labels(given, None)
    assert [rows[bag][0].glosses for bag in given] == [("FOLDER",), ("OWN",), ("OWN",)]
    assert warnings == []
    one = table("recording,glosses\nb.mcap,GIVEN\n", "elsewhere/all.csv")
    rows, _ = find_labels(given, one)
    assert [rows[bag][0].glosses for bag in given] == [("FOLDER",), ("GIVEN",), ("OWN",)]


def test_the_given_table_may_be_the_folder_s(tmp_path, table):
    path = table("recording,glosses\ntake,A\n")
    given = bags(tmp_path, "take")
    rows, warnings = find_labels(given, path)
    assert [row.glosses for row in rows[given[0]]] == [("A",)]
    assert not warnings


def test_names_that_fit_no_bag_are_warned_of(tmp_path, table):
    (bag,) = bags(tmp_path, "take_1")
    path = table("recording,glosses\ntake_1,A\ntak_2,B\n")
    rows, warnings = find_labels([bag], None)
    assert list(rows) == [bag]
    assert warnings == [f"{path} names 1 recordings not converted (tak_2)"]


def test_two_bags_of_one_name_need_more_of_the_path(tmp_path, table):
    given = bags(tmp_path, "monday/take", "tuesday/take")
    path = table("recording,glosses\ntake,A\n", "all.csv")
    with pytest.raises(LabelError, match=r"all.csv:2: 'take' fits .*monday/take and .*tuesday/ta"):
        find_labels(given, path)
    path = table("recording,glosses\ntuesday/take,A\nmonday/take,B\n", "all.csv")
    rows, _ = find_labels(given, path)
    assert [rows[bag][0].glosses for bag in given] == [("B",), ("A",)]


def test_table_of_one_bag_speaks_of_no_other(tmp_path, table):
    given = bags(tmp_path, "take")
    table("recording,glosses\nother,A\n", "take.csv")
    with pytest.raises(LabelError, match=r"take.csv:2: names 'other', not take"):
        find_labels(given, None)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "labels.csv:1: has no column 'glosses'"),
        ("recording,start,end\n", "labels.csv:1: has no column 'glosses'"),
        ("glosses,singer\nA,anna\n", "labels.csv:1: has a column 'singer'; the columns are recor"),
        ("glosses,glosses\n", "labels.csv:1: has column 'glosses' twice"),
        ("glosses,start,end\nA,0,1\nB,1\n", "labels.csv:3: has 2 cells where the header has 3"),
        ("glosses,start,end\nA,soon,1\n", "labels.csv:2: start is 'soon', not a number of seconds"),
        ("glosses,start,end\nA,1,\n", "labels.csv:2: end is '', not a number"),
        ("glosses,start,end\nA,-1,1\n", "labels.csv:2: start is -1; count from"),
        ("glosses,start,end\nA,0,nan\n", "labels.csv:2: end is nan"),
        ("glosses,start,end\n\nA,2,1\n", "labels.csv:3: ends at 1 s, but starts at 2 s"),
        ("glosses\nA||B\n", r"labels.csv:2: glosses are 'A\|\|B'"),
        ("glosses,status\nA,bad\n", "labels.csv:2: status is 'bad'; use keep or discard"),
        ('glosses\n"A"B\n', "labels.csv:2: is not CSV"),
    ],
)
def test_faults_name_the_line(table, text, fault):
    with pytest.raises(LabelError, match=fault):
        read_table(table(text))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("glosses,start,end\nA,0,30\n", "labels.csv:2: ends at 30 s, but take lasts 0.80 s"),
        ("glosses,start,end\nA,0.9,1\n", "labels.csv:2: ends at 1 s, but take lasts 0.80 s"),
        ("glosses,start,end\nA,0,1\nB,0,1\n", r"labels.csv:3: has the times of line 2; .* A\|B"),
        ("glosses\nA\nB\n", "labels.csv:3: has the times of line 2"),
        ("glosses,signer,start,end\nA,x,0,1\nB,y,0,0.2\n", "labels.csv:3: signer is 'y', above it"),
    ],
)
def test_rows_that_do_not_fit_the_recording(table, make_recording, text, fault):
    with pytest.raises(LabelError, match=fault):
        labelled(make_recording(90), read_table(table(text)))


def test_bytes_that_are_no_text(tmp_path):
    (tmp_path / "labels.csv").write_bytes(b"glosses\nA\nGR\xfcN\n")
    with pytest.raises(LabelError, match=r"labels.csv:3: is not UTF-8"):
        read_table(tmp_path / "labels.csv")
    with pytest.raises(LabelError, match=r"nowhere.csv: cannot be read \(No such file"):
        read_table(tmp_path / "nowhere.csv")
    (tmp_path / "endless.csv").symlink_to("/dev/zero")
    with pytest.raises(LabelError, match=r"endless.csv: cannot be read \(it is a FIFO"):
        read_table(tmp_path / "endless.csv")


def test_folder_s_table_must_name_recordings(tmp_path, table):
    given = bags(tmp_path, "take")
    table("glosses\nA\n")
    with pytest.raises(LabelError, match=r"labels.csv:2: names no recording"):
        find_labels(given, None)


@pytest.mark.parametrize(
    ("rows", "unit"),
    [
        ("take,A,100,300\ntake,B,400,650\n", "milliseconds"),
        ("take,A,100000,300000\n", "microseconds"),
        ("take,A,100000000,300000000\n", "nanoseconds"),
        ("take,A,10,30\ntake,B,40,65\n", "frame numbers"),
        ("take,A,1700000000.2,1700000000.4\n", "stamps"),
        ("take,A,10.5,30.25\n", "milliseconds"),
    ],
)
def test_times_in_another_unit_are_named(table, make_recording, rows, unit):
    path = table(f"recording,glosses,start,end\n{rows}")
    with pytest.raises(LabelError, match=rf"labels.csv:2: .* the times seem to be .*{unit}; count"):
        labelled(make_recording(90), read_table(path))


def test_times_that_are_all_zero(table):
    with pytest.raises(LabelError, match=r":2: starts and ends at 0 s; leave both times empty"):
        read_table(table("recording,glosses,start,end\ntake,A,0,0\n"))


def test_names_of_files_may_be_spelled_in_either_form(tmp_path, table):
    given = bags(tmp_path, "gru\u0308n/take", "gr\u00dcn.mcap")  # as macOS and Linux write
    path = table(
        "recording,glosses,signer\ngr\u00fcn/take,GRU\u0308N ,Bjo\u0308rn\ngrU\u0308n,B,\n"
    )
    rows, warnings = find_labels(given, path)
    assert warnings == []
    assert [row.glosses for each in given for row in rows[each]] == [("GR\u00dcN",), ("B",)]
    assert rows[given[0]][0].signer == "Bj\u00f6rn"
