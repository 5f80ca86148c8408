"""`counterpoise slack`: a local Slack workspace with one channel, for alerts without an account."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import Annotated

import typer

from desk.cli.alert_rows import user_name
from desk.cli.say import say

PORT = 8099
CHANNEL = "C0LOCAL"


def slack(
    port: Annotated[
        int, typer.Option("--port", min=0, max=65_535, help="Loopback port; 0 takes a free one.", metavar="N")
    ] = PORT,
) -> None:
    """Serve a local Slack workspace on loopback until Ctrl-C, and print its page and the settings that send alerts to it.

    It stores messages, threads and edits in memory, and its buttons reach the alerter over Socket Mode. It needs no Slack account.
    """
    import secrets

    from counterpoise.errors import ConfigError
    from engines.local_slack.server import LocalSlack

    workspace = LocalSlack(
        token=f"xoxb-{secrets.token_hex(16)}",
        app_token=f"xapp-{secrets.token_hex(16)}",
        channels=(CHANNEL,),
        port=port,
        user_name=user_name() or "you",
    )
    try:
        workspace.start()
    except OSError as error:
        raise ConfigError(f"port {port} cannot be used ({error.strerror}): choose another with --port") from None
    say(f"The channel: {workspace.page_url}")
    say("Settings of an alerter that posts to it:")
    say("  export COUNTERPOISE_ALERTS__NOTIFIER=slack")
    say(f"  export COUNTERPOISE_SLACK__BASE_URL={workspace.base_url}")
    say(f"  export COUNTERPOISE_SLACK__CHANNEL={CHANNEL}")
    say(f"  export COUNTERPOISE_SLACK__TOKEN={workspace.token}")
    say(f"  export COUNTERPOISE_SLACK__APP_TOKEN={workspace.app_token}")
    with suppress(KeyboardInterrupt):
        threading.Event().wait()
    workspace.stop()
