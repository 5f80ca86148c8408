"""A strict stand-in for the API v2 of an Alertmanager: it checks what the real one checks, and stores alerts by their labels.

python -m testkit.alertmanager_server --port 9093
"""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from counterpoise.urls import split_url
from testkit.webhook_server import ReceivedRequest, WebhookServer, main

_LABEL_NAME: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_FIELDS: Final = {"labels", "annotations", "startsAt", "endsAt", "generatorURL"}


@dataclass(slots=True)
class AlertmanagerServer(WebhookServer):
    """`alerts`: labels → what was sent last for them."""

    alerts: dict[frozenset[tuple[str, str]], dict[str, Any]] = field(default_factory=dict)

    def firing(self, now: float | None = None) -> list[dict[str, str]]:
        """The labels of the alerts that fire at a time (seconds), now if left out."""
        at = time.time() if now is None else now
        return [alert["labels"] for alert in self.alerts.values() if _seconds(alert["endsAt"]) > at]

    def respond(self, request: ReceivedRequest) -> tuple[int, bytes]:
        """As the API does: 400 with a JSON text where the whole list is refused."""
        path = split_url(request.path).path
        if (request.method, path) == ("GET", "/api/v2/status"):
            return 200, json.dumps({"versionInfo": {"version": "0.0.0-stand-in"}}).encode()
        if (request.method, path) != ("POST", "/api/v2/alerts"):
            return 404, b""
        problem = _problem(request)
        if problem:
            return 400, json.dumps(problem).encode()
        for alert in request.json:
            self.alerts[frozenset(alert["labels"].items())] = alert
        return 200, b""


def _problem(request: ReceivedRequest) -> str:
    try:
        alerts = request.json
    except ValueError:
        return "parsing alerts body failed"
    if not isinstance(alerts, list) or "json" not in request.headers.get("content-type", ""):
        return "parsing alerts body failed: expected an array as application/json"
    return next((found for found in map(_problem_of, alerts) if found), "")


def _problem_of(alert: Any) -> str:
    if not isinstance(alert, dict) or set(alert) - _FIELDS or not isinstance(alert.get("labels"), dict):
        return "an alert has labels, annotations, startsAt, endsAt and generatorURL"
    for kind in ("labels", "annotations"):
        for name, value in alert.get(kind, {}).items():
            if not _LABEL_NAME.fullmatch(name) or not isinstance(value, str):
                return f"invalid {kind}: {name!r}"
    if not any(alert["labels"].values()):
        return "at least one label pair required"
    try:
        starts, ends = _seconds(alert["startsAt"]), _seconds(alert["endsAt"])
    except (KeyError, ValueError):
        return "startsAt and endsAt are RFC 3339"
    if not split_url(alert.get("generatorURL", "http://x")).scheme:
        return "generatorURL in body must be of type uri"
    return "start time must be before end time" if ends < starts else ""


def _seconds(text: str) -> float:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S%z").timestamp()


if __name__ == "__main__":
    main(AlertmanagerServer)
