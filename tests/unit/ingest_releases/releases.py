"""Releases for the tests of the edges, and settings without engines."""

from __future__ import annotations

from typing import Any

from counterpoise.contracts.releases import Observation
from counterpoise.series.release import Head, Release, make_release


def a_release(owner: str = "Amazon", value: float = 5.0, *, observations: int = 1, **head: Any) -> Release:
    """A small valid release of the owners' series; `observations` above 1 makes more owners."""
    fields: dict[str, Any] = {
        "series": "epoch-ai-compute-owners",
        "kind": "measured",
        "layer": "ownership",
        "unit": "H100-equivalents",
        "period_start": "2025-10-01",
        "period_end": "2025-12-31",
        "published_at_ms": 1_770_000_000_000,
        "source": "a test",
        "licence": "none",
    }
    made = [Observation(owner=owner if i == 0 else f"{owner} {i}", value=value + i) for i in range(observations)]
    return make_release(Head(**(fields | head)), made)


def a_document(owner: str = "Amazon", value: float = 5.0, **more: Any) -> dict[str, Any]:
    """The same as it is pushed."""
    document: dict[str, Any] = {
        "series": "epoch-ai-compute-owners",
        "layer": "ownership",
        "unit": "H100-equivalents",
        "period_start": "2025-10-01",
        "period_end": "2025-12-31",
        "published_at_ms": 1_770_000_000_000,
        "source": "a test",
        "licence": "none",
        "observations": [{"owner": owner, "value": value}],
    }
    return document | more
