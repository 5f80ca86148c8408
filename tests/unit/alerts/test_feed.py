"""Where the feed looks for the broker; what it reads from it is tested with a real one."""

from pathlib import Path

import pytest

from alerts.score_feed import ScoreFeed
from counterpoise.errors import ConfigError
from counterpoise.runtime.clock import SystemClock
from counterpoise.settings.endpoints import EmbeddedEndpoints
from counterpoise.settings.model import Settings
from testkit.ports import reserved_port


def test_engines_that_were_stopped_on_purpose_are_waited_for(tmp_path: Path) -> None:
    settings = Settings(state_dir=tmp_path)
    EmbeddedEndpoints(f"127.0.0.1:{reserved_port()}", "127.0.0.1", 1, 1, "password", "reader-password").write(tmp_path)
    feed = ScoreFeed(settings, SystemClock())
    assert feed.poll(0.0) == []
    assert feed.trouble is not None
    EmbeddedEndpoints.path(tmp_path).unlink()
    feed.lose("stopped")
    feed._next_probe = 0.0
    assert feed.poll(0.0) == []
    assert feed.trouble not in (None, "stopped"), "it tried the address that it knew"


def test_an_address_that_was_never_known_is_a_wrong_setting(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="start them with `counterpoise up`"):
        ScoreFeed(Settings(state_dir=tmp_path), SystemClock()).poll(0.0)
