from __future__ import annotations

from datetime import date

import pytest

from desk.report.edge_sentence import edge_sentence
from desk.report.report_model import EdgePoint


def points(*shares: float) -> list[EdgePoint]:
    return [EdgePoint(date(2021 + step, 1, 1), share, share, share, 0) for step, share in enumerate(shares)]


def said(**lists: list[EdgePoint]) -> str:
    return edge_sentence(lists).replace("\xa0", " ")


def test_lists_that_disagree_call_no_direction() -> None:
    assert said(wide=points(0.007, 0.5, 0.048), narrow=points(0.46, 0.2, 0.11)) == (
        "This is the share of the edge in what Python developers install to run or to call models. "
        "From 1 Jan 2021 to 1 Jan 2023 it went up from 0.7 % to 4.8 % by the list wide. "
        "It went down from 46.0 % to 11.0 % by the list narrow. The lists disagree, so the direction is not determined."
    )


@pytest.mark.parametrize(
    ("a", "b", "call"),
    [
        (points(0.1, 0.2), points(0.3, 0.4), "Every list shows a rise."),
        (points(0.2, 0.1), points(0.4, 0.3), "Every list shows a fall."),
        (points(0.2, 0.2), points(0.4, 0.4), "No list shows a change."),
        (points(0.2, 0.2), points(0.4, 0.5), "The lists disagree, so the direction is not determined."),
    ],
)
def test_a_direction_needs_every_list(a: list[EdgePoint], b: list[EdgePoint], call: str) -> None:
    assert said(a=a, b=b).endswith(call)


def test_one_period_says_nothing_of_a_way() -> None:
    for lists in ({}, {"a": points(0.1)}):
        with pytest.raises(ValueError, match="two periods"):
            edge_sentence(lists)
