"""Which receivers an alert goes to, by its labels. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from alerts.policy import Labels, matches
from alerts.rules.rule import Rule
from counterpoise.chain.chain_registry import BITCOIN
from counterpoise.contracts.alerts import AlertTransition

_OF_THE_RULE: Final = ("severity", "owner", "metric", "view", "window_blocks")
_NOTES: Final = frozenset({"labels", "severity", "owner"})
"""What a rule need not have: a step without one had none."""


@dataclass(frozen=True, slots=True)
class Route:
    """`match`: label → value, in which `*` and `?` are wildcards."""

    match: Labels
    receivers: frozenset[str]


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
