"""The figures that the real data is known to give: D₂, top-4 shares and the score, from release events to rows."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest

from counterpoise.metrics.dispersion import TREATMENTS
from counterpoise.series.release import to_events
from streams.asymmetry.fold.asymmetry_fold import AsymmetryFold
from streams.asymmetry.fold.score import AsymmetryRow
from streams.releases.fold.release_dispersion import DispersionRow, release_rows
from streams.releases.fold.release_fold import ReleaseFold
from tests.unit.asymmetry import real

# quarter end: (D₂ of mining, L with the residual dropped / one owner each / spread over 25 each)
SCORES = {
    date(2022, 12, 31): (5.845, -0.672, -0.253, 0.916),
    date(2023, 12, 31): (5.155, -0.309, 0.173, 0.930),
    date(2024, 12, 31): (5.026, -0.058, 0.321, 0.762),
    date(2025, 6, 30): (6.258, -0.462, -0.082, 0.197),
    date(2025, 12, 31): (6.167, -0.337, -0.011, 0.270),
}


@pytest.fixture(scope="module")
def rows() -> dict[tuple[str, date], AsymmetryRow]:
    releases = ReleaseFold(real.catalogue())
    releases.apply(event for release in real.epoch() for event in to_events(release))
    fold = AsymmetryFold(real.catalogue(), [real.PAIR])
    changes = fold.apply(releases, changed_series={real.PAIR.series}, days=real.windows(SCORES))
    return {(row.knowledge, row.day): row for row in changes.rows}


@pytest.mark.parametrize("day", SCORES)
def test_the_score_of_a_quarter(rows: dict[tuple[str, date], AsymmetryRow], day: date) -> None:
    row = rows["latest", day]
    mining, *expected = SCORES[day]
    assert row.d2_mining == pytest.approx(mining, abs=0.001)
    assert [score.l for score in row.treatments] == pytest.approx(expected, abs=0.001)
    assert [score.treatment for score in row.treatments] == list(TREATMENTS)
    assert (row.l_min, row.l_max) == (min(s.l for s in row.treatments), max(s.l for s in row.treatments))
    assert row.ai_age_days == 0
    assert (row.ai_layer, row.mining_layer, row.bucket_owners) == ("ownership", "operation", 25)
    for score in row.treatments:
        ratio = score.d2_ai / row.d2_mining
        assert score.a == pytest.approx((ratio - 1) / (ratio + 1), abs=1e-12)


@pytest.mark.parametrize("day", SCORES)
def test_there_is_no_call_where_the_treatments_disagree(rows: dict[tuple[str, date], AsymmetryRow], day: date) -> None:
    row = rows["latest", day]
    assert row.l_min < 0 < row.l_max
    assert row.level == "no_call"
    assert row.lo_independent < row.l_min
    assert row.hi_independent > row.l_max


def test_what_was_published_in_2026_is_hindsight_for_every_quarter(
    rows: dict[tuple[str, date], AsymmetryRow],
) -> None:
    assert all(row.hindsight for row in rows.values())
    assert {knowledge for knowledge, _ in rows} == {"latest"}, "nothing was known live"


def test_a_row_between_the_quarters_reads_the_last_one_and_says_how_old_it_is(
    rows: dict[tuple[str, date], AsymmetryRow],
) -> None:
    row = rows["latest", date(2025, 12, 30)]
    assert (row.period_end, row.ai_age_days) == ("2025-09-30", 91)
    # 0.15 and 0.27 doublings a √year, the AI side 91 days old and the window half a year (of 2025-06-30)
    assert row.mining_age_days == pytest.approx(183, abs=0.1)
    expected = (0.15**2 * 91 / 365.25 + 0.27**2 * 183 / 365.25) ** 0.5
    assert row.drift_sd == pytest.approx(expected, abs=1e-4)
    assert not row.release_changed
    assert not row.mining_changed


def dispersion(day: str) -> list[DispersionRow]:
    (release,) = [release for release in real.epoch() if release.head.period_end == day]
    return list(release_rows(release, real.catalogue()[real.PAIR.series]).dispersion)


def test_dispersion_of_ai_owners_at_the_end_of_2025() -> None:
    dropped, one_owner, spread = dispersion("2025-12-31")
    assert [dropped.d2, one_owner.d2, spread.d2] == pytest.approx([4.884, 6.122, 7.438], abs=0.0005)
    assert dropped.top4 == pytest.approx(0.839, abs=0.0005)
    assert one_owner.top4 == spread.top4 == pytest.approx(0.677, abs=0.0005)
    assert [row.bucket_owners for row in (dropped, one_owner, spread)] == [0, 1, 25]
    assert (dropped.owners, dropped.buckets, dropped.imputed) == (7, 2, 1)


def test_top_four_of_ai_owners_lie_where_no_fixed_line_helps() -> None:
    usable = [release.head.period_end for release in real.epoch() if release.is_scorable]
    assert len(usable) == 16
    rows = [dispersion(day) for day in usable]
    assert all(0.53 <= of_all.top4 <= 0.71 for _, of_all, _ in rows)
    assert all(0.835 <= of_named.top4 <= 0.965 for of_named, _, _ in rows)


def test_the_quarter_that_is_not_all_here_is_kept_and_not_scored() -> None:
    last = real.epoch()[-1]
    assert (last.head.period_end, last.head.coverage) == ("2026-03-31", "partial")
    assert last.head.coverage_note.startswith("lacks coreweave_owners, amd_owners, trainium_owners")
    assert dispersion("2026-03-31") == []
    fold = ReleaseFold(real.catalogue())
    fold.apply(event for release in real.epoch() for event in to_events(release))
    asked = fold.as_of(real.PAIR.series, date(2026, 3, 31))
    assert asked is not None
    assert asked.head.period_end == "2025-12-31"
    assert fold.get(real.PAIR.series, last.release_id) is not None


# Snapshots: edge share as filed, and without boto3, onnx and optimum.
EDGE_SHARES = {
    "2022-06-01": (0.007, 0.46),
    "2023-06-01": (0.013, 0.32),
    "2024-06-01": (0.012, 0.20),
    "2025-06-13": (0.022, 0.12),
    "2026-04-01": (0.048, 0.11),
}


@pytest.mark.parametrize("day", EDGE_SHARES)
def test_both_lists_of_packages_side_by_side(day: str) -> None:
    published_ms = int(datetime.fromisoformat(f"{day}T00:00:00+00:00").timestamp()) * 1000
    (release,) = [release for release in real.pypi() if release.head.published_at_ms == published_ms]
    rows = release_rows(release, real.catalogue()["pypi-edge-share"]).placement
    assert [row.list_id for row in rows] == ["as-filed", "without-general-tools"]
    for row, expected in zip(rows, EDGE_SHARES[day], strict=True):
        assert row.edge_share is not None and row.edge_share_lower is not None and row.edge_share_upper is not None
        assert row.edge_share == pytest.approx(expected, abs=0.005)
        assert row.edge_share_lower <= row.edge_share <= row.edge_share_upper
        assert "flower" in row.outside


def test_a_package_below_the_cutoff_is_missing_and_not_zero() -> None:
    (release,) = [release for release in real.pypi() if release.head.period_end == "2022-05-31"]
    assert release.head.cutoff == 51_043
    row = release_rows(release, real.catalogue()["pypi-edge-share"]).placement[0]
    assert "executorch" in row.missing  # first published in 2023
    assert "openvino" in row.missing  # had some downloads, and is not in the list of 5,000
    assert all(observation.value >= 51_043 for observation in release.observations)
    # 20 of 25 edge packages and 18 of 21 cloud ones are missing: at the cutoff, all for the edge or all against it.
    edge = sum(o.value for o in release.observations if o.owner in EDGE_2022)
    cloud = sum(o.value for o in release.observations if o.owner in {"boto3", "google-cloud-aiplatform", "openai"})
    missing_edge, missing_cloud = 25 - len(EDGE_2022), 21 - 3
    assert row.edge_share_lower == pytest.approx(edge / (edge + cloud + missing_cloud * 51_043), rel=1e-12)
    high = edge + missing_edge * 51_043
    assert row.edge_share_upper == pytest.approx(high / (high + cloud), rel=1e-12)


EDGE_2022 = {"onnxruntime", "onnx", "mediapipe", "coremltools", "onnxruntime-gpu"}


def test_the_last_block_of_a_day_is_by_height() -> None:
    day = date(2025, 12, 31)
    tip = real.window(day)
    assert tip.day in (day, day - timedelta(days=1))
    times, _ = real.chain()
    place = tip.tip_height - real.FIRST_HEIGHT
    midnight = 1_767_225_600  # 2026-01-01T00:00:00Z
    assert times[place] < midnight <= times[place + 1]
