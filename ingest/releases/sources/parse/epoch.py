"""Epoch AI's tables of chip owners → releases, one a quarter. Pure.

Five layouts are read, told apart by their columns: the exports of its repository (`…_owners_cumulative_totals.csv`), the tables of
its newer schema (`owners_cumulative_by_designer.csv`), one tidy file with a `source_file` column, the table of the package, and the
one combined file of all designers since autumn 2026 (`cumulative_by_designer.csv`). Each file is a *part*, named by its stem without
`_cumulative_totals`; a row of the combined file is of the part that its designer and owner had before. The catalogue says which parts
a quarter needs to be of full coverage.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import PurePosixPath
from typing import Final

from counterpoise.contracts.releases import Observation
from counterpoise.errors import DeadLetterError
from counterpoise.series.catalogue import Series
from counterpoise.series.release import Release, make_release
from ingest.releases.checked_observation import checked_observation
from ingest.releases.release_head import head_of
from ingest.releases.sources.csv_table import CsvTable, Row, read_table

SERIES = "epoch-ai-compute-owners"
METHOD = "stock in H100-equivalents, median of the source's simulation"


@dataclass(frozen=True, slots=True)
class _Layout:
    day: str
    owner: str
    maker: str
    median: str
    p5: str
    p95: str
    part: str | None
    incomplete: str | None = None
    is_combined: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.day, self.owner, self.maker, self.median, self.p5, self.p95, *((self.part,) if self.part else ()))


_LAYOUTS = (
    _Layout("quarter_end", "owner", "manufacturer", "h100e_median", "h100e_p5", "h100e_p95", "source_file"),
    _Layout("quarter_end", "owner", "maker", "h100e", "p5", "p95", "table"),
    _Layout("end_date", "owner", "designer", "h100e_med", "h100e_p5", "h100e_p95", None, "incomplete"),
    _Layout(
        "End date",
        "Owner",
        "Chip manufacturer",
        "Compute estimate in H100e (median)",
        "H100e (5th percentile)",
        "H100e (95th percentile)",
        None,
        "Notes",
    ),
    _Layout(
        "End date",
        "Owner",
        "Designer",
        "H100e (median)",
        "H100e (5th percentile)",
        "H100e (95th percentile)",
        None,
        "Incomplete",
        is_combined=True,
    ),
)

SMUGGLED: Final = "China (smuggled)"
MADE_IN_CHINA: Final = "China (own chips)"
"""Ours: the source books Chinese designers' chips to the owner China, who has bought Nvidia's under the same name."""

_CHINESE_DESIGNERS: Final = frozenset({"Huawei", "Cambricon", "Hygon", "Baidu", "Alibaba", "Moore Threads"})
_PART_OF_DESIGNER: Final = {"Google": "tpu_owners", "Amazon": "trainium_owners"}
_PART_OF_NVIDIA: Final = {"Other": "nvidia_owners_OTHER", "CoreWeave": "coreweave_owners", SMUGGLED: "smuggled_owners"}


def epoch_releases(
    files: Mapping[str, str], series: Series, *, published_at_ms: int, source: str | None = None
) -> list[Release]:
    """Return a release for each quarter of the files (path → text), by quarter.

    Values of an owner stay apart by part and chip maker and add up when they are scored. A quarter that the source marks as
    incomplete, or that the catalogue's rules find short, is a release of partial coverage that says why. DeadLetterError where a
    file cannot be read, or two lines say the same thing.
    """
    found: dict[date, list[Observation]] = {}
    marked: set[date] = set()
    for path in sorted(files):
        table = read_table(files[path], path)
        layout = _layout_of(table)
        for row in table:
            day = row.day(layout.day)
            found.setdefault(day, []).append(_observation(row, layout, series, path))
            if layout.incomplete is not None and _is_incomplete(row.cells.get(layout.incomplete, "")):
                marked.add(day)
    published = datetime.fromtimestamp(published_at_ms / 1000, UTC).date()
    releases: list[Release] = []
    for day in sorted(found):
        note = _coverage_note(series, day, found[day], marked, published)
        head = head_of(
            series,
            _quarter_start(day),
            day,
            published_at_ms=published_at_ms,
            source=source,
            coverage_note=note,
            method=METHOD,
        )
        try:
            releases.append(make_release(head, found[day]))
        except ValueError as error:
            raise DeadLetterError("bad-source-file", f"quarter {day}: {error}") from error
    return releases


def part_of(path: str) -> str:
    """The part that a file is: `owners_csv_export/amd_owners_cumulative_totals.csv` → `amd_owners`.

    >>> part_of("canonical_export/tpu/owners_cumulative_by_designer.csv")
    'tpu_owners'
    """
    place = PurePosixPath(path)
    if place.stem == "owners_cumulative_by_designer":
        family = place.parent.name
        known = {"nvidia_other": "nvidia_owners_OTHER", "nvidia_owners": "nvidia_owners"}
        return known.get(family, f"{family}_owners")
    stem = place.stem.removesuffix("_cumulative_totals")
    return "nvidia_owners_OTHER" if stem.lower() == "nvidia_owners_other" else stem


def combined_part(designer: str, owner: str) -> str:
    """The part of a row of the combined file.

    >>> combined_part("Nvidia", "Meta"), combined_part("Nvidia", "Other"), combined_part("Google", "Google")
    ('nvidia_owners', 'nvidia_owners_OTHER', 'tpu_owners')
    """
    if designer == "Nvidia":
        return _PART_OF_NVIDIA.get(owner, "nvidia_owners")
    plain = re.sub(r"[^a-z0-9]+", "_", designer.lower()).strip("_")
    return _PART_OF_DESIGNER.get(designer, f"{plain}_owners")


def _layout_of(table: CsvTable) -> _Layout:
    for layout in _LAYOUTS:
        if table.has(layout.columns):
            return layout
    raise DeadLetterError(
        "bad-source-file",
        f"{table.origin}: columns {', '.join(table.header)[:200]} are none of the layouts of chip owners",
    )


def _observation(row: Row, layout: _Layout, series: Series, path: str) -> Observation:
    owner = series.owner_of(row.text(layout.owner))
    maker = row.text(layout.maker)
    own_part = None if layout.is_combined else part_of(row.text(layout.part) if layout.part else path)
    table = own_part or combined_part(maker, owner)
    if owner == "China" and maker in _CHINESE_DESIGNERS:
        owner = MADE_IN_CHINA
    median, p5, p95 = row.amount(layout.median), row.optional_amount(layout.p5), row.optional_amount(layout.p95)
    if (p5 is None) != (p95 is None) or (p5 is not None and p95 is not None and p5 > p95):
        row.fail(layout.p5, f"{p5} with {p95}", "a 5th percentile not above the 95th, or neither")
    return checked_observation(
        f"{row.origin}, line {row.line}",
        owner=owner,
        value=median,
        value_p5=p5,
        value_p95=p95,
        residual=owner in series.residual_owners,
        part=table,
        item=maker,
    )


def _is_incomplete(text: str) -> bool:
    return text.strip().lower() == "true" or text.lstrip().lower().startswith("incomplete")


def _coverage_note(
    series: Series, day: date, observations: list[Observation], marked: set[date], published: date
) -> str:
    notes = ["marked incomplete by the source"] if day in marked else []
    missing = series.missing_coverage(frozenset(observation.part for observation in observations), day, published)
    return "; ".join([*notes, *([missing] if missing else [])])


def _quarter_start(day: date) -> date:
    return date(day.year, 3 * ((day.month - 1) // 3) + 1, 1)
