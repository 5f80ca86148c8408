"""Steps of one alert: each is a separate rule that names the next higher one. Pure."""

from __future__ import annotations

from collections.abc import Mapping


def steps_above(rule_id: str, higher: Mapping[str, str]) -> tuple[str, ...]:
    """All higher steps of a rule, the next one first; `higher` is rule → next step. Steps in a circle are named once each, the rule
    itself not among them.

    >>> steps_above("info", {"info": "warning", "warning": "critical"})
    ('warning', 'critical')
    """
    found: list[str] = []
    step = higher.get(rule_id)
    while step is not None and step != rule_id and step not in found:
        found.append(step)
        step = higher.get(step)
    return tuple(found)
