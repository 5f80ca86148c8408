"""Block event → attribution, with the labels that repeat remembered. Pure."""

from __future__ import annotations

from counterpoise.contracts.blocks import BlockEvent
from counterpoise.pools.attribution import Attribution
from counterpoise.pools.attribution_set import AttributionSet
from counterpoise.pools.evidence import Evidence

_MAX_REMEMBERED_LABELS = 10_000


class Attributor:
    """The matcher of one attribution set, for events. One thread at a time."""

    def __init__(self, attribution_set: AttributionSet) -> None:
        self.attribution_set = attribution_set
        self._by_label: dict[str | None, Attribution] = {}

    def attribute(self, event: BlockEvent) -> Attribution:
        """Who made the block, under this set."""
        if event.coinbase_script or event.payout_addresses:
            evidence = Evidence(bytes.fromhex(event.coinbase_script), event.payout_addresses, event.label)
            return self.attribution_set.matcher.attribute(evidence, event.time)
        known = self._by_label.get(event.label)
        if known is None:
            known = self.attribution_set.matcher.attribute(Evidence(label=event.label))
            if len(self._by_label) < _MAX_REMEMBERED_LABELS:
                self._by_label[event.label] = known
        return known
