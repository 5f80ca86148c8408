"""`regime_change`: both sides together took another direction, and everything agrees on it."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from alerts.rules.recency import is_recent
from alerts.rules.rule import Finding, TimerRule, Unfit, withdrawn
from alerts.rules.series_named import names_of_series, pairs_with_mining, unfit_series
from alerts.signals.release_facts import NO_CALL, PairRegime, RegimePoint
from alerts.signals.timer_facts import TimerFacts
from counterpoise.contracts.base import Slug
from counterpoise.formats import TEXT, utc_day
from counterpoise.windows import RAW, View


class RegimeChangeRule(TimerRule):
    """Fires when the live score has another regime than the one stated last (or its first); resolves when that regime ends.

    A regime is stated only if all three treatments of the residual and both error models agree: AI's change at 95 %, mining's at
    3.75 standard deviations, because it is evaluated daily. Rows change with a new release or a new block only. Age widens
    intervals, which can end a regime and not begin one; the same regime after a break is not a change. A release is judged at
    once, blocks at the end of their UTC day, because a regime is calibrated for one evaluation per day. A regime that is older
    than two cadences when it is first met is not reported. Named by the end of the regime's first day and the regime.
    """

    advice: ClassVar[str] = (
        "Components: `counterpoise sql --name gap_parts --param day=…`; the history: `counterpoise sql --name "
        "asymmetry_history`. Ownership of AI compute and operation of pools are different layers: name both. "
        "docs/methodology-ai.md has the criteria of a regime."
    )

    type: Literal["regime_change"] = "regime_change"
    series: Slug = Field(
        default="epoch-ai-compute-owners",
        description="a series that pairs with mining",
        json_schema_extra=names_of_series(pairs_with_mining),
    )
    list_id: Annotated[str, Field(strict=True, max_length=64)] = Field(
        default="", description="an include-list of the series, or nothing for its first by name"
    )
    view: View = Field(default=RAW, description="raw or entity")

    def unfit(self) -> tuple[Unfit, ...]:
        return (
            *super().unfit(),
            *unfit_series(self.series, self.list_id, fits=pairs_with_mining, wanted="a series that pairs with mining"),
        )

    def condition(self) -> str:
        return f"another regime of {self.series} against mining ({self.view}), all treatments agreeing"

    def judge(self, facts: TimerFacts, open_key: int | None) -> Finding | None:
        pair = next(
            (
                one
                for one in facts.market.regimes
                if (one.series, one.view) == (self.series, self.view) and self.list_id in ("", one.list_id)
            ),
            None,
        )
        if pair is None:
            return withdrawn(facts, open_key, f"No score of {self.series} against mining any more.")
        if open_key is not None and RegimePoint.at_of(open_key) > pair.whole_until >= pair.now.at:
            return Finding(True, open_key, open_key, "")  # a release made it, and its day is not over
        if not pair.calls:
            return withdrawn(
                facts, open_key, f"The regime of {self.series} against mining was withdrawn and is not determined."
            )
        call = pair.calls[-1]
        event_time = min(call.at, int(facts.now))
        sql = (
            "SELECT day, regime AS value, l_min, l_max, least(low_independent, low_correlated) AS low, "  # noqa: S608
            "greatest(high_independent, high_correlated) AS high, level, gap, release_id, tip_height FROM (SELECT * "
            f"FROM asymmetry UNION ALL SELECT * FROM latest_asymmetry) WHERE series = '{pair.series}' AND list_id = "
            f"'{pair.list_id}' AND chain = '{facts.chain}' AND view = '{pair.view}' AND knowledge = 'live' AND day >= "
            f"toDate('{utc_day(call.at)}') - 1 ORDER BY valid_at LIMIT 1"
        )
        if open_key is not None and (open_key != call.key or pair.now.regime == NO_CALL):
            summary = f"{self._sides(pair)}: {_REGIME_TEXT[call.regime]} is no longer the regime at the end of {pair.score.day}."
            if open_key != call.key:
                summary = f"{self._sides(pair)}: another regime has followed, {_REGIME_TEXT[call.regime]}."
            return Finding(False, open_key, int(facts.now), summary, sql=sql)
        before = _REGIME_TEXT[pair.calls[-2].regime] if len(pair.calls) > 1 else "not determined"
        score = pair.score
        gap = "not determined" if score.gap == NO_CALL else score.gap
        summary = (
            f"{self._sides(pair)}: {_REGIME_TEXT[call.regime]} over the year to {score.day}, before: {before}. All residual "
            f"treatments and both error models agree. AI has {TEXT.doublings_range(score.l_min, score.l_max)} doublings of "
            f"mining's effective owners, by treatment (95 % {TEXT.doublings_range(score.low, score.high)}). The gap: "
            f"{gap}. Release of {score.period_end}, published {utc_day(score.published_at)}; tip {score.tip_height}."
        )
        begun = pair.now.at == call.at and is_recent(facts, pair.series, call.at)
        active = pair.now.regime == call.regime and (open_key is not None or begun)
        return Finding(active, call.key, event_time, summary, sql=sql)

    def _sides(self, pair: PairRegime) -> str:
        pools = "pools" if pair.view == "raw" else "entities"
        return f"AI ({pair.score.ai_layer}, {pair.series}) against Bitcoin mining ({pair.score.mining_layer}, {pools})"


_REGIME_TEXT = {
    "diverging": "diverging (AI spreads, mining concentrates)",
    "converging": "converging (AI concentrates, mining spreads)",
    "both_concentrating": "both concentrate",
    "both_dispersing": "both spread",
}
