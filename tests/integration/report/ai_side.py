"""An AI side beside the SQL tests' sample: scores that are written as they are, and two releases of packages that are counted."""

from __future__ import annotations

from collections.abc import Mapping

from counterpoise.clickhouse.client import ClickHouse
from counterpoise.clickhouse.rows.release_rows import current_columns, release_columns
from counterpoise.clickhouse.rows.series_rows import series_columns
from counterpoise.contracts.releases import Observation
from counterpoise.series.load import load_catalogue
from counterpoise.series.release import Head, Release, make_release
from streams.releases.columns import dispersion_columns, placement_columns
from streams.releases.fold.release_dispersion import release_rows

OWNERS, PACKAGES = "epoch-ai-compute-owners", "pypi-edge-share"

# Day, whether at the tip, AI owners under the three treatments, pools, L under the three, interval, call.
_SCORES = (
    ("2023-03-31", False, (5.0, 6.0, 7.0), 6.0, (-0.2, 0.0, 0.2), (-0.4, 0.4), "no_call"),
    ("2023-06-30", False, (5.0, 6.0, 8.0), 5.0, (0.0, 0.2, 0.6), (-0.2, 0.8), "no_call"),
    ("2023-07-24", True, (5.0, 6.0, 8.0), 4.0, (0.3, 0.6, 1.0), (0.1, 1.2), "ai_more_dispersed"),
)

_SCORE = """
INSERT INTO asymmetry_log (series, list_id, chain, view, window_blocks, knowledge, kind, slot, day, period_end, bucket_owners,
    known_blocks, unknown_blocks,
    d2_ai_dropped, d2_ai_one_owner, d2_ai_spread, d2_mining, d2_mining_low, d2_mining_high,
    l_dropped, l_one_owner, l_spread, low_independent, high_independent, low_correlated, high_correlated,
    level, regime, gap, hindsight, version)
SELECT {series:String}, 'all-owners', 'bitcoin', {view:String}, 1008, 'latest', {kind:String},
    if({kind:String} = 'latest', toDate('1970-01-01'), {day:Date}), {day:Date}, toDate32('2023-03-31'), 25, 900, 108,
    {a0:Float64}, {a1:Float64}, {a2:Float64}, {m:Float64}, {m:Float64} - 0.5, {m:Float64} + 0.5,
    {l0:Float64}, {l1:Float64}, {l2:Float64},
    {low:Float64}, {high:Float64} - 0.1, {low:Float64} + 0.1, {high:Float64}, {level:String}, 'no_call', 'no_call', true, 200
"""


def insert_scores(ch: ClickHouse) -> None:
    """Two ends of quarters, one day inside of a quarter, and the tip; and rows of another view, which are not to be mixed in."""
    inside = ("2023-05-31", False, (99.0, 99.0, 99.0), 99.0, (0.0, 0.0, 0.0), (0.0, 0.0), "no_call")
    for view, scores in (("raw", (*_SCORES, inside)), ("entity", (("2023-03-31", *inside[1:]),))):
        for day, at_tip, ai, pools, gap, (low, high), level in scores:
            given: Mapping[str, object] = {
                "series": OWNERS,
                "view": view,
                "kind": "latest" if at_tip else "day",
                "day": day,
                **{f"a{at}": value for at, value in enumerate(ai)},
                **{f"l{at}": value for at, value in enumerate(gap)},
                "m": pools,
                "low": low,
                "high": high,
                "level": level,
            }
            ch.execute(_SCORE, given)


def insert_packages(ch: ClickHouse) -> None:
    """Downloads of two months. Edge shares: 40 of 140 and 60 of 120 as filed, without boto3 and onnx 10 of 40 and 30 of 60."""
    catalogue = load_catalogue()
    series = catalogue[PACKAGES]
    ch.insert("series_log", series_columns(list(catalogue), 200))
    releases: list[Release] = []
    for period_end, (onnx, mlx, boto3, openai) in (("2023-05-31", (30, 10, 70, 30)), ("2023-06-30", (30, 30, 30, 30))):
        head = Head(
            series=series.series,
            kind=series.kind,
            layer=series.layer,
            unit=series.unit,
            period_start=f"{period_end[:8]}01",
            period_end=period_end,
            published_at_ms=1_688_000_000_000,
            source="by hand",
            licence="none",
            cutoff=1.0,
        )
        values = {"onnx": onnx, "mlx": mlx, "boto3": boto3, "openai": openai}
        releases.append(make_release(head, [Observation(owner=owner, value=value) for owner, value in values.items()]))
    ch.insert("releases_log", release_columns(releases, [None] * 2, [series.catalogue_id] * 2, 200))
    pointers = [(PACKAGES, series.kind, one.head.period_start, one.head.period_end, one.release_id) for one in releases]
    ch.insert("release_current_log", current_columns(pointers, 200))
    for release in releases:
        rows = release_rows(release, series)
        ch.insert("placement_log", placement_columns(rows.placement, 200))
        ch.insert("dispersion_log", dispersion_columns(rows.dispersion, 200))
