"""What rules on a timer judge by, from series of inputs: a function for each type, in `INPUTS`. Pure.

A position is one evaluation, `every` seconds after the one before it. A value is as it is seen at that position.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from alerts.rule_tests.notation import Item
from alerts.rules.ai_top4_rise_rule import AiTop4RiseRule
from alerts.rules.edge_share_fall_rule import EdgeShareFallRule
from alerts.rules.regime_change_rule import RegimeChangeRule
from alerts.rules.rule import TimerRule
from alerts.rules.series_stale_rule import SeriesStaleRule
from alerts.signals.query_answer import QueryAnswer, QueryRow
from alerts.signals.release_facts import (
    CALLS,
    NO_CALL,
    Freshness,
    PairRegime,
    RegimePoint,
    ReleaseFacts,
    Score,
    YearChange,
)
from alerts.signals.timer_facts import TimerFacts
from counterpoise.formats import utc_day
from counterpoise.series.load import load_catalogue
from counterpoise.spans import DAY_SECONDS

START: Final = 1_700_006_400
"""The time of the first position: a midnight (UTC)."""
_BASE_SHARE: Final = 0.5
"""A year before: a change is given, and the share that it leads to is of no account."""

Series = Mapping[str, Sequence[Item]]


@dataclass(frozen=True, slots=True)
class Inputs:
    """`names` are the series that a test gives; `free`: a test names them itself. `make` gives the facts of every position."""

    names: tuple[str, ...]
    make: Callable[[TimerRule, Series, int], list[TimerFacts]]
    free: bool = False
    every_seconds: int = 60


def _times(series: Series, every: int) -> list[int]:
    return [START + at * every for at in range(min(len(items) for items in series.values()))]


def _since(values: Sequence[object], times: Sequence[int]) -> list[int]:
    """For each position the time since which it has its value."""
    found: list[int] = []
    for at, value in enumerate(values):
        found.append(found[-1] if at and values[at - 1] == value else times[at])
    return found


def _no_block(rule: TimerRule, series: Series, every: int) -> list[TimerFacts]:
    times = _times(series, every)
    heights = [int(item.number) for item in series["tip"]]
    return [
        TimerFacts(now=now, changed_at=since, chain=rule.chain, scored_height=height, scored_time=since)
        for now, height, since in zip(times, heights, _since(heights, times), strict=False)
    ]


def _no_score(rule: TimerRule, series: Series, every: int) -> list[TimerFacts]:
    times = _times(series, every)
    first_seen: dict[int, int] = {}
    facts = []
    for now, stored, scored in zip(times, series["stored"], series["scored"], strict=False):
        first_seen.setdefault(int(stored.number), now)
        waiting = [at for height, at in first_seen.items() if height > scored.number]
        facts.append(
            TimerFacts(
                now=now,
                changed_at=START,
                chain=rule.chain,
                scored_height=int(scored.number),
                scored_time=now,
                block_height=int(stored.number),
                unscored_since=min(waiting) if waiting else None,
            )
        )
    return facts


def _source_stale(rule: TimerRule, series: Series, every: int) -> list[TimerFacts]:
    times = _times(series, every)
    waits = [item.number != 0 for item in series["waiting"]]
    return [
        TimerFacts(
            now=now,
            changed_at=START,
            chain=rule.chain,
            ingest_waiting_since=since if waiting else None,
            ingest_waiting_reason="the source does not answer" if waiting else "",
        )
        for now, waiting, since in zip(times, waits, _since(waits, times), strict=False)
    ]


def _dead_letters(rule: TimerRule, series: Series, every: int) -> list[TimerFacts]:
    letters: tuple[tuple[int, int], ...] = ()
    facts = []
    for now, item in zip(_times(series, every), series["letters"], strict=False):
        if item.number:
            letters = (*letters, (now, int(item.number)))
        facts.append(TimerFacts(now=now, changed_at=START, chain=rule.chain, letters=letters))
    return facts


def _regime_change(rule: TimerRule, series: Series, every: int) -> list[TimerFacts]:
    assert isinstance(rule, RegimeChangeRule)  # noqa: S101 - INPUTS goes by type
    points: tuple[RegimePoint, ...] = ()
    facts = []
    fresh = _fresh(rule.series, START)
    for now, item in zip(_times(series, every), series["regime"], strict=False):
        today = now - now % DAY_SECONDS
        if item.is_missing:
            points = ()
        elif item.word not in (NO_CALL, *CALLS):
            raise ValueError(
                f"{item.word or item.numbers} is no regime, expected one of {', '.join((NO_CALL, *CALLS))}"
            )
        elif not points or points[-1].regime != item.word:
            points = (*points, RegimePoint(today, item.word))
        score = Score(
            "ownership", "operation", utc_day(now), -0.3, 0.3, -0.5, 0.6, NO_CALL, 900_000, utc_day(START), START
        )
        pair = (PairRegime(rule.series, rule.list_id, rule.view, points, today, score),) if points else ()
        facts.append(_of_market(rule, now, ReleaseFacts(regimes=pair, freshness=(fresh,))))
    return facts


def _ai_top4_rise(rule: TimerRule, series: Series, every: int) -> list[TimerFacts]:
    """`named` and `all`: points that the share of the named owners, and that of all, has risen in the year."""
    assert isinstance(rule, AiTop4RiseRule)  # noqa: S101 - INPUTS goes by type
    return _releases(
        rule,
        rule.series,
        {"dropped": series["named"], "one_owner": series["all"]},
        every,
        lambda item: _BASE_SHARE + item.number / 100,
    )


def _edge_share_fall(rule: TimerRule, series: Series, every: int) -> list[TimerFacts]:
    """Each include-list by its name: by how many percent its edge share fell in the year."""
    assert isinstance(rule, EdgeShareFallRule)  # noqa: S101 - INPUTS goes by type
    return _releases(
        rule,
        rule.series,
        series,
        every,
        lambda item: _BASE_SHARE * (1 - item.number / 100),
    )


def _releases(
    rule: TimerRule,
    of: str,
    series: Series,
    every: int,
    share: Callable[[Item], float],
) -> list[TimerFacts]:
    """A release at each position whose values differ from those before; `_` is a release that was withdrawn."""
    times = _times(series, every)
    rows = list(zip(*series.values(), strict=False))
    is_owners = isinstance(rule, AiTop4RiseRule)
    facts = []
    for now, row, since in zip(times, rows, _since(rows, times), strict=False):
        changes = tuple(
            YearChange(
                of,
                "list" if is_owners else name,
                name if is_owners else "",
                "ownership" if is_owners else "location",
                f"release-{since}",
                "release-before",
                since,
                utc_day(since),
                utc_day(since - 365 * DAY_SECONDS),
                share(item),
                _BASE_SHARE,
            )
            for name, item in zip(series, row, strict=True)
            if not item.is_missing
        )
        fresh = (_fresh(of, since),)
        market = (
            ReleaseFacts(top4=changes, freshness=fresh) if is_owners else ReleaseFacts(edge=changes, freshness=fresh)
        )
        facts.append(_of_market(rule, now, market))
    return facts


def _series_stale(rule: TimerRule, series: Series, every: int) -> list[TimerFacts]:
    """Each series by its name: the days since its newest release was published; `_` where it has none."""
    assert isinstance(rule, SeriesStaleRule)  # noqa: S101 - INPUTS goes by type
    facts = []
    for now, row in zip(_times(series, every), zip(*series.values(), strict=False), strict=False):
        fresh = tuple(
            _fresh(name, now - round(item.number * DAY_SECONDS))
            for name, item in zip(series, row, strict=True)
            if not item.is_missing
        )
        facts.append(_of_market(rule, now, ReleaseFacts(freshness=fresh)))
    return facts


def _sql(rule: TimerRule, series: Series, every: int) -> list[TimerFacts]:
    """Each key by its name: its value at each run of the query; `_` where it has no row, `null` where its row has no value.

    The word `error` at any key is a run that fails.
    """
    facts = []
    for now, row in zip(_times(series, every), zip(*series.values(), strict=False), strict=False):
        there = [(key, item) for key, item in zip(series, row, strict=True) if not item.is_missing]
        if any(item.word == "error" for _, item in there):
            answer = QueryAnswer(now, error="the table is gone")
        else:
            rows = (QueryRow(key, None if item.word == "null" else item.number) for key, item in there)
            answer = QueryAnswer(now, tuple(rows))
        facts.append(TimerFacts(now=now, changed_at=START, chain=rule.chain, answers={rule.id: answer}))
    return facts


def _of_market(rule: TimerRule, now: int, market: ReleaseFacts) -> TimerFacts:
    return TimerFacts(now=now, changed_at=START, chain=rule.chain, market=market)


def _fresh(name: str, published_at: int) -> Freshness:
    catalogue = load_catalogue()
    if name not in catalogue:
        raise ValueError(f"there is no series {name!r}, expected one of {', '.join(catalogue.series)}")
    cadence = catalogue[name].cadence
    return Freshness(name, published_at, cadence.days, cadence.lag_days)


INPUTS: Final[Mapping[str, Inputs]] = {
    "no_block": Inputs(("tip",), _no_block),
    "no_score": Inputs(("stored", "scored"), _no_score),
    "source_stale": Inputs(("waiting",), _source_stale),
    "dead_letters": Inputs(("letters",), _dead_letters),
    "regime_change": Inputs(("regime",), _regime_change, every_seconds=DAY_SECONDS),
    "ai_top4_rise": Inputs(("named", "all"), _ai_top4_rise, every_seconds=DAY_SECONDS),
    "edge_share_fall": Inputs((), _edge_share_fall, free=True, every_seconds=DAY_SECONDS),
    "series_stale": Inputs((), _series_stale, free=True, every_seconds=DAY_SECONDS),
    "sql": Inputs((), _sql, free=True, every_seconds=300),
}
"""By the type of rule. A type without an entry cannot be tested by a file."""
