"""A source's file wherever it is: a path, a folder of them, or a URL."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from counterpoise.clock import Clock
from counterpoise.errors import ConfigError, StaleSourceError
from counterpoise.settings import MarketSettings
from ingest.market.polite import Memory, PoliteHttp
from ingest.market.source import digest_of, http_date_ms


@dataclass(frozen=True, slots=True)
class Located:
    """One file. `published_at_ms`: what its server says, else the file's time, else when we first saw this content."""

    name: str
    content: bytes
    published_at_ms: int

    def text(self) -> str:
        """As UTF-8; what is not is replaced, and then refused where it matters."""
        return self.content.decode("utf-8", "replace")


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
            location: PoliteHttp(location, settings, setting=setting, clock=clock, pause=pause)
            for location in locations
            if is_url(location)
        }
        for location in locations:
            if not is_url(location) and not Path(location).exists():
                raise ConfigError(f"{setting} names {location!r}, which does not exist")

    def read_all(self) -> list[Located]:
        """Every file, in the order of the settings, a folder's by name."""
        found: list[Located] = []
        for location in self._locations:
            if is_url(location):
                found.append(self._fetch(location))
            else:
                found += [self._open(path) for path in self._paths(Path(location))]
        return found

    def changed(self, files: list[Located], memory: Memory) -> bool:
        """Whether their content is another than the one that `remember` was told of."""
        return memory.get("content") != self._digest(files)

    def remember(self, files: list[Located], memory: Memory) -> None:
        """These were read to the end."""
        memory["content"] = self._digest(files)

    def close(self) -> None:
        """Close connections."""
        for server in self._servers.values():
            server.close()

    def _fetch(self, url: str) -> Located:
        page = self._servers[url].get(url)
        if page is None:
            raise StaleSourceError(f"{url} answered 304 to a question without a condition")
        published = http_date_ms(page.last_modified) if page.last_modified else None
        return Located(url.partition("?")[0], page.body, published or int(self._clock.now() * 1000))

    def _paths(self, path: Path) -> list[Path]:
        if not path.is_dir():
            return [path]
        found = sorted(one for one in path.iterdir() if one.suffix in self._suffixes)
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
            return Located(str(path), path.read_bytes(), int(path.stat().st_mtime) * 1000)
        except OSError as error:
            raise StaleSourceError(f"{path} cannot be read: {error.strerror}") from None

    @staticmethod
    def _digest(files: list[Located]) -> str:
        return digest_of("\n".join(f"{file.name} {digest_of(file.content)}" for file in files).encode())
