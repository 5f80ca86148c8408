"""Values and times for people: lengths of time survive a round trip, and nobody else formats them."""

from __future__ import annotations

import ast
import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from counterpoise.formats import PAGE, TERMINAL, TEXT, utc_day, utc_minute, utc_second
from counterpoise.spans import SECONDS_OF, exact_span, long_span, parse_span, rough_span

ROOT = Path(__file__).parents[3]


@given(count=st.integers(1, 999_999), unit=st.sampled_from(sorted(SECONDS_OF)))
def test_an_exact_span_loses_nothing(count: int, unit: str) -> None:
    seconds = parse_span(f"{count}{unit}", "smhdwy")
    assert seconds == count * SECONDS_OF[unit]
    number, written = exact_span(seconds).split()
    assert int(number) * {"s": 1, "min": 60, "h": 3_600, "d": 86_400}[written] == seconds


@pytest.mark.parametrize("text", ["", "5", "h", "0h", "-1h", "1.5h", "1 w", "2x", "1h30m", "1234567s"])
def test_what_is_no_span_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="length of time"):
        parse_span(text)


@given(st.integers(0, 10**9))
def test_spans_say_at_most_what_passed(seconds: int) -> None:
    sizes = {"d": 1_440, "h": 60, "min": 1}
    parts = long_span(seconds).split()
    minutes = sum(int(n) * sizes[u] for n, u in zip(parts[::2], parts[1::2], strict=True))
    assert 0 <= seconds // 60 - minutes < (60 if "d" in parts else 1)
    number, unit = rough_span(seconds).split()
    size = {"d": 86_400, "h": 3_600, "min": 60, "s": 1}[unit]
    assert abs(int(number) * size - seconds) <= size / 2
    assert rough_span(seconds, words=True).split()[0] == number


@given(st.floats(0, 1, allow_nan=False))
def test_typographies_differ_in_the_gap_only(share: float) -> None:
    text = TEXT.share(share)
    assert re.fullmatch(r"\d{1,3}\.\d %", text)
    assert TERMINAL.share(share) == text.replace(" ", "")
    assert PAGE.share(share) == PAGE.tie(text)


@given(st.integers(0, 10**6))
def test_a_line_is_written_as_its_file_has_it(millionths: int) -> None:
    written = TEXT.share(millionths / 10**6, None)
    assert float(written.removesuffix(" %")) == pytest.approx(millionths / 10**4, abs=1e-9)


@given(st.floats(-20, 20, allow_nan=False))
def test_zero_has_no_sign(value: float) -> None:
    written = TEXT.doublings(value)
    assert (written[0] in "+-") == (float(written) != 0)
    assert PAGE.doublings(value).replace("−", "-") == written


def test_moments_are_in_utc() -> None:
    at = datetime(2022, 10, 29, 12, 4, 33, tzinfo=UTC).timestamp()
    assert (utc_second(at), utc_minute(at), utc_day(at)) == ("2022-10-29 12:04:33", "2022-10-29 12:04", "2022-10-29")
    assert TEXT.day(date(2022, 10, 9)) == "9 Oct 2022"
    assert PAGE.age(timedelta(days=3).total_seconds()) == "3 days"


def test_no_other_module_writes_percents_or_moments() -> None:
    """A formatted value that multiplies by a hundred, the `%` format and strftime belong to the formats alone."""
    found = []
    for room in ("alerts", "desk", "ingest"):
        for path in sorted((ROOT / room).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                percent = isinstance(node, ast.FormattedValue) and (
                    "100 * " in ast.unparse(node.value)
                    or ast.unparse(node.format_spec or ast.Constant("")).endswith("%'")
                )
                moment = isinstance(node, ast.Attribute) and node.attr == "strftime"
                if isinstance(node, ast.expr) and (percent or moment):
                    found.append(f"{path.relative_to(ROOT)}:{node.lineno}: {ast.unparse(node)}")
    assert found == []
