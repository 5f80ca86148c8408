"""Why an alert has its value, as its evidence stores it: both views of the metric, and what moved it. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from alerts.rules.condition import Condition
from alerts.rules.conditional_rule import ConditionalRule
from alerts.rules.rule import HeightRule, Reading, Rule
from alerts.rules.top_share_rule import TopShareRule
from alerts.signals.window_counts import WindowCounts, WindowPlace
from counterpoise.contracts.alert_transition import JoinedPools, MovedBy, ViewValue
from counterpoise.explain.contributions import ADDITIVE
from counterpoise.explain.explained_change import Explanation
from counterpoise.explain.views import JoinedEntity
from counterpoise.windows import View

PARTS: Final = 3
"""Parts of a change, and groups of pools, that are stored by name."""

MAP_CHANGES: Final = "changes of the entity map"


@dataclass(frozen=True, slots=True)
class ExplainedSubject:
    """What of a rule can be explained. `metric`: the signal of its value, with the blocks of its change. `additive`: the metric with
    parts by pool, None without one. `change_blocks` is 0 where the value itself is judged."""

    metric: str
    additive: str | None
    change_blocks: int
    place: WindowPlace


def subject_of(rule: Rule) -> ExplainedSubject | None:
    """The metric of a rule on concentration, whose two views differ; None for any other rule, and for one on a single pool."""
    if isinstance(rule, TopShareRule):
        name = f"top{rule.k}_share"
        return ExplainedSubject(name, name, 0, WindowPlace(rule.view, rule.window_blocks))
    if not isinstance(rule, ConditionalRule) or rule.main.pool or rule.main.source.metric is None:
        return None
    main = rule.main
    additive = main.signal if main.signal in ADDITIVE else None
    return ExplainedSubject(main.key, additive, main.change_blocks, rule.place_of(main))


def in_view(rule: HeightRule, view: View) -> HeightRule | Condition:
    """What reads the rule's value under a view: the rule with that view, or its first condition."""
    return rule.main if isinstance(rule, ConditionalRule) else rule.model_copy(update={"view": view})


def value_in(view: View, judge: HeightRule | Condition, series: WindowCounts) -> ViewValue | None:
    """The value at the last height of a series of that view; None where it is undefined."""
    if not len(series) or not int(series.n[-1]):
        return None
    reading = judge.reading(series, len(series) - 1)
    return (
        None
        if reading is None or not math.isfinite(reading.value)
        else _view_value(view, reading, bool(series.unknown[-1]))
    )


def _view_value(view: View, reading: Reading, has_unknown: bool) -> ViewValue:
    high = reading.high if has_unknown else None
    return ViewValue(
        view=view,
        value=reading.value,
        high=high,
        interval_low=reading.interval_low,
        interval_high=reading.interval_high,
    )


def joined(groups: Iterable[JoinedEntity]) -> tuple[JoinedPools, ...]:
    """The first groups, as the evidence has them."""
    first = list(groups)[:PARTS]
    return tuple(JoinedPools(entity=one.entity, pools=one.pools, change=one.change) for one in first)


def moved_by(found: Explanation, *, from_height: int, from_time: int) -> MovedBy:
    """The largest parts of a change and the rest, which sum to it."""
    parts = [(part.pool, part.change) for part in found.parts if part.change]
    if found.entity_map:
        parts.append((MAP_CHANGES, found.entity_map))
    parts.sort(key=lambda part: -abs(part[1]))
    shown = tuple(parts[:PARTS])
    return MovedBy(
        metric=found.metric,
        from_height=from_height,
        from_time=from_time,
        before=found.before,
        after=found.after,
        parts=shown,
        others=found.change - math.fsum(change for _, change in shown),
        others_count=len(parts) - len(shown),
    )
