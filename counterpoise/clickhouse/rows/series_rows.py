"""Rows of series_log and series_entries_log: the catalogue that scores rest on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from counterpoise.clickhouse.columns import Column, Constant
from counterpoise.clickhouse.rows.block_rows import coded
from counterpoise.series.catalogue import Series


def series_columns(entries: Sequence[Series], version: int) -> dict[str, Column]:
    """One row a series."""
    return {
        "series": coded([entry.series for entry in entries]),
        "catalogue_id": coded([entry.catalogue_id for entry in entries]),
        "title": [entry.title for entry in entries],
        "measures": [entry.measures for entry in entries],
        "owner_means": [entry.owner_means for entry in entries],
        "layer": coded([entry.layer for entry in entries]),
        "kind": coded([entry.kind for entry in entries]),
        "unit": coded([entry.unit for entry in entries]),
        "cadence_days": np.array([entry.cadence.days for entry in entries], np.uint16),
        "lag_days": np.array([entry.cadence.lag_days for entry in entries], np.uint16),
        "source": [entry.source for entry in entries],
        "licence": [entry.licence for entry in entries],
        "pairs_with_mining": np.array([entry.pairs_with_mining for entry in entries], np.bool_),
        "document": [entry.model_dump_json() for entry in entries],
        "version": Constant(version, len(entries)),
    }


def series_entry_columns(entries: Sequence[Series], version: int) -> dict[str, Column]:
    """One row for each owner that a list counts or leaves out on purpose."""
    rows = [
        (entry, one.id, name, counts, venue, reason)
        for entry in entries
        for one in entry.lists
        for name, counts, venue, reason in (
            *((chosen.name, True, chosen.venue or "", chosen.reason) for chosen in one.entries),
            *((out.name, False, "", out.reason) for out in one.excluded),
        )
    ]
    return {
        "series": coded([row[0].series for row in rows]),
        "catalogue_id": coded([row[0].catalogue_id for row in rows]),
        "list_id": coded([row[1] for row in rows]),
        "owner": [row[2] for row in rows],
        "counts": np.array([row[3] for row in rows], np.bool_),
        "venue": coded([row[4] for row in rows]),
        "reason": [row[5] for row in rows],
        "version": Constant(version, len(rows)),
    }
