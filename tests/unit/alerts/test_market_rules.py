"""The rules on the AI side, on facts made by hand."""

from __future__ import annotations

import dataclasses

import pytest

from alerts.rules.ai_top4_rise_rule import AiTop4RiseRule
from alerts.rules.edge_share_fall_rule import EdgeShareFallRule
from alerts.rules.regime_change_rule import RegimeChangeRule
from alerts.rules.rule import Finding
from alerts.rules.rule_types import MARKET_RULES, RULE_TYPES
from alerts.rules.series_stale_rule import SeriesStaleRule
from alerts.signals.release_facts import Freshness, PairRegime, RegimePoint, ReleaseFacts, Score, YearChange
from alerts.signals.timer_facts import TimerFacts

DAY = 86_400
NOW = 1_780_000_000
TODAY = NOW - NOW % DAY
OWNERS, PYPI = "epoch-ai-compute-owners", "pypi-edge-share"


def facts(now: float = NOW, **market: object) -> TimerFacts:
    return TimerFacts(now=now, changed_at=0, market=ReleaseFacts(**market))  # type: ignore[arg-type]


def fresh(series: str, published_at: int, cadence_days: int = 92, lag_days: int = 60) -> tuple[Freshness, ...]:
    return (Freshness(series, published_at, cadence_days, lag_days),)


SCORE = Score(
    "ownership", "operation", "2026-05-27", -0.34, 0.27, -0.44, 0.62, "no_call", 903_210, "2026-03-31", NOW - 40 * DAY
)


def regimes(*points: tuple[int, str], whole_until: int = TODAY) -> tuple[PairRegime, ...]:
    """Points as days from TODAY."""
    at = tuple(RegimePoint(on(days), regime) for days, regime in points)
    return (PairRegime(OWNERS, "all-owners", "raw", at, whole_until, SCORE),)


def judged(
    rule: RegimeChangeRule, open_key: int | None, *points: tuple[int, str], whole_until: int = TODAY
) -> Finding | None:
    told = facts(regimes=regimes(*points, whole_until=whole_until), freshness=fresh(OWNERS, NOW - 40 * DAY))
    return rule.judge(told, None if open_key is None else open_key)


def on(day: int) -> int:
    return TODAY + day * DAY


def key(day: int, regime: str) -> int:
    return RegimePoint(on(day), regime).key


def test_calls_are_told_apart_by_their_regime_and_not_by_breaks() -> None:
    [pair] = regimes((-9, "no_call"), (-8, "diverging"), (-7, "no_call"), (-6, "diverging"), (-5, "converging"))
    assert pair.calls == (RegimePoint(on(-8), "diverging"), RegimePoint(on(-5), "converging"))


def test_a_regime_that_nobody_calls_fires_nothing() -> None:
    rule = RegimeChangeRule(id="a")
    assert judged(rule, None, (-1, "no_call")) is None
    assert rule.judge(facts(), None) is None


def test_a_regime_change_fires_once_and_ends_with_its_call() -> None:
    rule = RegimeChangeRule(id="a")
    first = judged(rule, None, (-9, "no_call"), (-8, "diverging"))
    assert first is not None and first.active and first.key == on(-8)
    for part in (
        "AI (ownership, epoch-ai-compute-owners) against Bitcoin mining (operation, pools)",
        "diverging (AI spreads, mining concentrates) over the year to 2026-05-27, before: not determined",
        "-0.34 to +0.27 doublings",
        "(95 % -0.44 to +0.62)",
        "published 2026-04-18; tip 903210",
    ):
        assert part in first.summary, part
    ended = judged(rule, key(-8, "diverging"), (-9, "no_call"), (-8, "diverging"), (-7, "no_call"))
    assert ended is not None and not ended.active and ended.key == on(-8)
    # The same call after a break is no change; another one is.
    again = judged(rule, None, (-8, "diverging"), (-7, "no_call"), (-6, "diverging"))
    assert again is not None and not again.active
    other = judged(rule, None, (-8, "diverging"), (-7, "no_call"), (-6, "both_concentrating"))
    assert other is not None and other.active and other.key == on(-6) + 2 and "before: diverging" in other.summary
    # While the first is open, the change to another call ends it, and the next look opens the second.
    turned = judged(rule, key(-8, "diverging"), (-8, "diverging"), (-5, "converging"))
    assert turned is not None and not turned.active and turned.key == on(-8)
    assert "another regime has followed, converging" in turned.summary


def test_a_call_that_a_release_made_holds_until_its_day_is_over() -> None:
    rule = RegimeChangeRule(id="a")
    called = judged(rule, None, (-9, "no_call"), (1, "diverging"))  # the end of the day is tomorrow
    assert called is not None and called.active
    assert (called.key, called.event_time) == (on(1), NOW)
    for before in ([(-9, "no_call")], [(-19, "converging"), (-9, "no_call")]):  # a later block takes it back
        held = judged(rule, key(1, "diverging"), *before)
        assert held is not None and held.active
        turned = judged(rule, key(1, "diverging"), *before, (1, "both_concentrating"))
        assert turned is not None and not turned.active, "another call by another release on the same day"
        over = judged(rule, key(1, "diverging"), *before, whole_until=on(1))
        assert over is not None and not over.active


def test_a_call_of_long_ago_is_no_news() -> None:
    days = 2 * 92 + 60
    rule = RegimeChangeRule(id="a")
    old, recent = (judged(rule, None, (-999, "no_call"), (-since, "diverging")) for since in (days, days - 1))
    assert old is not None and not old.active
    assert recent is not None and recent.active


def test_what_was_taken_back_ends_what_rested_on_it() -> None:
    for rule in (RegimeChangeRule(id="a"), AiTop4RiseRule(id="b"), EdgeShareFallRule(id="c"), SeriesStaleRule(id="d")):
        found = rule.judge(facts(), 5)
        assert found is not None and not found.active and found.key == 5
        assert rule.judge(facts(), None) is None


def top4(now: tuple[float, float], then: tuple[float, float], published_at: int = NOW - DAY) -> tuple[YearChange, ...]:
    """(of the named, of all)."""
    return tuple(
        YearChange(
            OWNERS,
            "all-owners",
            treatment,
            "ownership",
            "r1",
            "r0",
            published_at,
            "2025-12-31",
            "2024-12-31",
            new,
            old,
            0.6,
            0.8,
        )
        for treatment, new, old in zip(("dropped", "one_owner"), now, then, strict=True)
    )


@pytest.mark.parametrize(
    ("now", "then", "fires"),
    [
        ((0.90, 0.70), (0.85, 0.65), True),  # five points exactly, both
        ((0.90, 0.70), (0.851, 0.60), False),  # of the named 4.9
        ((0.90, 0.64), (0.80, 0.60), False),  # of all 4
    ],
)
def test_a_rise_needs_both_denominators(now: tuple[float, float], then: tuple[float, float], fires: bool) -> None:
    found = AiTop4RiseRule(id="a").judge(facts(top4=top4(now, then), freshness=fresh(OWNERS, NOW - DAY)), None)
    assert found is not None and found.active is fires
    assert found.renews and found.event_time == NOW - DAY
    rises = f"{100 * now[1]:.1f} % (95 % 60.0 % to 80.0 %) of all at 2025-12-31, {100 * (now[1] - then[1]):+.1f} points"
    assert rises in found.summary and "(ownership)" in found.summary


def test_an_old_release_is_no_news_but_an_open_alert_does_not_end_by_age() -> None:
    old = NOW - (2 * 92 + 60) * DAY - 1
    told = facts(top4=top4((0.95, 0.75), (0.80, 0.60), old), freshness=fresh(OWNERS, old))
    rule = AiTop4RiseRule(id="a")
    unopened, opened = rule.judge(told, None), rule.judge(told, old)
    assert unopened is not None and not unopened.active
    assert opened is not None and opened.active and opened.key == old


def edge(**shares: tuple[float, float]) -> tuple[YearChange, ...]:
    return tuple(
        YearChange(
            PYPI,
            name.replace("_", "-"),
            "",
            "developer_pull",
            "r1",
            "r0",
            NOW - DAY,
            "2026-04-01",
            "2025-04-01",
            now,
            then,
        )
        for name, (now, then) in shares.items()
    )


def test_a_fall_needs_every_list_unless_one_is_named() -> None:
    # The published figures of 2025-06 and 2026-04: the lists disagree even in direction.
    told = facts(edge=edge(as_filed=(0.048, 0.022), without=(0.09, 0.12)), freshness=fresh(PYPI, NOW - DAY, 31, 1))
    every = EdgeShareFallRule(id="a").judge(told, None)
    assert every is not None and not every.active
    one = EdgeShareFallRule(id="a", list_id="without").judge(told, None)
    assert one is not None and one.active
    assert "by list as-filed 2.20 % to 4.80 %, +118 %; by list without 12.00 % to 9.00 %, -25 %" in one.summary
    assert one.value == pytest.approx(-0.25)
    both = facts(edge=edge(as_filed=(0.80, 1.0), without=(0.09, 0.12)), freshness=fresh(PYPI, NOW - DAY, 31, 1))
    found = EdgeShareFallRule(id="a").judge(both, None)
    assert found is not None and found.active  # a fifth exactly


def test_a_series_is_stale_after_three_cadences_and_its_lag() -> None:
    due = (3 * 31 + 1) * DAY
    rule = SeriesStaleRule(id="a")
    assert rule.judge(facts(freshness=fresh(PYPI, NOW - due, 31, 1)), None) is None
    found = rule.judge(facts(freshness=fresh(PYPI, NOW - due - 1, 31, 1)), None)
    assert found is not None and found.active and found.key == NOW - 1
    assert "pypi-edge-share, last on 2026-02-23, expected every 31 days" in found.summary
    assert rule.judge(facts(freshness=fresh(PYPI, NOW - DAY, 31, 1)), None) is None
    mended = rule.judge(facts(freshness=fresh(PYPI, NOW - DAY, 31, 1)), NOW - 1)
    assert mended is not None and not mended.active
    assert rule.judge(facts(), None) is None  # a series that was never here is not missed


def test_a_second_series_that_goes_stale_is_news_of_the_open_alert() -> None:
    rule = SeriesStaleRule(id="a")
    pypi, owners = NOW - (3 * 31 + 1) * DAY - 9, NOW - (3 * 92 + 60) * DAY - 5
    both = rule.judge(facts(freshness=(*fresh(PYPI, pypi, 31, 1), *fresh(OWNERS, owners))), NOW - 9)
    assert both is not None and both.active and both.renews
    assert (both.key, both.event_time) == (NOW - 9, NOW - 5)


def test_only_staleness_is_a_matter_of_the_clock() -> None:
    told = ReleaseFacts(
        regimes=regimes((-9, "no_call"), (-8, "diverging"), (-7, "no_call")),
        top4=top4((0.9, 0.7), (0.89, 0.69)),
        edge=edge(as_filed=(0.5, 0.5)),
        freshness=(*fresh(OWNERS, NOW - DAY), *fresh(PYPI, NOW - DAY, 31, 1)),
    )
    for days in (0, 30, 365, 3_650):
        later = dataclasses.replace(facts(), now=NOW + days * DAY, market=told)
        for rule in (RegimeChangeRule(id="a"), AiTop4RiseRule(id="b"), EdgeShareFallRule(id="c")):
            found = rule.judge(later, None)
            assert found is None or not found.active


def test_the_market_rules_are_registered() -> None:
    assert set(MARKET_RULES) <= set(RULE_TYPES.values())
