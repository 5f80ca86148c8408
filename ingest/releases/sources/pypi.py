"""The published list of the most downloaded Python packages: the JSON of hugovk/top-pypi-packages, or a CSV of its history."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from counterpoise.errors import DeadLetterError
from counterpoise.runtime.clock import Clock
from counterpoise.series.catalogue import Catalogue, Series
from counterpoise.series.release import Release
from counterpoise.settings.sections.market_sections import MarketSettings
from ingest.bad_item import BadItem
from ingest.releases.checked_observation import first_problem
from ingest.releases.sources.locations import FileSource, Located, Locations, report_assumed_publication
from ingest.releases.sources.parse.pypi import SERIES, pypi_releases
from ingest.releases.sources.release_source import Fetched


class _Row(BaseModel):
    model_config = ConfigDict(strict=True)
    project: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[A-Za-z0-9._-]+$")]
    download_count: Annotated[int, Field(ge=0)]


class _TopPackages(BaseModel):
    """`{"last_update": "2026-11-01 08:12:31", "rows": [{"download_count": …, "project": …}, …], …}`."""

    model_config = ConfigDict(strict=True)
    last_update: str
    rows: Annotated[list[_Row], Field(min_length=1, max_length=200_000)]

    @property
    def moment(self) -> datetime:
        return datetime.fromisoformat(self.last_update).replace(tzinfo=UTC)


class PypiSource(FileSource):
    """One file, or one folder of them."""

    name = "pypi"

    def __init__(
        self, settings: MarketSettings, catalogue: Catalogue, *, clock: Clock, pause: Callable[[float], None]
    ) -> None:
        locations = Locations(
            (settings.pypi.location,),
            settings,
            setting="COUNTERPOISE_MARKET__PYPI__LOCATION",
            suffixes=(".json", ".csv"),
            clock=clock,
            pause=pause,
        )
        super().__init__(locations, settings.pypi.cadence_seconds)
        self._series = catalogue[SERIES]

    def read(self, files: list[Located]) -> Fetched:
        """The snapshots of every file that is one."""
        releases: list[Release] = []
        rejected: list[BadItem] = []
        for file in files:
            try:
                releases += top_packages_releases(file, self._series)
            except DeadLetterError as error:
                rejected.append(BadItem(file.name, error.reason, str(error), file.content))
        return Fetched(tuple(releases), tuple(rejected))


def top_packages_releases(file: Located, series: Series) -> list[Release]:
    """The releases of one file, told apart by its first character. DeadLetterError for anything else."""
    if not file.content.lstrip().startswith(b"{"):
        report_assumed_publication("pypi", file)
        day = datetime.fromtimestamp(file.published_at_ms / 1000, UTC).date()
        return pypi_releases(file.text(), series, origin=file.name, snapshot=day)
    try:
        listed = _TopPackages.model_validate_json(file.content)
        moment = listed.moment
    except (ValidationError, ValueError) as error:
        raise DeadLetterError(
            "bad-source-file", f"{file.name}: no list of top packages: {_first_line(error)}"
        ) from None
    table = "\n".join(["download_count,project", *(f"{row.download_count},{row.project}" for row in listed.rows)])
    day = date(moment.year, moment.month, moment.day)
    return pypi_releases(table, series, origin=file.name, snapshot=day, published_at_ms=int(moment.timestamp() * 1000))


def _first_line(error: ValueError) -> str:
    if isinstance(error, ValidationError):
        return first_problem(error)[:200]
    return str(error)[:200]
