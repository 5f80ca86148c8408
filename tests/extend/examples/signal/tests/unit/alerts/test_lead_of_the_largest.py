"""The lead of the largest pool, by hand."""

from __future__ import annotations

from alerts.signals.specs.lead_of_the_largest import SIGNALS
from tests.unit.alerts.test_metric_rules import windows


def test_by_hand() -> None:
    [signal] = SIGNALS
    found = signal.measure(windows([[50, 30, 20], [40, 40, 20]]), "")
    assert found.low.tolist() == [0.2, 0.0]
