"""A file and a mapping: what releases it makes. Pure but for what it is handed."""

from __future__ import annotations

from pathlib import PurePath

from counterpoise.errors import DeadLetterError
from counterpoise.series.catalogue import Series
from counterpoise.series.release import Release
from ingest.releases.mapping.apply_mapping import Document, mapped_releases
from ingest.releases.mapping.file_rows import READERS
from ingest.releases.mapping.mapping import Mapping
from ingest.releases.release_head import time_problem


def require_known_ending(name: str) -> None:
    """DeadLetterError where no reader is known for the end of a file's name."""
    if PurePath(name).suffix.lower() not in READERS:
        raise DeadLetterError("unknown-format", f"{name}: expected a name that ends in {', '.join(READERS)}")


def releases_of_file(
    mapping: Mapping, series: Series, content: bytes, *, name: str, modified_ms: int, now_ms: int, item: str = ""
) -> list[Release]:
    """The releases of one file, read by the end of its name; `fetched` is the file's own time, so that the same file gives the same.

    DeadLetterError names the first rows that are wrong, or the time that cannot be.
    """
    require_known_ending(name)
    document = Document(
        READERS[PurePath(name).suffix.lower()](content, name), item=item, name=name, modified_ms=modified_ms
    )
    releases = mapped_releases(mapping, series, [document], fetched_at_ms=modified_ms)
    for release in releases:
        problem = time_problem(release.head, now_ms)
        if problem is not None:
            raise DeadLetterError("bad-time", f"{name}: {problem.field}: {problem.message}")
    return releases
