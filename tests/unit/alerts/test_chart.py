"""The picture of an alert: its size, what a screen reader speaks, and series that have nothing to draw."""

from __future__ import annotations

import io
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from alerts.outbox.alert_chart import DAYS, blocks_of, picture_of
from alerts.rules.metric_rule import MetricRule
from alerts.rules.rule import HeightRule
from alerts.rules.top_share_rule import TopShareRule
from alerts.signals.window_counts import WindowCounts
from counterpoise.plots.chart_png import HEIGHT, WIDTH, LineChart, line_chart_png

SHARE = TopShareRule(id="share", title="Top share", k=1, above=0.5, clear_below=0.4, window_blocks=144)
DAY = 1_700_006_400
"""2023-11-15 00:00:00 UTC."""


def a_series(tops: list[int], unknown: int = 0) -> WindowCounts:
    size = len(tops)
    counts = np.zeros((size, 6), np.int64)
    counts[:, 0], counts[:, 1] = tops, 100 - np.array(tops) - unknown
    return WindowCounts.of(
        height=range(10, 10 + size),
        tip_hash=["0" * 64] * size,
        time=DAY + 86_400 * np.arange(size),
        n=np.full(size, 100),
        unknown=np.full(size, unknown),
        window_full=np.full(size, True),
        pools_seen=np.full(size, 2),
        counts=counts,
        p_top4_above_75=np.full(size, math.nan),
        leaders=np.tile(np.arange(6), (size, 1)),
        names=("a", "b", "", "", "", ""),
    )


def size_of(png: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(png)) as image:
        image.load()
        return image.size


def test_a_picture_has_its_size_title_and_alternative_text() -> None:
    picture = picture_of(SHARE, a_series([45, 30, 60, 55], unknown=5))
    assert picture is not None
    assert size_of(picture.png) == (WIDTH, HEIGHT)
    assert (picture.name, picture.title) == ("share-13.png", "Top share: the last 30 days")
    assert picture.alt == (
        "Line chart from 2023-11-15 to 2023-11-18 00:00 UTC, with the upper bound that counts unknown blocks. "
        "Rule: top-1 share of 144 blocks (raw) over 50 % for 36 blocks, clear below 40 %. Last value 55.0 %. "
        "Lowest 30.0 % on 2023-11-16, highest 60.0 % on 2023-11-17."
    )


def test_what_has_no_second_value_has_no_picture() -> None:
    assert picture_of(SHARE, a_series([50])) is None
    assert picture_of(SHARE, a_series([])) is None


def test_thirty_days_are_the_blocks_of_the_chain() -> None:
    assert blocks_of("bitcoin") == DAYS * 144
    assert blocks_of("litecoin") == DAYS * 576


@pytest.mark.parametrize(
    "rule",
    [
        MetricRule(id="hhi", metric="hhi_10000", above=2_500.0, clear_below=2_400.0),
        MetricRule(id="few", metric="effective_pools_d2", below=3.0),
    ],
)
def test_rules_on_metrics_have_pictures_too(rule: HeightRule) -> None:
    series = a_series([45, 30, 60])
    squares = (series.counts**2).sum(axis=1)
    series = replace(series, further=dict.fromkeys(rule.further_columns, squares))
    picture = picture_of(rule, series)
    assert picture is not None and size_of(picture.png) == (WIDTH, HEIGHT)


@settings(max_examples=25, deadline=None)
@given(
    values=st.lists(st.floats(-1e12, 1e12) | st.just(math.nan), min_size=1, max_size=30),
    line=st.floats(-1e12, 1e12),
)
def test_any_values_are_drawn_at_the_same_size(values: list[float], line: float) -> None:
    chart = LineChart(range(0, 3_600 * len(values), 3_600), values, values, [(line, "line")])
    if not any(map(math.isfinite, values)):
        with pytest.raises(ValueError, match="needs a value"):
            line_chart_png(chart)
        return
    assert size_of(line_chart_png(chart)) == (WIDTH, HEIGHT)
