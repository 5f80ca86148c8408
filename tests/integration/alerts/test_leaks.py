"""The secret of each receiver is in nothing that the alerter says, stores or shows: a real process with every receiver at once."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from counterpoise.clickhouse.client import connect
from counterpoise.runtime.service_status import read_status
from counterpoise.settings.endpoints import clickhouse_target
from counterpoise.settings.model import Settings
from testkit.alertmanager_server import AlertmanagerServer
from testkit.slack_server import CHANNEL, SlackServer
from testkit.webhook_server import WebhookServer
from tests.integration.alerts.test_kills import environment
from tests.integration.alerts.test_line import FIRED, H
from tests.integration.alerts.world import CLEAR, a_world, with_slack
from tests.integration.security.leaks import assert_hidden, command_lines
from tests.waiting import PATIENCE_SECONDS, wait_for

SECRETS = {
    "slack": "xoxb-S3cret-of/this+test=1",
    "webhook": "wh-S3cret-of/this+test=22",
    "alertmanager": "am-S3cret-of/this+test=3",
}
TABLES = ("alert_events_log", "alert_deliveries_log", "alert_receivers_log", "alert_state_log", "alert_actions_log")


@pytest.fixture
def said(replayed: Settings, state_dir: Path, tmp_path: Path) -> dict[str, str]:
    """Log, command lines, status and rows of an alerter that fails to send, sends, and is refused by each of its receivers."""
    log_file = tmp_path / "alerter.log"
    with (
        SlackServer(token=SECRETS["slack"]) as slack,
        WebhookServer() as webhook,
        AlertmanagerServer() as manager,
        a_world(replayed) as world,
        log_file.open("wb") as log,
    ):
        settings = with_slack(replayed, slack, state_dir)
        receivers = {
            "desk": {
                "type": "slack",
                "channel": CHANNEL,
                "token": SECRETS["slack"],
                "base_url": slack.base_url,
            },
            "hook": {"type": "webhook", "url": webhook.url, "secret": SECRETS["webhook"], "timeout_seconds": 1},
            "am": {"type": "alertmanager", "url": manager.url, "token": SECRETS["alertmanager"], "timeout_seconds": 1},
        }
        slack.fail("invalid_auth")
        webhook.plan, manager.plan = [401, "drop"], [401, "drop"]
        variables = environment(
            settings, COUNTERPOISE_ALERTS__RECEIVERS=json.dumps(receivers), COUNTERPOISE_LOG_LEVEL="debug"
        )
        world.mine(FIRED)
        alerter = subprocess.Popen(
            [sys.executable, "-m", "counterpoise", "run", "alerts"],
            env=variables,
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        try:
            status = settings.run_dir / "alerts.json"

            def is_at(height: int) -> bool:
                info = (read_status(settings.run_dir, "alerts") or {}).get("info", {})
                return bool(info.get("height") == height and info.get("undelivered") == 0)

            wait_for(lambda: is_at(H + 41), "the firing is delivered", log_file.read_text)
            lines, shown = command_lines(alerter.pid), status.read_text()
            webhook.plan = [400]  # this step is refused for good, with a row that has the reason
            world.mine([CLEAR], tell=True)
            wait_for(lambda: is_at(H + 42), "the end is delivered", log_file.read_text)
            shown += status.read_text()
        finally:
            alerter.terminate()
            alerter.wait(timeout=PATIENCE_SECONDS)
        assert slack.messages and webhook.requests and manager.alerts, "each was used with its secret"
        with connect(clickhouse_target(settings), settings.dataset) as ch:
            rows = [
                str(row)
                for table in TABLES
                for (row,) in ch.query(f"SELECT formatRowNoNewline('JSONEachRow', *) FROM {table}")
            ]
    return {"log": log_file.read_text(), "command lines": lines, "status": shown, "rows": "\n".join(rows)}


def test_no_receiver_has_its_secret_in_logs_command_lines_status_or_rows(said: dict[str, str]) -> None:
    assert "debug" in said["log"].lower() and "FIRING" in said["rows"] + said["log"].upper()
    for place, text in said.items():
        if place == "command lines" and sys.platform != "linux":
            continue
        for kind, secret in SECRETS.items():
            try:
                assert_hidden(text, secret)
            except AssertionError as error:
                error.add_note(f"of {kind}, in {place}")
                raise
