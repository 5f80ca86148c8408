"""The plots: values at the places that hand work gives, names as text, nothing outside of the drawing."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from xml.etree import ElementTree

import pytest

from desk.report import report_plots as plots
from tests.unit.report.made import LINE, POOLS, gap_row, now, parsed, pool, report, share

SVG = "{http://www.w3.org/2000/svg}"


def of_class(root: ElementTree.Element, name: str) -> list[ElementTree.Element]:
    return [element for element in root.iter() if element.get("class") == name]


def points(element: ElementTree.Element) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"[ML]([\d.-]+) ([\d.-]+)", element.get("d", ""))]


def words(root: ElementTree.Element) -> list[str]:
    return [(element.text or "").replace("\u00a0", " ") for element in root.iter(f"{SVG}text")]


def test_the_share_lies_where_its_value_says() -> None:
    # Shares 0.60, 0.80 and 0.70 ± 0.03: the axis goes from 0.55 to 0.85. Across: 46 to 836, three points. Up: 332 to 22.
    root = parsed(
        plots.share_plot([share(0, 0.6), share(1, 0.8), share(2, 0.7)], [], None, width=920, name="s", title="S")
    )
    [line] = of_class(root, "line mining")
    per_point = (332 - 22) / 0.30
    expected = [(46, 332 - 0.05 * per_point), (441, 332 - 0.25 * per_point), (836, 332 - 0.15 * per_point)]
    assert points(line) == [pytest.approx(place, abs=0.06) for place in expected]
    assert "70.0 %" in words(root)


def test_the_line_of_the_rule_and_its_alert_are_drawn_where_they_are() -> None:
    made = report()
    root = parsed(plots.share_plot(made.shares, made.episodes, LINE, width=920, name="s", title="S"))
    # Eight points ten days apart from 1 January 2025: 70 days over 790 units. The alert fired on 1 March, day 59, to beyond the end.
    [shade] = of_class(root, "episode")
    assert float(shade.get("x", "")) == pytest.approx(46 + 790 * 59 / 70, abs=0.06)
    assert float(shade.get("x", "")) + float(shade.get("width", "")) == pytest.approx(836, abs=0.11)
    # Intervals reach from 0.67 to 0.80; in steps of 0.05 the axis goes from 0.65 to 0.80.
    [rule] = of_class(root, "rule")
    assert float(rule.get("y1", "")) == pytest.approx(332 - 310 * (0.75 - 0.65) / 0.15, abs=0.06)
    assert {"75 % fires", "73 % clears", "alert firing"} <= set(words(root))


def test_an_alert_that_fires_after_the_last_point_is_not_shaded() -> None:
    """The chart around an old alert has every episode of its rule."""
    from dataclasses import replace
    from datetime import timedelta

    made = report()
    [one] = made.episodes
    later = replace(one, fired_at=made.shares[-1].time + timedelta(days=1), cleared_at=None)
    assert plots.share_plot(made.shares, [one, later], LINE, width=920, name="s", title="S") == plots.share_plot(
        made.shares, [one], LINE, width=920, name="s", title="S"
    )


def test_an_alert_of_another_rule_is_not_shaded() -> None:
    from dataclasses import replace

    made = report()
    other = [replace(episode, rule_id="no-block") for episode in made.episodes]
    assert not of_class(parsed(plots.share_plot(made.shares, other, LINE, width=920, name="s", title="S")), "episode")


def test_bars_are_as_long_as_shares() -> None:
    root = parsed(plots.leaders_plot(now(), POOLS, 0.4, width=440, name="p", title="P"))
    # From 138 to 380 for shares of 0 to 0.4.
    bars = [float(bar.get("width", "")) for bar in root.iter(f"{SVG}rect")]
    counts = [300, 200, 130, 90, 80, 60, 1008 - 8 - 860, 8]
    assert bars == [pytest.approx(242 * count / 1008 / 0.4, abs=0.06) for count in counts]
    assert len(of_class(root, "bar mining")) == 4
    whisker = of_class(root, "whisker")[0]
    assert float(whisker.get("x1", "")) == pytest.approx(138 + 242 * (300 / 1008 - 0.02) / 0.4, abs=0.06)
    assert {"3 more", "unknown", "29.8 %", "0.8 %"} <= set(words(root))


def test_a_name_from_outside_is_text_and_cut() -> None:
    evil = "<script>alert('pool')</script> & a name that is far too long"
    drawing = plots.leaders_plot(now(), [pool(evil, 300)], 0.4, width=440, name="p", title="P")
    assert "<script" not in drawing
    assert "<script>alert('pool…" in words(parsed(drawing))


def test_hands_are_drawn_to_one_scale() -> None:
    rows = [gap_row(date(2025, 6, 30)), gap_row(date(2025, 12, 31))]
    root = parsed(plots.hands_plot(rows, width=920, name="h", title="H"))
    # From 4 to 8, heights 302 to 12: pools 5, AI owners 4, 5 and 8.
    [mining] = of_class(root, "line mining")
    assert [y for _, y in points(mining)] == [229.5, 229.5]  # 302 − 290 / 4
    assert [points(line)[0][1] for line in of_class(root, "line thin ai")] == [12, pytest.approx(229.5), 302]
    assert "5.0 mining pools" in words(root)
    assert "8.0 AI, rest in 25 owners" in words(root)


def test_the_gap_is_drawn_about_zero_with_its_call() -> None:
    rows = [gap_row(date(2025, 9, 30)), gap_row(date(2025, 12, 31), level="mining_more_dispersed")]
    root = parsed(plots.gap_plot(rows, width=920, name="g", title="G"))
    # From −0.5 to 1.0 in steps of 0.5, heights 262 to 14.
    [zero] = of_class(root, "zero")
    assert float(zero.get("y1", "")) == pytest.approx(262 - 248 / 3, abs=0.06)
    [none] = of_class(root, "core call none")
    assert float(none.get("y", "")) == pytest.approx(262 - 248 * (0.68 + 0.5) / 1.5, abs=0.06)
    assert float(none.get("height", "")) == pytest.approx(248 / 1.5, abs=0.06)
    assert {"not determined", "mining wider"} <= set(words(root))


PLOTS: list[Callable[[float], str]] = [
    lambda width: plots.share_plot(report().shares, report().episodes, LINE, width=width, name="n", title="t"),
    lambda width: plots.share_plot(report().shares[:1], [], LINE, width=width, name="n", title="t"),
    lambda width: plots.leaders_plot(now(unknown=1008, pools_seen=0), [], 1.0, width=width, name="n", title="t"),
    lambda width: plots.hands_plot(report().gap_rows, width=width, name="n", title="t"),
    lambda width: plots.gap_plot(report().gap_rows, width=width, name="n", title="t"),
    lambda width: plots.gap_plot(report().gap_rows[:1], width=width, name="n", title="t"),
    lambda width: plots.edge_plot(report().edge["as-filed"], width=width, name="n", title="t"),
]


@pytest.mark.parametrize("width", [plots.WIDE, plots.NARROW])
@pytest.mark.parametrize("place", range(len(PLOTS)))
def test_everything_lies_inside_the_drawing_and_no_labels_touch(place: int, width: float) -> None:
    root = parsed(PLOTS[place](width))
    _, _, across, down = map(float, root.get("viewBox", "").split())
    boxes: list[tuple[float, float, float, float]] = []
    for text in root.iter(f"{SVG}text"):
        length = 6.4 * len(text.text or "")  # 12 px of a usual face; a wide one has 7
        x, y = float(text.get("x", "")), float(text.get("y", ""))
        left = x - {"middle": length / 2, "end": length}.get(text.get("text-anchor", ""), 0)
        assert left >= -1
        assert left + length <= across + 1, text.text
        assert 8 <= y <= down
        boxes.append((left, y - 9, left + length, y))
    for at, (left, top, right, bottom) in enumerate(boxes):
        for other_left, other_top, other_right, other_bottom in boxes[:at]:
            assert right <= other_left or other_right <= left or bottom <= other_top or other_bottom <= top
    for element in root.iter():
        for x, y in points(element):
            assert -0.1 <= x <= across + 0.1
            assert -0.1 <= y <= down + 0.1
