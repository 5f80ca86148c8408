"""The integers of one window under one view, height after height: the input of rules on concentration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import lru_cache
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from counterpoise.metrics.stored_integers import StoredIntegers
from counterpoise.windows import View

IntArray = NDArray[np.int64]


class WindowPlace(NamedTuple):
    """Which window of a chain: its view and its length."""

    view: View
    window_blocks: int

    @property
    def words(self) -> str:
        """`1008 blocks (raw)`."""
        return f"{self.window_blocks} blocks ({self.view})"


class ReadsSeries(Protocol):
    """What names a series: a rule, or several that read one together."""

    @property
    def chain(self) -> str: ...
    @property
    def view(self) -> View: ...
    @property
    def window_blocks(self) -> int: ...
    @property
    def further_columns(self) -> tuple[str, ...]: ...
    @property
    def beside(self) -> tuple[WindowPlace, ...]: ...


@dataclass(frozen=True, slots=True)
class WindowCounts:
    """R heights in a row, ascending by one. Arrays have R entries, `counts` is (R, 6): c1…c6, largest first.

    `tip_hash` is hexadecimal as explorers show it; `time` is the block's, in seconds; `p_top4_above_75` is NaN where unknown.
    `leaders` (R, 6) are places in `names`: who made c1…c6. `further` are other columns of `concentration_log` by name, for rules
    that need them. `beside` are other windows of the same blocks, for rules that compare several.
    """

    height: IntArray
    tip_hash: tuple[str, ...]
    time: IntArray
    n: IntArray
    unknown: IntArray
    window_full: NDArray[np.bool_]
    pools_seen: IntArray
    counts: IntArray
    p_top4_above_75: NDArray[np.float64]
    leaders: IntArray
    names: tuple[str, ...]
    further: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    beside: Mapping[WindowPlace, WindowCounts] = field(default_factory=dict)
    _integers: list[StoredIntegers] = field(default_factory=list, init=False, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.tip_hash)

    def top(self, k: int) -> IntArray:
        """Blocks of the k largest pools, k in 1…6."""
        total: IntArray = self.counts[:, :k].sum(axis=1)
        return total

    def part(self, at: slice) -> WindowCounts:
        """The same columns for some of the heights."""
        parts: dict[str, Any] = {name: getattr(self, name)[at] for name in _ROW_COLUMNS}
        further = {name: values[at] for name, values in self.further.items()}
        there = {place: other.part(at) for place, other in self.beside.items()}
        return WindowCounts(**parts, tip_hash=self.tip_hash[at], names=self.names, further=further, beside=there)

    def then(self, after: WindowCounts) -> WindowCounts:
        """Both in a row; ValueError where the other does not follow. The two may list names in different orders."""
        if not len(self) or not len(after):
            return after if not len(self) else self
        if int(after.height[0]) != int(self.height[-1]) + 1:
            raise ValueError(f"height {int(after.height[0])} does not follow {int(self.height[-1])}")
        columns, names = _joined([self, after], [_ALL, _ALL])
        return WindowCounts(
            **columns,
            tip_hash=self.tip_hash + after.tip_hash,
            names=names,
            further={name: np.concatenate([values, after.further[name]]) for name, values in self.further.items()},
            beside={place: other.then(after.beside[place]) for place, other in self.beside.items()},
        )

    def integers(self) -> StoredIntegers:
        """The columns as metrics take them; a metric that needs a missing one of `further` raises KeyError.

        Every call gives the same object, so that metrics share what several of them need.
        """
        if self._integers:
            return self._integers[0]
        own = {name: getattr(self, name) for name in ("n", "unknown", "window_full", "pools_seen", "p_top4_above_75")}
        ranked = {f"c{rank + 1}": self.counts[:, rank] for rank in range(self.counts.shape[1])}
        self._integers.append(StoredIntegers({**own, **ranked, **self.further}))
        return self._integers[0]

    def row(self, height: int) -> int | None:
        """The place of a height; None where the series does not reach it."""
        at = height - int(self.height[0]) if len(self) else -1
        return at if 0 <= at < len(self) else None

    def named_counts(self, at: int) -> tuple[tuple[str, int], ...]:
        """(pool, blocks) of the leaders at row `at`, largest first."""
        pairs = zip(self.leaders[at].tolist(), self.counts[at].tolist(), strict=True)
        return tuple((self.names[code], count) for code, count in pairs if count)

    @classmethod
    def of(cls, **columns: Any) -> WindowCounts:
        """Build one from anything numpy takes; ValueError where lengths differ or heights do not ascend by one."""
        tip_hash = tuple(columns.pop("tip_hash"))
        full = np.asarray(columns.pop("window_full"), np.bool_)
        p_above = np.asarray(columns.pop("p_top4_above_75"), np.float64)
        names = tuple(columns.pop("names"))
        further = {name: np.asarray(values) for name, values in columns.pop("further", {}).items()}
        ints = {name: np.asarray(values, np.int64) for name, values in columns.items()}
        given: dict[str, Any] = dict(ints)
        series = cls(
            tip_hash=tip_hash, window_full=full, p_top4_above_75=p_above, names=names, further=further, **given
        )
        rows = len(tip_hash)
        lengths = {len(values) for values in (*ints.values(), *further.values(), full, p_above)}
        if lengths != {rows} or series.counts.shape != (rows, 6):
            raise ValueError("the columns of a series have different lengths")
        if rows > 1 and not bool(np.all(np.diff(series.height) == 1)):
            raise ValueError("the heights of a series ascend by one")
        return series


_ROW_COLUMNS: Final = tuple(
    one.name for one in fields(WindowCounts) if one.name not in ("tip_hash", "names", "further", "beside", "_integers")
)
"""The columns that are arrays of every series."""


_ALL: Final = slice(None)
_Rows = slice | NDArray[np.intp]


def _joined(parts: Sequence[WindowCounts], rows: Sequence[_Rows]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The arrays of some rows of each part, one below the other, and the names that their leaders are places in: those of the first
    part, and further ones."""
    names = parts[0].names
    known, more = places(names), dict[str, int]()
    codes_of: dict[int, NDArray[np.int64]] = {}
    leaders = []
    for part, at in zip(parts, rows, strict=True):
        if part.names is names:
            leaders.append(part.leaders[at])
            continue
        if id(part.names) not in codes_of:
            codes_of[id(part.names)] = np.array(
                [known[one] if one in known else more.setdefault(one, len(names) + len(more)) for one in part.names],
                np.int64,
            )
        leaders.append(codes_of[id(part.names)][part.leaders[at]])
    columns: dict[str, Any] = {
        name: np.concatenate([getattr(part, name)[at] for part, at in zip(parts, rows, strict=True)])
        for name in _ROW_COLUMNS
        if name != "leaders"
    }
    return {**columns, "leaders": np.concatenate(leaders)}, ((*names, *more) if more else names)


@lru_cache(maxsize=64)
def places(names: tuple[str, ...]) -> Mapping[str, int]:
    """The first place of each name. A list may have every name of an attribution set, and many series have one list."""
    return {name: at for at, name in reversed(list(enumerate(names)))}


def stacked(parts: Sequence[WindowCounts], begins: Sequence[int], heights: int) -> WindowCounts:
    """As many rows of each series from its place in `begins` on, below each other: windows that no rule follows, to be measured
    together.

    The first row of a series stands for each one before its beginning. A further column that a part lacks is 0 there.
    """
    rows: list[_Rows] = [
        slice(begin, begin + heights) if begin >= 0 else np.maximum(np.arange(begin, begin + heights), 0)
        for begin in begins
    ]
    columns, names = _joined(parts, rows)
    further = {}
    for name in dict.fromkeys(name for part in parts for name in part.further):
        absent = np.zeros(heights, next(part.further[name] for part in parts if name in part.further).dtype)
        further[name] = np.concatenate(
            [part.further[name][at] if name in part.further else absent for part, at in zip(parts, rows, strict=True)]
        )
    return WindowCounts(**columns, tip_hash=("",) * (len(parts) * heights), names=names, further=further)
