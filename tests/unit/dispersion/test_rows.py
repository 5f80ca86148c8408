"""Rows of dispersion, placement and growth, on releases small enough to check by hand."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
import scipy

from counterpoise.contracts.releases import VENUES, Observation
from counterpoise.metrics.dispersion_draws import generator
from counterpoise.series.basket import make_basket
from counterpoise.series.catalogue import Series
from counterpoise.series.load import load_catalogue, parse_series
from counterpoise.series.release import Head, Release, make_release
from streams.releases.fold.growth import Growth, year_before
from streams.releases.fold.release_dispersion import DispersionRow, PlacementRow, release_rows
from streams.releases.fold.value_draws import ValueDraws, draws_for
from tests.unit.asymmetry import real

YAML = """
format: counterpoise-series/1
series: by-hand
title: A series for tests
measures: Nothing.
owner_means: A name.
unit: things
layer: serving
cadence: { days: 92, lag_days: 1 }
source: by hand
licence: none
uncertainty: counts
uncertainty_reason: A sample.
residual_treatment: Three ways.
residuals:
  - { owner: Rest, reason: The rest. }
residual_spread_owners: 4
cutoff_treatment: Missing is not zero.
pair_reason: None.
caveats: [It is made up.]
lists:
  - id: some
    title: Some of them
    entries:
      - { name: a, venue: device, reason: One. }
      - { name: b, venue: hyperscale, reason: Two. }
      - { name: c, venue: edge, reason: Three. }
      - { name: Rest, reason: The rest. }
    excluded:
      - { name: d, reason: Out. }
    alternatives:
      - { name: all, says: More. }
"""


def series(uncertainty: str = "counts") -> Series:
    return parse_series(YAML.replace("uncertainty: counts", f"uncertainty: {uncertainty}"), "by-hand.yaml")


def release(*observations: Observation, **head: object) -> Release:
    fields = {
        "series": "by-hand",
        "kind": "measured",
        "layer": "serving",
        "unit": "things",
        "period_start": "2025-01-01",
        "period_end": "2025-03-31",
        "published_at_ms": 1_000,
        "source": "by hand",
        "licence": "none",
    }
    return make_release(Head(**{**fields, **head}), observations)  # type: ignore[arg-type]


def obs(owner: str, value: float, **more: object) -> Observation:
    return Observation(owner=owner, value=value, **more)  # type: ignore[arg-type]


def dispersion_rows(release: Release, series: Series) -> list[DispersionRow]:
    return list(release_rows(release, series).dispersion)


def placement_rows(release: Release, series: Series) -> list[PlacementRow]:
    return list(release_rows(release, series).placement)


def test_a_row_by_hand() -> None:
    one = release(obs("a", 30), obs("b", 10), obs("Rest", 40), obs("d", 999), obs("z", 5))
    dropped, owner, spread = dispersion_rows(one, series())
    assert (dropped.owners, dropped.buckets, dropped.missing, dropped.outside) == (2, 1, 1, 2)
    assert (dropped.total, owner.total, spread.total) == (40, 80, 80)
    assert dropped.residual_share == owner.residual_share == 0.5
    assert [dropped.d2, owner.d2, spread.d2] == pytest.approx([1.6, 6400 / 2600, 6400 / 1400])
    assert (dropped.top1, owner.top1, spread.top1) == (0.75, 0.375, 0.375)
    assert [row.bucket_owners for row in (dropped, owner, spread)] == [0, 1, 4]
    assert dropped.release_id == one.release_id


def test_a_bucket_is_one_by_the_catalogue_or_by_the_source() -> None:
    one = release(obs("a", 30), obs("b", 10, residual=True), obs("Rest", 40))
    dropped, owner, spread = dispersion_rows(one, series())
    assert (dropped.owners, dropped.buckets, dropped.residual_share) == (1, 2, 50 / 80)
    assert [dropped.d2, owner.d2, spread.d2] == pytest.approx([1.0, 6400 / 2600, 6400 / (900 + 1700 / 4)])
    assert (dropped.top1, owner.top1) == (1.0, 30 / 80), "the larger bucket is not ranked"


def test_counts_have_the_intervals_of_a_sample() -> None:
    one = release(obs("a", 300), obs("b", 100), obs("Rest", 400))
    row = dispersion_rows(one, series())[0]
    # Of 400 named ones, ¾ and ¼: the share is Beta, its standard error √(0.1875/400) = 0.0217.
    assert row.independent.top4 == (1.0, 1.0)
    assert row.independent == row.correlated
    assert row.independent.d2 is not None
    low, high = row.independent.d2
    ends = sorted(1 / (p * p + (1 - p) ** 2) for p in (0.75 - 1.96 * 0.0217, 0.75 + 1.96 * 0.0217))
    assert (low, high) == pytest.approx(ends, abs=0.015)


def test_a_series_without_stated_error_has_no_interval() -> None:
    row = dispersion_rows(release(obs("a", 300), obs("b", 100)), series("none"))[0]
    assert (row.independent.d2, row.correlated.top4) == (None, None)
    assert placement_rows(release(obs("a", 3), obs("b", 1)), series("none"))[0].edge_independent is None


def test_correlated_errors_of_one_size_leave_shares_alone() -> None:
    quantiles = {"value_p5": 50.0, "value_p95": 200.0}
    one = release(obs("a", 100, **quantiles), obs("b", 100, **quantiles))
    row = dispersion_rows(one, series("p5_p95"))[0]
    assert row.correlated.d2 == pytest.approx((2.0, 2.0))
    assert row.independent.d2 is not None
    assert row.independent.d2[0] < 1.6


def test_rows_are_equal_whenever_they_are_made() -> None:
    one = release(obs("a", 300), obs("b", 100), obs("Rest", 400))
    assert dispersion_rows(one, series()) == dispersion_rows(one, series())
    assert placement_rows(one, series()) == placement_rows(one, series())


def test_what_is_not_scorable_has_no_row() -> None:
    assert dispersion_rows(release(obs("a", 1), coverage="partial"), series()) == []
    assert placement_rows(release(obs("a", 1), kind="forecast"), series()) == []
    assert dispersion_rows(release(obs("Rest", 1)), series()) == [], "a bucket alone is nobody"
    assert dispersion_rows(release(obs("a", 0)), series()) == []


def test_edge_share_and_its_bounds_by_hand() -> None:
    one = release(obs("a", 30), obs("b", 50), obs("Rest", 20), cutoff=10)
    (row,) = placement_rows(one, series("none"))
    assert row.venue_totals == tuple({"device": 30, "hyperscale": 50, "unknown": 20}.get(venue, 0) for venue in VENUES)
    assert row.edge_share == pytest.approx(30 / 80)
    assert row.missing == ("c",)
    assert row.edge_share_lower == pytest.approx(30 / 100), "the unknown are not at the edge, c has none"
    assert row.edge_share_upper == pytest.approx((30 + 20 + 10) / 110), (
        "the unknown are, and c is just below the cutoff"
    )
    (without,) = placement_rows(release(obs("Rest", 20)), series("none"))
    assert (without.edge_share, without.edge_share_lower, without.edge_share_upper) == (None, 0.0, 1.0)


def test_edge_share_of_a_sample() -> None:
    (row,) = placement_rows(release(obs("a", 300), obs("b", 100)), series())
    assert row.edge_independent == row.edge_correlated
    assert row.edge_independent == pytest.approx((0.75 - 1.96 * 0.0217, 0.75 + 1.96 * 0.0217), abs=0.003)


def test_providers_of_a_model() -> None:
    one = release(
        obs("a", 1, item="llama"),
        obs("b", 1, item="llama"),
        obs("c", 1, item="llama"),
        obs("a", 1, item="qwen"),
        obs("b", 0, item="qwen"),
        obs("b", 1, item="phi"),
        obs("c", 1, item="phi"),
        obs("Rest", 9, item="phi"),
        obs("d", 1, item="only-outside"),
    )
    (row,) = placement_rows(one, series("none"))
    assert (row.items, row.providers_mean, row.providers_median) == (3, 2.0, 2.0)
    assert row.single_provider_share == pytest.approx(1 / 3)


def test_a_series_of_another_layer_has_no_providers() -> None:
    (row, *_) = placement_rows(real.epoch()[0], real.catalogue()[real.PAIR.series])
    assert (row.items, row.providers_mean) == (0, None)


def test_parts_add_up_for_an_owner_and_can_be_left_out() -> None:
    one = release(obs("a", 3, part="x"), obs("a", 4, part="y"), obs("b", 5, part="x"))
    assert make_basket(one, series(), "some").named.tolist() == [7, 5]
    assert make_basket(one, series(), "some", only_parts=frozenset("x")).named.tolist() == [3, 5]


def test_fewer_draws_for_large_releases() -> None:
    assert [draws_for(n) for n in (0, 1, 64, 65, 1_024, 5_000)] == [8_192, 8_192, 8_192, 8_065, 512, 512]
    many = release(*(obs("a", 1, part=f"{index:04}") for index in range(2_000)))
    draws = ValueDraws(make_basket(many, series("p5_p95"), "some"))
    assert draws.imputed == 2_000
    assert {sums.top.shape for sums in draws.sums().values()} == {(512,)}


def test_draws_in_blocks_are_draws_at_once() -> None:
    # 301 values: 1,741 draws, 432 of them a block. The same bits taken whole, 16 a normal, owner by owner.
    quantiles = {"value_p5": 50.0, "value_p95": 200.0}
    names = [("a", f"{index:03}") for index in range(101)]
    names += [(owner, f"{index:03}") for owner in ("b", "Rest") for index in range(100)]
    one = release(*(obs(owner, 100, part=part, **quantiles) for owner, part in names))
    drawn = ValueDraws(make_basket(one, series("p5_p95"), "some")).sums()["independent"]
    bits = generator("independent", one.release_id, "some").bit_generator.random_raw(1_741 * 301 // 4 + 1)
    places = np.frombuffer(bits.astype("<u8").tobytes(), "<u2")[: 1_741 * 301].reshape(1_741, 301)
    values = 100 * np.exp(scipy.stats.norm.ppf((places + 0.5) / 65_536) * np.log(4) / 3.2897072539)
    rest, a, b = (values[:, start:end].sum(axis=1) for start, end in ((0, 100), (100, 201), (201, 301)))
    assert drawn.sums.named_total == pytest.approx(a + b)
    assert drawn.sums.named_squares == pytest.approx(a**2 + b**2)
    assert drawn.sums.bucket_total == pytest.approx(rest)
    assert drawn.top == pytest.approx(a + b)
    assert drawn.edge_share == pytest.approx(a / (a + b)), "a runs on devices, b in a hyperscaler's hall"


def test_intervals_of_a_large_release_by_other_draws() -> None:
    # 120 values of different size and error, from scipy's own lognormal. Of 4,369 draws, 2.5 % are 0.025 ± 0.0024 of all.
    sizes = 100 * 0.97 ** np.arange(120)
    one = release(
        *(
            obs(
                "abc"[place % 3],
                size,
                part=f"{place:03}",
                value_p5=size / (1.2 + place % 5),
                value_p95=size * (1.2 + place % 5),
            )
            for place, size in enumerate(sizes.tolist())
        )
    )
    row = dispersion_rows(one, series("p5_p95"))[0]
    random = np.random.default_rng(5)
    owners = np.zeros((3, 100_000))
    for place, size in enumerate(sizes):
        sigma = np.log(1.2 + place % 5) / scipy.stats.norm.ppf(0.95)
        owners[place % 3] += scipy.stats.lognorm.rvs(sigma, scale=size, size=100_000, random_state=random)
    d2 = owners.sum(axis=0) ** 2 / (owners**2).sum(axis=0)
    assert row.independent.d2 is not None
    outside = [(d2 < row.independent.d2[0]).mean(), (d2 > row.independent.d2[1]).mean()]
    assert outside == pytest.approx([0.025, 0.025], abs=3 * 0.0024)


def test_absurdly_wide_percentiles_have_finite_rows() -> None:
    one = release(obs("a", 1, value_p5=1e-300, value_p95=1e50), obs("b", 1e50, value_p5=1e49, value_p95=1e50))
    d2 = dispersion_rows(one, series("p5_p95"))[0].independent.d2
    assert d2 is not None
    assert 1.0 <= d2[0] <= d2[1] <= 2.0 + 1e-9
    with pytest.raises(ValueError, match="less than or equal"):
        obs("a", 1.1e50)


def quarter(end: str, *observations: Observation, **head: object) -> Release:
    return release(*observations, period_start=end[:8] + "01", period_end=end, **head)


def test_growth_as_given_and_like_for_like() -> None:
    timeline = [
        quarter("2024-03-31", obs("a", 10, part="x"), obs("b", 10, part="x")),
        quarter("2024-12-31", obs("a", 20, part="x"), obs("b", 20, part="x")),
        quarter("2025-03-31", obs("a", 30, part="x"), obs("b", 30, part="x"), obs("c", 40, part="y"), obs("z", 9)),
    ]
    rows = {(row.period_end, row.span): row for row in Growth(series()).rows(timeline)}
    assert set(rows) == {("2024-12-31", "period"), ("2025-03-31", "period"), ("2025-03-31", "year")}
    year = rows["2025-03-31", "year"]
    assert (year.total_ratio, year.like_for_like_ratio, year.compared_share) == (5.0, 3.0, 0.6)
    assert (year.parts_added, year.parts_dropped, year.method_changed) == (("", "y"), (), False)
    assert (year.base_period_end, year.base_release_id) == ("2024-03-31", timeline[0].release_id)
    assert rows["2025-03-31", "period"].total_ratio == 2.5


def test_growth_of_a_growing_timeline_is_that_of_the_whole() -> None:
    ends = ["2024-03-31", "2024-06-30", "2024-09-30", "2024-12-31", "2025-03-31", "2025-06-30"]
    timeline = [quarter(end, obs("a", 10 + index, part="x"), obs("b", 5)) for index, end in enumerate(ends)]
    growth = Growth(series())
    for length in range(len(timeline) + 1):
        assert growth.rows(timeline[:length]) == Growth(series()).rows(timeline[:length])
    restated = [*timeline[:2], quarter(ends[2], obs("a", 99, part="x")), *timeline[3:]]
    before, after = growth.rows(timeline), growth.rows(restated)
    assert after == Growth(series()).rows(restated)
    assert after[-1] is before[-1], "made once: neither of its releases changed"
    assert {row.period_end for row in set(after) - set(before)} == {"2024-09-30", "2024-12-31"}, "it, and the one after"


def test_with_a_cutoff_only_owners_in_both_are_compared() -> None:
    timeline = [
        quarter("2024-03-31", obs("a", 10), obs("b", 10), cutoff=5, method="top 10"),
        quarter("2024-06-30", obs("a", 20), obs("c", 30), cutoff=1, method="top 20"),
    ]
    (row,) = Growth(series()).rows(timeline)
    assert (row.total_ratio, row.like_for_like_ratio, row.method_changed) == (2.5, 2.0, True)
    nothing = [timeline[0], quarter("2024-06-30", obs("c", 30), cutoff=1)]
    assert Growth(series()).rows(nothing)[0].like_for_like_ratio is None


def test_the_total_of_the_incomplete_quarter_does_not_enter_growth() -> None:
    usable = [one for one in real.epoch() if one.is_scorable]
    rows = Growth(real.catalogue()[real.PAIR.series]).rows(usable)
    assert max(row.period_end for row in rows) == "2025-12-31"
    (year,) = [row for row in rows if (row.period_end, row.span) == ("2025-12-31", "year")]
    assert year.total_ratio == pytest.approx(19_521_441 / 6_444_682, rel=1e-12)


def test_a_year_before_a_leap_day() -> None:
    assert year_before(date(2024, 2, 29)) == date(2023, 2, 28)
    assert year_before(date(2025, 12, 31)) == date(2024, 12, 31)


def test_the_shipped_residual_spread_is_twenty_five() -> None:
    assert load_catalogue()[real.PAIR.series].residual_spread_owners == 25
