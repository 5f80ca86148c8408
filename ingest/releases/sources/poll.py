"""Any JSON URL with a mapping: one document, or one for each of a list of items."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final
from urllib.parse import quote

import structlog

from counterpoise.errors import ConfigError, DeadLetterError, StaleSourceError
from counterpoise.runtime.clock import Clock
from counterpoise.runtime.probe import Probe
from counterpoise.series.catalogue import Catalogue
from counterpoise.settings.sections.market_sections import MarketSettings
from counterpoise.urls import shown_url
from ingest.bad_item import BadItem
from ingest.http import NotThereError
from ingest.rate_limited_http import Memory, RateLimitedHttp
from ingest.releases.mapping.apply_mapping import Document, mapped_releases
from ingest.releases.mapping.mapping import Fetch, Mapping
from ingest.releases.mapping.mapping_file import load_mapping, shipped_names
from ingest.releases.sources.release_source import Fetched, day_of, digest_of

_REPORTED: Final = 20
"""Rows of one round that each get a dead letter."""

log = structlog.get_logger("market")


def poll_sources(
    settings: MarketSettings, catalogue: Catalogue, *, clock: Clock, pause: Callable[[float], None]
) -> list[PollSource]:
    """One for each mapping that the settings name; ConfigError where there is none, or two have one name."""
    names = settings.poll.mappings
    if not names:
        raise ConfigError(
            "source poll needs mappings: set COUNTERPOISE_MARKET__POLL__MAPPINGS to names or paths; shipped are "
            f"{', '.join(shipped_names())}"
        )
    made = [PollSource(load_mapping(name, catalogue), settings, catalogue, clock=clock, pause=pause) for name in names]
    if len({source.name for source in made}) != len(made):
        raise ConfigError(
            f"COUNTERPOISE_MARKET__POLL__MAPPINGS has two mappings of one name: {', '.join(source.name for source in made)}"
        )
    return made


class PollSource:
    """Documents that were fetched are kept until the round is complete, so that a failure in its midst costs only what is left."""

    def __init__(
        self,
        mapping: Mapping,
        settings: MarketSettings,
        catalogue: Catalogue,
        *,
        clock: Clock,
        pause: Callable[[float], None],
    ) -> None:
        fetch = mapping.fetch
        if fetch is None:
            raise ConfigError(
                f"mapping {mapping.name} has no fetch section: it is for files, put them into the drop folder {mapping.name}/"
            )
        if fetch.contact_required and not settings.contact:
            raise ConfigError(
                f"mapping {mapping.name} needs a contact, its publisher asks for one: set COUNTERPOISE_MARKET__CONTACT to a name "
                "and an e-mail address"
            )
        self.name = f"poll-{mapping.name}"
        self.cadence_seconds = fetch.cadence_hours * 3600.0
        self._mapping = mapping
        self._fetch: Fetch = fetch
        self._series = catalogue[mapping.series]
        self._clock = clock
        self._http = RateLimitedHttp(
            fetch.url,
            settings,
            setting=f"the url of mapping {mapping.name}",
            clock=clock,
            pause=pause,
            max_requests_per_second=fetch.max_requests_per_second,
            ask_robots=fetch.robots == "ask",
        )
        self._day = ""
        self._listed: list[str] | None = None
        self._documents: dict[str, Document | None] = {}

    def fetch(self, memory: Memory) -> Iterator[Fetched]:
        """One step with every release of the round; nothing where the releases are those of the last one."""
        day = day_of(self._clock.now())
        if day != self._day:
            self._day, self._listed, self._documents = day, None, {}
        if self._listed is None:
            self._listed = self._items()
        for item in self._listed:
            if item not in self._documents:
                self._documents[item] = self._document(item)
        self._listed = None
        documents = [document for document in self._documents.values() if document is not None]
        if not documents:
            raise StaleSourceError(f"{self._http.base} has none of the documents of mapping {self._mapping.name}")
        dropped: list[str] = []
        try:
            releases = mapped_releases(
                self._mapping, self._series, documents, fetched_at_ms=int(self._clock.now()) * 1000, dropped=dropped
            )
        except DeadLetterError as error:
            self._documents = {}
            payload = "\n".join(str(document.content) for document in documents).encode("utf-8", "replace")
            yield Fetched(rejected=(BadItem(self._mapping.name, error.reason, str(error), payload),))
            return
        self._documents = {}
        digest = digest_of("\n".join(release.values_id for release in releases).encode())
        if memory.get("values") != digest:
            memory["values"] = digest
            bad = [BadItem(self._mapping.name, "bad-row", problem, problem.encode()) for problem in dropped[:_REPORTED]]
            if len(dropped) > _REPORTED:
                log.warning("rows were left out", source=self.name, rows=len(dropped), reported=_REPORTED)
            yield Fetched(tuple(releases), tuple(bad))

    def probe(self) -> Probe:
        """Whether the server answers."""
        return self._http.probe(self.name)

    def close(self) -> None:
        """Close connections."""
        self._http.close()

    def _items(self) -> list[str]:
        items = self._fetch.items
        if items is None:
            return [""]
        if items.names is not None:
            return list(items.names)
        assert items.url is not None  # noqa: S101 - the mapping was checked
        assert items.path is not None  # noqa: S101
        found = items.path.of(self._http.get_json(items.url))
        named = [item for item in found if isinstance(item, str) and item] if isinstance(found, list) else []
        if not isinstance(found, list) or 2 * len(named) <= len(found):
            raise StaleSourceError(f"{shown_url(items.url)} gives no list of names at {items.path.text}")
        if len(named) < len(found):
            log.warning("items without a name are left out", source=self.name, items=len(found) - len(named))
        if len(found) > items.at_most:
            raise StaleSourceError(
                f"{shown_url(items.url)} gives {len(found)} items, more than at_most {items.at_most}"
            )
        return sorted(set(named))

    def _document(self, item: str) -> Document | None:
        """None where the server does not have that one."""
        url = self._fetch.url.replace("{item}", quote(item, safe="/:@"))
        try:
            return Document(self._http.get_json(url), item=item, name=shown_url(url))
        except NotThereError as error:
            if not item:
                raise StaleSourceError(str(error)) from None
            log.info("an item is not there", source=self.name, item=item)
            return None
