"""`counterpoise market`: series and releases of the AI side, and loading files of a known source."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from counterpoise.errors import ConfigError, DeadLetterError, RetryableError
from counterpoise.formats import utc_day
from desk.cli.console import Console
from desk.cli.options import JsonOption
from desk.cli.say import say

if TYPE_CHECKING:
    from counterpoise.series.release import Release

HELD_PATIENCE_SECONDS = 120.0
POLL_SECONDS = 0.25
QUIET_SECONDS = 3.0

market_app = typer.Typer(no_args_is_help=True, add_completion=False)

_RELEASES = """
SELECT series, toString(period_start), toString(period_end), toString(published_at), kind, coverage, is_current,
    withdrawn_at IS NOT NULL AS withdrawn, observations, total, unit, release_id
FROM releases_all
WHERE {series:String} IN ('', series)
ORDER BY series, period_end, published_at
"""
_COLUMNS = (
    "series",
    "period_start",
    "period_end",
    "published_at",
    "kind",
    "coverage",
    "current",
    "withdrawn",
    "observations",
    "total",
    "unit",
    "release_id",
)


class Source(StrEnum):
    """What kind of file it is."""

    EPOCH = "epoch"
    PYPI = "pypi"
    FIGURES = "figures"


@market_app.command("series")
def series(as_json: JsonOption = False) -> None:
    """List the catalogue: measure, layer, cadence and include-lists of each series."""
    from counterpoise.series.load import load_catalogue

    found = [
        {
            "series": one.series,
            "title": one.title,
            "layer": one.layer,
            "kind": one.kind,
            "unit": one.unit,
            "cadence_days": one.cadence.days,
            "lists": [chosen.id for chosen in one.lists],
            "pairs_with_mining": one.pairs_with_mining,
            "catalogue_id": one.catalogue_id,
            "licence": one.licence,
        }
        for one in load_catalogue()
    ]
    if as_json:
        say(json.dumps(found, ensure_ascii=False, indent=2))
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("series", "layer", "unit", "every", "against mining", "include-lists"):
        table.add_column(name, no_wrap=True)
    for row in found:
        paired = "yes" if row["pairs_with_mining"] else "a forecast" if row["kind"] == "forecast" else "no"
        table.add_row(
            str(row["series"]),
            str(row["layer"]),
            str(row["unit"]),
            f"{row['cadence_days']} d",
            paired,
            ", ".join(row["lists"]),  # type: ignore[arg-type]
        )
    _print(table)


@market_app.command("releases")
def releases(
    series: Annotated[str, typer.Argument(help="One series; the default is all.", show_default=False)] = "",
    as_json: JsonOption = False,
) -> None:
    """List every complete release in ClickHouse, including restated, partial and withdrawn ones."""
    from counterpoise.clickhouse.client import connect
    from counterpoise.series.load import load_catalogue
    from counterpoise.settings.endpoints import clickhouse_target
    from counterpoise.settings.model import Settings

    settings = Settings.load()
    if series and series not in load_catalogue():
        raise ConfigError(f"there is no series {series!r}: `counterpoise market series` lists them")
    with connect(clickhouse_target(settings, read_only=True), settings.dataset) as clickhouse:
        rows = clickhouse.query(_RELEASES, {"series": series})
    if as_json:
        say(json.dumps([dict(zip(_COLUMNS, row, strict=True)) for row in rows], ensure_ascii=False, indent=2))
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("series", "period", "published", "coverage", "stands", "observations", "release"):
        table.add_column(name, no_wrap=True)
    for name, start, end, published, kind, coverage, current, withdrawn, observations, _, _, release_id in rows:
        stands = "withdrawn" if withdrawn else "yes" if current else "no"
        table.add_row(
            str(name),
            f"{start} to {end}",
            str(published)[:10],
            "forecast" if kind == "forecast" else str(coverage),
            stands,
            str(observations),
            str(release_id)[:12],
        )
    _print(table)


@market_app.command("load")
def load(
    source: Annotated[Source, typer.Argument(help="Kind of file; `figures` are the packaged figures.")],
    files: Annotated[
        list[Path] | None, typer.Argument(help="The files; all tables together for epoch.", exists=True, dir_okay=False)
    ] = None,
    published: Annotated[
        datetime | None,
        typer.Option(
            "--published",
            formats=["%Y-%m-%d"],
            help="Day of publication by the source (UTC); for epoch the default is the newest file's time.",
        ),
    ] = None,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until ClickHouse has all of it.")] = True,
) -> None:
    """Load a source's files once: read, check, send to Kafka. Loading the same files again changes nothing."""
    from counterpoise.clickhouse.client import connect_consistent
    from counterpoise.clickhouse.dataset_mark import open_dataset
    from counterpoise.settings.endpoints import clickhouse_target
    from counterpoise.settings.model import Settings
    from ingest.releases.demo_figures import publish
    from ingest.releases.stored_releases import StoredReleases

    settings = Settings.load()
    found = _read(source, files or [], published)
    with connect_consistent(clickhouse_target(settings), settings.dataset) as clickhouse:
        open_dataset(clickhouse, settings.dataset_of)
        publish(settings, found)
        keys = {release.release_id for release in found}
        held = StoredReleases(clickhouse)
        began = time.monotonic()
        said = False
        while wait and (missing := len(keys) - len(held(keys))):
            waited_seconds = time.monotonic() - began
            if waited_seconds > QUIET_SECONDS and not said:
                said = True
                say(
                    f"{missing} of {len(keys)} releases are in Kafka and not in ClickHouse yet; waiting up to "
                    f"{HELD_PATIENCE_SECONDS:.0f} s for `counterpoise run streams`, which must run",
                    err=True,
                )
            if waited_seconds > HELD_PATIENCE_SECONDS:
                raise RetryableError(
                    f"{missing} of {len(keys)} releases did not arrive within {HELD_PATIENCE_SECONDS:.0f} s: does "
                    "`counterpoise run streams` run? See counterpoise status and counterpoise dlq list"
                )
            time.sleep(POLL_SECONDS)
    for series in dict.fromkeys(release.head.series for release in found):
        say(_summary([release for release in found if release.head.series == series]))


def _summary(found: Sequence[Release]) -> str:
    """Summary of the loaded releases of one series."""
    partial = sum(release.head.coverage == "partial" for release in found)
    periods = sorted(release.head.period_end for release in found)
    return (
        f"{len(found)} {'release' if len(found) == 1 else 'releases'} of {found[0].head.series}, "
        f"{periods[0] if len(found) == 1 else f'{periods[0]} to {periods[-1]}'}, "
        f"{sum(len(release.observations) for release in found):,} observations"
        + (f"; {partial} of partial coverage, which are kept and not scored" if partial else "")
    )


@market_app.command("check")
def check(
    mapping: Annotated[str, typer.Argument(help="Name of a shipped mapping, or path of your mapping.")],
    files: Annotated[
        list[Path], typer.Argument(help="Files as the drop folder takes them.", exists=True, dir_okay=False)
    ],
    item: Annotated[str, typer.Option(help="Item of a polled document's URL.")] = "",
) -> None:
    """Show the result of a mapping for files, and send nothing."""
    from counterpoise.series.load import load_catalogue
    from ingest.releases.mapping.mapping_file import load_mapping
    from ingest.releases.mapping.releases_of_file import releases_of_file

    catalogue = load_catalogue()
    loaded = load_mapping(mapping, catalogue)
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("file", "series", "period", "published", "coverage", "observations", "total", "largest"):
        table.add_column(name, no_wrap=True)
    for path in files:
        try:
            found = releases_of_file(
                loaded,
                catalogue[loaded.series],
                path.read_bytes(),
                name=path.name,
                modified_ms=int(path.stat().st_mtime) * 1000,
                now_ms=int(time.time() * 1000),
                item=item,
            )
        except DeadLetterError as error:
            raise ConfigError(str(error)) from None
        for release in found:
            head, observations = release.head, release.observations
            largest = max(observations, key=lambda one: one.value)
            table.add_row(
                path.name,
                head.series,
                f"{head.period_start} to {head.period_end}",
                utc_day(head.published_at_ms / 1000),
                f"{head.coverage}: {head.coverage_note}" if head.coverage_note else head.coverage,
                str(len(observations)),
                f"{sum(one.value for one in observations):g} {head.unit}",
                f"{largest.owner} {largest.value:g}",
            )
    _print(table)


def _read(source: Source, files: list[Path], published: datetime | None) -> list[Release]:
    from counterpoise.series.load import load_catalogue
    from ingest.releases.demo_figures import read_market_figures
    from ingest.releases.release_head import time_problem
    from ingest.releases.sources.locations import Located
    from ingest.releases.sources.parse.epoch import SERIES as EPOCH
    from ingest.releases.sources.parse.epoch import epoch_releases
    from ingest.releases.sources.parse.pypi import SERIES as PYPI
    from ingest.releases.sources.pypi import top_packages_releases

    if source is Source.FIGURES:
        if files:
            raise ConfigError("`market load figures` takes no file: the figures come with the package")
        return read_market_figures()
    if not files:
        raise ConfigError(f"`market load {source}` needs at least one file")
    try:
        located = [Located(str(path), path.read_bytes(), _published_ms(path, published)) for path in files]
        if source is Source.EPOCH:
            at_ms = max(one.published_at_ms for one in located)
            texts = {one.name: one.text() for one in located}
            found = epoch_releases(texts, load_catalogue()[EPOCH], published_at_ms=at_ms)
        else:
            found = [release for one in located for release in top_packages_releases(one, load_catalogue()[PYPI])]
    except DeadLetterError as error:
        raise ConfigError(str(error)) from None
    if not found:
        raise ConfigError(f"{', '.join(str(path) for path in files)}: no release in it")
    for release in found:
        problem = time_problem(release.head, int(time.time() * 1000))
        if problem is not None:
            raise ConfigError(f"{release.head.period_end}: {problem.field}: {problem.message}: see --published")
    return found


def _published_ms(path: Path, published: datetime | None) -> int:
    if published is None:
        return int(path.stat().st_mtime) * 1000
    return int(published.replace(tzinfo=UTC).timestamp() * 1000)


def _print(table: Table) -> None:
    """As wide as it is: a line of a table that was cut cannot be copied."""
    natural = Console(width=1_000).measure(table).maximum
    Console(highlight=False, markup=False, width=max(natural, Console().width)).print(table)
