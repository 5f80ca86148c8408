"""A source with a manual clock, over a local server."""

from __future__ import annotations

from typing import Any

from counterpoise.series.load import load_catalogue
from counterpoise.series.release import Release
from counterpoise.settings.sections.market_sections import MarketSettings
from ingest.releases.sources.release_source import Fetched, ReleaseSource
from testkit.manual_clock import ManualClock

NOW = 1_795_000_000.0  # 2026-11-18 11:06:40 UTC
CATALOGUE = load_catalogue()


def make(kind: Any, clock: ManualClock | None = None, **settings: Any) -> Any:
    """A source of a class, whose pauses move its clock."""
    clock = clock or ManualClock(NOW)
    return kind(MarketSettings(**settings), CATALOGUE, clock=clock, pause=clock.sleep)


def ask(source: ReleaseSource, memory: dict[str, str]) -> list[Fetched]:
    """All steps of one round."""
    return list(source.fetch(memory))


def releases(steps: list[Fetched]) -> list[Release]:
    return [release for step in steps for release in step.releases]


def values(release: Release) -> dict[str, float]:
    return {observation.owner: observation.value for observation in release.observations}
