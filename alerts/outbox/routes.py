"""Which receivers an alert goes to, by its labels. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from alerts.rules.rule import Rule
from counterpoise.chain.chain_registry import BITCOIN
from counterpoise.contracts.alerts import AlertTransition

Labels = Mapping[str, str]
"""What an alert is known by to routes, silences and receivers: `rule`, `chain`, `alert`, and what else its rule has."""

_OF_THE_RULE: Final = ("severity", "owner", "metric", "view", "window_blocks")


@dataclass(frozen=True, slots=True)
class Route:
    """`match`: label → value, in which `*` and `?` are wildcards."""

    match: Labels
    receivers: frozenset[str]


def matches(match: Labels, labels: Labels) -> bool:
    """Whether every label of `match` is there with a value that fits; an empty match always is."""
    return all(name in labels and fnmatchcase(labels[name], wanted) for name, wanted in match.items())


def receivers_for(labels: Labels, routes: Sequence[Route], every: Iterable[str]) -> frozenset[str]:
    """The receivers of the first route that matches; without one `every` receiver: a gap in the routes loses no alert."""
    return next((route.receivers for route in routes if matches(route.match, labels)), frozenset(every))


def labels_of(transition: AlertTransition, rule: Rule | None) -> dict[str, str]:
    """The labels of an alert: those that its rule had at this step, as its evidence has them, else as the rule is now.

    A rule's own labels come first: none of them can take the name of one of ours. `rule` is None where it was removed.
    """
    values = rule.model_dump(mode="json", include={"labels", *_OF_THE_RULE}) if rule else {}
    values |= transition.evidence.rule or {}
    own = values.get("labels")
    found = {str(name): str(value) for name, value in own.items()} if isinstance(own, dict) else {}
    return (
        found
        | {name: str(values[name]) for name in _OF_THE_RULE if values.get(name)}
        | {
            "alert": transition.alert_id,
            "rule": transition.rule_id,
            "chain": transition.evidence.chain or BITCOIN.name,
        }
    )
