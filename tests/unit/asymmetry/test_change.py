"""The account of a change: exact, by hand and on the real quarters; each cause under its own name."""

from __future__ import annotations

import math
from datetime import date
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from counterpoise.contracts.releases import Observation
from counterpoise.metrics.dispersion import TREATMENTS
from counterpoise.series.release import Head, Release, make_release
from streams.asymmetry.fold.change import GapPart, change_parts
from streams.asymmetry.fold.log2_d2_parts import log2_d2_of, log2_d2_parts, logarithmic_mean
from streams.asymmetry.fold.mining_side import MiningSide
from streams.asymmetry.fold.score import Moment
from streams.asymmetry.fold.score_cache import ScoreCache
from tests.unit.asymmetry import real

amounts = st.dictionaries(st.sampled_from("abcdefgh"), st.floats(1e-3, 1e9), min_size=1, max_size=8)


@given(amounts, amounts, st.dictionaries(st.sampled_from("abcdefgh"), st.integers(1, 100)))
def test_parts_add_up_to_the_change(then: dict[str, float], now: dict[str, float], pieces: dict[str, int]) -> None:
    parts = log2_d2_parts(then, now, pieces)
    change = log2_d2_of(now, pieces) - log2_d2_of(then, pieces)
    assert math.fsum(parts.values()) == pytest.approx(change, abs=1e-12)
    backwards = log2_d2_parts(now, then, pieces)
    assert all(backwards[owner] == pytest.approx(-value, abs=1e-12) for owner, value in parts.items())


@given(amounts, amounts, st.floats(0.01, 100))
def test_growth_of_all_alike_is_no_change(then: dict[str, float], now: dict[str, float], factor: float) -> None:
    scaled = log2_d2_parts(then, {owner: value * factor for owner, value in now.items()}, {})
    assert scaled == pytest.approx(log2_d2_parts(then, now, {}), abs=1e-9)


def test_by_hand() -> None:
    # Shares (¾, ¼) → (½, ½): S 5/8 → 1/2, logarithmic mean (−1/8)/ln(4/5).
    parts = log2_d2_parts({"big": 3, "small": 1}, {"big": 1, "small": 1}, {})
    mean = (1 / 8) / math.log(5 / 4)
    expected = {
        "big": (2 * -0.25 - (0.25 - 0.5625) / mean) / math.log(2),
        "small": (2 * 0.25 - (0.25 - 0.0625) / mean) / math.log(2),
    }
    assert parts == pytest.approx(expected, abs=1e-15)
    assert sum(parts.values()) == pytest.approx(math.log2(2 / 1.6), abs=1e-15)
    assert logarithmic_mean(2.0, 2.0) == 2.0
    with pytest.raises(ValueError, match="positive numbers"):
        logarithmic_mean(0.0, 1.0)


def score_of(moment: Moment, how_index: int) -> float:
    points = ScoreCache().ai_points(moment.release, real.catalogue()[real.PAIR.series], "all-owners")
    return points[TREATMENTS[how_index]] - moment.mining.log2_d2


def moment(quarter: str) -> Moment:
    (release,) = [release for release in real.epoch() if release.head.period_end == quarter]
    return Moment(date.fromisoformat(quarter), release, real.window(date.fromisoformat(quarter)))


def parts_of(then: Moment, now: Moment, *, stood: Release | None = None) -> list[GapPart]:
    return change_parts(then, now, real.catalogue()[real.PAIR.series], "all-owners", stood=stood)


QUARTERS = [
    "2022-03-31",
    "2022-12-31",
    "2023-03-31",
    "2023-12-31",
    "2024-03-31",
    "2024-12-31",
    "2025-03-31",
    "2025-12-31",
]


@pytest.mark.parametrize(("then", "now"), list(pairwise(QUARTERS)))
def test_real_quarters_add_up(then: str, now: str) -> None:
    old, new = moment(then), moment(now)
    parts = parts_of(old, new)
    for index, how in enumerate(TREATMENTS):
        total = math.fsum(part.doublings for part in parts if part.treatment == how)
        assert total == pytest.approx(score_of(new, index) - score_of(old, index), abs=1e-12)
    names = {(part.component, part.name) for part in parts}
    if now == "2023-03-31":
        assert ("coverage", "with coreweave_owners, tpu_owners") in names
    if (then, now) == ("2024-12-31", "2025-03-31"):
        assert ("coverage", "without named_other_owners") in names
    assert {"ai_owner", "mining_pool"} <= {component for component, _ in names}
    dropped = {part.name for part in parts if part.treatment == "dropped" and part.component == "ai_owner"}
    assert not dropped & {"Other", "China"}


HEAD = Head(
    series=real.PAIR.series,
    kind="measured",
    layer="ownership",
    unit="H100-equivalents",
    period_start="2025-01-01",
    period_end="2025-03-31",
    published_at_ms=1,
    source="by hand",
    licence="none",
)
WINDOW = MiningSide("bitcoin", "raw", 1008, 10, "00" * 32, 0, "r1", (("a", 600), ("b", 400)), 8)


def release(period_end: str, published: int, method: str = "", **owners: float) -> Release:
    head = Head(**{**HEAD.fields(), "period_end": period_end, "published_at_ms": published, "method": method})
    return make_release(head, [Observation(owner=owner, value=value, part="p") for owner, value in owners.items()])


def components(parts: list[GapPart]) -> set[str]:
    return {part.component for part in parts}


def test_a_revision_is_told_apart_from_what_happened() -> None:
    as_it_stood = release("2025-03-31", 1, a=3, b=1)
    restated = release("2025-03-31", 2, a=2, b=2)
    after = release("2025-06-30", 3, a=2, b=3)
    old, new = Moment(date(2025, 3, 31), restated, WINDOW), Moment(date(2025, 6, 30), after, WINDOW)
    parts = parts_of(old, new, stood=as_it_stood)
    assert components(parts) == {"revision", "ai_owner", "mining_pool"}
    revised = [part.doublings for part in parts if part.component == "revision" and part.treatment == "dropped"]
    assert math.fsum(revised) == pytest.approx(math.log2(2 / 1.6), abs=1e-14)  # D₂ of (3, 1) is 1.6, of (2, 2) it is 2
    total = math.fsum(part.doublings for part in parts if part.treatment == "dropped")
    assert total == pytest.approx(math.log2(25 / 13) - math.log2(1.6), abs=1e-14)  # (2, 3): 25/13
    # A year later the source has said nothing new of a later period: what it corrected, and what was mined.
    unheard = parts_of(old, Moment(date(2025, 4, 1), restated, WINDOW), stood=as_it_stood)
    assert components(unheard) == {"revision", "mining_pool"}
    assert components(parts_of(old, Moment(date(2025, 4, 1), restated, WINDOW))) == {"mining_pool"}


def test_a_change_of_method_is_named() -> None:
    old = Moment(date(2025, 3, 31), release("2025-03-31", 1, "by revenue", a=3, b=1), WINDOW)
    new = Moment(date(2025, 6, 30), release("2025-06-30", 2, "by units", a=2, b=2), WINDOW)
    assert components(parts_of(old, new)) == {"method", "mining_pool"}


def test_releases_with_nothing_in_common_are_coverage_alone() -> None:
    head = Head(**{**HEAD.fields(), "period_end": "2025-06-30"})
    other = make_release(head, [Observation(owner="a", value=1, part="q"), Observation(owner="b", value=1, part="q")])
    old, new = (
        Moment(date(2025, 3, 31), release("2025-03-31", 1, a=3, b=1), WINDOW),
        Moment(date(2025, 6, 30), other, WINDOW),
    )
    parts = [part for part in parts_of(old, new) if part.component != "mining_pool" and part.treatment == "dropped"]
    assert [(part.component, part.name) for part in parts] == [("coverage", "nothing in common")]
    assert parts[0].doublings == pytest.approx(math.log2(2 / 1.6))
