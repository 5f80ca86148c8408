"""A registry file as it is read from this machine or fetched over HTTPS, with limits."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

import httpx

from counterpoise.errors import ConfigError, RetryableError
from counterpoise.runtime.whole_answer import TooLargeError, limit_time, read_body
from counterpoise.urls import is_local, split_url
from desk.registry_import import MAX_IMPORT_BYTES

FETCH_TIMEOUT_SECONDS = 30.0
MAX_REDIRECTS = 3


def read_source(source: str) -> bytes:
    """The bytes of a file or https URL; ConfigError if it cannot be read, RetryableError if its server is unavailable."""
    if "://" in source:
        return _fetch(source)
    path = Path(source)
    try:
        if path.stat().st_size > MAX_IMPORT_BYTES:
            raise ConfigError(
                f"{source}: {path.stat().st_size} bytes, expected a registry of at most {MAX_IMPORT_BYTES}"
            )
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{source}: cannot be read: {error.strerror}; name a file or an https URL") from error


def _fetch(url: str) -> bytes:
    """Return what a URL holds; https only (or any loopback address), each redirect checked alike, size and time limited."""
    try:
        for _ in range(MAX_REDIRECTS + 1):
            is_loopback = _checked_host(url)
            # A proxy from the environment cannot reach this machine's loopback.
            with httpx.Client(timeout=FETCH_TIMEOUT_SECONDS, trust_env=not is_loopback) as client:
                limit_time(client)
                with client.stream("GET", url) as response:
                    if response.is_redirect and response.next_request is not None:
                        url = str(response.next_request.url)
                        continue
                    return _body(url, response)
    except httpx.InvalidURL as error:
        raise ConfigError(f"{url}: not a URL: {error}") from error
    except httpx.HTTPError as error:
        raise RetryableError(
            f"{url}: cannot be fetched: {error or type(error).__name__}; try again or download it by hand"
        ) from error
    raise ConfigError(f"{url}: more than {MAX_REDIRECTS} redirects; name the final address")


def _checked_host(url: str) -> bool:
    """Return whether a URL that may be fetched is on this machine; ConfigError where it may not be fetched."""
    parts = split_url(url)
    is_loopback = is_local(parts.hostname or "")
    if not parts.hostname or (parts.scheme != "https" and not (parts.scheme == "http" and is_loopback)):
        raise ConfigError(f"{url}: expected an https URL (http only on this machine), or a file")
    return is_loopback


def _body(url: str, response: httpx.Response) -> bytes:
    if response.status_code != httpx.codes.OK:
        _refused(url, response.status_code)
    try:
        return read_body(response, MAX_IMPORT_BYTES)
    except TooLargeError:
        raise ConfigError(f"{url}: more than {MAX_IMPORT_BYTES} bytes, expected a registry") from None


def _refused(url: str, status: int) -> NoReturn:
    if status >= 500 or status == httpx.codes.TOO_MANY_REQUESTS:
        raise RetryableError(f"{url}: answered {status}; try again later")
    raise ConfigError(f"{url}: answered {status}, expected 200; check the address")
