"""Halvings and retargets stand at their time on a plot, and are said in its description."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from counterpoise.chain.chain_registry import BITCOIN
from counterpoise.chain.milestones import Milestone, milestones
from desk.report import report_plots as plots
from desk.report.milestone_marks import milestone_words, shown, time_of
from desk.report.report_model import SharePoint

AT = datetime(2024, 4, 18, tzinfo=UTC)


def points(first: int, last: int, step: int) -> list[SharePoint]:
    return [
        SharePoint(height, AT + timedelta(seconds=600 * (height - first)), 0.7, 0.6, 0.8, 0.69, 0.71, 0.0)
        for height in range(first, last + 1, step)
    ]


def drawn(shares: list[SharePoint], marks: list[Milestone], width: float = 920.0) -> str:
    return plots.share_plot(shares, [], None, width=width, name="n", title="t", milestones=marks)


@given(st.integers(839_000, 840_500), st.integers(1, 300))
def test_a_height_between_two_points_has_a_time_between_theirs(height: int, step: int) -> None:
    made = points(839_000, 841_000, step)
    if height > made[-1].height:
        return
    assert abs((time_of(height, made) - AT).total_seconds() - 600 * (height - 839_000)) < 0.01


@pytest.mark.parametrize("width", [plots.WIDE, plots.NARROW])
def test_a_change_of_the_entity_map_is_a_line_at_its_day(width: float) -> None:
    made = points(838_000, 842_000, 40)  # 18 April to 15 May 2024: 4,000 blocks of ten minutes
    days = [date(2024, 4, 17), date(2024, 4, 28), date(2024, 6, 1)]
    text = plots.share_plot(made, [], None, width=width, name="n", title="t", map_changes=days)
    frame = plots.share_frame(width)
    [line] = re.findall(r'<line x1="([\d.]+)"[^>]*class="milestone halving"', text)
    assert float(line) == pytest.approx(frame.x0 + (frame.x1 - frame.x0) * 10 * 144 / 4_000, abs=0.06)
    assert text.count("entity map<") == 1 and "The entity map changes on 28\u00a0Apr\u00a02024." in text
    assert "entity map" not in drawn(made, [])


@pytest.mark.parametrize("width", [plots.WIDE, plots.NARROW])
def test_the_halving_is_a_line_at_its_place_and_the_retargets_are_ticks(width: float) -> None:
    made = points(838_000, 842_000, 40)
    text = drawn(made, milestones(BITCOIN, 838_000, 842_000), width)
    frame = plots.share_frame(width)
    [halving] = re.findall(r'<line x1="([\d.]+)"[^>]*class="milestone halving"', text)
    assert float(halving) == pytest.approx(frame.x0 + (frame.x1 - frame.x0) * 0.5, abs=0.06)
    ticks = [float(one) for one in re.findall(r'<line x1="([\d.]+)"[^>]*class="milestone"', text)]
    assert ticks == pytest.approx(
        [frame.x0 + (frame.x1 - frame.x0) * (height - 838_000) / 4_000 for height in (838_656, 840_672)], abs=0.06
    )
    assert "Halving at block 840,000" in text and "Retargets: 2." in text


def test_many_retargets_leave_only_the_halvings() -> None:
    many = milestones(BITCOIN, 700_000, 946_000)
    assert [one.kind for one in shown(many)] == ["halving"]
    assert "Retargets" not in milestone_words(many, points(700_000, 946_000, 2_000))


def test_what_is_outside_of_the_points_is_left_out() -> None:
    made = points(838_000, 839_000, 100)
    text = drawn(made, [Milestone(840_000, "halving"), Milestone(837_999, "retarget")])
    assert "milestone" not in text and "Halving" not in text
    assert drawn(made, []) == plots.share_plot(made, [], None, width=920.0, name="n", title="t")
