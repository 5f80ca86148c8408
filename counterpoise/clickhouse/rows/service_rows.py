"""Rows of services_log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from counterpoise.clickhouse.columns import Column
from counterpoise.clickhouse.rows.times import ticks_of_seconds

HEIGHT_OF: Final[Mapping[str, str]] = {"ingest": "published_height", "streams": "last_height", "alerts": "height"}
"""The field of a chain's status that is the service's height."""

_REASON_CHARACTERS: Final = 500


def service_columns(snapshot: Mapping[str, Any], folder: str, software_version: str, state: str) -> dict[str, Column]:
    """One report from a snapshot of ServiceStatus; a service without heights has an empty map. `written_at` is the server's."""
    service = str(snapshot["service"])
    chains: Mapping[str, Mapping[str, Any]] = snapshot["info"].get("chains", {})
    height = HEIGHT_OF.get(service, "")
    waits = state == "waiting"
    return {
        "service": [service],
        "instance": [snapshot["instance"]],
        "host": [snapshot["host"]],
        "folder": [folder],
        "pid": [snapshot["pid"]],
        "software_version": [software_version],
        "state": [state],
        "waiting_on": [snapshot["waiting_on"] or "" if waits else ""],
        "wait_reason": [(snapshot["wait_reason"] or "")[:_REASON_CHARACTERS] if waits else ""],
        "waiting_since": _ticks_or_null(snapshot["waiting_since"] if waits else None),
        "heights": [{chain: fields[height] for chain, fields in chains.items() if fields.get(height) is not None}],
        "last_progress_at": _ticks_or_null(snapshot["last_progress_at"]),
        "started_at": ticks_of_seconds([snapshot["started_at"]]),
    }


def _ticks_or_null(seconds: float | None) -> Column:
    ticks = ticks_of_seconds([0.0 if seconds is None else seconds])
    return np.ma.array(ticks, mask=np.array([seconds is None]))
