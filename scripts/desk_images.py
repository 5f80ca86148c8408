"""Take the pictures of the page in docs/img from the demo's dataset. `make demo`, then `python scripts/desk_images.py [STATE_DIR]`.

Chromium is driven by Playwright; the page is served from the demo's engines for that long only.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, sync_playwright

from counterpoise.clickhouse.client import connect
from counterpoise.errors import ConfigError
from counterpoise.settings.endpoints import clickhouse_target
from counterpoise.settings.model import Settings
from desk.cli.desk import read_link
from desk.cli.whole_line import Services
from engines.stack import ANY_PORTS, down, up

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs" / "img"
PATIENCE_SECONDS: Final = 60.0
SHOTS: Final = (
    ("desk.png", 1440, 900, "light", "/", None),
    ("desk-dark.png", 1440, 900, "dark", "/", "#shares"),
    ("desk-390.png", 390, 1200, "light", "/", None),
    ("desk-alert.png", 1440, 900, "light", "/alert/{alert}", None),
)
"""File, width, height, colour scheme, path, and the element to which the page is scrolled."""


def take(browser: Browser, run_dir: Path, alert: str) -> None:
    """Every picture, each in a session of its own."""
    for name, width, height, scheme, path, at in SHOTS:
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if scheme == "dark" else "light",
            reduced_motion="reduce",
        )
        page = context.new_page()
        page.goto(link(run_dir))
        page.goto(page.url.partition("/open")[0].rstrip("/") + path.format(alert=alert))
        page.wait_for_function("() => !document.body.innerText.includes('Being read')")
        if at is not None:
            page.locator(at).evaluate("element => element.scrollIntoView()")
        page.screenshot(path=IMAGES / name)
        context.close()
        sys.stdout.write(f"wrote {IMAGES / name}\n")


def link(run_dir: Path) -> str:
    """The link that opens the page once; a new one stands there soon after the last was used."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        try:
            found = read_link(run_dir)
        except ConfigError:  # it is not served yet
            found = ""
        if found and found not in _USED:
            _USED.add(found)
            return found
        time.sleep(0.1)
    raise SystemExit("the page is not served")


_USED: set[str] = set()


def main() -> None:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        raise SystemExit("no Chromium: install it (Debian: apt install chromium)")
    state_dir = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / ".counterpoise"
    os.environ |= {
        "COUNTERPOISE_DATASET": "demo",
        "COUNTERPOISE_STATE_DIR": str(state_dir),
        "COUNTERPOISE_DESK__PORT": "0",
    }
    settings = Settings.load()
    _, started = up(settings.state_dir, ANY_PORTS)
    try:
        with connect(clickhouse_target(settings, read_only=True), settings.dataset) as clickhouse:
            [(alert,)] = clickhouse.query(
                "SELECT argMax(alert_id, event_time) FROM alerts WHERE rule_id = 'top4-share' AND state IN ('firing', 'resolved')"
            )
        with Services(settings, settings.run_dir / "pictures.log", names=("desk",)), sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            take(browser, settings.run_dir, str(alert))
            browser.close()
    finally:
        if started:
            down(settings.state_dir)


if __name__ == "__main__":
    main()
