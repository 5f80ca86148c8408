"""Answers over HTTP from a server that is not trusted to be well: bounded in size and time, every failure one kind of error."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any, NamedTuple, Never, Protocol

import httpx
from pydantic_core import from_json

from counterpoise.errors import ConfigError, StaleSourceError
from counterpoise.http_dates import pause_of
from counterpoise.runtime.clock import Clock
from counterpoise.runtime.probe import Probe
from counterpoise.runtime.whole_answer import TooLargeError, limit_time, read_body
from counterpoise.urls import is_local, shown_url, split_url

MAX_PAUSE_SECONDS = 600.0
"""The longest pause that a server gets for the asking: by Retry-After, or between two requests by its robots.txt."""

PROBE_SECONDS = 5.0
"""The longest that `counterpoise doctor` waits for a server."""


class UnauthorisedError(StaleSourceError):
    """The server wants other credentials; `status` is 401 or 403."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class NotThereError(StaleSourceError):
    """The server answers, and does not have what was asked for (404, or mempool's 400 for an unknown block)."""


class BusyError(StaleSourceError):
    """The server asks for a pause; `retry_after_seconds` of it, None where it does not say how long."""

    def __init__(self, message: str, retry_after_seconds: float | None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class HasUrl(Protocol):
    """A section of the settings that names one server."""

    @property
    def url(self) -> str: ...

    @property
    def timeout_seconds(self) -> float: ...


class HttpAnswer(NamedTuple):
    """What came back: `status` is 200, or 304 with an empty body where the request named what it has already."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class BoundedHttp:
    """One server. `shown` is its URL without credentials: what messages name.

    `last_date` is the Date header of the last answer: empty where it had none, None before the first.
    """

    def __init__(
        self,
        url: str,
        *,
        clock: Clock,
        timeout_seconds: float,
        max_bytes: int,
        setting: str,
        user_agent: str = "counterpoise",
    ) -> None:
        parts = split_url(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError(f"{setting}={url!r} is not a URL: expected one like http://127.0.0.1:8332")
        self.shown = shown_url(url).rstrip("/")
        self._server = parts[:2]
        self._clock = clock
        self._max_bytes = max_bytes
        self._setting = setting
        self.last_date: str | None = None
        self._client = httpx.Client(
            base_url=url.rstrip("/") + "/",
            timeout=httpx.Timeout(timeout_seconds),
            headers={"User-Agent": user_agent, "Accept": "application/json"},
            follow_redirects=False,
            verify=parts.scheme == "https",  # reading the machine's certificates takes longer than most answers
            trust_env=not is_local(
                parts.hostname
            ),  # a proxy of the environment has no way to this machine's own servers
        )
        limit_time(self._client)

    @classmethod
    def of(cls, section: HasUrl, *, clock: Clock, max_bytes: int, setting: str) -> BoundedHttp:
        """The server of a section of the settings, with its timeout."""
        return cls(
            section.url, clock=clock, timeout_seconds=section.timeout_seconds, max_bytes=max_bytes, setting=setting
        )

    def fetch(self, path: str, headers: Mapping[str, str] | None = None) -> HttpAnswer:
        """GET as bytes, of any type; `path` may be a whole URL of this server (ValueError for another's)."""
        if path.startswith(("http://", "https://")) and split_url(path)[:2] != self._server:
            raise ValueError(f"{shown_url(path)} is not on {self.shown}")
        where = self._where(path)
        answer = self._exchange("GET", path, where, headers=headers)
        if answer.status not in (200, 304):
            self._refuse(where, answer)
        return answer

    def get(self, path: str) -> Any:
        """GET and parse."""
        return self._ask("GET", path, None, None)

    def post(self, payload: object, auth: tuple[str, str] | None) -> Any:
        """POST JSON to the URL itself, and parse the answer whatever its status: JSON-RPC errors come with 500."""
        return self._ask("POST", "", payload, auth)

    def probe(
        self, name: str, path: str = "", *, method: str = "GET", answers: Container[int] = range(200, 300)
    ) -> Probe:
        """Whether the server of source `name` answers `path` with success, or one of `answers`."""
        try:
            with self._client.stream(method, path, timeout=PROBE_SECONDS) as response:  # the head alone answers
                pass
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            return Probe("problem", f"{name} at {self.shown} does not answer: {reason}")
        date = response.headers.get("Date", "")
        if response.is_success or response.status_code in answers:
            return Probe("ok", f"{name} at {self.shown} answers", date)
        return Probe("problem", f"{name} at {self.shown} answers HTTP {response.status_code}", date)

    def close(self) -> None:
        """Close connections."""
        self._client.close()

    def _ask(self, method: str, path: str, payload: object, auth: tuple[str, str] | None) -> Any:
        where = self._where(path)
        answer = self._exchange(method, path, where, payload=payload, auth=auth)
        if answer.status != 200 and not (method == "POST" and answer.status == 500):
            self._refuse(where, answer)
        try:
            return from_json(answer.body, allow_inf_nan=False)
        except (ValueError, RecursionError) as error:
            raise StaleSourceError(
                f"{where} answered what is not JSON ({' '.join(str(error).split())[:120]})"
            ) from None

    def _where(self, path: str) -> str:
        """What messages call it."""
        if path.startswith(("http://", "https://")):
            return shown_url(path)
        return f"{self.shown}/{path}" if path else self.shown

    def _exchange(
        self,
        method: str,
        path: str,
        where: str,
        *,
        payload: object = None,
        auth: tuple[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> HttpAnswer:
        try:
            with self._client.stream(method, path, json=payload, auth=auth, headers=headers) as response:
                self.last_date = response.headers.get("Date", "")
                answer = HttpAnswer(response.status_code, response.headers, read_body(response, self._max_bytes))
        except TooLargeError:
            raise StaleSourceError(f"{where} answered more than {self._max_bytes} bytes: refused") from None
        except httpx.HTTPError as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise StaleSourceError(
                f"{where} cannot be reached ({reason}): check that it runs, the network, and {self._setting}"
            ) from None
        status = answer.status
        if status in (401, 403):
            raise UnauthorisedError(f"{where} refuses the credentials ({status})", status)
        if status in (429, 503):
            wait_seconds = self._retry_after(answer.headers.get("Retry-After"))
            raise BusyError(f"{where} asks for a pause ({status})", wait_seconds)
        if status == 404 or (status == 400 and method == "GET"):
            raise NotThereError(f"{where} does not exist there ({status})")
        return answer

    def _refuse(self, where: str, answer: HttpAnswer) -> Never:
        moved = answer.headers.get("Location")
        hint = f" (it moved to {moved[:200]})" if moved and 300 <= answer.status < 400 else ""
        raise StaleSourceError(f"{where} answered {answer.status}, expected 200{hint}: check {self._setting}")

    def _retry_after(self, value: str | None) -> float | None:
        return asked_pause(value, self._clock.now())


def asked_pause(retry_after: str | None, now: float) -> float | None:
    """The pause that an answer asks for, in seconds: at most ten minutes. None where it does not say.

    >>> asked_pause("17", 0.0), asked_pause("864000", 0.0), asked_pause("soon", 0.0)
    (17.0, 600.0, None)
    """
    seconds = pause_of(retry_after, now)
    return None if seconds is None else min(seconds, MAX_PAUSE_SECONDS)
