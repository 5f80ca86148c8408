"""slack-sdk's client over a connection that is bounded in time and size, without proxies and redirects."""

from __future__ import annotations

import io
from http.client import HTTPException
from typing import Any, Final
from urllib.error import HTTPError
from urllib.request import Request

from pydantic import SecretStr
from slack_sdk import WebClient

from alerts.outbox.receivers.bounded_connection import connected, target_of
from alerts.outbox.receivers.receiver import NotAcceptedError
from alerts.outbox.receivers.receiver_request import json_of
from counterpoise.urls import shown_url, split_url

MAX_ANSWER_BYTES: Final = 16 * 1024 * 1024
"""A page of 200 messages at Slack's limits has a few megabytes."""


class SlackWebClient(WebClient):
    """A client that goes straight to `base_url`, whatever proxy the environment names. A redirect would take the token elsewhere."""

    def _perform_urllib_http_request_internal(self, url: str, req: Request) -> dict[str, Any]:
        parts, where = split_url(url), shown_url(url, path=False)
        with connected(parts, f"Slack at {where}", timeout_seconds=float(self.timeout), tls=self.ssl) as connection:
            body = req.data if isinstance(req.data, bytes) else None
            headers = {name: str(value) for name, value in req.header_items()}
            connection.request(req.get_method(), target_of(parts), body, headers)
            with connection.getresponse() as answer:
                if 300 <= answer.status < 400:
                    raise NotAcceptedError(
                        f"Slack at {where} answers {answer.status}, a redirect: set the address that it leads to"
                    )
                content = answer.read(MAX_ANSWER_BYTES + 1)
                if len(content) > MAX_ANSWER_BYTES:
                    raise HTTPException(f"an answer of more than {MAX_ANSWER_BYTES:,} bytes")
                is_object = isinstance(json_of(content), dict)
                # slack-sdk decodes by the charset that the answer names, known or not, and takes any JSON for an object.
                del answer.headers["Content-Type"]
                if answer.status >= 400:
                    body = content if is_object else b"{}"
                    raise HTTPError(url, answer.status, answer.reason, answer.headers, io.BytesIO(body))
                if not is_object:
                    raise HTTPException("an answer that is no JSON object")
                return {"status": answer.status, "headers": answer.headers, "body": content.decode("utf-8")}


def slack_client(token: SecretStr, *, base_url: str, timeout_seconds: float) -> WebClient:
    """A client for one call, which it makes once."""
    return SlackWebClient(
        token=token.get_secret_value(),
        base_url=base_url,
        timeout=max(1, round(timeout_seconds)),
        retry_handlers=[],
    )
