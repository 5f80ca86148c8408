"""Whether a transition is sent to a receiver now: the routes of the settings, and what people asked for in rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from alerts.outbox.current_actions import CurrentActions
from alerts.outbox.routes import AlertGroup, Route, group_of, labels_of, receivers_for
from alerts.outbox.sent import INHIBITED, MUTED, NOT_ROUTED, SILENCED
from alerts.policy import Action, Actions, Labels, SilenceSubject, inhibitor_of
from alerts.rules.rule import Rule
from alerts.rules.steps import steps_above
from alerts.store.alert_mutes_log import ALL_RULES, Mute
from alerts.store.alert_store import AlertStore
from alerts.store.sending_checks import Checked
from counterpoise.chain.chain_registry import BITCOIN
from counterpoise.contracts.alert_transition import OPEN_STATES, AlertTransition
from counterpoise.runtime.clock import Clock


class Policy(Protocol):
    """What decides about an outbox's messages, as of the last `refresh`.

    `fired` is the first firing of the alert, None where it has none.
    """

    def refresh(self, checked: Checked) -> None:
        """Begin a pass with what people asked for by now."""

    def left_out(self, transition: AlertTransition, fired: AlertTransition | None) -> str | None:
        """Why the message of a transition is not sent now; None where it is."""

    def outgrown(self, fired: AlertTransition) -> Action | None:
        """The silence that holds no longer, because the value is worse than it allows."""

    def acknowledgement(self, alert_id: str) -> Action | None:
        """The acknowledgement of an alert; None without one."""

    def group_of(self, fired: AlertTransition) -> AlertGroup | None:
        """The group with whose alerts an alert shares a message here; None without one."""


class SendEverything:
    """The policy without routes and people."""

    def refresh(self, checked: Checked) -> None:
        """There is nothing to note."""

    def left_out(self, transition: AlertTransition, fired: AlertTransition | None) -> str | None:
        """Nothing is."""
        return None

    def outgrown(self, fired: AlertTransition) -> Action | None:
        """There are no silences."""
        return None

    def acknowledgement(self, alert_id: str) -> Action | None:
        """There are no acknowledgements."""
        return None

    def group_of(self, fired: AlertTransition) -> AlertGroup | None:
        """There are no routes."""
        return None


class DeliveryPolicy:
    """The policy of one receiver, with the store of its thread. `value_now` is the value of an alert's rule at the tip. `people` is
    what its renderer uses too."""

    def __init__(
        self,
        store: AlertStore,
        rules: Sequence[Rule],
        *,
        receiver: str,
        receivers: Iterable[str],
        routes: Sequence[Route],
        clock: Clock,
        value_now: Callable[[AlertTransition], float | None],
        people: CurrentActions | None = None,
        inhibits: bool = True,
    ) -> None:
        """`inhibits`: whether a higher step that fires keeps the messages of a lower one back; programs decide that themselves."""
        self._store = store
        self._rules = {(rule.id, rule.chain): rule for rule in rules}
        self._receiver = receiver
        self._receivers = tuple(receivers)
        self._routes = routes
        self._is_grouping = any(route.group_by for route in routes)
        self._clock = clock
        self._value_now = value_now
        self._people = people or CurrentActions(store.actions, clock)
        self._higher = {rule.id: rule.inhibited_by for rule in rules if rule.inhibited_by} if inhibits else {}
        self._mutes: Mapping[str, Mute] = {}
        self._firing: list[Labels] | None = None

    def refresh(self, checked: Checked) -> None:
        """Begin a pass with what people asked for by now, and what fires now."""
        self._people.refresh(checked.actions_mark)
        self._mutes = checked.mutes
        self._firing = None

    def left_out(self, transition: AlertTransition, fired: AlertTransition | None) -> str | None:
        """Why the message of a transition is not sent to this receiver now; None where it is."""
        labels = self._labels(transition)
        if self._receiver not in receivers_for(labels, self._routes, self._receivers):
            return NOT_ROUTED
        mutes, now = self._mutes, self._clock.now()
        if any(name in mutes and now < mutes[name].until for name in (transition.rule_id, ALL_RULES)):
            return MUTED
        actions = self._people.actions
        silence = (
            actions.silence_of(self._subject(transition, fired, labels, actions), now) if actions.silences else None
        )
        if silence:
            return f"{SILENCED} {silence.id}"
        inhibitor = self._inhibitor(labels)
        return f"{INHIBITED} {inhibitor}" if inhibitor else None

    def _inhibitor(self, labels: Labels) -> str | None:
        """The higher step that fires and goes to this receiver. It is asked of the rows: those of one block are stored together."""
        above = steps_above(labels["rule"], self._higher)
        if not above:
            return None
        if self._firing is None:
            rows = self._store.events.firing_of(sorted(set(self._higher.values())))
            every = (self._labels(row) for row in rows)
            self._firing = [its for its in every if self._receiver in receivers_for(its, self._routes, self._receivers)]
        return inhibitor_of(labels, self._firing, above)

    def outgrown(self, fired: AlertTransition) -> Action | None:
        """The silence that holds no longer, because the value is worse than it allows."""
        actions = self._people.actions
        if not actions.silences:
            return None
        subject = self._subject(fired, fired, self._labels(fired), actions)
        return actions.outgrown(subject, self._clock.now())

    def acknowledgement(self, alert_id: str) -> Action | None:
        """The acknowledgement of an alert; None without one."""
        return self._people.actions.acknowledgements.get(alert_id)

    def group_of(self, fired: AlertTransition) -> AlertGroup | None:
        """The group with whose alerts an alert shares a message here; None without one."""
        return group_of(self._labels(fired), self._routes, self._receiver) if self._is_grouping else None

    def _labels(self, transition: AlertTransition) -> dict[str, str]:
        return labels_of(transition, self._rule_of(transition))

    def _rule_of(self, transition: AlertTransition) -> Rule | None:
        return self._rules.get((transition.rule_id, transition.evidence.chain or BITCOIN.name))

    def _subject(
        self, transition: AlertTransition, fired: AlertTransition | None, labels: Labels, actions: Actions
    ) -> SilenceSubject:
        first = fired or transition
        value = self._value_now(first) if actions.needs_value(labels, self._clock.now()) else None
        return silence_subject(transition, fired, self._rule_of(first), labels, value)


def silence_subject(
    transition: AlertTransition,
    fired: AlertTransition | None,
    rule: Rule | None,
    labels: Labels,
    value_now: float | None,
) -> SilenceSubject:
    """An alert at this step as silences see it. `fired`: its first firing that is sent. `value_now`: that at the tip, or None."""
    return SilenceSubject(
        labels,
        transition.state in OPEN_STATES,
        fired.recorded_at_ms / 1000 if fired else None,
        transition.value if value_now is None else value_now,
        rises(fired or transition, rule),
    )


def rises(first: AlertTransition, rule: Rule | None) -> bool:
    """Whether a higher value is worse for an alert that began so: by its rule's line, else by the side on which the value stands.

    A value on its line has no side: `at_most: 2` fires at 2, and 1 is worse.
    """
    if rule is not None and rule.rises is not None:
        return rule.rises
    return first.value is None or first.threshold is None or first.value >= first.threshold
