"""Rows of alert_events_log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from counterpoise.clickhouse.columns import Column, Constant
from counterpoise.clickhouse.rows.block_rows import coded
from counterpoise.clickhouse.rows.times import ticks_of_millis
from counterpoise.contracts.alert_transition import AlertTransition


def alert_event_columns(transitions: Sequence[AlertTransition], version: int) -> dict[str, Column]:
    """Transitions with their evidence flattened for SQL and whole as JSON."""
    evidence = [step.evidence for step in transitions]
    return {
        "alert_id": [step.alert_id for step in transitions],
        "sequence": np.array([step.sequence for step in transitions], np.uint32),
        "rule_id": coded([step.rule_id for step in transitions]),
        "rule_hash": [step.rule_hash for step in transitions],
        "state": coded([step.state for step in transitions]),
        "previous_state": coded([step.previous_state or "" for step in transitions]),
        "reason": coded([step.reason for step in transitions]),
        "notify": np.array([step.notify for step in transitions], np.bool_),
        "undoes": [list(step.undoes) for step in transitions],
        "event_time": ticks_of_millis(step.event_time * 1000 for step in transitions),
        "recorded_at": ticks_of_millis(step.recorded_at_ms for step in transitions),
        "start_height": _optional([step.start_height for step in transitions]),
        "value": [step.value for step in transitions],
        "value_low": [step.value_low for step in transitions],
        "value_high": [step.value_high for step in transitions],
        "interval_low": [step.interval_low for step in transitions],
        "interval_high": [step.interval_high for step in transitions],
        "threshold": [step.threshold for step in transitions],
        "summary": [step.summary for step in transitions],
        "chain": coded([found.chain or "" for found in evidence]),
        "view": coded([found.view or "" for found in evidence]),
        "window_blocks": _zero_for_none([found.window_blocks for found in evidence], np.uint16),
        "from_height": _optional([found.from_height for found in evidence]),
        "height": _optional([found.height for found in evidence]),
        "tip_hash": [found.tip_hash or "" for found in evidence],
        "attribution_id": coded([found.attribution_id or "" for found in evidence]),
        "n": _zero_for_none([found.n for found in evidence], np.uint16),
        "unknown": _zero_for_none([found.unknown for found in evidence], np.uint16),
        "pools_seen": _zero_for_none([found.pools_seen for found in evidence], np.uint16),
        "counts": [[tuple(pair) for pair in found.counts] for found in evidence],
        "reproduce_sql": [found.sql for found in evidence],
        "evidence": [found.as_json() for found in evidence],
        "version": Constant(version, len(transitions)),
    }


def _zero_for_none(values: Sequence[int | None], dtype: type[np.unsignedinteger[Any]]) -> npt.NDArray[Any]:
    return np.array([value or 0 for value in values], dtype)


def _optional(values: Sequence[int | None]) -> npt.NDArray[Any]:
    masked: npt.NDArray[Any] = np.ma.array(
        np.array([value or 0 for value in values], np.uint32),
        mask=np.array([value is None for value in values], np.bool_),
    )
    return masked
