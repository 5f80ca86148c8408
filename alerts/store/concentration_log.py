"""concentration_log: the integers of every window at every height."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from alerts.rules.rule import HeightRule
from alerts.signals.detector_columns import DETECTOR_COLUMNS
from alerts.signals.window_counts import ReadsSeries, WindowCounts, WindowPlace
from alerts.store.detectors_log import DetectorsLog
from alerts.store.pool_names_log import PoolNamesLog
from counterpoise.clickhouse.client import ClickHouse
from counterpoise.windows import LEADERS, ONE_SERIES, RAW, View

_COUNTS = ", ".join(f"c{i}, l{i}" for i in range(1, LEADERS + 1))
# Without FINAL, which takes about as long as all the rest: `newest_rows` leaves one row of each height.
_SERIES = f"""
SELECT view = 'raw' AS is_raw, height, tip_hash, toUnixTimestamp(time) AS seconds, n, unknown, window_full,
  pools_seen, {_COUNTS}, p_top4_above_75, version, is_deleted
FROM concentration_log
WHERE attribution_id = {{attribution_id:String}} AND chain = {{chain:String}} AND view IN {{views:Array(String)}}
  AND window_blocks = {{window_blocks:UInt16}} AND height BETWEEN {{low:UInt32}} AND {{high:UInt32}}
ORDER BY view, height
"""  # noqa: S608

_SERIES_KEY = f"attribution_id = {{id:String}} AND chain = {{chain:String}} AND {ONE_SERIES}"
_TIP = (
    f"SELECT height, toUnixTimestamp(time), lower(hex(tip_hash)) FROM concentration_log FINAL WHERE {_SERIES_KEY} "  # noqa: S608
    "AND height >= {low:Int64} ORDER BY height DESC LIMIT 1"
)
_NEWEST = (
    "SELECT max(height), max(version), count(), (SELECT groupArray((height, lower(hex(tip_hash)))) FROM concentration_log FINAL "  # noqa: S608
    f"WHERE {_SERIES_KEY} AND height BETWEEN {{low:Int64}} AND {{known:Int64}}) "
    f"FROM concentration_log FINAL WHERE {_SERIES_KEY} AND height >= {{low:Int64}}"
)
# The newest height that readers see, and the leaders at some heights: of two tables, in one statement.
_LEADERS_AT = (
    f"SELECT (SELECT max(height) FROM concentration_latest_log FINAL WHERE {_SERIES_KEY}), "  # noqa: S608
    f"(SELECT groupArray((height, n, [{', '.join(f'l{i}' for i in range(1, LEADERS + 1))}], "
    f"[{', '.join(f'c{i}' for i in range(1, LEADERS + 1))}])) FROM concentration_log FINAL "
    "WHERE attribution_id = {id:String} AND chain = {chain:String} AND view = {view:String} "
    "AND window_blocks = {window_blocks:UInt16} AND height IN {heights:Array(UInt32)})"
)


class NewestScores(NamedTuple):
    """The highest height and the newest version of the scored blocks, and the hash of each block below."""

    height: int
    version: int
    tips: Mapping[int, str]


def empty_window_counts(names: tuple[str, ...] = ("",), further: Sequence[str] = ()) -> WindowCounts:
    """A series of no heights."""
    columns: dict[str, Any] = dict.fromkeys(("height", "time", "n", "unknown", "pools_seen", "window_full"), ())
    blank = np.zeros((0, 6), np.int64)
    return WindowCounts.of(
        **columns,
        tip_hash=(),
        p_top4_above_75=[],
        counts=blank,
        leaders=blank,
        names=names,
        further=dict.fromkeys(further, ()),
    )


def newest_rows(found: Mapping[str, Any]) -> Mapping[str, Any]:
    """The rows of one view with the newest version of each height, without those that a reorganisation undid. Pure."""
    heights = found["height"]
    if not np.any(found["is_deleted"]) and np.all(heights[1:] > heights[:-1]):
        return found
    order = np.lexsort((found["version"], heights))
    is_last = np.append(np.diff(heights[order]) != 0, True)
    kept = order[is_last & (found["is_deleted"][order] == 0)]
    return {
        name: column[kept] if isinstance(column, np.ndarray) else [column[at] for at in kept.tolist()]
        for name, column in found.items()
    }


def beside(series: WindowCounts, others: Mapping[WindowPlace, WindowCounts]) -> WindowCounts:
    """A series with other windows of the same blocks, up to the first height at which any differs or is missing. Pure."""
    common = len(series)
    for other in others.values():
        pairs = zip(
            series.height[:common].tolist(), series.tip_hash, other.height.tolist(), other.tip_hash, strict=False
        )
        same = [(height, tip) == (its_height, its_tip) for height, tip, its_height, its_tip in pairs]
        common = same.index(False) if False in same else len(same)
    head = slice(0, common)
    return replace(series.part(head), beside={place: other.part(head) for place, other in others.items()})


class ConcentrationLog:
    """Read only."""

    def __init__(self, ch: ClickHouse, pool_names: PoolNamesLog) -> None:
        self._ch = ch
        self._pool_names = pool_names
        self._detectors = DetectorsLog(ch)

    def leaders_at(
        self, chain: str, attribution_id: str, view: View, window_blocks: int, heights: Sequence[int]
    ) -> tuple[int | None, dict[int, tuple[int, dict[str, int]]]]:
        """The height of the newest row that readers see, None where nothing is scored; and at those of the heights that are scored
        (blocks of the window, blocks of its leaders by name, largest first).

        The newest row is written just before the rows of its height. It is in a small table; `tip` merges rows of a large one.
        """
        asked = {
            "id": attribution_id,
            "chain": chain,
            "view": view,
            "window_blocks": window_blocks,
            "heights": [height for height in heights if height >= 0],
        }
        [(newest, rows)] = self._ch.query(_LEADERS_AT, asked)
        if not newest:
            tip = self.tip(chain, attribution_id)
            newest = None if tip is None else tip[0]
        names = self._names(attribution_id, view, max((max(codes) for _, _, codes, _ in rows), default=0))
        leaders = {
            int(height): (
                int(n),
                {names[code]: int(count) for code, count in zip(codes, counts, strict=True) if count},
            )
            for height, n, codes, counts in rows
        }
        return newest, leaders

    def _names(self, attribution_id: str, view: View, highest: int) -> tuple[str, ...]:
        """The names behind codes up to the highest."""
        names = self._pool_names.of(attribution_id, view)
        if highest >= len(names):  # a name that came after we read them
            self._pool_names.forget(attribution_id, view)
            names = self._pool_names.of(attribution_id, view)
        return names

    def tip(self, chain: str, attribution_id: str) -> tuple[int, int, str] | None:
        """(height, block time in seconds, hash) of the highest scored block; None where nothing is scored."""
        asked = {"id": attribution_id, "chain": chain}
        [(highest,)] = self._ch.query(f"SELECT max(height) FROM concentration_log WHERE {_SERIES_KEY}", asked)  # noqa: S608
        # FINAL merges all that the condition leaves: the newest heights are enough, unless a reorg undid every one of them.
        rows = self._ch.query(_TIP, {**asked, "low": int(highest) - 300})
        rows = rows or self._ch.query(_TIP, {**asked, "low": 0})
        return (int(rows[0][0]), int(rows[0][1]), str(rows[0][2])) if rows else None

    def newest(self, chain: str, attribution_id: str, low: int, known: int) -> NewestScores | None:
        """What is scored from a height on, with the blocks up to the height `known`; None where nothing is."""
        asked = {"id": attribution_id, "chain": chain, "low": low, "known": known}
        [(height, version, count, tips)] = self._ch.query(_NEWEST, asked)
        if not count:
            return None
        return NewestScores(int(height), int(version), {int(at): str(tip_hash) for at, tip_hash in tips})

    def lowest(self, chain: str, attribution_id: str) -> int | None:
        """The lowest scored height."""
        rows = self._ch.query(
            f"SELECT min(height), count() FROM concentration_log WHERE {_SERIES_KEY} AND is_deleted = 0",  # noqa: S608
            {"id": attribution_id, "chain": chain},
        )
        return int(rows[0][0]) if rows[0][1] else None

    def series_of(self, rule: ReadsSeries, attribution_id: str, *, low: int, high: int) -> WindowCounts:
        """`series` of the chain, view and window of a rule, or of several, with the columns and the other windows that are needed.

        Where the other windows are of other blocks, because a reorganisation came between two queries, the series ends before them.
        """

        def read(view: View, window_blocks: int) -> WindowCounts:
            return self.series(
                rule.chain, attribution_id, view, window_blocks, low=low, high=high, further=rule.further_columns
            )

        series = read(rule.view, rule.window_blocks)
        return beside(series, {place: read(*place) for place in rule.beside}) if rule.beside else series

    def up_to(self, rule: HeightRule, attribution_id: str, height: int) -> WindowCounts:
        """The heights that a rule needs to be judged at `height`, the last one; empty where that is not scored."""
        series = self.series_of(rule, attribution_id, low=height - rule.lookback_blocks, high=height)
        return series if len(series) and int(series.height[-1]) == height else series.part(slice(0, 0))

    def series(
        self,
        chain: str,
        attribution_id: str,
        view: View,
        window_blocks: int,
        *,
        low: int,
        high: int,
        further: Sequence[str] = (),
    ) -> WindowCounts:
        """The scored heights from `low` to `high`, up to the first one that is missing; `further` names columns beside the usual."""
        return self.series_by_view(chain, attribution_id, (view,), window_blocks, low=low, high=high, further=further)[
            view
        ]

    def series_by_view(
        self,
        chain: str,
        attribution_id: str,
        views: Sequence[View],
        window_blocks: int,
        *,
        low: int,
        high: int,
        further: Sequence[str] = (),
    ) -> dict[View, WindowCounts]:
        """The same of several views, in one query for all of them."""
        asked = {
            "attribution_id": attribution_id,
            "chain": chain,
            "views": list(views),
            "window_blocks": window_blocks,
            "low": max(0, low),
            "high": max(0, high),
        }
        own = [name for name in further if name not in DETECTOR_COLUMNS]
        found = self._ch.query_columns(
            _SERIES.replace("FROM", "".join(f", {name}" for name in own) + " FROM", 1), asked
        )
        is_raw = np.asarray(found.pop("is_raw"))
        series = {}
        for view in views:
            at = np.flatnonzero(is_raw == (view == RAW))
            part = slice(int(at[0]), int(at[-1]) + 1) if len(at) else slice(0, 0)
            rows = newest_rows({name: column[part] for name, column in found.items()})
            series[view] = self._of_rows(rows, chain, attribution_id, view, further)
        return series

    def _of_rows(
        self,
        found: Mapping[str, Any],
        chain: str,
        attribution_id: str,
        view: View,
        further: Sequence[str],
    ) -> WindowCounts:
        """The series of one view, of its rows by height."""
        heights = np.asarray(found["height"], np.int64)
        if not len(heights):
            return empty_window_counts(self._pool_names.of(attribution_id, view), further)
        own = [name for name in further if name not in DETECTOR_COLUMNS]
        codes = np.stack([np.asarray(found[f"l{i}"], np.int64) for i in range(1, LEADERS + 1)], axis=1)
        names = self._names(attribution_id, view, int(codes.max()))
        series = WindowCounts(
            height=heights,
            tip_hash=tuple(tip_hash.hex() for tip_hash in found["tip_hash"]),
            time=np.asarray(found["seconds"], np.int64),
            n=np.asarray(found["n"], np.int64),
            unknown=np.asarray(found["unknown"], np.int64),
            window_full=np.asarray(found["window_full"], np.bool_),
            pools_seen=np.asarray(found["pools_seen"], np.int64),
            counts=np.stack([np.asarray(found[f"c{i}"], np.int64) for i in range(1, LEADERS + 1)], axis=1),
            p_top4_above_75=np.asarray(found["p_top4_above_75"], np.float64),
            leaders=codes,
            names=names,
            further={name: np.asarray(found[name]) for name in own},
        )
        gaps = np.flatnonzero(np.diff(heights) != 1)
        series = series.part(slice(0, int(gaps[0]) + 1)) if len(gaps) else series
        detectors = [name for name in further if name in DETECTOR_COLUMNS]
        return self._detectors.beside(series, chain, attribution_id, view, detectors) if detectors else series
