"""`counterpoise slack`: a local Slack workspace with one channel, for alerts without an account."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import Annotated

from counterpoise.errors import ConfigError
from desk.cli.options import number
from desk.cli.say import say

PORT = 8099


def slack(
    port: Annotated[int, number("--port", least=0, most=65_535, help="Loopback port; 0 takes a free one.")] = PORT,
) -> None:
    """Serve a local Slack workspace on loopback until Ctrl-C, and print its page and the settings that send alerts to it.

    It stores messages, threads and edits in memory, and its buttons reach the alerter over Socket Mode. It needs no Slack account.
    """
    from desk.local_slack import alerter_variables, new_workspace

    workspace = new_workspace(port)
    try:
        workspace.start()
    except OSError as error:
        raise ConfigError(f"port {port} cannot be used ({error.strerror}): choose another with --port") from None
    say(f"The channel: {workspace.page_url}")
    say("Settings of an alerter that posts to it:")
    for name, value in alerter_variables(workspace).items():
        say(f"  export {name}={value}")
    with suppress(KeyboardInterrupt):
        threading.Event().wait()
    workspace.stop()
