"""The regime: what both sides did over a horizon, or no call.

With a = log₂ D₂ᴬᴵ(now) − log₂ D₂ᴬᴵ(then) and b the same of mining (each like for like, see `streams.asymmetry.fold.score`):

    a > 0, b < 0   diverging          AI spreads, mining concentrates; L rises
    a < 0, b > 0   converging         AI concentrates, mining spreads; L falls
    a < 0, b < 0   both_concentrating
    a > 0, b > 0   both_dispersing

The sign of a counts only where its 95 % interval leaves zero out under every residual treatment and both error models. That of b
needs more, because mining is looked at every day (`scanned_sign`). Otherwise no_call. The names speak of directions. Whether the
distance |L| grew is a question of its own (`gap_trend`): two sides that diverge close the gap first where mining was the wider one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

from counterpoise.metrics.counts import FloatArray
from streams.asymmetry.fold.doublings import Estimate, agreed_sign

Regime = Literal["diverging", "converging", "both_concentrating", "both_dispersing", "no_call"]
Gap = Literal["opening", "closing", "no_call"]

_QUADRANTS: dict[tuple[int, int], Regime] = {
    (1, -1): "diverging",
    (-1, 1): "converging",
    (-1, -1): "both_concentrating",
    (1, 1): "both_dispersing",
}


SCANNED_SDS: Final = 3.75
"""How many standard deviations from zero the change of mining must lie for a sign, because it is looked at on every day of a year.

Where no pool's share of the hashrate changes for two years, 1.96 is passed on some day of every year and 3.75 in about 5 of 100
years, by simulation (1008-block windows; `tests/unit/asymmetry/test_daily_looks.py`).
"""


def scanned_sign(change: FloatArray) -> int:
    """1 or −1 where draws of a change that is looked at daily lie SCANNED_SDS standard deviations off zero; otherwise 0."""
    mean, spread = float(change.mean()), float(change.std())
    return 0 if abs(mean) <= SCANNED_SDS * spread else 1 if mean > 0 else -1


def regime(ai_changes: Sequence[Estimate], mining_sign: int) -> Regime:
    """The quadrant that all of `ai_changes` (one a treatment and error model) and the mining side lie in, or no_call."""
    return _QUADRANTS.get((agreed_sign(ai_changes), mining_sign), "no_call")


def gap_trend(levels_now: Sequence[Estimate], levels_then: Sequence[Estimate], changes: Sequence[Estimate]) -> Gap:
    """Whether |L| grew or shrank: needs an agreed sign of L now and then, the same, and an agreed sign of its change.

    Where L changed its sign the gap closed and opened again, and no call is made.
    """
    now, then, change = agreed_sign(levels_now), agreed_sign(levels_then), agreed_sign(changes)
    if not now or now != then or not change:
        return "no_call"
    return "opening" if change == now else "closing"
