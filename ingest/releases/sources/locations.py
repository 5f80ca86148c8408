"""A source's file wherever it is: a path, a folder of them, or a URL."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import structlog

from counterpoise.errors import ConfigError, DeadLetterError, StaleSourceError
from counterpoise.runtime.clock import Clock
from counterpoise.runtime.probe import Probe
from counterpoise.settings.sections.market_sections import MarketSettings
from counterpoise.urls import shown_url
from ingest.rate_limited_http import Memory, Page, RateLimitedHttp
from ingest.releases.sources.release_source import Fetched, digest_of, http_date_ms

log = structlog.get_logger("market")


def report_assumed_publication(source: str, file: Located) -> None:
    """One line where a release is dated by something else than its publisher's word."""
    if file.assumed:
        day = datetime.fromtimestamp(file.published_at_ms / 1000, UTC).date()
        log.warning(
            "a publication date is assumed", source=source, file=file.name, day=str(day), taken_from=file.assumed
        )


@dataclass(frozen=True, slots=True)
class Located:
    """One file. `published_at_ms`: what its server says, else the file's time, else when we first saw this content.

    `assumed` names where that is from, if it is not its server's word.
    """

    name: str
    content: bytes
    published_at_ms: int
    assumed: str = ""

    def text(self) -> str:
        """As UTF-8; DeadLetterError where it is not."""
        try:
            return self.content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise DeadLetterError("bad-source-file", f"{self.name}: not UTF-8 at byte {error.start}") from None


def is_url(location: str) -> bool:
    """Whether it is fetched and not opened."""
    return location.startswith(("http://", "https://"))


class Locations:
    """All files of one source. ConfigError where a path does not exist, StaleSourceError where a URL does not answer."""

    def __init__(
        self,
        locations: tuple[str, ...],
        settings: MarketSettings,
        *,
        setting: str,
        suffixes: tuple[str, ...],
        clock: Clock,
        pause: Callable[[float], None],
    ) -> None:
        if not locations or not all(locations):
            raise ConfigError(f"{setting} is empty: expected the path or URL of a {' or '.join(suffixes)} file")
        self._locations = locations
        self._max_bytes = settings.max_answer_bytes
        self._setting = setting
        self._suffixes = suffixes
        self._clock = clock
        self._servers = {
            location: RateLimitedHttp(location, settings, setting=setting, clock=clock, pause=pause)
            for location in locations
            if is_url(location)
        }
        for location in locations:
            if not is_url(location) and not Path(location).exists():
                raise ConfigError(f"{setting} names {location!r}, which does not exist")

    def read_changed(self, memory: Memory) -> list[Located] | None:
        """Every file, in the order of the settings, a folder's by name; None where all are as `memory` knows them.

        Servers are asked whether their file changed. `memory` is brought up to date.
        """
        urls = [location for location in self._locations if is_url(location)]
        pages = {url: self._servers[url].get(url, memory) for url in urls}
        if len(urls) == len(self._locations) and not any(pages.values()):
            return None
        found: list[Located] = []
        for location in self._locations:
            if location in pages:
                found.append(self._fetched(location, pages[location] or self._servers[location].get(location)))
            else:
                found += [self._open(path) for path in self._paths(Path(location))]
        content = digest_of("\n".join(f"{file.name} {digest_of(file.content)}" for file in found).encode())
        if memory.get("content") == content:
            return None
        memory["content"] = content
        return found

    def probe(self, name: str) -> Probe:
        """Whether every file is there, as far as that can be seen without reading it; else the first that is not."""
        for location in self._locations:
            if is_url(location):
                probe = self._servers[location].probe(name)
                if probe.verdict != "ok":
                    return probe
            elif not Path(location).exists():
                return Probe("problem", f"{self._setting} names {location!r}, which does not exist")
        return Probe("ok", f"{name}: {', '.join(map(shown_url, self._locations))}")

    def close(self) -> None:
        """Close connections."""
        for server in self._servers.values():
            server.close()

    def _fetched(self, url: str, page: Page | None) -> Located:
        if page is None:
            raise StaleSourceError(f"{shown_url(url)} answered 304 to a question without a condition")
        published = http_date_ms(page.last_modified) if page.last_modified else None
        name = url.partition("?")[0]
        if published:
            return Located(name, page.body, published)
        return Located(name, page.body, int(self._clock.now() * 1000), "the time of the request")

    def _paths(self, path: Path) -> list[Path]:
        if not path.is_dir():
            return [path]
        try:
            found = sorted(one for one in path.iterdir() if one.suffix.lower() in self._suffixes)
        except OSError as error:
            raise StaleSourceError(f"{path} cannot be read: {error.strerror}") from None
        if not found:
            raise ConfigError(
                f"{self._setting} names the folder {str(path)!r}, which holds no {' or '.join(self._suffixes)} file"
            )
        return found

    def _open(self, path: Path) -> Located:
        try:
            size = path.stat().st_size
            if size > self._max_bytes:
                raise ConfigError(f"{self._setting} names {str(path)!r} of {size} bytes, more than {self._max_bytes}")
            return Located(str(path), path.read_bytes(), int(path.stat().st_mtime) * 1000, "the time of the file")
        except OSError as error:
            raise StaleSourceError(f"{path} cannot be read: {error.strerror}") from None


class FileSource(ABC):
    """Files that are read again when one of them changed; what they say is a subclass's business."""

    name: str

    def __init__(self, locations: Locations, cadence_seconds: float) -> None:
        self.cadence_seconds = cadence_seconds
        self._locations = locations

    def fetch(self, memory: Memory) -> Iterator[Fetched]:
        """One step, where any file changed. Files that are none are not read again until they change."""
        files = self._locations.read_changed(memory)
        if files is not None:
            yield self.read(files)

    def probe(self) -> Probe:
        """Whether the files are there."""
        return self._locations.probe(self.name)

    @abstractmethod
    def read(self, files: list[Located]) -> Fetched:
        """The releases and rejected items of all files together."""

    def close(self) -> None:
        """Close connections."""
        self._locations.close()
