"""JSON over HTTP from a server that is not trusted to be well: bounded in size and time, and every failure one kind of error."""

from __future__ import annotations

import email.utils
from typing import Any
from urllib.parse import urlsplit

import httpx
from pydantic_core import from_json

from counterpoise.clickhouse.client import is_local
from counterpoise.clock import Clock
from counterpoise.errors import ConfigError, StaleSourceError

_MAX_RETRY_AFTER_SECONDS = 600.0


class UnauthorisedError(StaleSourceError):
    """The server wants other credentials (401 or 403)."""


class NotThereError(StaleSourceError):
    """The server answers, and does not have what was asked for (404, or mempool's 400 for an unknown block)."""


class BusyError(StaleSourceError):
    """The server asks for a pause; `retry_after_seconds` of it, None where it does not say how long."""

    def __init__(self, message: str, retry_after_seconds: float | None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class BoundedHttp:
    """One server. `shown` is its URL without credentials: what messages name."""

    def __init__(self, url: str, *, clock: Clock, timeout_seconds: float, max_bytes: int, setting: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError(f"{setting}={url!r} is not a URL: expected one like http://127.0.0.1:8332")
        self.shown = parts._replace(netloc=parts.netloc.rpartition("@")[2], query="").geturl().rstrip("/")
        self._clock = clock
        self._max_bytes = max_bytes
        self._setting = setting
        self._client = httpx.Client(
            base_url=url.rstrip("/") + "/",
            timeout=httpx.Timeout(timeout_seconds),
            headers={"User-Agent": "counterpoise", "Accept": "application/json"},
            follow_redirects=False,
            trust_env=not is_local(
                parts.hostname
            ),  # a proxy of the environment has no way to this machine's own servers
        )

    def get(self, path: str) -> Any:
        """GET and parse."""
        return self._ask("GET", path, None, None)

    def post(self, payload: object, auth: tuple[str, str] | None) -> Any:
        """POST JSON to the URL itself, and parse the answer whatever its status: JSON-RPC errors come with 500."""
        return self._ask("POST", "", payload, auth)

    def close(self) -> None:
        """Close connections."""
        self._client.close()

    def _ask(self, method: str, path: str, payload: object, auth: tuple[str, str] | None) -> Any:
        where = f"{self.shown}/{path}" if path else self.shown
        try:
            with self._client.stream(method, path, json=payload, auth=auth) as response:
                status = response.status_code
                headers = response.headers
                body = self._read(response, where)
        except httpx.HTTPError as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise StaleSourceError(
                f"{where} cannot be reached ({reason}): check {self._setting} and that it runs"
            ) from None
        if status in (401, 403):
            raise UnauthorisedError(f"{where} refuses the credentials ({status})")
        if status in (429, 503):
            raise BusyError(f"{where} asks for a pause ({status})", self._retry_after(headers.get("Retry-After")))
        if status == 404 or (status == 400 and method == "GET"):
            raise NotThereError(f"{where} does not exist there ({status})")
        if status != 200 and not (method == "POST" and status == 500):
            raise StaleSourceError(f"{where} answered {status}, expected 200: check {self._setting}")
        try:
            return from_json(body, allow_inf_nan=False)
        except (ValueError, RecursionError) as error:
            raise StaleSourceError(
                f"{where} answered what is not JSON ({' '.join(str(error).split())[:120]})"
            ) from None

    def _read(self, response: httpx.Response, where: str) -> bytes:
        body = bytearray()
        for part in response.iter_bytes():
            body += part
            if len(body) > self._max_bytes:
                raise StaleSourceError(f"{where} answered more than {self._max_bytes} bytes: refused")
        return bytes(body)

    def _retry_after(self, value: str | None) -> float | None:
        """Seconds, from a number of them or a date; at most ten minutes."""
        if value is None:
            return None
        try:
            seconds = float(value)
        except ValueError:
            try:
                seconds = email.utils.parsedate_to_datetime(value).timestamp() - self._clock.now()
            except (ValueError, TypeError):
                return None
        return min(max(seconds, 0.0), _MAX_RETRY_AFTER_SECONDS) if seconds == seconds else None  # noqa: PLR0124 - NaN
