"""The embeddable chart: well-formed for any values, and it names what it shows."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from counterpoise.metrics.specs.metric_registry import SPECS
from desk.web.api.embedded_chart import About, ChartPoint, chart

START = datetime(2025, 1, 1, tzinfo=UTC)
ABOUT = About("bitcoin", "raw", 1_008, "day", "live")
NUMBERS = st.floats(0, 1) | st.just(math.nan)


@given(st.lists(st.tuples(NUMBERS, NUMBERS, NUMBERS), max_size=30), st.sampled_from(list(SPECS)))
def test_any_values_make_a_drawing(values: list[tuple[float, float, float]], metric: str) -> None:
    points = [ChartPoint(START + timedelta(days=at), *three) for at, three in enumerate(values)]
    text = chart(SPECS[metric], points, ABOUT, width=920, height=360)
    root = ElementTree.fromstring(text)  # noqa: S314 - made by ourselves
    assert root.get("viewBox") == "0 0 920 360"
    assert "nan" not in text.replace("Nan", "").lower().split("<desc")[0]
    assert ("no value in this range" in text) == all(math.isnan(value) for value, _, _ in values)


def test_it_names_window_view_interval_and_kind_of_data() -> None:
    points = [ChartPoint(START + timedelta(days=at), 0.7 + at / 100, 0.65, 0.8) for at in range(5)]
    about = About("bitcoin", "entity", 144, "hour", "simulated")
    text = chart(SPECS["top4_share"], points, about, width=320, height=200).replace("\u00a0", " ")
    assert "Share of the 4 largest pools: bitcoin, entity view, window 144 blocks, by hour (simulated data)" in text
    assert "It ends at 74.0 %, 95 % interval 65.0 % to 80.0 %." in text


@pytest.mark.parametrize("metric", SPECS)
def test_every_metric_can_be_drawn(metric: str) -> None:
    points = [ChartPoint(START + timedelta(days=at), float(at), at - 0.5, at + 0.5) for at in range(4)]
    ElementTree.fromstring(chart(SPECS[metric], points, ABOUT, width=2_000, height=1_200))  # noqa: S314
