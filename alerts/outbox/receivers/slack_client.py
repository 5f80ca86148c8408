"""slack-sdk's client over a connection that is bounded in time and size, without proxies and redirects."""

from __future__ import annotations

import io
import socket
import threading
from contextlib import suppress
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any, Final
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request

from pydantic import SecretStr
from slack_sdk import WebClient

from alerts.outbox.receivers.receiver import NotAcceptedError
from counterpoise.urls import shown_url

MAX_ANSWER_BYTES: Final = 16 * 1024 * 1024
"""A page of 200 messages at Slack's limits has a few megabytes."""


class SlackWebClient(WebClient):
    """A client that goes straight to `base_url`, whatever proxy the environment names. A redirect would take the token elsewhere."""

    def _perform_urllib_http_request_internal(self, url: str, req: Request) -> dict[str, Any]:
        parts = urlsplit(url)
        host, seconds = parts.hostname or "", float(self.timeout)
        connection: HTTPConnection = (
            HTTPSConnection(host, parts.port, timeout=seconds, context=self.ssl)
            if parts.scheme == "https"
            else HTTPConnection(host, parts.port, timeout=seconds)
        )
        try:
            connection.connect()
        except OSError:
            connection.close()
            raise
        whole = threading.Timer(seconds, _end, (connection.sock,))
        whole.daemon = True
        whole.start()
        try:
            path = parts.path + (f"?{parts.query}" if parts.query else "")
            body = req.data if isinstance(req.data, bytes) else None
            connection.request(
                req.get_method(), path or "/", body, {name: str(value) for name, value in req.header_items()}
            )
            with connection.getresponse() as answer:
                if 300 <= answer.status < 400:
                    where = shown_url(self.base_url, path=False)
                    raise NotAcceptedError(
                        f"Slack at {where} answers {answer.status}, a redirect: set the address that it leads to"
                    )
                content = answer.read(MAX_ANSWER_BYTES + 1)
                if len(content) > MAX_ANSWER_BYTES:
                    raise HTTPException(f"an answer of more than {MAX_ANSWER_BYTES:,} bytes")
                if answer.status >= 400:
                    raise HTTPError(url, answer.status, answer.reason, answer.headers, io.BytesIO(content))
                charset = answer.headers.get_content_charset() or "utf-8"
                return {"status": answer.status, "headers": answer.headers, "body": content.decode(charset)}
        finally:
            whole.cancel()
            connection.close()


def slack_client(token: SecretStr, *, base_url: str, timeout_seconds: float) -> WebClient:
    """A client for one call, which it makes once."""
    return SlackWebClient(
        token=token.get_secret_value(),
        base_url=base_url,
        timeout=max(1, round(timeout_seconds)),
        retry_handlers=[],
    )


def _end(sock: socket.socket | None) -> None:
    """End a connection that a peer keeps alive byte by byte: the plain socket, because TLS would wait for the peer."""
    if sock is not None:
        with suppress(OSError):
            socket.socket.shutdown(sock, socket.SHUT_RDWR)
