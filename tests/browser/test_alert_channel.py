"""An alert in the local Slack channel and on the desk's page: what a person does in one is shown in the other, without a reload."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from alerts import alert_session
from counterpoise.settings.model import Settings
from testkit.slack_server import APP_TOKEN, SlackServer
from tests.browser.conftest import PATIENCE_MS
from tests.integration.alerts.conftest import replayed, settings
from tests.integration.alerts.running import alerter
from tests.integration.alerts.test_line import FIRED, H
from tests.integration.alerts.world import CLEAR, OVER, a_world, with_slack
from tests.integration.web.running import RunningDesk, running_desk

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

__all__ = ["replayed", "settings"]

FIRST, SECOND = "article.message >> nth=0", "article.message >> nth=1"


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alert_session, "REMINDER_CHECK_SECONDS", 0.0)
    monkeypatch.setattr(alert_session, "POLL_SECONDS", 0.3)


@pytest.fixture
def desk(replayed: Settings) -> Iterator[RunningDesk]:
    own = replayed.desk.model_copy(update={"port": 0})
    with running_desk(replayed.model_copy(update={"desk": own})) as found:
        yield found


def linked(settings: Settings, slack: SlackServer, desk: RunningDesk, state_dir: Path) -> Settings:
    """An alerter's settings with buttons, and with links to the page."""
    found = with_slack(settings, slack, state_dir)
    own_slack = found.slack.model_copy(update={"app_token": SecretStr(APP_TOKEN)})
    return found.model_copy(update={"slack": own_slack, "desk": found.desk.model_copy(update={"public_url": desk.url})})


def opened(browser: Browser, desk: RunningDesk, slack: SlackServer, problems: list[str]) -> Page:
    """The channel, in a browser that has opened the desk's page."""
    page = browser.new_context(viewport={"width": 900, "height": 900}, reduced_motion="reduce").new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto(desk.link())
    page.on("console", lambda said: problems.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(slack.page_url)
    page.evaluate("window.neverReloaded = true")
    return page


def serious(page: Page) -> list[tuple[str, str]]:
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    return [(one["id"], one["nodes"][0]["html"][:200]) for one in found if one["impact"] in ("serious", "critical")]


# Long: both ends in a browser; each end stays (alerts/test_buttons.py, web/test_alert_forms.py).
@pytest.mark.long
def test_an_alert_is_acknowledged_in_the_channel_and_on_the_page(
    browser: Browser, replayed: Settings, desk: RunningDesk, state_dir: Path
) -> None:
    from playwright.sync_api import expect

    expect.set_options(timeout=PATIENCE_MS)
    problems: list[str] = []
    with SlackServer(user_name="ada") as slack, a_world(replayed) as world:
        channel = opened(browser, desk, slack, problems)
        world.mine(FIRED)
        with alerter(linked(replayed, slack, desk, state_dir)) as running:
            running.at(H + 41)
            running.until(lambda: slack.socket.connections == 1, "it listens to the buttons")
            expect(channel.locator(FIRST)).to_have_class("message firing")
            channel.click(f"{FIRST} >> button:text-is('Acknowledge')")
            channel.wait_for_selector(f"{FIRST} >> text=by ada at")
            expect(channel.locator(f"{FIRST} >> button")).to_have_text(
                ["Silence 4 h", "Silence 24 h", "Silence until worse", "With a reason…", "Why", "Useful", "Noise"]
            )
            assert serious(channel) == []
            page = channel.context.new_page()
            page.goto(channel.get_attribute(f"{FIRST} >> a:text-is('alert page')", "href") or "")
            expect(page.locator("#people li")).to_contain_text("Acknowledged by ada")
            expect(page.locator("#people li")).to_contain_text("in Slack")
            expect(page.locator("#people button")).to_have_text(["Silence 4 h", "Silence 24 h", "Useful", "Noise"])
            assert serious(page) == []

            world.mine([CLEAR], tell=True)
            expect(channel.locator(FIRST)).to_have_class("message resolved")
            expect(channel.locator(f"{FIRST} >> .thread h2")).to_contain_text("RESOLVED")
            world.mine([OVER] * 37, tell=True)
            expect(channel.locator(SECOND)).to_have_class("message firing")
            page.goto(channel.get_attribute(f"{SECOND} >> a:text-is('alert page')", "href") or "")
            page.fill("#people input[name='author']", "bob")
            page.fill("#people input[name='reason']", "known <i>outage</i>")
            page.click("#people button:text-is('Acknowledge')")
            expect(page.locator("#people li")).to_contain_text("known <i>outage</i>")
            channel.wait_for_selector(f"{SECOND} >> text=by bob at")
            expect(channel.locator(SECOND)).to_contain_text("known <i>outage</i>")
            channel.click(f"{SECOND} >> button:text-is('Why')")
            expect(channel.locator("article.whisper")).to_contain_text("SQL that reproduces the value")
            channel.click(f"{SECOND} >> button:text-is('With a reason…')")
            channel.check(".window input[value='silence-4h']")
            channel.fill(".window input[name='reason']", "a <b>reason</b>")
            assert serious(channel) == []
            channel.click(".window button:text-is('Send')")
            expect(channel.locator(".window")).to_have_count(0)
            page.reload()
            expect(page.locator("#people li").last).to_contain_text("a <b>reason</b>")
            channel.fill("#command", "top4")
            channel.press("#command", "Enter")
            expect(channel.locator("article.whisper").last).to_contain_text("Top-4 share of bitcoin")
            expect(channel.locator("#command")).to_have_value("")
            assert channel.evaluate("window.neverReloaded") is True
            for width in (900, 390):
                channel.set_viewport_size({"width": width, "height": 900})
                assert channel.evaluate("document.documentElement.scrollWidth") <= width
        assert problems == []
        channel.context.close()
