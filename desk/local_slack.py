"""A local Slack workspace for a command, and the settings of an alerter that posts to it."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

from desk.alert_requests import user_name
from engines.local_slack.slack_server import LocalSlack

if TYPE_CHECKING:
    from counterpoise.settings.model import Settings

CHANNEL: Final = "C0LOCAL"


def new_workspace(port: int) -> LocalSlack:
    """A workspace with new tokens, whose page is that of this machine's user. It does not listen yet."""
    return LocalSlack(
        token=f"xoxb-{secrets.token_hex(16)}",
        app_token=f"xapp-{secrets.token_hex(16)}",
        channels=(CHANNEL,),
        port=port,
        user_name=user_name() or "you",
    )


def alerter_variables(workspace: LocalSlack) -> dict[str, str]:
    """The variables with which an alerter posts to the workspace. They take the place of any other Slack in the settings: a token
    that is a value counts before one in a file."""
    return {
        "COUNTERPOISE_ALERTS__NOTIFIER": "slack",
        "COUNTERPOISE_SLACK__BASE_URL": workspace.base_url,
        "COUNTERPOISE_SLACK__CHANNEL": CHANNEL,
        "COUNTERPOISE_SLACK__TOKEN": workspace.token,
        "COUNTERPOISE_SLACK__APP_TOKEN": workspace.app_token,
    }


def may_take_simulated(settings: Settings) -> bool:
    """Whether alerts of simulated blocks may go to a local workspace: not with named receivers, of which some may be a real Slack."""
    return not settings.alerts.receivers
