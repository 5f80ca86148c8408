"""Epoch AI's tables of who owns AI compute."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Final

from counterpoise.errors import DeadLetterError
from counterpoise.runtime.clock import Clock
from counterpoise.series.catalogue import Catalogue
from counterpoise.settings.sections.market_sections import MarketSettings
from ingest.bad_item import BadItem
from ingest.releases.sources.locations import FileSource, Located, Locations, report_assumed_publication
from ingest.releases.sources.parse.epoch import SERIES, epoch_releases
from ingest.releases.sources.release_source import Fetched

COMBINED: Final = "cumulative_by_designer.csv"
"""In the archive `ai_chip_owners.zip`: the one table of all designers. Its other tables say the same in parts."""

MAX_UNPACKED_BYTES: Final = 64 * 1024**2

_BOUNDED: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""Methods by which a read of n bytes unpacks n or little more. The others unpack whole blocks, and the stated size may be a lie."""


def unpacked(files: list[Located]) -> list[Located]:
    """The files, and in place of an archive its combined table. DeadLetterError where an archive
    lacks it, or it is too large or packed by a method other than deflate."""
    return [_combined(file) if file.content.startswith(b"PK") else file for file in files]


def _combined(archive: Located) -> Located:
    try:
        with zipfile.ZipFile(io.BytesIO(archive.content)) as found:
            members = [one for one in found.infolist() if PurePosixPath(one.filename).name == COMBINED]
            if len(members) != 1:
                raise DeadLetterError(
                    "bad-source-file", f"{archive.name}: {len(members)} files {COMBINED}, expected one"
                )
            if members[0].file_size > MAX_UNPACKED_BYTES:
                raise DeadLetterError(
                    "too-large", f"{archive.name}: {COMBINED} unpacks to over {MAX_UNPACKED_BYTES} bytes"
                )
            if members[0].compress_type not in _BOUNDED:
                raise DeadLetterError(
                    "bad-source-file",
                    f"{archive.name}: {COMBINED} is packed by method {members[0].compress_type}: pack it with deflate, or not at all",
                )
            with found.open(members[0]) as file:
                content = file.read(members[0].file_size)
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, RuntimeError, NotImplementedError) as error:
        raise DeadLetterError(
            "bad-source-file", f"{archive.name}: not a readable archive: {str(error)[:120]}"
        ) from None
    return replace(archive, name=f"{archive.name}/{COMBINED}", content=content)


class EpochSource(FileSource):
    """All tables together make one publication, dated by the newest of them."""

    name = "epoch"

    def __init__(
        self, settings: MarketSettings, catalogue: Catalogue, *, clock: Clock, pause: Callable[[float], None]
    ) -> None:
        locations = Locations(
            settings.epoch.locations,
            settings,
            setting="COUNTERPOISE_MARKET__EPOCH__LOCATIONS",
            suffixes=(".csv", ".zip"),
            clock=clock,
            pause=pause,
        )
        super().__init__(locations, settings.epoch.cadence_seconds)
        self._series = catalogue[SERIES]

    def read(self, files: list[Located]) -> Fetched:
        """Every quarter."""
        newest = max(files, key=lambda file: file.published_at_ms)
        report_assumed_publication(self.name, newest)
        published_at_ms = newest.published_at_ms
        try:
            texts = {file.name: file.text() for file in unpacked(files)}
            return Fetched(tuple(epoch_releases(texts, self._series, published_at_ms=published_at_ms)))
        except DeadLetterError as error:
            content = b"\n".join(file.content for file in files)
            return Fetched(rejected=(BadItem(self._series.series, error.reason, str(error), content),))
