"""Requests to other people's servers: one at a time, spaced, named, never for what has not changed, and silent when told to be."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.robotparser import RobotFileParser

from pydantic_core import from_json

from counterpoise.errors import ConfigError, StaleSourceError
from counterpoise.runtime.clock import Clock
from counterpoise.runtime.probe import Probe
from counterpoise.settings.sections.market_sections import MarketSettings
from counterpoise.urls import shown_url, split_url
from ingest.http import MAX_PAUSE_SECONDS, BoundedHttp, BusyError, NotThereError

ROBOT = "counterpoise"
"""The name that robots.txt knows us by."""

_LONGEST_SLEEP_SECONDS = 10.0
"""One thread asks all sources: a longer pause that a publisher asks for is left to the caller."""

Memory = MutableMapping[str, str]
"""What a source keeps between fetches and restarts."""


class PacedError(BusyError):
    """The publisher's Crawl-delay is not over. Nothing failed: the next request is due in `retry_after_seconds`."""


@dataclass(frozen=True, slots=True)
class Page:
    """One answer; `last_modified` is the server's header, empty where there is none."""

    body: bytes
    last_modified: str

    def json(self, where: str) -> Any:
        """The document; StaleSourceError where it is none."""
        try:
            return from_json(self.body, allow_inf_nan=False)
        except ValueError as error:
            raise StaleSourceError(f"{where} answered what is not JSON ({str(error)[:120]})") from None


def user_agent(contact: str | None) -> str:
    """Name, version and whom to write to."""
    name = f"counterpoise/{importlib.metadata.version('counterpoise')}"
    return f"{name} ({contact})" if contact else name


class RateLimitedHttp:
    """One server, used by one thread. Raises StaleSourceError (BusyError with the pause that was asked for).

    The pause between the starts of two requests follows from `max_requests_per_second` and, with `ask_robots`, from the publisher's
    Crawl-delay. `pause` sleeps and may raise to stop. PacedError has what is left of a Crawl-delay of more than ten seconds.
    """

    def __init__(
        self,
        url: str,
        settings: MarketSettings,
        *,
        setting: str,
        clock: Clock,
        pause: Callable[[float], None],
        max_requests_per_second: float = 1.0,
        ask_robots: bool = False,
    ) -> None:
        parts = split_url(url)
        self.base = parts._replace(path="", query="", fragment="").geturl() if parts.netloc else url
        self._http = BoundedHttp(
            self.base,
            clock=clock,
            timeout_seconds=settings.timeout_seconds,
            max_bytes=settings.max_answer_bytes,
            setting=setting,
            user_agent=user_agent(settings.contact),
        )
        self._setting = setting
        self._clock = clock
        self._pause = pause
        self._spacing_seconds = 1.0 / max_requests_per_second
        self._longest_sleep_seconds = max(_LONGEST_SLEEP_SECONDS, self._spacing_seconds)
        self._next_at = clock.monotonic()
        self._silent_until = self._next_at
        self._ask_robots = ask_robots
        self._robots: RobotFileParser | None = None

    def get(self, url: str, memory: Memory | None = None) -> Page | None:
        """The page; None where `memory` shows that it has not changed since it was last given. `memory` is brought up to date."""
        if self._ask_robots:
            self._require_permission(url)
        headers = {"Accept": "*/*"}
        if memory is not None:
            headers |= {
                name: memory[f"{key} {url}"]
                for name, key in (("If-None-Match", "etag"), ("If-Modified-Since", "modified"))
                if f"{key} {url}" in memory
            }
        answer = self._fetch(url, headers)
        if answer.status == 304:
            return None
        if memory is not None:
            for key, name in (("etag", "ETag"), ("modified", "Last-Modified")):
                value = answer.headers.get(name)
                if value:
                    memory[f"{key} {url}"] = value
                else:
                    memory.pop(f"{key} {url}", None)
        return Page(answer.body, answer.headers.get("Last-Modified") or "")

    def get_json(self, url: str) -> Any:
        """The document, whether it changed or not."""
        page = self.get(url)
        assert page is not None  # noqa: S101 - nothing was named that could be unchanged
        return page.json(shown_url(url))

    def probe(self, name: str) -> Probe:
        """Whether the server of source `name` answers: its robots.txt may always be asked for, and need not exist."""
        return self._http.probe(name, "robots.txt", answers=range(200, 500))

    def close(self) -> None:
        """Close connections."""
        self._http.close()

    def _fetch(self, url: str, headers: dict[str, str]) -> Any:
        now = self._clock.monotonic()
        if now < self._silent_until:
            raise BusyError(f"{self._http.shown} asked for a pause", self._silent_until - now)
        left = self._next_at - now
        if left > self._longest_sleep_seconds:
            raise PacedError(f"{self._http.shown} asks for {self._spacing_seconds:g} s between two requests", left)
        if left > 0:
            self._pause(left)
            now = self._clock.monotonic()
        self._next_at = now + self._spacing_seconds
        try:
            return self._http.fetch(url, headers)
        except BusyError as error:
            if error.retry_after_seconds is not None:
                self._silent_until = self._clock.monotonic() + error.retry_after_seconds
            raise

    def _require_permission(self, url: str) -> None:
        """ConfigError where the publisher's robots.txt says no; its Crawl-delay is kept, up to ten minutes."""
        if self._robots is None:
            self._robots = self._read_robots()
            delay = self._robots.crawl_delay(ROBOT)
            if delay is not None:
                self._spacing_seconds = max(self._spacing_seconds, min(float(delay), MAX_PAUSE_SECONDS))
        if not self._robots.can_fetch(ROBOT, url):
            raise ConfigError(
                f"{self._setting}: {self.base}/robots.txt asks programs not to read {shown_url(url)}: ask the publisher. If its "
                "documentation allows this URL, set robots: documented_api in the mapping"
            )

    def _read_robots(self) -> RobotFileParser:
        robots = RobotFileParser()
        try:
            text = self._fetch(f"{self.base}/robots.txt", {"Accept": "text/plain"}).body.decode("utf-8", "replace")
        except NotThereError:
            text = ""
        robots.parse(text.splitlines())
        return robots
