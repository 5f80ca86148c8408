"""What a metric of pool concentration is: one name, one definition in numpy and in SQL, one sentence for readers.

Everything that shows a metric follows from its spec: the columns of the views and of the table of newest rows, docs/tables.md, the
table in docs/methodology.md, the fields of JSON. The specs themselves are in `counterpoise.metrics.specs`, one file a metric.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from numpy.typing import NDArray

from counterpoise.metrics.sql_terms import SQL_TERMS, names_in, terms_of
from counterpoise.metrics.stored_integers import STORED_COLUMNS, StoredIntegers

Group = Literal["shares", "dispersion", "risk"]
"""shares: what the largest hold; dispersion: how the blocks spread over all pools; risk: what a few could do together."""

GROUPS: Final[tuple[Group, ...]] = get_args(Group)

Unit = Literal["share", "probability", "index", "points", "pools", "bits", "nats", "blocks"]
"""share and probability: 0 to 1, shown in percent; index: 0 to 1, shown as a number; points: an index times 10,000."""

Kind = Literal["percent", "number", "whole"]
"""How a value is written for people."""

ClickHouseType = Literal["Float64", "UInt16"]

_KINDS: Final[dict[Unit, Kind]] = {
    "share": "percent",
    "probability": "percent",
    "index": "number",
    "points": "whole",
    "pools": "number",
    "bits": "number",
    "nats": "number",
    "blocks": "whole",
}


@dataclass(frozen=True, slots=True)
class Range:
    """The values that a metric can take: `low` to `high`, and `text` where these depend on the window."""

    low: float
    high: float
    text: str = ""

    def __str__(self) -> str:
        return self.text or f"{self.low:g}–{self.high:g}"


UNIT_RANGE: Final = Range(0.0, 1.0)
UP_TO_POOLS: Final = Range(1.0, math.inf, "1–K")


@dataclass(frozen=True, slots=True)
class MetricSpec:
    """One metric of a window of blocks.

    name       of the column, everywhere
    order      its place among all metrics; unique
    title      for people, as the subject of a sentence
    formula    as docs/methodology.md writes it
    undefined  when there is no value, and what stands there instead
    reference  where the definition comes from; empty for what needs none
    comment    of the column: one sentence without a full stop
    compute    the metric of R windows, (R,), from their stored integers
    sql        the same from the columns of `concentration_log` and the terms of `sql_terms`
    upper      name of the metric that bounds this one from above, were every unknown block made by the leaders
    interval   names of the metrics that are its 2.5 % and 97.5 % quantiles
    """

    name: str
    order: int
    group: Group
    title: str
    unit: Unit
    range: Range
    formula: str
    undefined: str
    comment: str
    compute: Callable[[StoredIntegers], NDArray[Any]]
    sql: str
    reference: str = ""
    type: ClickHouseType = "Float64"
    upper: str | None = None
    interval: tuple[str, str] | None = None

    @property
    def kind(self) -> Kind:
        """How a value is written for people."""
        return "whole" if self.type == "UInt16" else _KINDS[self.unit]

    @property
    def inputs(self) -> tuple[str, ...]:
        """The stored columns that `compute` and `sql` need."""
        expressions = [self.sql, *(SQL_TERMS[term] for term in terms_of([self.sql]))]
        needed = set().union(*(names_in(sql) for sql in expressions))
        return tuple(name for name in STORED_COLUMNS if name in needed)
