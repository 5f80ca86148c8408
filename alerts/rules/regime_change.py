"""`regime_change`: both sides together took another direction, and everything agrees on it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from alerts.facts import Facts
from alerts.rules.base import Finding, TimerRule
from counterpoise.contracts.base import Slug


class RegimeChangeRule(TimerRule):
    """Fires when the live score calls a regime other than the one it called last (or calls its first); resolves when that call ends.

    A regime is called only where all three treatments of the residual, both error models and the 95 % intervals agree. Rows change
    with a new release or a new block only; age widens intervals, which can end a call and not begin one, and the same call after a
    break is no change. Named by the end of the call's first day.
    """

    type: Literal["regime_change"] = "regime_change"
    series: Slug = Field(default="epoch-ai-compute-owners", description="a series that pairs with mining")
    list_id: Annotated[str, Field(strict=True, max_length=64)] = Field(
        default="", description="an include-list of the series, or nothing for its first by name"
    )
    view: Annotated[str, Field(strict=True, pattern="^(raw|entity)$")] = Field(
        default="raw", description="raw or entity"
    )

    def condition(self) -> str:
        return f"another regime of {self.series} against mining ({self.view}), all treatments agreeing"

    def judge(self, facts: Facts, open_key: int | None) -> Finding | None:
        pair = next(
            (
                one
                for one in facts.market.regimes
                if (one.series, one.view) == (self.series, self.view) and self.list_id in ("", one.list_id)
            ),
            None,
        )
        if pair is None or not pair.calls:
            return None
        call = pair.calls[-1]
        sql = (
            "SELECT day, regime, gap, level, l_dropped, l_one_owner, l_spread, release_id, tip_height FROM asymmetry "  # noqa: S608
            f"WHERE series = '{pair.series}' AND list_id = '{pair.list_id}' AND chain = '{facts.chain}' AND view = '{pair.view}' "
            "AND knowledge = 'live' ORDER BY day DESC LIMIT 400"
        )
        if open_key is not None and (open_key != call.since or pair.now == "no_call"):
            said = f"{_say(pair.series)} against mining: the regime is no longer called."
            return Finding(False, open_key, int(facts.now), said, sql=sql)
        before = pair.calls[-2].regime.replace("_", " ") if len(pair.calls) > 1 else "no call"
        said = (
            f"{_say(pair.series)} (AI side) against pools (operation, {pair.view} view): {call.regime.replace('_', ' ')} over a "
            f"year, before {before}; all residual treatments and both error models agree at 95 %."
        )
        changed = pair.now == call.regime and (open_key is not None or pair.now_since == call.since)
        return Finding(changed, call.since, call.since, said, sql=sql)


def _say(series: str) -> str:
    return f"Series {series}"
