"""A score message: the state of concentration at one tip.

One message per change of tip. It names the (re)written heights and carries the integers of the new tip, from which every
metric follows. A reader whose own height is `from_height − 1` on the same branch applies the message; any other reader rewinds to
the fork and reads the heights between from ClickHouse, which stores them before the message exists.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from counterpoise.contracts.base import INT64_MAX, Contract, Hash256, Height, Slug, UnixMillis, UnixSeconds
from counterpoise.windows import LEADERS, View

SCORE_KIND = "score"
"""The kind of an envelope of ScoreEvents."""

Count = Annotated[int, Field(ge=0, le=0xFFFF)]

Stored = Annotated[int, Field(ge=-INT64_MAX - 1, le=INT64_MAX)] | float
"""A number of a column."""


class WindowScore(Contract):
    """The integers of one trailing window of blocks under one view, at a tip.

    `n` blocks, of which `unknown` have no producer; `pools_seen` distinct producers; `leaders` the largest, at most six, with
    their counts, largest first.
    """

    view: View
    window_blocks: Annotated[int, Field(ge=1, le=0xFFFF)]
    n: Count
    unknown: Count
    pools_seen: Count
    leaders: Annotated[tuple[tuple[str, Count], ...], Field(max_length=LEADERS, strict=False)]
    p_top4_above_75: Annotated[float, Field(ge=0, le=1)] | None = None
    stored: dict[str, Stored] = Field(default_factory=dict)
    """The further columns of its row in `concentration_log`, by name; empty in messages of earlier versions."""

    NAMED: ClassVar[frozenset[str]] = frozenset(
        {"n", "unknown", "window_full", "pools_seen", "p_top4_above_75"}
        | {f"{letter}{rank}" for letter in "cl" for rank in range(1, LEADERS + 1)}
    )
    """Columns of that row that other fields hold."""


class ScoreEvent(Contract):
    """Heights `from_height`…`height` were written under `version`; `windows` describe the tip.

    `rebased` is true where the attribution changed rather than the chain.
    """

    chain: Slug
    from_height: Height
    height: Height
    tip_hash: Hash256
    parent_hash: Hash256
    time: UnixSeconds
    version: Annotated[int, Field(ge=0, le=INT64_MAX)]
    attribution_id: Slug
    rebased: bool = False
    scored_at_ms: UnixMillis
    windows: Annotated[tuple[WindowScore, ...], Field(min_length=1, max_length=64, strict=False)]
