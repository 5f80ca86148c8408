"""Which receivers an alert goes to, by its labels. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from alerts.policy import Labels, matches
from alerts.rules.rule import Rule
from counterpoise.chain.chain_registry import BITCOIN
from counterpoise.contracts.alert_transition import AlertTransition

_OF_THE_RULE: Final = ("severity", "owner", "metric", "view", "window_blocks")
GROUP_LABELS: Final = ("rule", "chain", "instance", *_OF_THE_RULE)
"""Labels of ours that `group_by` may name. An alert's id is none: a group of one is no group."""
_NOTES: Final = frozenset({"labels", "severity", "owner"})
"""What a rule need not have: a step without one had none."""


@dataclass(frozen=True, slots=True)
class Route:
    """`match`: label → value, in which `*` and `?` are wildcards. `group_by`: the labels whose alerts share one message."""

    match: Labels
    receivers: frozenset[str]
    group_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AlertGroup:
    """The alerts of one route (its number, from 0) that have these labels in common, in the order of the route's `group_by`."""

    route: int
    labels: tuple[tuple[str, str], ...]


def group_of(labels: Labels, routes: Sequence[Route], receiver: str) -> AlertGroup | None:
    """The group of an alert at a receiver; None where its route has no `group_by`, or leads elsewhere.

    A label that the alert does not have is an empty value, as in an Alertmanager.
    """
    found = next(((at, route) for at, route in enumerate(routes) if matches(route.match, labels)), None)
    if found is None or not found[1].group_by or receiver not in found[1].receivers:
        return None
    at, route = found
    return AlertGroup(at, tuple((name, labels.get(name, "")) for name in route.group_by))


def receivers_for(labels: Labels, routes: Sequence[Route], every: Iterable[str]) -> frozenset[str]:
    """The receivers of the first route that matches; without one `every` receiver: a gap in the routes loses no alert."""
    return next((route.receivers for route in routes if matches(route.match, labels)), frozenset(every))


def labels_of(transition: AlertTransition, rule: Rule | None) -> dict[str, str]:
    """The labels of an alert: those that its rule had at this step, or has now where the evidence names no rule.

    A severity, owner or label that the rule gets while an alert fires is none of the alert's: its labels are its identity elsewhere.

    A rule's own labels come first: none of them can take the name of one of ours. `rule` is None where it was removed.
    """
    then, asked = transition.evidence.rule, {"labels", *_OF_THE_RULE}
    now = rule.model_dump(mode="json", include=asked if then is None else asked - _NOTES) if rule else {}
    values = now | (then or {})
    own, found_in = values.get("labels"), transition.evidence
    found = {str(name): str(value) for name, value in own.items()} if isinstance(own, dict) else {}
    return (
        found
        | {name: str(values[name]) for name in _OF_THE_RULE if values.get(name)}
        | {name: text for name, text in (("metric", found_in.metric), ("instance", found_in.instance)) if text}
        | {
            "alert": transition.alert_id,
            "rule": transition.rule_id,
            "chain": transition.evidence.chain or BITCOIN.name,
        }
    )
