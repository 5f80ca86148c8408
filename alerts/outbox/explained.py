"""An alert's explanation as text of Slack's mrkdwn: both views side by side, and what moved the value by pool. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from alerts.rules.condition import Condition, condition_of
from counterpoise.contracts.alert_transition import AlertExplanation, MovedBy, ViewValue
from counterpoise.explain.views import JoinedEntity, group_sentence, why_views_differ
from counterpoise.formats import TEXT, utc_minute
from counterpoise.metrics.specs.metric_registry import SPECS
from counterpoise.windows import RAW

VIEW_WORDS: Final[Mapping[str, str]] = {"raw": "pools as they sign", "entity": "entities"}


def views_text(found: AlertExplanation, lines: Sequence[float] = ()) -> str:
    """Both views of the metric, each value on its side of these lines, and why they differ; empty without both.

    Nothing in it is escaped.
    """
    words = condition_of(found.metric)
    if words is None or len(found.views) < len(VIEW_WORDS):
        return ""
    values = [f"• {VIEW_WORDS.get(one.view, one.view)}: {_value(one, words, lines)}" for one in found.views]
    return "\n".join([*values, _why(found, words)])


def _value(one: ViewValue, words: Condition, lines: Sequence[float]) -> str:
    text = words.format(one.value, lines)
    if one.interval_low is not None and one.interval_high is not None:
        text += f", 95 % interval {words.format(one.interval_low)} to {words.format(one.interval_high)}"
    return text + ("" if one.high is None else f", at most {words.format(one.high, lines)} with the unknown blocks")


def _why(found: AlertExplanation, words: Condition) -> str:
    by_view = {one.view: one.value for one in found.views}
    gap = next(value for view, value in by_view.items() if view != RAW) - by_view[RAW]
    source = words.source
    size = source.format_change(abs(gap)).removeprefix("+")
    agrees = size == source.format_change(0.0).removeprefix("+")
    groups = [JoinedEntity(one.entity, one.pools, one.change) for one in found.joined]
    part = groups[0].change if groups else None
    change = "" if part is None else source.format_change(part)
    return why_views_differ(size, None if agrees else gap > 0, group_sentence(groups, change))


def moved_text(moved: MovedBy) -> str:
    """The change, its largest parts by pool and the others. As written, the parts sum to the change. Nothing in it is escaped."""
    spec = SPECS[moved.metric]
    total, parts, others = rounded_parts(moved)
    before, after = (TEXT.metric(value, spec.kind, spec.unit) for value in (moved.before, moved.after))
    since = f"since height {moved.from_height} ({utc_minute(moved.from_time)} UTC)"
    if not moved.parts:
        return f"unchanged {since}: {after}"
    lines = [f"{since}: {_signed(total, moved.metric)}, from {before} to {after}"]
    lines += [f"• {name} {_signed(part, moved.metric)}" for name, part in parts]
    if moved.others_count:
        noun = "other" if moved.others_count == 1 else "others"
        lines.append(f"• {moved.others_count} {noun} {_signed(others, moved.metric)}")
    return "\n".join(lines)


def rounded_parts(moved: MovedBy) -> tuple[int, list[tuple[str, int]], int]:
    """The change, its parts and the others in whole units of what is written: the parts and the others sum to the change.

    The others take what rounding leaves; without others the largest part does.
    """
    scale, _ = _written(moved.metric)
    total = round((moved.after - moved.before) * scale)
    parts = [(name, round(part * scale)) for name, part in moved.parts]
    rest = total - sum(part for _, part in parts)
    if parts and not moved.others_count:
        parts[0] = (parts[0][0], parts[0][1] + rest)
        rest = 0
    return total, parts, rest


def _written(metric: str) -> tuple[int, int]:
    """(units in 1, decimals that are written)."""
    spec = SPECS[metric]
    if spec.kind == "percent":
        return 10_000, 2
    decimals = 0 if spec.kind == "whole" else 4 if spec.unit == "index" else 2
    return 10**decimals, decimals


def _signed(units: int, metric: str) -> str:
    _, decimals = _written(metric)
    value = units / 10**decimals
    return f"{value:+,.{decimals}f}" + (" points" if SPECS[metric].kind == "percent" else "")
