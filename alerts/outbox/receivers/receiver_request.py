"""One HTTP request to a receiver: bounded in time and size, without proxies and redirects. What its answer means for a message."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any, Final

from alerts.outbox.receivers.bounded_connection import connected, target_of
from alerts.outbox.receivers.receiver import (
    AmbiguousError,
    NotAcceptedError,
    ReceiverRefusedError,
    UnknownAnswerError,
)
from counterpoise.errors import ConfigError
from counterpoise.http_dates import http_date, pause_of
from counterpoise.urls import is_local, shown_url, split_url
from counterpoise.visible import visible

MAX_ANSWER_BYTES: Final = 64 * 1024
MAX_RETRY_SECONDS: Final = 3_600.0
_SETTINGS: Final = frozenset({401, 403, 404, 405, 407, 410})
_LATER: Final = frozenset({408, 423, 425, 429})
_REFUSED: Final = frozenset({400, 406, 413, 414, 415, 422, 431})


@dataclass(frozen=True, slots=True)
class ReceiverAnswer:
    """`body` is cut at `MAX_ANSWER_BYTES`; names of `headers` are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def check_url(setting: str, url: str, *, clear_text: str | None = None) -> str:
    """The address; ConfigError where it is none, has a user, or needs https.

    `clear_text`: why http is wrong except on this machine.
    """
    parts = split_url(url)
    host = parts.hostname
    try:
        (host or "").encode("idna")  # as the connection will: `a..b` and a label over 63 characters are no names
    except UnicodeError:
        host = None
    if parts.scheme not in ("http", "https") or not host or any(c.isspace() or not c.isprintable() for c in url):
        raise ConfigError(f"{setting} is no address, expected https://HOST[:PORT]/PATH")
    if parts.username is not None or parts.fragment:
        raise ConfigError(
            f"{setting} has a user or a fragment, expected https://HOST[:PORT]/PATH: use the settings for secrets"
        )
    if clear_text and parts.scheme == "http" and not is_local(host):
        raise ConfigError(
            f"{setting} is {shown_url(url, path=False)!r}, expected https:// (or http:// on this machine): {clear_text}"
        )
    return url


def request(
    method: str, url: str, body: bytes | None, headers: Mapping[str, str], *, timeout_seconds: float
) -> ReceiverAnswer:
    """The answer of one request. NotAcceptedError where nothing was sent; AmbiguousError where no answer came in time."""
    parts, where = split_url(url), shown_url(url, path=False)
    with connected(parts, where, timeout_seconds=timeout_seconds) as connection:
        try:
            connection.request(method, target_of(parts), body, dict(headers))
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            with suppress(OSError, HTTPException):  # the status counts, the text is for the reason
                return ReceiverAnswer(answer.status, found, answer.read(MAX_ANSWER_BYTES))
            return ReceiverAnswer(answer.status, found, b"")
        except (OSError, HTTPException, ValueError) as error:
            raise AmbiguousError(f"{where} gave no answer: {type(error).__name__}") from None


def judge(answer: ReceiverAnswer, where: str, *, reason: str = "") -> None:
    """Return where the message was accepted; else raise what its answer means for the message."""
    status = answer.status
    if 200 <= status < 300:
        return
    said = f"{where} answers {status}{f' ({visible(reason)[:200]})' if reason else ''}"
    if 300 <= status < 400:
        raise NotAcceptedError(f"{said}, a redirect: set the address that it leads to")
    if status in _SETTINGS:
        raise NotAcceptedError(f"{said}: check the address and the secret (docs/alerts.md)")
    if status in _LATER:
        raise NotAcceptedError(said, retry_after(answer.headers))
    if status in _REFUSED:
        raise ReceiverRefusedError(
            f"{where} refuses the message: {status}{f' ({visible(reason)[:200]})' if reason else ''}"
        )
    if status >= 500:
        raise AmbiguousError(said, retry_after(answer.headers))
    raise UnknownAnswerError(said)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The pause that an answer asks for, in seconds: 1 at least, an hour at most. None where it names none that can be read.

    A date counts from the answer's own date: two clocks may differ.
    """
    dated = http_date(headers.get("date"))
    seconds = pause_of(headers.get("retry-after"), dated.timestamp() if dated else time.time())
    return None if seconds is None else min(MAX_RETRY_SECONDS, max(1.0, seconds))


def json_of(body: bytes) -> Any:
    """The JSON of an answer; None where it is none, or is nested deeper than anything that is meant."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None
