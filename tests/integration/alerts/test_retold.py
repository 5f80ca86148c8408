"""A message that tells of heights which the alerter has read from ClickHouse already: news of old facts."""

from __future__ import annotations

from pathlib import Path

import pytest

from counterpoise.settings.model import Settings
from testkit.slack_server import SlackServer
from tests.integration.alerts.running import alerter, states_of
from tests.integration.alerts.test_line import FIRED, H, heads
from tests.integration.alerts.world import OVER, a_world, with_slack
from tests.long import long


@pytest.mark.parametrize("blocks", [13, *long(100), 400])  # long: between the two
def test_heights_that_were_read_before_their_message_came_are_taken_in_once(
    replayed: Settings, state_dir: Path, blocks: int
) -> None:
    """More blocks in the message than the alerter looks back at (12), and more than it can rewind (288)."""
    with SlackServer() as slack, a_world(replayed) as world:
        settings = with_slack(replayed, slack, state_dir)
        world.mine(FIRED)
        world.mine([OVER] * blocks)
        with alerter(settings) as running:
            running.at(world.height)
            world.tell()
            world.mine([OVER], tell=True)
            running.at(world.height)
        assert states_of(settings) == [("pending", H + 5, 0), ("firing", H + 41, 1)]
        assert heads(slack) == ["🔴 FIRING"]
