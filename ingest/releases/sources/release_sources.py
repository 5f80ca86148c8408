"""Every market source that is asked, by the name that settings give it; the drop folder and the push endpoint are doors instead."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from counterpoise.errors import ConfigError
from counterpoise.runtime.clock import Clock
from counterpoise.series.catalogue import Catalogue
from counterpoise.settings.model import MarketSettings
from ingest.releases.mapping.mapping_file import load_mapping, shipped_names
from ingest.releases.sources.epoch import EpochSource
from ingest.releases.sources.huggingface import HuggingFaceSource
from ingest.releases.sources.npm import NpmSource
from ingest.releases.sources.poll import PollSource
from ingest.releases.sources.pypi import PypiSource
from ingest.releases.sources.pypistats import PypistatsSource
from ingest.releases.sources.release_source import ReleaseSource


class _Maker(Protocol):
    def __call__(
        self, settings: MarketSettings, catalogue: Catalogue, *, clock: Clock, pause: Callable[[float], None]
    ) -> ReleaseSource: ...


SOURCES: Final[dict[str, _Maker]] = {
    "epoch": EpochSource,
    "pypi": PypiSource,
    "pypistats": PypistatsSource,
    "npm": NpmSource,
    "huggingface": HuggingFaceSource,
}

DOORS: Final = ("drop", "poll", "push")
"""Names in settings that are no entry of SOURCES."""


def configured_sources(
    settings: MarketSettings, catalogue: Catalogue, *, clock: Clock, pause: Callable[[float], None]
) -> list[ReleaseSource]:
    """The sources that the settings name, and one for each mapping to poll. ConfigError where one cannot work."""
    if len(set(settings.sources)) != len(settings.sources):
        raise ConfigError(f"COUNTERPOISE_MARKET__SOURCES names one twice: {', '.join(settings.sources)}")
    made = [
        SOURCES[name](settings, catalogue, clock=clock, pause=pause) for name in settings.sources if name in SOURCES
    ]
    if "poll" in settings.sources:
        if not settings.poll.mappings:
            raise ConfigError(
                "source poll needs mappings: set COUNTERPOISE_MARKET__POLL__MAPPINGS to names or paths; shipped are "
                f"{', '.join(shipped_names())}"
            )
        for name in settings.poll.mappings:
            mapping = load_mapping(name, catalogue)
            made.append(PollSource(mapping, settings, catalogue, clock=clock, pause=pause))
    names = [source.name for source in made]
    if len(set(names)) != len(names):
        raise ConfigError(f"COUNTERPOISE_MARKET__POLL__MAPPINGS has two mappings of one name: {', '.join(names)}")
    return made
