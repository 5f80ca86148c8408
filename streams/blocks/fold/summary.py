"""What readers ask for most, taken from scored heights: every metric at the newest one, and what each did on every UTC day. Pure.

Days come in parts, because header times go back and forth across midnight: a bucket is `DAILY_BUCKET_BLOCKS` heights, and a part is
what one bucket has of one day. A bucket is summed up whole or not at all, so its parts are a function of the blocks alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from counterpoise.metrics.counts import FloatArray
from counterpoise.metrics.derived import derive
from counterpoise.metrics.spec import MetricSpec
from counterpoise.metrics.specs.metric_registry import SPECS
from counterpoise.metrics.stored_integers import StoredIntegers
from counterpoise.windows import DAILY_BUCKET_BLOCKS, VIEWS
from streams.blocks.fold.concentration import ConcentrationTable

_DAY_SECONDS: Final = 86_400


@dataclass(frozen=True, slots=True)
class DailyParts:
    """One row for each view, window, bucket and day with a full window; `first` … `highest` have a column for each of `metrics`."""

    metrics: tuple[str, ...]
    view_code: NDArray[np.int8]
    window_blocks: NDArray[np.uint16]
    bucket: NDArray[np.uint32]
    day: NDArray[np.uint16]
    from_height: NDArray[np.uint32]
    to_height: NDArray[np.uint32]
    blocks: NDArray[np.uint32]
    first: FloatArray
    last: FloatArray
    lowest: FloatArray
    highest: FloatArray

    def __len__(self) -> int:
        return len(self.bucket)


@dataclass(frozen=True, slots=True)
class Summary:
    """`newest`: stored columns and metrics of the last height, one row a view and window; `daily`: every bucket that was touched."""

    newest: Mapping[str, NDArray[Any]]
    daily: DailyParts


def bucket_start(height: int) -> int:
    """The first height of the bucket that holds `height`."""
    return height // DAILY_BUCKET_BLOCKS * DAILY_BUCKET_BLOCKS


def summarise(
    table: ConcentrationTable, from_height: int, times: NDArray[np.int64], specs: Mapping[str, MetricSpec] = SPECS
) -> Summary:
    """Sum up the heights of `table`, which begin at `from_height` with the header times `times` (unix seconds).

    `from_height` is the start of a bucket, or the first height of all.
    """
    columns = table.columns()
    metrics = derive(StoredIntegers(columns), specs)
    heights = len(times)
    newest = np.arange(1, len(table) // heights + 1) * heights - 1
    return Summary(
        newest={name: column[newest] for name, column in (columns | metrics).items()},
        daily=_daily(table, metrics, from_height, times),
    )


def _daily(
    table: ConcentrationTable, metrics: Mapping[str, NDArray[Any]], from_height: int, times: NDArray[np.int64]
) -> DailyParts:
    heights = len(times)
    windows = table.window_blocks.reshape(len(VIEWS), -1, heights)[0, :, 0]
    full = table.window_full.reshape(len(VIEWS), len(windows), heights)[0]
    height = from_height + np.arange(heights, dtype=np.int64)
    day, bucket = times // _DAY_SECONDS, height // DAILY_BUCKET_BLOCKS
    shaped = {name: values.reshape(len(VIEWS), len(windows), heights) for name, values in metrics.items()}
    parts = [
        _of_window(
            w=w,
            window=windows[w],
            places=np.flatnonzero(full[w]),
            height=height,
            day=day,
            bucket=bucket,
            shaped=shaped,
        )
        for w in range(len(windows))
        if full[w].any()
    ]
    return _joined(tuple(metrics), parts)


def _of_window(
    *,
    w: int,
    window: np.uint16,
    places: NDArray[np.intp],
    height: NDArray[np.int64],
    day: NDArray[np.int64],
    bucket: NDArray[np.int64],
    shaped: Mapping[str, NDArray[Any]],
) -> dict[str, NDArray[Any]]:
    """The parts of one window: both views, every metric, over the heights at `places`."""
    key = bucket[places] << 32 | day[places]
    order = np.argsort(key, kind="stable") if np.any(key[1:] < key[:-1]) else None
    sorted_key = key if order is None else key[order]
    places = places if order is None else places[order]
    starts = np.flatnonzero(np.concatenate(([True], sorted_key[1:] != sorted_key[:-1])))
    ends = np.append(starts[1:], len(places)) - 1
    whole = order is None and len(places) == len(height)
    groups, views = len(starts), len(VIEWS)
    found = {name: np.empty((views * groups, len(shaped))) for name in ("first", "last", "lowest", "highest")}
    for column, values in enumerate(shaped.values()):
        taken = values[:, w] if whole else values[:, w, places]
        found["first"][:, column] = taken[:, starts].reshape(-1)
        found["last"][:, column] = taken[:, ends].reshape(-1)
        # fmin and fmax pass over NaN: a value where there is one, NaN where there is none.
        found["lowest"][:, column] = np.fmin.reduceat(taken, starts, axis=1).reshape(-1)
        found["highest"][:, column] = np.fmax.reduceat(taken, starts, axis=1).reshape(-1)
    return found | {
        "view_code": np.repeat(np.arange(views, dtype=np.int8), groups),
        "window_blocks": np.full(views * groups, window, np.uint16),
        "bucket": np.tile(bucket[places[starts]].astype(np.uint32), views),
        "day": np.tile(day[places[starts]].astype(np.uint16), views),
        "from_height": np.tile(height[places[starts]].astype(np.uint32), views),
        "to_height": np.tile(height[places[ends]].astype(np.uint32), views),
        "blocks": np.tile((ends - starts + 1).astype(np.uint32), views),
    }


def _joined(metrics: tuple[str, ...], parts: list[dict[str, NDArray[Any]]]) -> DailyParts:
    if not parts:
        none = np.zeros(0)
        empty = np.zeros((0, len(metrics)))
        return DailyParts(
            metrics,
            none.astype(np.int8),
            none.astype(np.uint16),
            none.astype(np.uint32),
            none.astype(np.uint16),
            none.astype(np.uint32),
            none.astype(np.uint32),
            none.astype(np.uint32),
            empty,
            empty,
            empty,
            empty,
        )
    return DailyParts(metrics, **{name: np.concatenate([part[name] for part in parts]) for name in parts[0]})
