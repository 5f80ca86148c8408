"""What is drawn once for all the rows that read it."""

from __future__ import annotations

from streams.asymmetry.fold.mining_side import MiningSide
from streams.asymmetry.fold.score_cache import MINING_ENTRIES, ScoreCache
from tests.plain_mining_side import mining_side

YEAR = 365


def side(day: int) -> MiningSide:
    return mining_side(
        ["a"],
        chain="bitcoin",
        view="raw",
        window_blocks=1,
        tip_height=day,
        tip_hash=f"{day:064x}",
        tip_time_ms=day * 86_400_000,
        attribution_id="r1",
    )


def test_a_history_draws_each_window_once() -> None:
    cache = ScoreCache()
    drawn = {day: cache.mining_log2_d2(side(day)) for day in range(YEAR)}
    for day in range(YEAR, 3 * YEAR):
        drawn[day] = cache.mining_log2_d2(side(day))
        assert cache.mining_log2_d2(side(day - YEAR)) is drawn.pop(day - YEAR)
    first = cache.mining_log2_d2(side(0))
    assert len(first), "what fell out is drawn again"
    assert YEAR < MINING_ENTRIES < 2 * YEAR, "and it does fall out: memory is bounded"
