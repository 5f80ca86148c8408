"""detectors_log: whether each sequential detector fires after a block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from alerts.signals.detector_columns import DETECTOR_COLUMNS
from alerts.signals.window_counts import WindowCounts
from counterpoise.clickhouse.client import ClickHouse
from counterpoise.windows import View

_SET = "attribution_id = {attribution_id:String} AND chain = {chain:String}"
# The first row in the order of the key is read without the history behind it. It may be undone; the lowest is near it then.
_LOWEST = f"""
WITH (SELECT height FROM detectors_log WHERE {_SET} AND is_deleted = 0 ORDER BY height LIMIT 1) AS first
SELECT min(height), count() FROM detectors_log FINAL WHERE {_SET} AND height BETWEEN first AND first + 10000
"""  # noqa: S608
_ROWS = f"""
SELECT height, lower(hex(tip_hash)) AS tip, COLUMNS FROM detectors_log FINAL
WHERE {_SET} AND height BETWEEN {{low:UInt32}} AND {{high:UInt32}}
ORDER BY height
"""  # noqa: S608


def with_detectors(
    series: WindowCounts, tips: dict[int, str], values: dict[str, NDArray[np.float64]], starts: int | None
) -> WindowCounts:
    """A series with these columns, up to the first height at which the detectors are missing or of another block. Pure.

    `tips` are their blocks by height, `values` belong to them in that order. Below `starts` a chain has no detectors (NaN), nor
    anywhere where it is None.
    """
    heights = series.height.tolist()
    pairs = zip(heights, series.tip_hash, strict=True)
    same = [starts is None or height < starts or tips.get(height) == tip for height, tip in pairs]
    head = series.part(slice(0, same.index(False) if False in same else len(same)))
    place = {height: at for at, height in enumerate(tips)}
    places = np.array([place.get(height, -1) for height in head.height.tolist()], np.int64)
    further = {name: np.append(column, np.nan)[places] for name, column in values.items()}
    return replace(head, further={**head.further, **further})


class DetectorsLog:
    """Read only."""

    def __init__(self, ch: ClickHouse) -> None:
        self._ch = ch

    def beside(
        self, series: WindowCounts, chain: str, attribution_id: str, view: View, columns: Sequence[str]
    ) -> WindowCounts:
        """A series of at least one height with these of `DETECTOR_COLUMNS`: its blocks' rows are written before its own."""
        asked = {"attribution_id": attribution_id, "chain": chain}
        [(lowest, rows)] = self._ch.query(_LOWEST, asked)
        texts = ", ".join(f"{DETECTOR_COLUMNS[name].sql(view)} AS {name}" for name in columns)
        found = self._ch.query_columns(
            _ROWS.replace("COLUMNS", texts), {**asked, "low": int(series.height[0]), "high": int(series.height[-1])}
        )
        tips = dict(zip(np.asarray(found["height"]).tolist(), (str(tip) for tip in found["tip"]), strict=True))
        values = {name: np.asarray(found[name], np.float64) for name in columns}
        return with_detectors(series, tips, values, int(lowest) if rows else None)
