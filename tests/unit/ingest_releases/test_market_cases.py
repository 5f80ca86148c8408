"""Market files that people met: each with its right answer, and the kind that each is of."""

from __future__ import annotations

import io
import json
import tracemalloc
import zipfile
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from counterpoise.errors import DeadLetterError
from counterpoise.metrics.dispersion import hill_numbers
from counterpoise.series.basket import make_basket
from counterpoise.series.load import load_catalogue
from counterpoise.series.release import Release
from ingest.releases.mapping.apply_mapping import Document, mapped_releases
from ingest.releases.mapping.mapping_file import load_mapping
from ingest.releases.sources.epoch import MAX_UNPACKED_BYTES, unpacked
from ingest.releases.sources.locations import Located
from ingest.releases.sources.parse.epoch import MADE_IN_CHINA, SERIES, SMUGGLED, epoch_releases
from ingest.releases.sources.parse.pypi import counted_period
from ingest.releases.sources.pypi import top_packages_releases
from streams.releases.fold.growth import Growth
from streams.releases.fold.release_dispersion import release_rows
from tests.shared import shared_cases, shared_data

VERIFIES = [
    ("Epoch AI chip owners", "2026-09-24", "by shape", "the combined file of all designers, after its documentation"),
    ("top-pypi-packages", "2025-04 to 2025-08", "recorded", "windows and calendar months, extracts of five snapshots"),
    ("OpenRouter", "v1", "by shape", "offers of providers"),
    ("SEC company facts", "2024", "by shape", "amended filings, with the values of the reports"),
]

CATALOGUE = load_catalogue()
EPOCH = CATALOGUE[SERIES]
PUBLISHED_MS = 1_790_208_000_000  # 2026-09-24
FETCHED_MS = 1_795_000_000_000


def epoch_case() -> str:
    return (shared_cases("market") / "epoch" / "cumulative_by_designer.csv").read_text(encoding="utf-8")


def epoch(text: str) -> list[Release]:
    return epoch_releases({"cumulative_by_designer.csv": text}, EPOCH, published_at_ms=PUBLISHED_MS)


def test_the_combined_file_of_autumn_2026_is_read_as_what_it_is() -> None:
    end, quarter = epoch(epoch_case())
    assert [(o.owner, o.item, o.part, o.value_p5, o.value, o.value_p95, o.residual) for o in end.observations] == [
        (MADE_IN_CHINA, "Huawei", "huawei_owners", None, 707_968, None, True),
        (SMUGGLED, "Nvidia", "smuggled_owners", 294_087, 662_048, 1_592_327, True),
        ("Google", "Google", "tpu_owners", 2_943_126, 3_663_628, 4_357_512, False),
        ("Meta", "AMD", "amd_owners", 343_083, 458_377, 614_314, False),
    ]
    assert (end.head.period_start, end.head.period_end, end.head.coverage) == ("2025-10-01", "2025-12-31", "partial")
    assert end.head.coverage_note == "lacks nvidia_owners, nvidia_owners_OTHER, coreweave_owners, trainium_owners"
    assert quarter.head.coverage_note.startswith(
        "lacks nvidia_owners, nvidia_owners_OTHER, coreweave_owners, amd_owners, trainium_owners; after 2025-12-31"
    )


def archive(method: int = zipfile.ZIP_DEFLATED, **files: str) -> Located:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as made:
        for name, text in files.items():
            made.writestr(name.replace("__", "/") + ".csv", text)
    return Located("ai_chip_owners.zip", out.getvalue(), PUBLISHED_MS)


def test_the_archive_has_the_combined_table_among_others() -> None:
    [file] = unpacked([archive(readme="a,b\n", ai_chip_owners__cumulative_by_designer=epoch_case())])
    assert (file.name, file.text()) == ("ai_chip_owners.zip/cumulative_by_designer.csv", epoch_case())


@pytest.mark.parametrize(
    ("file", "message"),
    [
        (archive(other="a\n"), "0 files cumulative_by_designer.csv, expected one"),
        (
            archive(a__cumulative_by_designer="a\n", b__cumulative_by_designer="a\n"),
            "2 files cumulative_by_designer.csv",
        ),
        (
            Located("ai_chip_owners.zip", b"PK and nothing", PUBLISHED_MS),
            "not a readable archive: File is not a zip file",
        ),
        (archive(cumulative_by_designer="\0" * (MAX_UNPACKED_BYTES + 1)), "unpacks to over"),
    ],
    ids=["none", "two", "broken", "bomb"],
)
def test_an_archive_that_is_none_says_why(file: Located, message: str) -> None:
    with pytest.raises(DeadLetterError, match=message):
        unpacked([file])


def understated(file: Located, size: int, stated: int) -> Located:
    """The archive with another size in its headers than the member unpacks to."""
    assert file.content.count(size.to_bytes(4, "little")) == 2
    return replace(file, content=file.content.replace(size.to_bytes(4, "little"), stated.to_bytes(4, "little")))


@pytest.mark.parametrize(
    ("method", "is_lie", "message"),
    [
        (zipfile.ZIP_DEFLATED, False, "unpacks to over"),
        (zipfile.ZIP_DEFLATED, True, "not a readable archive: Bad CRC-32"),
        (zipfile.ZIP_BZIP2, False, "unpacks to over"),
        (zipfile.ZIP_BZIP2, True, "is packed by method 12: pack it with deflate, or not at all"),
        (zipfile.ZIP_LZMA, False, "unpacks to over"),
        (zipfile.ZIP_LZMA, True, "is packed by method 14: pack it with deflate, or not at all"),
    ],
)
def test_no_archive_unpacks_beyond_the_limit_whatever_it_states(
    method: int, is_lie: bool, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """bz2 and LZMA unpack whole blocks whatever is asked of them, so they are refused; deflate stops at what is asked."""
    limit = 4 * 1024**2
    monkeypatch.setattr("ingest.releases.sources.epoch.MAX_UNPACKED_BYTES", limit)
    size = limit + 4_242
    file = archive(method, cumulative_by_designer="\0" * size)
    if is_lie:
        file = understated(file, size, 9)
    tracemalloc.start()
    try:
        with pytest.raises(DeadLetterError, match=message):
            unpacked([file])
        assert tracemalloc.get_traced_memory()[1] < 1024**2
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_truncated_member_of_another_method_is_no_crash(method: int) -> None:
    whole = archive(method, cumulative_by_designer=epoch_case())
    broken = whole.content.replace(whole.content[90:120], bytes(30), 1)
    with pytest.raises(DeadLetterError, match="is packed by method"):
        unpacked([replace(whole, content=broken)])


def test_a_row_that_the_source_marks_incomplete_is_not_scored() -> None:
    lines = epoch_case().splitlines()
    marked = [lines[0], *(line.replace(",,,Based on", ",True,,Based on") for line in lines[1:])]
    assert marked != lines
    for release in epoch("\n".join(marked) + "\n"):
        assert release.head.coverage_note.startswith("marked incomplete by the source")
        assert not release_rows(release, EPOCH).dispersion


def all_designers() -> Release:
    """The known quarter in the layout of autumn 2026, with the buckets that the source names since."""
    case = epoch_case()
    head, *rows = case.splitlines()
    wanted = [row for row in rows if "2025-12-31" in row and ("Huawei" in row or "smuggled" in row)]
    table = shared_data("edge_ai/ai_compute_owner_quarterly.csv").read_text(encoding="utf-8").splitlines()[1:]
    for row in table:
        day, owner, maker, median, p5, p95, _ = row.split(",")
        if day == "2025-12-31":
            wanted.append(f"x,{maker},{owner},2022-01-01,{day},,,,{p5},{median},{p95},,,,,,,,,")
    [release] = epoch("\n".join([head, *wanted]) + "\n")
    return release


LOG2_D2_OF_MINING = np.log2(6.167)
"""Of the last 1,008 blocks of 2025, from the published figures of this project."""


def test_both_bases_are_scored_and_differ_as_published() -> None:
    release = all_designers()
    assert release.head.coverage == "full"
    found = {}
    for one in ("all-owners", "official-sales"):
        basket = make_basket(release, EPOCH, one)
        found[one] = [
            float(np.log2(hill_numbers(basket.named, basket.residual, how, 25).d2) - LOG2_D2_OF_MINING)
            for how in ("dropped", "one_owner", "spread")
        ]
    # xAI's chips, which the table of the time lists beside the others, are inside Other here as they are there.
    assert found["official-sales"] == pytest.approx([-0.337, -0.011, 0.270], abs=0.002)
    assert found["all-owners"] == pytest.approx([-0.34, 0.15, 0.47], abs=0.02)
    lists = {row.list_id for row in release_rows(release, EPOCH).dispersion}
    assert lists == {"all-owners", "official-sales"}


def test_a_release_of_before_has_one_basis() -> None:
    text = shared_data("edge_ai/ai_compute_owner_quarterly.csv").read_text(encoding="utf-8")
    for release in epoch_releases({"owners.csv": text}, EPOCH, published_at_ms=PUBLISHED_MS):
        rows = release_rows(release, EPOCH)
        assert {row.list_id for row in (*rows.dispersion, *rows.placement)} <= {"all-owners"}


def test_one_offer_without_a_provider_costs_that_row() -> None:
    folder = shared_cases("market") / "openrouter"
    mapping = load_mapping("openrouter-models", CATALOGUE)
    documents = [Document(json.loads(file.read_text()), item=file.stem) for file in sorted(folder.iterdir())]
    dropped: list[str] = []
    [release] = mapped_releases(
        mapping, CATALOGUE[mapping.series], documents, fetched_at_ms=FETCHED_MS, dropped=dropped
    )
    assert [(o.owner, o.item) for o in release.observations] == [
        ("DeepInfra", "null"),
        ("DeepInfra", "ok"),
        ("Together", "ok"),
    ]
    assert (release.head.coverage, dropped) == ("full", ["null: row 1: owner: nothing at 'row.provider_name'"])


@given(st.lists(st.sampled_from(["Together", "DeepInfra", "Groq", None, "", 7, {}, []]), min_size=1, max_size=12))
def test_wrong_rows_are_dropped_up_to_half_and_then_the_whole(providers: list[Any]) -> None:
    mapping = load_mapping("openrouter-models", CATALOGUE)
    content = {"data": {"endpoints": [{"provider_name": one} for one in providers]}}
    good = [one for one in providers if (isinstance(one, str) and one) or one == 7]
    dropped: list[str] = []

    def read() -> list[Release]:
        documents = [Document(content, item="m")]
        return mapped_releases(mapping, CATALOGUE[mapping.series], documents, fetched_at_ms=FETCHED_MS, dropped=dropped)

    if 2 * len(good) < len(providers):
        with pytest.raises(DeadLetterError):
            read()
        return
    [release] = read()
    assert {o.owner for o in release.observations} == {str(one) for one in good}
    assert len(dropped) == len(providers) - len(good)


def test_amended_filings_count_from_the_amendment() -> None:
    mapping = load_mapping("sec-companyfacts-capex", CATALOGUE)
    [file] = (shared_cases("market") / "sec").iterdir()
    documents = [Document(json.loads(file.read_text()), item="0000789019")]
    releases = mapped_releases(mapping, CATALOGUE[mapping.series], documents, fetched_at_ms=FETCHED_MS)
    found = {
        r.head.period_end: (
            np.datetime64(r.head.published_at_ms, "ms").astype("datetime64[D]"),
            r.observations[0].value,
        )
        for r in releases
    }
    assert found["2022-12-31"] == (np.datetime64("2024-08-30"), 28.107e9)
    assert found["2023-12-31"][1] == 44.477e9  # the other concept's row is smaller


def pypi_cases() -> list[Release]:
    series = CATALOGUE["pypi-edge-share"]
    files = sorted((shared_cases("market") / "pypi").iterdir())
    return [top_packages_releases(Located(file.name, file.read_bytes(), 0), series)[0] for file in files]


def test_each_window_of_the_package_list_is_its_own_period() -> None:
    releases = pypi_cases()
    spans = [(r.head.period_start, r.head.period_end) for r in releases]
    assert spans == [
        ("2025-03-05", "2025-03-31"),
        ("2025-04-07", "2025-04-30"),
        ("2025-05-22", "2025-06-12"),
        ("2025-06-01", "2025-06-30"),
        ("2025-07-01", "2025-07-31"),
    ]
    days = [(date.fromisoformat(end) - date.fromisoformat(start)).days + 1 for start, end in spans]
    # `days=` of generate.sh in the commits that the snapshots were deployed from: 11c4291, 4dcb0fe and bfe5731. The first file's
    # name says 28: the number was lowered half an hour before that snapshot (deployed as 169a5a9).
    assert days == [27, 24, 22, 30, 31]
    rows = {row.period_end: row for row in Growth(CATALOGUE["pypi-edge-share"]).rows(releases) if row.span == "period"}
    assert {end: (row.method_changed, row.like_for_like_ratio is None) for end, row in rows.items()} == {
        "2025-04-30": (True, True),
        "2025-06-12": (True, True),
        "2025-06-30": (True, True),
        "2025-07-31": (False, False),
    }


@pytest.mark.parametrize(
    ("snapshot", "first", "last"),
    [
        (date(2018, 3, 1), date(2018, 1, 30), date(2018, 2, 28)),  # --days 30, commit 34e563f
        (date(2024, 11, 26), date(2024, 10, 27), date(2024, 11, 25)),
        (date(2024, 12, 1), date(2024, 11, 2), date(2024, 11, 30)),  # --days 29, commit df77635, deployed as bc88d11
        (date(2025, 2, 1), date(2025, 1, 3), date(2025, 1, 31)),
        (date(2025, 3, 1), date(2025, 2, 1), date(2025, 2, 28)),  # days=28, commit 2b23a40, deployed as 8a4cc57
        (date(2025, 4, 1), date(2025, 3, 5), date(2025, 3, 31)),  # days=27, commit 11c4291, deployed as 169a5a9
        (date(2025, 5, 1), date(2025, 4, 7), date(2025, 4, 30)),  # days=24, commit 4dcb0fe, deployed as 48c66f8
        (date(2025, 6, 13), date(2025, 5, 22), date(2025, 6, 12)),  # days=22, commit bfe5731, deployed as 75cc141
        (
            date(2025, 7, 5),
            date(2025, 6, 1),
            date(2025, 6, 30),
        ),  # the month before, commit 14dc8ec, deployed as 0a17c3a
    ],
)
def test_the_period_of_a_snapshot_is_that_of_the_script_it_was_made_by(snapshot: date, first: date, last: date) -> None:
    """pypinfo counts `--days N` from N + 1 days before now to one day before now (its core.py: END_DATE = '-1')."""
    assert counted_period(snapshot)[:2] == (first, last)


@given(st.dates(date(2020, 1, 1), date(2030, 12, 31)))
def test_a_period_ends_before_the_day_of_its_snapshot_and_is_a_month_at_most(day: date) -> None:
    first, last, words = counted_period(day)
    assert first <= last < day
    assert 22 <= (last - first).days + 1 <= 31
    assert day - last < timedelta(days=32)
    assert ("calendar month" in words) == (day >= date(2025, 7, 1))


def test_every_folder_of_market_cases_is_tried_here() -> None:
    assert sorted(path.name for path in Path(shared_cases("market")).iterdir()) == [
        "epoch",
        "openrouter",
        "pypi",
        "sec",
    ]
