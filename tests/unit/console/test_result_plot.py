"""Plots of results, from generated columns."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from desk.web.console.result_plot import MAX_LINES, result_plot

KINDS = (
    "Date",
    "DateTime('UTC')",
    "Float64",
    "UInt16",
    "String",
    "Nullable(Float64)",
    "Array(UInt8)",
    "Int256",
    "Decimal(76, 0)",
)
COLUMNS = st.lists(st.sampled_from(KINDS), min_size=1, max_size=7)
VALUES = {
    "Date": st.dates(date(1971, 1, 1), date(2100, 1, 1)),
    "DateTime('UTC')": st.datetimes(datetime(1971, 1, 1), datetime(2100, 1, 1)).map(lambda d: d.replace(tzinfo=UTC)),  # noqa: DTZ001
    "Float64": st.floats(-1e9, 1e9) | st.floats() | st.sampled_from([1.7e308, -1.7e308, 5e-324]),
    "Int256": st.integers(-(2**255), 2**255 - 1),
    "Decimal(76, 0)": st.integers(-(10**76) + 1, 10**76 - 1).map(Decimal),
    "UInt16": st.integers(0, 65_535),
    "String": st.text(max_size=5),
    "Nullable(Float64)": st.none() | st.floats(-1, 1),
    "Array(UInt8)": st.lists(st.integers(0, 9), max_size=2),
}


@given(COLUMNS, st.integers(0, 12), st.data())
def test_any_result_is_a_drawing_or_none(kinds: list[str], rows: int, data: st.DataObject) -> None:
    heads = [(f"<{place}>", kind) for place, kind in enumerate(kinds)]
    columns = [data.draw(st.lists(VALUES[kind], min_size=rows, max_size=rows)) for kind in kinds]
    found = result_plot(heads, columns)
    numbers = [kind for kind in kinds if kind in ("Float64", "UInt16", "Nullable(Float64)", "Int256", "Decimal(76, 0)")]
    times = [kind for kind in kinds if kind.startswith("Date")]
    if rows < 2 or not numbers or (not times and len(numbers) < 2):
        assert found is None
    if found is not None:
        root = ElementTree.fromstring(found)  # noqa: S314 - made by ourselves
        lines = [one for one in root.iter() if (one.get("class") or "").startswith("line series")]
        assert len(lines) <= MAX_LINES
        assert "nan" not in found and "inf" not in found.replace("inform", "")


def test_times_go_across_whichever_column_they_are() -> None:
    found = result_plot(
        [("share", "Float64"), ("day", "Date"), ("name", "String")],
        [[0.5, 0.6], [date(2025, 1, 2), date(2025, 1, 1)], ["a", "b"]],
    )
    assert found is not None and "share by day" in found and found.count("line series") == 1
