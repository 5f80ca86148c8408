"""The packaged table of package downloads: the figures of the reference file, for every package that the catalogue names."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from counterpoise.series.load import load_catalogue
from counterpoise.series.release import Release
from ingest.releases.demo_figures import read_market_figures, read_owner_figures, read_package_figures
from ingest.releases.sources.parse.pypi import SERIES, pypi_releases
from streams.releases.fold.release_dispersion import release_rows
from tests.shared import shared_data


def test_every_figure_is_that_of_the_source() -> None:
    text = shared_data("edge_ai/ai_packages_30d_downloads_monthly.csv").read_text(encoding="utf-8")
    real = pypi_releases(text, load_catalogue()[SERIES])
    packaged = read_package_figures()
    assert [one.release_id for one in packaged] == [
        one.release_id for one in real if one.head.period_end >= "2021-12-31"
    ]
    assert (packaged[0].head.period_end, packaged[-1].head.period_end) == ("2021-12-31", "2026-03-31")


def snapshot_month(release: Release) -> str:
    return f"{datetime.fromtimestamp(release.head.published_at_ms / 1000, UTC):%Y-%m}"


def test_both_lists_give_their_published_shares() -> None:
    series = load_catalogue()[SERIES]
    shares = {
        (row.list_id, snapshot_month(release)): row.edge_share
        for release in read_package_figures()
        for row in release_rows(release, series).placement
    }
    months = ("2022-06", "2023-06", "2024-06", "2025-06", "2026-04")
    as_filed = [shares["as-filed", month] for month in months]
    without = [shares["without-general-tools", month] for month in months]
    assert as_filed == pytest.approx([0.007, 0.013, 0.012, 0.022, 0.048], abs=0.0005)
    assert without == pytest.approx([0.46, 0.32, 0.20, 0.12, 0.11], abs=0.005)


def test_a_package_below_the_cutoff_is_not_there_and_not_zero() -> None:
    for release in read_package_figures():
        assert release.head.cutoff is not None
        assert all(observation.value >= release.head.cutoff for observation in release.observations)


def test_all_that_is_packaged_is_both_tables() -> None:
    assert read_market_figures() == [*read_owner_figures(), *read_package_figures()]
