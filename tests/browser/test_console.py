"""The SQL console in a real browser, over real engines: type, complete, run, mark a mistake, cancel, export, link."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.conftest import PATIENCE_MS
from tests.integration.web.running import RunningDesk
from tests.long import long
from tests.waiting import wait_for

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route

SERIES = "SELECT time, top4_share FROM concentration_shares WHERE view = 'raw' AND window_blocks = 144 ORDER BY height"
UNANSWERED = "Failed to load resource"
"""What Chromium reports of a request that was refused or cut."""
ENDLESS = "SELECT sum(sipHash64(number, number)) FROM numbers(1000000000000)"


def console(
    browser: Browser, desk: RunningDesk, problems: list[str], *, width: int = 1440, scheme: str = "light"
) -> Page:
    """The console of a new session, ready. What the browser reports while the names are asked for again is no problem."""
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme=scheme,  # type: ignore[arg-type]
        reduced_motion="reduce",
    )
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto(desk.link())
    page.on("console", lambda said: problems.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    assert page.is_visible("header a[href='/sql']")
    page.goto(f"{desk.url}/sql")
    ready(page, problems)
    problems[:] = [one for one in problems if UNANSWERED not in one]
    return page


def ready(page: Page, problems: list[str]) -> None:
    """Wait for the names of tables. The failure says what the page says."""
    from playwright.sync_api import TimeoutError as TooLateError

    try:
        page.wait_for_selector("#state:text-is('ready')")
    except TooLateError as error:
        raise AssertionError(f"{page.url} says {page.inner_text('body')[-300:]!r}, the browser {problems}") from error


def test_a_statement_is_typed_completed_run_exported_and_sent_on(
    browser: Browser, desk: RunningDesk, tmp_path: Path
) -> None:
    problems: list[str] = []
    page = console(browser, desk, problems)
    assert "read-only" in page.inner_text("#limits") and "30 seconds" in page.inner_text("#limits")
    page.fill("#sql", " FROM concentration_shares WHERE view = 'raw' AND window_blocks = 144 ORDER BY height")
    page.evaluate("document.getElementById('sql').setSelectionRange(0, 0)")
    page.focus("#sql")
    page.keyboard.type("SELECT time, top4_share_up")
    page.wait_for_selector("#choices li:has-text('top4_share_upper')")
    page.keyboard.press("Enter")
    assert page.input_value("#sql").startswith("SELECT time, top4_share_upper FROM")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("#state:has-text('420 rows')")
    assert page.locator("#result tbody tr").count() == 420
    assert page.locator("#plot svg path.line").count() == 1
    with page.expect_download() as download:
        page.click("[data-format='csv']")
    download.value.save_as(tmp_path / "result.csv")
    assert len((tmp_path / "result.csv").read_text(encoding="utf-8").splitlines()) == 421
    other = page.context.new_page()
    other.goto(page.url)
    ready(other, problems)
    assert other.input_value("#sql") == page.input_value("#sql")
    assert other.locator("#history option").count() == 2
    assert problems == []
    page.context.close()


def test_a_named_query_has_fields_and_a_mistake_is_marked(browser: Browser, desk: RunningDesk) -> None:
    problems: list[str] = []
    page = console(browser, desk, problems)
    page.select_option("#named", "metric_series")
    page.fill("#parameters input[name='window']", "144")
    page.fill("#parameters input[name='step']", "1")
    page.click("#run")
    page.wait_for_selector("#state:has-text(' rows')")
    page.fill("#sql", "SELECT heigth\nFROM blocks")
    page.click("#run")
    page.wait_for_selector("#pointer:not([hidden])")
    assert "heigth" in page.inner_text("#state")
    assert page.inner_text("#pointer").splitlines() == ["  SELECT heigth", "         ^"]
    assert page.evaluate("document.getElementById('sql').selectionStart") == 7
    refused = [problem for problem in problems if "400" not in problem]  # the browser reports the refusal itself
    assert refused == []
    page.context.close()


def refusing(refusal: dict[str, Any] | None) -> Callable[[Route], None]:
    """Answers a request with this; None cuts its connection."""

    def answer(route: Route) -> None:
        if refusal is None:
            route.abort()
        else:
            route.fulfill(**refusal)

    return answer


def test_names_that_cannot_be_read_are_asked_for_again_and_statements_run_meanwhile(
    browser: Browser, desk: RunningDesk
) -> None:
    problems: list[str] = []
    page = console(browser, desk, problems)
    refusals: list[dict[str, Any] | None] = [
        {"status": 503, "content_type": "application/json", "body": '{"error": "busy", "message": "all are in use"}'},
        {"status": 429, "content_type": "text/plain", "body": "Too many requests: wait a second.\n"},
        {"status": 502, "body": ""},
        {"status": 200, "content_type": "application/json", "body": '{"tables": ['},
        None,  # the connection is cut
    ]
    wanted = ["all are in use", "Too many requests", "The desk answers 502", "was cut off", "does not answer"]
    for refusal, words in zip(refusals, wanted, strict=True):
        page.route("**/sql/schema", refusing(refusal))
        page.reload()
        page.wait_for_selector(f"#state.error:has-text('{words}')")
        page.unroute("**/sql/schema")
        ready(page, problems)
        assert page.locator("#named option").count() > 10
    page.route("**/sql/schema", refusing({"status": 503, "body": ""}))
    page.reload()
    page.wait_for_selector("#state:has-text('answers 503')")
    page.fill("#sql", "SELECT 1 AS one")
    page.click("#run")
    page.wait_for_selector("#state:has-text('1 row')")
    page.unroute("**/sql/schema")
    page.wait_for_selector("#tables details", state="attached")
    assert page.inner_text("#state").startswith("1 row"), "what the statement said stays"
    assert [one for one in problems if UNANSWERED not in one] == []
    page.context.close()


@pytest.mark.long  # it waits as long as the page does
def test_an_answer_that_never_comes_is_asked_for_again(browser: Browser, desk: RunningDesk) -> None:
    problems: list[str] = []
    page = console(browser, desk, problems)
    page.route("**/sql/schema", lambda route: None, times=1)
    page.reload()
    page.wait_for_selector("#state:text-is('reading the names of tables')")
    ready(page, problems)
    page.context.close()


def test_a_running_statement_is_cancelled(browser: Browser, desk: RunningDesk) -> None:
    page = console(browser, desk, [])

    def is_cancelled() -> bool:
        page.fill("#sql", ENDLESS)
        page.click("#run")
        while page.locator("#cancel").is_enabled():
            page.evaluate("document.getElementById('cancel').click()")
            page.wait_for_timeout(200)
        return "you cancelled it" in page.inner_text("#state")

    wait_for(is_cancelled, "a statement that was cancelled before its time was over")
    assert page.locator("#run").is_enabled()
    page.context.close()


def test_a_hostile_name_is_text(browser: Browser, desk: RunningDesk) -> None:
    problems: list[str] = []
    page = console(browser, desk, problems)
    hostile = "<img src=x onerror=\"document.title='run'\">"
    page.fill("#sql", f"SELECT toDate('2025-01-01') + number AS day, number AS `{hostile}` FROM numbers(3)")
    page.click("#run")
    page.wait_for_selector("#state:has-text('3 rows')")
    assert page.inner_text("#result th >> nth=1") == hostile
    assert page.locator("#result img, #plot img").count() == 0 and page.title() != "run"
    assert problems == []
    page.context.close()


@pytest.mark.parametrize("scheme", ["light", *long("dark")])  # long: the other colours
def test_axe_finds_nothing_serious_and_a_telephone_needs_no_sideways_scrolling(
    browser: Browser, desk: RunningDesk, scheme: str
) -> None:
    from axe_playwright_python.sync_playwright import Axe

    page = console(browser, desk, [], width=390, scheme=scheme)
    page.fill("#sql", SERIES)
    page.click("#run")
    page.wait_for_selector("#result:not([hidden])")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    found = Axe().run(page).response["violations"]
    serious = [
        (one["id"], one["nodes"][0]["html"][:200], one["nodes"][0].get("failureSummary", "")[:300])
        for one in found
        if one["impact"] in ("serious", "critical")
    ]
    assert serious == []
    page.context.close()
