"""A scored tip as the message that publishes it. Pure."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from counterpoise.contracts.blocks import BlockEvent
from counterpoise.contracts.scores import ScoreEvent, WindowScore
from counterpoise.metrics.stored_integers import STORED_COLUMNS
from counterpoise.pools.attribution_set import AttributionSet
from counterpoise.windows import LEADERS, VIEWS
from streams.blocks.fold.chain_fold import Scored
from streams.blocks.fold.concentration import ConcentrationTable

_STORED: Final = tuple(name for name in STORED_COLUMNS if name not in WindowScore.NAMED)


def score_event(
    scored: Scored,
    tip: BlockEvent,
    attribution: AttributionSet,
    *,
    version: int,
    scored_at_ms: int,
    rebased: bool = False,
) -> ScoreEvent:
    """The message for the newest height of `scored`; `tip` is its block."""
    table = scored.table
    newest = np.flatnonzero(table.index == scored.height - scored.from_height)
    names = attribution.entity_table.names
    counts = [getattr(table, f"c{rank}") for rank in range(1, LEADERS + 1)]
    codes = [getattr(table, f"l{rank}") for rank in range(1, LEADERS + 1)]
    windows = []
    for row in newest:
        leaders = tuple(
            (names[int(code[row])][0], int(count[row]))
            for code, count in zip(codes, counts, strict=True)
            if count[row] > 0
        )
        windows.append(
            WindowScore(
                view=VIEWS[int(table.view_code[row])],
                window_blocks=int(table.window_blocks[row]),
                n=int(table.n[row]),
                unknown=int(table.unknown[row]),
                pools_seen=int(table.pools_seen[row]),
                leaders=leaders,
                p_top4_above_75=float(table.p_top4_above_75[row]),
                stored=_stored(table, row),
            )
        )
    return ScoreEvent(
        chain=tip.chain,
        from_height=scored.from_height,
        height=scored.height,
        tip_hash=tip.hash,
        parent_hash=scored.parent_hash.hex(),
        time=tip.time,
        version=version,
        attribution_id=attribution.attribution_id,
        rebased=rebased,
        scored_at_ms=scored_at_ms,
        windows=tuple(windows),
    )


def _stored(table: ConcentrationTable, row: Any) -> dict[str, int | float]:
    """The further columns of a row; what is not a number (an interval of a window of unknown blocks) is left out."""
    values = {name: getattr(table, name)[row].item() for name in _STORED}
    return {name: value for name, value in values.items() if math.isfinite(value)}
