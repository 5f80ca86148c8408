"""What earlier processes announced and sent, read once for the outboxes of all receivers.

It is all of it. A message that was never sent may be of any age, and a closed alert may begin again: after a new attribution, an edit
of its rule, or a reorganisation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from alerts.outbox.sent import in_sequence
from alerts.store.alert_store import AlertStore
from alerts.store.delivery import Delivery
from counterpoise.contracts.alert_transition import AlertTransition


@dataclass(frozen=True, slots=True)
class Inherited:
    """What earlier processes left: what became of every message, and all steps that were announced, those of an alert in sequence."""

    deliveries: Sequence[Delivery]
    announced: Sequence[AlertTransition]

    @classmethod
    def read(cls, store: AlertStore) -> Inherited:
        """As it is stored, for the outboxes of all receivers."""
        return cls(store.deliveries.read(), in_sequence(store.events.transitions(announced=True)))
