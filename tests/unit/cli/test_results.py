"""A table that is too wide for the terminal."""

from __future__ import annotations

from desk.cli.result_formats import _turned


def test_a_wide_table_is_turned_and_cut_into_as_many_as_fit() -> None:
    names = ["height", "top4_share"]
    rows = [["1", "0.75"], ["22", "0.7512345"], ["3", "a sentence that is long"]]
    # 10 for the names, 2 + 5 for "row 1", 2 + 9: 28 characters; the third row would make it 53.
    assert list(_turned(names, rows, 40)) == [
        "----------  row 1  row 2",
        "height      1      22",
        "top4_share  0.75   0.7512345",
        "----------  row 3",
        "height      3",
        "top4_share  a sentence that is long",
    ]
    assert next(_turned(names, rows, 53)) == "----------  row 1  row 2      row 3"
    assert list(_turned(names, rows, 52))[3] == "----------  row 3"
    assert next(_turned(names, rows, 10)) == "----------  row 1"
