"""The page in a real browser, over real engines: it changes without a reload, and everybody can read it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from counterpoise.formats import PAGE
from desk.claims.article_claims import CLAIMS
from tests.browser.conftest import PATIENCE_MS
from tests.engines import ClickHouseServer, RunningKafka
from tests.integration.sql.sample import ALERT, LAST
from tests.integration.streams.blocks import HARD_BITS, block, branch
from tests.integration.web.running import RunningDesk, running_desk
from tests.integration.web.test_desk import Chain, chain, on
from tests.long import long
from tests.waiting import wait_for

VERIFIES = [
    ("Chromium", "of Debian", "real", "the desk's page"),
]

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

__all__ = ["chain"]


def opened(browser: Browser, desk: RunningDesk, width: int = 1440, height: int = 900, scheme: str = "light") -> Page:
    """A page of a new session. A word of the browser about the policy, or an error of a script, fails the test at its end."""
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme=scheme,  # type: ignore[arg-type]
        reduced_motion="reduce",
    )
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    page.goto(desk.link())
    page.wait_for_selector("[data-figure='top4-raw']")
    page.wait_for_selector("body[data-live='current']")
    page.wait_for_selector("body:not(:has(.none-yet:text-is('Being read…')))")  # later, panels change with news alone
    return page


NOTE_PRESSES = """() => addEventListener("pointerdown", (event) => {
    window.pressed = event.target;
    window.panels = [];
    new EventSource("/events").addEventListener("panel", (event) => panels.push(JSON.parse(event.data).html));
})"""
"""Notes what was pressed, and what comes from then on over a connection of its own."""


def press(page: Page, selector: str) -> None:
    """Hold the button of the mouse down on this, which may move until then."""

    def is_pressed() -> bool:
        page.hover(selector)
        page.mouse.down()
        if page.evaluate("(selector) => pressed.matches(selector)", selector):
            return True
        page.mouse.up()
        return False

    wait_for(is_pressed, f"a press of {selector}")


def test_it_goes_on_after_a_refusal(browser: Browser, desk: RunningDesk) -> None:
    """A proxy answers in place of a desk that restarts; the session ends, and is opened anew in another tab."""
    page = opened(browser, desk)
    lost = page.locator("#line .lost")
    page.route("**/events", lambda route: route.fulfill(status=502))
    page.reload()
    lost.filter(has_text="the desk does not answer").wait_for()
    cookies = page.context.cookies()
    page.context.clear_cookies()
    page.unroute("**/events")
    lost.filter(has_text="this session has ended").wait_for()
    assert lost.count() == 1
    page.context.add_cookies(cookies)  # type: ignore[arg-type]
    page.wait_for_selector("body[data-live='current']:not(:has(.lost))")
    page.context.close()


def test_a_block_and_a_reorganisation_come_without_a_reload(
    browser: Browser, chain: Chain, kafka: RunningKafka, clickhouse: ClickHouseServer, tmp_path: Path
) -> None:
    trunk = branch(1_020)
    chain.send(trunk)
    with running_desk(on(chain, kafka, clickhouse, tmp_path)) as desk:
        page = opened(browser, desk)
        problems: list[str] = []
        page.on("console", lambda said: problems.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.evaluate("window.neverReloaded = true")
        tip = trunk[-1]
        page.wait_for_selector(f"[data-figure='tip']:text-is('{PAGE.count(tip.height)}')")
        page.focus(f"#blocks a[href='/block/{tip.hash}']")
        page.eval_on_selector("#blocks .scroll", "box => { box.scrollTop = 9 }")
        grown = block(tip.height + 1, tip.hash, label="antpool")
        chain.send([grown])
        page.wait_for_selector(f"[data-figure='tip']:text-is('{PAGE.count(grown.height)}')")
        page.wait_for_selector(f"#blocks a[href='/block/{grown.hash}']")
        assert page.evaluate("document.activeElement.getAttribute('href')") == f"/block/{tip.hash}", "focus stays"
        assert page.eval_on_selector("#blocks .scroll", "box => box.scrollTop") == 9
        page.evaluate(NOTE_PRESSES)
        press(page, "[data-chart='raw'] [data-span='24h']")
        tip, grown = grown, block(grown.height + 1, grown.hash, label="antpool")
        chain.send([grown])
        new = f"panels.some((html) => html.includes('id=\"shares\"') && html.includes('{PAGE.count(grown.height)}'))"
        wait_for(lambda: page.evaluate(new), "the panel with the pressed button")
        assert page.evaluate("pressed.isConnected")
        page.mouse.up()
        page.wait_for_selector("[data-chart='raw'] title:has-text('24 hours')", state="attached")
        wait_for(lambda: not page.evaluate("pressed.isConnected"), "what came for the panel meanwhile")
        parent, heavier = trunk[-1], []
        for old in (tip, grown):
            parent = block(old.height, parent.hash, label="luxor", bits=HARD_BITS, salt="heavier")
            heavier.append(parent)
        chain.send(heavier)
        page.wait_for_selector(f"#blocks tr.stale a[href='/block/{grown.hash}']")
        struck = page.eval_on_selector("#blocks tr.stale th", "cell => getComputedStyle(cell).textDecorationLine")
        assert struck == "line-through", "a block that lost is struck through"
        page.wait_for_selector(f"#blocks a[href='/block/{heavier[-1].hash}']")
        page.wait_for_selector("[data-chart='raw'] [data-span='24h'][aria-pressed='true']")  # the choice stays
        assert page.evaluate("window.neverReloaded") is True
        assert problems == []
        page.context.close()


# Long: engines of its own; test_desk.py has the same without a browser.
@pytest.mark.long
def test_the_page_states_that_engines_are_gone_and_goes_on(
    browser: Browser, own_kafka: RunningKafka, own_clickhouse: ClickHouseServer, tmp_path: Path
) -> None:
    made = Chain(own_clickhouse, "browser_outage", tmp_path / "streams")
    trunk = branch(200)
    made.send(trunk)
    with running_desk(on(made, own_kafka, own_clickhouse, tmp_path)) as desk:
        page = opened(browser, desk)
        page.evaluate("window.neverReloaded = true")
        shown = page.inner_text("[data-figure='top4-raw']")
        own_clickhouse.kill()
        page.wait_for_selector("#line .bad:has-text('ClickHouse does not answer')")
        assert page.inner_text("[data-figure='top4-raw']") == shown, "the last figures stay"
        own_clickhouse.restart()
        page.wait_for_selector("#line:not(:has-text('ClickHouse does not answer'))")
        own_kafka.kill()
        page.wait_for_selector("#line .bad:has-text('Kafka does not answer')")
        own_kafka.restart()
        page.wait_for_selector("#line:not(:has-text('Kafka does not answer'))")
        grown = block(trunk[-1].height + 1, trunk[-1].hash, label="antpool")
        made.send([grown])
        page.wait_for_selector(f"[data-figure='tip']:text-is('{PAGE.count(grown.height)}')")
        assert page.evaluate("window.neverReloaded") is True
        page.context.close()
    made.close()


def test_an_alert_is_two_clicks_from_its_evidence(browser: Browser, desk: RunningDesk) -> None:
    from playwright.sync_api import expect

    page = opened(browser, desk)
    page.click(f"#alerts a[href='/alert/{ALERT}']")
    page.wait_for_selector(".verdict")
    assert page.inner_text("h1").startswith("top4-share")
    page.wait_for_selector("section:has-text('The share around the alert') svg .rule", state="attached")
    page.click("summary:has-text('SQL of the value')")
    page.click(".content + details summary, main > details > summary")
    page.click("a:has-text('Open query 1 in the SQL console')")
    expect(page.locator("#sql")).to_have_value(re.compile("FROM alert_events"))
    page.go_back()
    page.wait_for_selector(".verdict")
    page.go_back()
    page.wait_for_selector("[data-figure='top4-raw']")
    page.context.close()


def test_the_pointer_and_the_arrow_keys_read_single_values(browser: Browser, desk: RunningDesk) -> None:
    page = opened(browser, desk)
    page.goto(f"{desk.url}/alert/{ALERT}")
    plot = "figure[data-points]"
    points = page.eval_on_selector(plot, "figure => JSON.parse(figure.dataset.points)")
    page.focus(plot)
    page.keyboard.press("Home")
    assert f"block {points[0][1]:,} · {100 * points[0][2]:.1f}" in page.inner_text(f"{plot} .reading")
    page.keyboard.press("ArrowRight")
    assert f"block {points[1][1]:,} · {100 * points[1][2]:.1f}" in page.inner_text(f"{plot} .reading")
    page.hover(f"{plot} .wide svg .dot")
    assert f"block {points[-1][1]:,} · {100 * points[-1][2]:.1f}" in page.inner_text(f"{plot} .reading")
    assert page.locator(f"{plot} .wide .guide").count() == 1
    page.context.close()


@pytest.mark.parametrize("width", [1440, *long(768), 390])  # long: between the two
def test_no_width_scrolls_sideways_and_the_first_tier_is_above_the_fold(
    browser: Browser, desk: RunningDesk, width: int
) -> None:
    page = opened(browser, desk, width, 900)
    page.wait_for_selector("[data-figure='gap']")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    paths = (
        "/",
        f"/?height={LAST - 9}",
        f"/alert/{ALERT}",
        "/pool/foundry-usa",
        "/series/pypi-edge-share",
        "/what-if",
        "/sql",
    )
    for path in paths:
        page.goto(desk.url + path)
        page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
    page.goto(desk.url)
    if width == 1440:
        for name in ("top4-raw", "top4-entity", "largest-raw", "firing", "gap", "call"):
            box = page.locator(f"[data-figure='{name}']").bounding_box()
            assert box is not None and box["y"] + box["height"] <= 900, name
    page.context.close()


@pytest.mark.parametrize("scheme", ["light", *long("dark")])  # long: the other colours
def test_axe_finds_nothing_serious(browser: Browser, desk: RunningDesk, scheme: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    page = opened(browser, desk, scheme=scheme)
    page.wait_for_selector("[data-figure='gap']")
    for path in ("/", f"/?height={LAST - 9}", f"/alert/{ALERT}", "/pool/foundry-usa"):
        page.goto(desk.url + path)
        page.wait_for_selector("main")
        found = Axe().run(page).response["violations"]
        serious = [
            (one["id"], one["nodes"][0]["html"][:200], one["nodes"][0].get("failureSummary", "")[:300])
            for one in found
            if one["impact"] in ("serious", "critical")
        ]
        assert serious == [], path
    page.context.close()


PRINTED = """() => ({
  controls: [...document.querySelectorAll("button, form, input, summary, .anchor")].filter((one) => one.checkVisibility()).length,
  cut: [...document.querySelectorAll("section.panel, .scroll, table, figure, svg")].filter((one) => one.checkVisibility())
    .filter((one) => one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one).overflowX !== "visible"
      || one.getBoundingClientRect().right > document.documentElement.clientWidth + 1
      || one.scrollHeight > one.clientHeight + 1 && getComputedStyle(one).overflowY !== "visible")
    .map((one) => one.outerHTML.slice(0, 160)),
  over: [...document.querySelectorAll("section.panel table")].filter((one) => one.checkVisibility())
    .filter((one) => one.getBoundingClientRect().right > one.closest("section.panel").getBoundingClientRect().right + 1)
    .map((one) => one.getAttribute("aria-label")),
  links: [...document.querySelectorAll("main a[href]")].filter((one) => one.checkVisibility())
    .map((one) => [one.getAttribute("href"), getComputedStyle(one, "::after").content]),
  foot: getComputedStyle(document.querySelector("footer"), "::after").content,
  across: document.documentElement.scrollWidth,
})"""


# Long: the page on paper; the page on a screen stays.
def test_a_chart_that_does_not_come_changes_no_button(browser: Browser, desk: RunningDesk) -> None:
    """The button that is pressed names the span that is drawn. A later try is drawn."""
    page = opened(browser, desk)
    pressed, drawn = "[data-chart='raw'] [aria-pressed='true']", "[data-chart='raw'] .drawn"
    page.wait_for_selector(pressed)
    before = page.get_attribute(pressed, "data-span"), page.inner_html(drawn)
    for refuse in (lambda route: route.abort(), lambda route: route.fulfill(status=503, body="busy")):
        page.route("**/chart/raw/24h", refuse)
        with page.expect_request("**/chart/raw/24h"):
            page.click("[data-chart='raw'] [data-span='24h']")
        page.wait_for_timeout(200)
        assert (page.get_attribute(pressed, "data-span"), page.inner_html(drawn)) == before
        page.unroute("**/chart/raw/24h")
    page.click("[data-chart='raw'] [data-span='24h']")
    page.wait_for_selector("[data-chart='raw'] [data-span='24h'][aria-pressed='true']")
    page.context.close()


@pytest.mark.long
def test_on_paper_there_are_no_controls_no_cuts_and_addresses(browser: Browser, desk: RunningDesk) -> None:
    page = opened(browser, desk, 718, 1040)
    page.wait_for_selector("[data-figure='gap']")
    page.emulate_media(media="print")
    for path in ("/", f"/alert/{ALERT}", "/pool/foundry-usa"):
        page.goto(desk.url + path)
        page.wait_for_selector("footer[data-origin]", state="attached")
        found = page.evaluate(PRINTED)
        assert (found["controls"], found["cut"], found["over"]) == (0, [], []), path
        assert found["across"] <= 718, path
        assert found["links"] and all(href in shown for href, shown in found["links"]), path
        assert desk.url in found["foot"] or "localhost" in found["foot"]
    page.emulate_media(media="screen")
    page.goto(desk.url)
    page.wait_for_selector("button[data-span]")
    assert page.evaluate(PRINTED)["controls"] > 5, "what is hidden on paper is there on the screen"
    page.context.close()


# Long: two more pages; the first page stays.
@pytest.mark.long
def test_claims_and_a_past_day_are_read_in_the_browser(browser: Browser, desk: RunningDesk) -> None:
    """Both pages have their headings, tables and links, and no width scrolls sideways. The policy refuses none of their parts."""
    page = opened(browser, desk)
    problems: list[str] = []
    page.on("console", lambda said: problems.append(said.text) if said.type == "error" else None)
    page.click("a[href='/claims']")
    page.wait_for_url("**/claims")
    assert page.locator("section.panel[id^='claim-']").count() == len(CLAIMS)
    first = page.locator("section.panel[id^='claim-']:has(details)").first
    name = first.get_attribute("id")
    first.locator("a.anchor").click()
    assert page.url.endswith(f"/claims#{name}"), "a claim can be sent"
    page.click(f"#{name} summary:has-text('SQL')")
    assert "SELECT" in page.inner_text(f"#{name} details pre") or "counterpoise" in page.inner_text(
        f"#{name} details pre"
    )
    page.goto(f"{desk.url}/as-of/2023-07-23")
    assert "2023" in page.inner_text("h1")
    assert page.locator("main table").count() >= 1
    for path in ("/claims", "/what-if?pool=antpool&pool=f2pool&window=144", "/as-of/2023-07-23"):
        page.goto(desk.url + path)
        for width in (1440, 390):
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate("document.documentElement.scrollWidth") <= width, path
    assert page.goto(f"{desk.url}/as-of/yesterday").status == 400  # type: ignore[union-attr]
    assert [one for one in problems if "400" not in one] == []
    page.context.close()


def test_the_keyboard_reaches_everything_in_order(browser: Browser, desk: RunningDesk) -> None:
    page = opened(browser, desk)
    page.wait_for_selector("[data-figure='gap']")
    page.wait_for_selector("button[data-span]")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.tagName"))
    assert {"A", "BUTTON", "SUMMARY"} <= reached
    page.context.close()


# Long: the way to the past by mouse; web/test_past.py has the same addresses.
@pytest.mark.long
def test_a_person_goes_to_the_past_and_back(browser: Browser, desk: RunningDesk) -> None:
    page = opened(browser, desk)
    problems: list[str] = []
    page.on("console", lambda said: problems.append(said.text) if said.type == "error" else None)
    page.click("summary:has-text('Past')")
    page.fill("input[name='height']", str(LAST - 100))
    page.keyboard.press("Enter")
    page.wait_for_selector(f"body.past [data-figure='tip']:text-is('{PAGE.count(LAST - 100)}')")
    then = page.inner_text("[data-figure='top4-raw']")
    page.click("a[aria-label='1 block later']")
    page.wait_for_selector(f"[data-figure='tip']:text-is('{PAGE.count(LAST - 99)}')")
    assert page.url.endswith(f"/?height={LAST - 99}"), "the address can be shared"
    page.wait_for_load_state("load")  # the text comes before the script that listens to the button
    with page.expect_response(f"**/chart/raw/24h?height={LAST - 99}") as answer:
        page.click("[data-chart='raw'] [data-span='24h']")
    assert answer.value.ok, "the chart is that of the block, not of the tip"
    assert then
    for width in (1440, 768, 390):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.fill("input[name='at']", "2023-07-23T00:00")
    page.press("input[name='at']", "Enter")
    page.wait_for_url("**/?height=*")
    page.click("a.live")
    page.wait_for_selector(f"body[data-live] [data-figure='tip']:text-is('{PAGE.count(LAST)}')")
    assert problems == []
    page.context.close()
