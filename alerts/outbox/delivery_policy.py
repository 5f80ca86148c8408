"""Whether a transition is sent to a receiver now: the routes of the settings, and what people asked for in rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from alerts.outbox.routes import Route, labels_of, receivers_for
from alerts.outbox.sent import MUTED, NOT_ROUTED
from alerts.rules.rule import Rule
from alerts.store.alert_mutes_log import ALL_RULES
from alerts.store.alert_store import AlertStore
from counterpoise.chain.chain_registry import BITCOIN
from counterpoise.contracts.alerts import AlertTransition
from counterpoise.runtime.clock import Clock


class DeliveryPolicy:
    """Of one receiver, with the store of its thread."""

    def __init__(
        self,
        store: AlertStore,
        rules: Sequence[Rule],
        *,
        receiver: str,
        receivers: Iterable[str],
        routes: Sequence[Route],
        clock: Clock,
    ) -> None:
        self._store = store
        self._rules = {(rule.id, rule.chain): rule for rule in rules}
        self._receiver = receiver
        self._receivers = tuple(receivers)
        self._routes = routes
        self._clock = clock

    def left_out(self, transition: AlertTransition) -> str | None:
        """Why the message of a transition is not sent to this receiver now; None where it is."""
        rule = self._rules.get((transition.rule_id, transition.evidence.chain or BITCOIN.name))
        labels = labels_of(transition, rule)
        if self._receiver not in receivers_for(labels, self._routes, self._receivers):
            return NOT_ROUTED
        mutes, now = self._store.mutes.read(), self._clock.now()
        muted = any(name in mutes and now < mutes[name].until for name in (transition.rule_id, ALL_RULES))
        return MUTED if muted else None
