"""Rows of the tables that hold releases: as they arrived, complete, and which of them stands."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import date

import numpy as np
import numpy.typing as npt

from counterpoise.clickhouse.columns import Column, Constant
from counterpoise.clickhouse.rows.block_rows import coded
from counterpoise.clickhouse.rows.times import ticks_of_millis
from counterpoise.contracts.releases import Kind, ReleaseEvent
from counterpoise.series.release import Release

FIRST_DAY = date(1900, 1, 1)
LAST_DAY = date(2299, 12, 31)
"""Days that the tables can hold (Date32)."""


def event_json(event: ReleaseEvent) -> bytes:
    """The event as it is stored; equal events give equal bytes, and it reads back as the same event."""
    return event.model_dump_json(exclude_defaults=True).encode("utf-8", "surrogatepass")


def chunk_columns(events: Sequence[ReleaseEvent], contents: Sequence[bytes], version: int) -> dict[str, Column]:
    """Chunks and withdrawals as they came; `contents[i]` is `event_json(events[i])`."""
    n = len(events)
    if len(contents) != n:
        raise ValueError(f"{n} events but {len(contents)} contents")
    return {
        "series": coded([event.series for event in events]),
        "release_id": [event.release_id for event in events],
        "withdrawn": np.array([event.withdrawn for event in events], np.bool_),
        "chunk": np.array([event.chunk for event in events], np.uint16),
        "chunks": np.array([event.chunks for event in events], np.uint16),
        "content_id": [hashlib.sha256(content).hexdigest() for content in contents],
        "observations": np.array([len(event.observations) for event in events], np.uint32),
        "event": list(contents),
        "version": Constant(version, n),
    }


def release_columns(
    releases: Sequence[Release],
    withdrawn_at_ms: Sequence[int | None],
    catalogue_ids: Sequence[str],
    version: int,
) -> dict[str, Column]:
    """Complete releases, when each was taken back (None: it stands), and the entry that its derived rows rest on."""
    n = len(releases)
    heads = [release.head for release in releases]
    return {
        "series": coded([head.series for head in heads]),
        "release_id": [release.release_id for release in releases],
        "values_id": [release.values_id for release in releases],
        "kind": coded([head.kind for head in heads]),
        "layer": coded([head.layer for head in heads]),
        "unit": coded([head.unit for head in heads]),
        "period_start": days([head.period_start for head in heads]),
        "period_end": days([head.period_end for head in heads]),
        "published_at": ticks_of_millis(head.published_at_ms for head in heads),
        "source": [head.source for head in heads],
        "licence": [head.licence for head in heads],
        "coverage": coded([head.coverage for head in heads]),
        "coverage_note": [head.coverage_note for head in heads],
        "method": [head.method for head in heads],
        "cutoff": optional([head.cutoff for head in heads]),
        "parts": [sorted(release.parts) for release in releases],
        "observations": np.array([len(release.observations) for release in releases], np.uint32),
        "total": np.array([sum(o.value for o in release.observations) for release in releases], np.float64),
        "withdrawn_at": np.ma.array(
            ticks_of_millis(at or 0 for at in withdrawn_at_ms),
            mask=np.array([at is None for at in withdrawn_at_ms], np.bool_),
        ),
        "catalogue_id": coded(catalogue_ids),
        "version": Constant(version, n),
    }


def observation_columns(releases: Sequence[Release], version: int) -> dict[str, Column]:
    """The values of complete releases, in the order of their keys."""
    rows = [observation for release in releases for observation in release.observations]
    lengths = [len(release.observations) for release in releases]
    return {
        "series": coded(_repeated((release.head.series for release in releases), lengths)),
        "release_id": _repeated((release.release_id for release in releases), lengths),
        "owner": [row.owner for row in rows],
        "venue": coded([row.venue for row in rows]),
        "part": coded([row.part for row in rows]),
        "item": [row.item for row in rows],
        "value": np.array([row.value for row in rows], np.float64),
        "value_p5": optional([row.value_p5 for row in rows]),
        "value_p95": optional([row.value_p95 for row in rows]),
        "residual": np.array([row.residual for row in rows], np.bool_),
        "version": Constant(version, len(rows)),
    }


def current_columns(pointers: Sequence[tuple[str, Kind, str, str, str | None]], version: int) -> dict[str, Column]:
    """(series, kind, first day, last day, release that stands or None) of each period whose pointer moved."""
    n = len(pointers)
    return {
        "series": coded([pointer[0] for pointer in pointers]),
        "kind": coded([pointer[1] for pointer in pointers]),
        "period_start": days([pointer[2] for pointer in pointers]),
        "period_end": days([pointer[3] for pointer in pointers]),
        "release_id": [pointer[4] or "" for pointer in pointers],
        "version": Constant(version, n),
        "is_deleted": np.array([pointer[4] is None for pointer in pointers], np.uint8),
    }


def days(texts: Iterable[str]) -> list[date]:
    """Calendar days for a Date or Date32 column."""
    return [date.fromisoformat(text) for text in texts]


def optional(values: Sequence[float | None]) -> npt.NDArray[np.float64]:
    """A Nullable(Float64) column."""
    masked: npt.NDArray[np.float64] = np.ma.array(
        np.array([0.0 if value is None else value for value in values], np.float64),
        mask=np.array([value is None for value in values], np.bool_),
    )
    return masked


def _repeated(names: Iterable[str], lengths: Sequence[int]) -> list[str]:
    return [name for name, length in zip(names, lengths, strict=True) for _ in range(length)]
