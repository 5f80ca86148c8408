"""Source files to releases: every layout, coverage by the catalogue's rules, and what is wrong said by line and column."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from counterpoise.errors import DeadLetterError
from counterpoise.series.catalogue import Series
from counterpoise.series.load import load_catalogue
from ingest.releases.sources.parse.epoch import epoch_releases, part_of
from ingest.releases.sources.parse.pypi import pypi_releases
from tests.unit.asymmetry import real

MAY_2026 = int(datetime(2026, 5, 1, tzinfo=UTC).timestamp() * 1000)


def epoch_series() -> Series:
    return load_catalogue()["epoch-ai-compute-owners"]


def pypi_series() -> Series:
    return load_catalogue()["pypi-edge-share"]


LEGACY_HEADER = (
    "Name,Chip manufacturer,Owner,Start date,End date,Compute estimate in H100e (median),"
    "H100e (5th percentile),H100e (95th percentile),Notes\n"
)
LEGACY = (
    LEGACY_HEADER
    + """Meta cumulative Nvidia through Q1 2022,Nvidia,Meta,1/1/2022,3/31/2022,7759,4573,13410,Generated on: 03-26-2026
China (official) cumulative Nvidia through Q1 2022,Nvidia,China (official),1/1/2022,3/31/2022,9442,6097,14670,
Meta cumulative Nvidia through Q1 2026,Nvidia,Meta,1/1/2022,3/31/2026,1950294,1509815,2521685,Incomplete: based on fiscal quarters
"""
)
OTHER = (
    LEGACY_HEADER
    + """Other,Nvidia,Other,1/1/2022,3/31/2022,17812,9801,31720,
"""
)
CANONICAL = """name,designer,owner,series_start,end_date,h100e_p5,h100e_med,h100e_p95,incomplete,source,notes
Meta,Nvidia,Meta,2022-01-01,2022-03-31,4574,7760,13410,False,,x
Meta,Nvidia,Meta,2022-01-01,2026-03-31,1509815,1950294,2521685,True,,x
"""


def test_the_exports_of_the_source_one_file_a_part() -> None:
    files = {
        "owners_csv_export/nvidia_owners_cumulative_totals.csv": LEGACY,
        "owners_csv_export/nvidia_owners_other_cumulative_totals.csv": OTHER,
    }
    first, last = epoch_releases(files, epoch_series(), published_at_ms=MAY_2026)
    assert (first.head.period_start, first.head.period_end) == ("2022-01-01", "2022-03-31")
    assert first.head.coverage == "full"
    assert {(o.owner, o.value, o.value_p5, o.value_p95, o.residual, o.part, o.item) for o in first.observations} == {
        ("Meta", 7759.0, 4573.0, 13410.0, False, "nvidia_owners", "Nvidia"),
        ("China", 9442.0, 6097.0, 14670.0, True, "nvidia_owners", "Nvidia"),
        ("Other", 17812.0, 9801.0, 31720.0, True, "nvidia_owners_OTHER", "Nvidia"),
    }
    assert (last.head.period_start, last.head.period_end, last.head.coverage) == ("2026-01-01", "2026-03-31", "partial")
    assert last.head.coverage_note.startswith("marked incomplete by the source; lacks nvidia_owners_OTHER, tpu_owners")


def test_the_newer_schema() -> None:
    files = {"canonical_export/nvidia_owners/owners_cumulative_by_designer.csv": CANONICAL}
    first, last = epoch_releases(files, epoch_series(), published_at_ms=MAY_2026, source="a mirror")
    assert first.observations[0].value == 7760
    assert first.parts == {"nvidia_owners"}
    assert first.head.coverage_note == "lacks nvidia_owners_OTHER"
    assert first.head.source == "a mirror"
    assert last.head.coverage_note.startswith("marked incomplete by the source")


@pytest.mark.parametrize(
    ("path", "part"),
    [
        ("nvidia_owners_OTHER_cumulative_totals.csv", "nvidia_owners_OTHER"),
        ("owners_csv_export/amd_owners_cumulative_totals.csv", "amd_owners"),
        ("coreweave/coreweave_owners_cumulative_totals.csv", "coreweave_owners"),
        ("data_inputs/named_other_owners_cumulative_totals.csv", "named_other_owners"),
        ("canonical_export/nvidia_other/owners_cumulative_by_designer.csv", "nvidia_owners_OTHER"),
        ("canonical_export/trainium/owners_cumulative_by_designer.csv", "trainium_owners"),
    ],
)
def test_a_file_is_a_part(path: str, part: str) -> None:
    assert part_of(path) == part


def test_coverage_follows_two_explicit_rules() -> None:
    series = epoch_series()
    everything = frozenset(rule.part for rule in series.required_parts)
    quarter, before, after = date(2026, 3, 31), date(2026, 10, 2), date(2027, 4, 1)
    assert series.missing_coverage(everything, date(2025, 12, 31), before) == ""
    assert "after 2025-12-31" in series.missing_coverage(everything, quarter, before), "usable_through"
    assert series.missing_coverage(everything, quarter, after) == "", "a later publication may bring the quarter"
    assert series.missing_coverage(everything - {"amd_owners"}, quarter, after) == "lacks amd_owners"
    assert (
        series.missing_coverage(frozenset(("nvidia_owners", "nvidia_owners_OTHER")), date(2022, 12, 31), before) == ""
    )


def test_the_tidy_file_has_sixteen_usable_quarters() -> None:
    releases = real.epoch()
    assert len(releases) == 17
    assert [release.head.coverage for release in releases] == ["full"] * 16 + ["partial"]
    last_full = {o.owner: 0.0 for o in releases[15].observations}
    for observation in releases[15].observations:
        last_full[observation.owner] += observation.value
    assert last_full["Google"] == 3_812_878 + 1_236_936
    assert last_full["xAI"] == 553_714
    (without_error,) = [o for o in releases[15].observations if o.value_p5 is None]
    assert without_error.owner == "xAI"


TIDY = "quarter_end,owner,manufacturer,h100e_median,h100e_p5,h100e_p95,source_file\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            TIDY + "2022-03-31,Meta,Nvidia,x,1,2,f.csv\n",
            "f.csv, line 2, column h100e_median: 'x', expected a number of 0 or more",
        ),
        (TIDY + "2022-03-31,Meta,Nvidia,-1,1,2,f.csv\n", "column h100e_median: '-1', expected a number of 0 or more"),
        (TIDY + "2022-03-31,Meta,Nvidia,nan,1,2,f.csv\n", "column h100e_median: 'nan', expected a number of 0 or more"),
        (TIDY + "2022-03-31,Meta,Nvidia,5,,2,f.csv\n", "expected a 5th percentile not above the 95th, or neither"),
        (TIDY + "2022-03-31,Meta,Nvidia,5,3,2,f.csv\n", "expected a 5th percentile not above the 95th, or neither"),
        (
            TIDY + "2022-02-31,Meta,Nvidia,5,1,2,f.csv\n",
            "column quarter_end: '2022-02-31', expected a day such as 2025-12-31",
        ),
        (TIDY + "2022-03-31,,Nvidia,5,1,2,f.csv\n", "column owner: '', expected a text"),
        (TIDY + "2022-03-31,Meta,Nvidia,5,1\n", "line 2: 5 cells under 7 columns"),
        (TIDY + '2022-03-31,"Meta,Nvidia,5,1,2,f.csv\n', "not CSV"),
        (TIDY + 2 * "2022-03-31,Meta,Nvidia,5,1,2,f.csv\n", "quarter 2022-03-31: two observations of"),
        ("owner,owner\n", "expected a header line of distinct column names"),
        ("", "expected a header line of distinct column names"),
        ("a,b\n1,2\n", "columns a, b are none of the layouts of chip owners"),
    ],
)
def test_a_bad_owner_file_says_where(text: str, message: str) -> None:
    with pytest.raises(DeadLetterError) as caught:
        epoch_releases({"f.csv": text}, epoch_series(), published_at_ms=MAY_2026)
    assert message in str(caught.value)
    assert caught.value.reason in ("bad-source-cell", "bad-source-file")


def test_snapshots_of_packages() -> None:
    releases = real.pypi()
    assert len(releases) == 155
    last = releases[-1]
    assert (last.head.period_start, last.head.period_end) == ("2026-03-01", "2026-03-31")
    assert (last.head.method, last.head.cutoff) == ("the 15000 most downloaded packages in a calendar month", 57_487)
    assert last.head.published_at_ms == int(datetime(2026, 4, 1, tzinfo=UTC).timestamp() * 1000)
    names = {observation.owner for release in releases for observation in release.observations}
    assert len(names) == 68, "every package of the file is named by the catalogue, counted or left out"


def test_a_monthly_list_keeps_what_the_catalogue_names() -> None:
    text = '\ufeffdownload_count,project\n1398772880,"boto3"\n833449934,"urllib3"\n49531173,"torch"\n30848,"zope"\n'
    (release,) = pypi_releases(text, pypi_series(), snapshot=date(2025, 2, 1), published_at_ms=7)
    assert [(o.owner, o.value) for o in release.observations] == [("boto3", 1_398_772_880), ("torch", 49_531_173)]
    assert (release.head.cutoff, release.head.method) == (30_848, "the 4 most downloaded packages in 29 days")
    assert release.head.published_at_ms == 7


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("download_count,project\n5,boto3\n", "a monthly list has no day; name the snapshot"),
        ("a,b\n", "columns a, b are neither of the two layouts of downloads"),
        (
            "snapshot,package,downloads_30d,list_len,cutoff_downloads\n2025-01-01,boto3,5,10,1\n2025-01-01,onnx,5,10,2\n",
            "expected one length and cutoff for the whole snapshot of 2025-01-01",
        ),
        (
            "snapshot,package,downloads_30d,list_len,cutoff_downloads\n" + 2 * "2025-01-01,boto3,5,10,1\n",
            "snapshot 2025-01-01: two observations of",
        ),
    ],
)
def test_a_bad_package_file_says_where(text: str, message: str) -> None:
    with pytest.raises(DeadLetterError, match=message):
        pypi_releases(text, pypi_series())


def test_an_empty_monthly_list_is_refused() -> None:
    with pytest.raises(DeadLetterError, match="no package"):
        pypi_releases("download_count,project\n", pypi_series(), snapshot=date(2025, 1, 1))
