"""Rows of concentration_daily_log, one for each metric of each part of a day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from counterpoise.clickhouse.columns import Coded, Column, Constant

_OF_PARTS = ("view_code", "window_blocks", "bucket", "day", "from_height", "to_height", "blocks")
_OF_METRICS = ("first", "last", "lowest", "highest")


def daily_columns(
    metrics: Sequence[str],
    parts: Mapping[str, npt.NDArray[Any]],
    values: Mapping[str, npt.NDArray[np.float64]],
    *,
    attribution_id: str,
    chain: str,
    version: int,
) -> dict[str, Column]:
    """`parts`: view_code, window_blocks, bucket, day (since 1970), from_height, to_height, blocks, P of each; `values`: first, last,
    lowest and highest, (P, M) in the order of the M metrics. P · M rows, those of one metric together."""
    count, rows = len(parts["bucket"]), len(parts["bucket"]) * len(metrics)
    repeated = {name: np.tile(parts[name], len(metrics)) for name in _OF_PARTS}
    return {
        "attribution_id": Constant(attribution_id, rows),
        "chain": Constant(chain, rows),
        "view": repeated.pop("view_code"),
        "metric": Coded(tuple(metrics), np.repeat(np.arange(len(metrics), dtype=np.uint32), count)),
        **repeated,
        **{name: np.ascontiguousarray(values[name].T).reshape(-1) for name in _OF_METRICS},
        "version": Constant(version, rows),
    }


def emptied_columns(
    metrics: Sequence[str],
    buckets: Sequence[int],
    *,
    windows: Sequence[int],
    views: int,
    attribution_id: str,
    chain: str,
    version: int,
) -> dict[str, Column]:
    """The rows of buckets in which no height stands any more: one a metric, with no blocks."""
    keys = views * len(windows)
    parts: dict[str, npt.NDArray[Any]] = {
        "view_code": np.repeat(np.arange(views, dtype=np.int8), len(windows) * len(buckets)),
        "window_blocks": np.tile(np.repeat(np.array(windows, np.uint16), len(buckets)), views),
        "bucket": np.tile(np.array(buckets, np.uint32), keys),
    }
    zeros = np.zeros(keys * len(buckets), np.uint32)
    parts |= dict.fromkeys(("from_height", "to_height", "blocks"), zeros) | {"day": zeros.astype(np.uint16)}
    values = dict.fromkeys(_OF_METRICS, np.full((len(zeros), len(metrics)), np.nan))
    return daily_columns(metrics, parts, values, attribution_id=attribution_id, chain=chain, version=version)
