"""The columns of the AI side's tables: each column of the migration is there, with the value that the row holds."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from counterpoise.clickhouse.columns import Column, as_list
from counterpoise.clickhouse.rows.release_rows import (
    chunk_columns,
    current_columns,
    event_json,
    observation_columns,
    release_columns,
)
from counterpoise.clickhouse.rows.series_rows import series_columns, series_entry_columns
from counterpoise.contracts.releases import Observation, ReleaseEvent
from counterpoise.metrics.dispersion import TREATMENTS
from counterpoise.series.load import load_catalogue
from counterpoise.series.release import Head, make_release, to_events, withdrawal
from streams.asymmetry.columns import NO_DAY, asymmetry_columns, asymmetry_tombstones, part_columns
from streams.asymmetry.fold.change import ChangePart, GapPart
from streams.asymmetry.fold.doublings import Estimate
from streams.asymmetry.fold.score import AsymmetryRow, Pair, TreatmentScore
from streams.releases.columns import dispersion_columns, growth_columns, placement_columns
from streams.releases.fold.growth import Growth
from streams.releases.fold.release_dispersion import release_rows
from tests.unit.clickhouse.declared_columns import stored_columns_of

CATALOGUE = load_catalogue()
OWNERS = CATALOGUE["epoch-ai-compute-owners"]


def row(columns: dict[str, Column], place: int = 0) -> dict[str, Any]:
    return {name: as_list(column)[place] for name, column in columns.items()}


def head(period_end: str, **more: Any) -> Head:
    return Head(
        **{
            "series": OWNERS.series,
            "kind": "measured",
            "layer": OWNERS.layer,
            "unit": OWNERS.unit,
            "period_start": f"{period_end[:8]}01",
            "period_end": period_end,
            "published_at_ms": 1_767_225_600_123,
            "source": "by hand",
            "licence": "none",
            **more,
        }
    )


RELEASE = make_release(
    head("2025-12-31"),
    [
        Observation(owner="Meta", value=3.0, value_p5=2.0, value_p95=4.0, part="p", item="Nvidia"),
        Observation(owner="Google", value=1.0, part="p", venue="hyperscale"),
        Observation(owner="Other", value=4.0, residual=True, part="p"),
    ],
)


def test_chunks_read_back_as_the_same_events() -> None:
    events = [*to_events(RELEASE, 2), withdrawal(RELEASE, 1_767_300_000_000)]
    contents = [event_json(event) for event in events]
    columns = chunk_columns(events, contents, 9)
    assert list(columns) == stored_columns_of("release_chunks_log")
    assert [ReleaseEvent.model_validate_json(content) for content in as_list(columns["event"])] == events
    assert as_list(columns["observations"]) == [2, 1, 0]
    assert as_list(columns["withdrawn"]) == [False, False, True]
    assert len(set(as_list(columns["content_id"]))) == 3
    with pytest.raises(ValueError, match="3 events but 1 contents"):
        chunk_columns(events, contents[:1], 9)


def test_releases_and_their_observations() -> None:
    columns = release_columns([RELEASE, RELEASE], [None, 1_767_300_000_000], ["c1", "c1"], 9)
    assert list(columns) == stored_columns_of("releases_log")
    first = row(columns)
    assert (first["period_end"], first["observations"], first["total"]) == (date(2025, 12, 31), 3, 8.0)
    assert (first["cutoff"], first["withdrawn_at"], row(columns, 1)["withdrawn_at"]) == (None, None, 1_767_300_000_000)
    assert first["published_at"] == 1_767_225_600_123
    columns = observation_columns([RELEASE], 9)
    assert list(columns) == stored_columns_of("release_observations_log")
    assert [row(columns, at)["owner"] for at in range(3)] == ["Google", "Meta", "Other"]
    assert [as_list(columns[name])[1] for name in ("value", "value_p5", "value_p95")] == [3.0, 2.0, 4.0]
    assert as_list(columns["value_p5"])[0] is None
    assert as_list(columns["residual"]) == [False, False, True]


def test_a_pointer_without_a_release_is_deleted() -> None:
    columns = current_columns(
        [("s", "measured", "2025-01-01", "2025-03-31", "r"), ("s", "forecast", "2033-01-01", "2033-12-31", None)], 9
    )
    assert list(columns) == stored_columns_of("release_current_log")
    assert as_list(columns["is_deleted"]) == [0, 1]


def test_dispersion_and_placement() -> None:
    made = release_rows(RELEASE, OWNERS)
    columns = dispersion_columns(made.dispersion, 9)
    assert set(columns) == set(stored_columns_of("dispersion_log"))
    # (3 + 1)² / (9 + 1) with the bucket left out; 64 / 26 as one owner.
    assert as_list(columns["d2"])[:2] == pytest.approx([1.6, 64 / 26])
    assert as_list(columns["treatment"]) == [0, 1, 2]
    low, high = row(columns)["d2_low_independent"], row(columns)["d2_high_independent"]
    assert low < 1.6 < high
    columns = placement_columns(made.placement, 9)
    assert set(columns) == set(stored_columns_of("placement_log"))
    assert (
        sum(
            row(columns)[venue]
            for venue in ("device", "edge", "on_premises", "regional_cloud", "hyperscale", "unknown")
        )
        == 8
    )
    assert row(columns)["edge_share"] == 0.0


def test_a_series_without_uncertainty_has_no_interval() -> None:
    series = CATALOGUE["pypi-edge-share"]
    release = make_release(
        head("2025-12-31", series=series.series, layer=series.layer, unit=series.unit, cutoff=5.0),
        [Observation(owner="onnxruntime", value=10.0), Observation(owner="openai", value=30.0)],
    )
    columns = placement_columns(release_rows(release, series).placement, 9)
    found = row(columns)
    assert (found["edge_share"], found["edge_share_low_independent"], found["cutoff"]) == (0.25, None, 5.0)
    assert "boto3" in found["missing"]


def test_growth_and_its_tombstone() -> None:
    before = make_release(head("2025-09-30"), [Observation(owner="Meta", value=2.0, part="p")])
    rows = Growth(OWNERS).rows([before, RELEASE])
    columns = growth_columns(rows, 9)
    assert list(columns) == stored_columns_of("growth_log")
    assert row(columns)["total_ratio"] == 4.0
    assert as_list(growth_columns(rows, 9, deleted=True)["is_deleted"]) == [1] * len(rows)


PAIR = Pair(OWNERS.series, "all-owners", "bitcoin", "raw", 1008)
ESTIMATE = Estimate(-0.5, 0.5, 0.4)


def score(kind: str) -> AsymmetryRow:
    names = dict.fromkeys(AsymmetryRow.__slots__, 0.0)
    treatments = tuple(
        TreatmentScore(how, 4.0 + at, 0.1 * at, 0.01 * at, ESTIMATE, ESTIMATE, None if at else 0.3)
        for at, how in enumerate(TREATMENTS)
    )
    text = dict.fromkeys(
        ("catalogue_id", "inputs_id", "ai_layer", "mining_layer", "release_id", "attribution_id", "tip_hash"), "x"
    )
    integers = dict.fromkeys(
        (
            "bucket_owners",
            "tip_height",
            "known_blocks",
            "unknown_blocks",
            "trend_periods",
            "valid_at_ms",
            "known_at_ms",
            "published_at_ms",
        ),
        7,
    )
    switches = dict.fromkeys(("hindsight", "coverage_changed", "release_changed", "mining_changed"), True)
    return AsymmetryRow(
        **{  # type: ignore[arg-type]
            **names,
            **text,
            **integers,
            **switches,
            "pair": PAIR,
            "knowledge": "live",
            "kind": kind,
            "day": date(2026, 1, 2),
            "period_end": "2025-12-31",
            "treatments": treatments,
            "level": "no_call",
            "regime": "no_call",
            "gap": "no_call",
            "horizon_release_id": None,
            "horizon_tip_height": None,
            "d2_mining_lo": 5.0,
        }
    )


def test_a_score_by_treatment_and_its_tombstone() -> None:
    rows = [score("day"), score("latest")]
    columns = asymmetry_columns(rows, 9)
    assert set(columns) == set(stored_columns_of("asymmetry_log"))
    first = row(columns)
    assert (first["slot"], row(columns, 1)["slot"], first["day"]) == (date(2026, 1, 2), NO_DAY, date(2026, 1, 2))
    assert (first["d2_ai_dropped"], first["d2_ai_spread"], first["l_one_owner"]) == (4.0, 6.0, 0.1)
    assert (first["l_spread_low_correlated"], first["l_spread_high_correlated"], first["p_spread_correlated"]) == (
        -0.5,
        0.5,
        0.4,
    )
    assert (first["trend_dropped"], first["trend_spread"], first["horizon_tip_height"]) == (0.3, None, None)
    assert first["d2_mining_low"] == 5.0
    gone = asymmetry_tombstones(PAIR, [one.key for one in rows], 10)
    assert gone.keys() <= columns.keys()
    assert [as_list(gone[name]) for name in ("slot", "kind", "knowledge")] == [
        as_list(columns[name]) for name in ("slot", "kind", "knowledge")
    ]
    assert as_list(gone["is_deleted"]) == [1, 1]


def test_parts_of_a_change() -> None:
    part = ChangePart(score("day").key, "i", GapPart("dropped", "ai_owner", "Meta", -0.25))
    columns = part_columns(PAIR, [part], 9)
    assert set(columns) == set(stored_columns_of("asymmetry_changes_log"))
    assert row(columns)["doublings"] == -0.25


def test_the_catalogue() -> None:
    entries = list(CATALOGUE)
    assert list(series_columns(entries, 9)) == stored_columns_of("series_log")
    columns = series_entry_columns(entries, 9)
    assert list(columns) == stored_columns_of("series_entries_log")
    flower = [
        (counts, reason)
        for owner, counts, reason in zip(
            *(as_list(columns[name]) for name in ("owner", "counts", "reason")), strict=True
        )
        if owner == "flower"
    ]
    assert flower and all(not counts and "Celery" in reason for counts, reason in flower)
