"""Every market source by the name that settings give it. To add one: a file beside this, and a line in SOURCES.

A source that has settings also has a section of its name in `MarketSettings`. What others send is no source: see INTAKES.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Protocol

from counterpoise.errors import ConfigError
from counterpoise.runtime.clock import Clock
from counterpoise.series.catalogue import Catalogue
from counterpoise.settings.sections.market_sections import MarketSettings
from ingest.releases.sources.epoch import EpochSource
from ingest.releases.sources.huggingface import HuggingFaceSource
from ingest.releases.sources.npm import NpmSource
from ingest.releases.sources.openrouter import OpenRouterSource
from ingest.releases.sources.poll import poll_sources
from ingest.releases.sources.pypi import PypiSource
from ingest.releases.sources.pypistats import PypistatsSource
from ingest.releases.sources.release_source import ReleaseSource


class Maker(Protocol):
    """Makes the sources of one name: one, or for `poll` one for each mapping."""

    def __call__(
        self, settings: MarketSettings, catalogue: Catalogue, *, clock: Clock, pause: Callable[[float], None]
    ) -> ReleaseSource | Sequence[ReleaseSource]: ...


SOURCES: Final[dict[str, Maker]] = {
    "epoch": EpochSource,
    "pypi": PypiSource,
    "pypistats": PypistatsSource,
    "npm": NpmSource,
    "openrouter": OpenRouterSource,
    "huggingface": HuggingFaceSource,
    "poll": poll_sources,
}

INTAKES: Final = ("drop", "push")
"""Names in the same setting that nobody is asked for: the drop folder and the push endpoint."""


def configured_sources(
    settings: MarketSettings, catalogue: Catalogue, *, clock: Clock, pause: Callable[[float], None]
) -> list[ReleaseSource]:
    """The sources that the settings name. ConfigError where there is none of a name, or one cannot work as it is set."""
    names = settings.sources
    if len(set(names)) != len(names):
        raise ConfigError(f"COUNTERPOISE_MARKET__SOURCES names one twice: {', '.join(names)}")
    unknown = next((name for name in names if name not in SOURCES and name not in INTAKES), None)
    if unknown is not None:
        raise ConfigError(
            f"COUNTERPOISE_MARKET__SOURCES names {unknown!r}, expected some of {', '.join((*SOURCES, *INTAKES))}"
        )
    made: list[ReleaseSource] = []
    for name in names:
        if name in SOURCES:
            found = SOURCES[name](settings, catalogue, clock=clock, pause=pause)
            made += found if isinstance(found, Sequence) else [found]
    return made
