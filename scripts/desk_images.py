"""Take the pictures of the page and of the Slack channel in docs/img: run the demo as at a terminal, and look at what it serves.

`python scripts/desk_images.py` takes two minutes. Chromium is driven by Playwright. Slack's messages need a font
with their circles (Debian: fonts-noto-color-emoji).
"""

from __future__ import annotations

import base64
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, sync_playwright

from counterpoise.clickhouse.client import connect
from counterpoise.settings.endpoints import clickhouse_target
from counterpoise.settings.model import Settings

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs" / "img"
PATIENCE_SECONDS: Final = 600.0
SHOTS: Final = (
    ("desk-dark.png", 1440, 900, "dark", "/", "#shares"),
    ("desk-768.png", 768, 1024, "light", "/", None),
    ("desk-390.png", 390, 1200, "light", "/", None),
    ("desk-alert.png", 1440, 900, "light", "/alert/{alert}", None),
    ("desk-print.png", 718, 1040, "print", "/", None),
)
"""File, width, height, colour scheme or `print`, path, and the element to which the page is scrolled.

718 by 1,040 is what an A4 page has within a browser's margins.
"""

PAGE_SIZE, CHANNEL_SIZE, GAP = (1440, 900), (620, 900), 12
_STAYS: Final = re.compile(r"The page stays open.*?(http://\S+)\s+(http://\S+)", re.DOTALL)
_ESCAPES: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Demo:
    """The demo in a terminal of its own: `desk_link` opens the page once, `channel` is the Slack channel's address."""

    def __init__(self, state_dir: Path) -> None:
        main, terminal = pty.openpty()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "counterpoise", "--state-dir", str(state_dir), "demo"],
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            start_new_session=True,
        )
        os.close(terminal)
        self._said = ""
        self._stays = threading.Event()
        self.desk_link = self.channel = ""
        threading.Thread(target=self._listen, args=(main,), daemon=True).start()

    def _listen(self, main: int) -> None:
        try:
            while said := os.read(main, 65_536):
                self._said += _ESCAPES.sub("", said.decode("utf-8", "replace"))
                if (found := _STAYS.search(self._said)) and not self._stays.is_set():
                    self.desk_link, self.channel = found.groups()
                    self._stays.set()
        except OSError:  # it ended
            pass
        self._stays.set()

    def wait(self) -> None:
        self._stays.wait(PATIENCE_SECONDS)
        if not self.channel:
            raise SystemExit(f"the demo does not stay open:\n{self._said[-3_000:]}")

    def end(self) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
        self._process.wait()


@contextmanager
def demo() -> Iterator[Demo]:
    """The demo, until the block ends."""
    with tempfile.TemporaryDirectory() as folder:
        running = Demo(Path(folder))
        try:
            running.wait()
            os.environ |= {"COUNTERPOISE_DATASET": "demo", "COUNTERPOISE_STATE_DIR": folder}
            yield running
        finally:
            running.end()


def take(browser: Browser, running: Demo, alert: str) -> None:
    """Every picture. The session that the link opens is used for all."""
    opened = browser.new_context()
    first = opened.new_page()
    first.goto(running.desk_link)
    root = first.url.rstrip("/")
    session = opened.storage_state()
    opened.close()

    def page_at(path: str, width: int, height: int, scheme: str, at: str | None) -> bytes:
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if scheme == "dark" else "light",
            reduced_motion="reduce",
            storage_state=session,
        )
        page = context.new_page()
        if scheme == "print":
            page.emulate_media(media="print")
        page.goto(root + path)
        page.wait_for_function("() => !document.body.innerText.includes('Being read')")
        if at is not None:
            page.locator(at).evaluate("element => element.scrollIntoView()")
        picture = page.screenshot()
        context.close()
        return picture

    for name, width, height, scheme, path, at in SHOTS:
        keep(name, page_at(path.format(alert=alert), width, height, scheme, at))
    keep("desk.png", side_by_side(browser, page_at("/", *PAGE_SIZE, "light", None), channel(browser, running.channel)))


def channel(browser: Browser, address: str) -> bytes:
    """The newest message with a picture, and what followed."""
    context = browser.new_context(
        viewport={"width": CHANNEL_SIZE[0], "height": CHANNEL_SIZE[1]}, reduced_motion="reduce"
    )
    page = context.new_page()
    page.goto(address)
    page.wait_for_selector("main img")
    # The newest alert that has its picture, with the picture whole.
    page.locator("main img").last.evaluate(
        "image => { image.scrollIntoView({block: 'end'}); window.scrollBy(0, window.innerHeight / 3); }"
    )
    picture = page.screenshot()
    context.close()
    return picture


def side_by_side(browser: Browser, left: bytes, right: bytes) -> bytes:
    """Two pictures of one height in one."""
    width = PAGE_SIZE[0] + GAP + CHANNEL_SIZE[0]
    context = browser.new_context(viewport={"width": width, "height": PAGE_SIZE[1]})
    page = context.new_page()
    images = "".join(f'<img src="data:image/png;base64,{base64.b64encode(one).decode()}">' for one in (left, right))
    page.set_content(f'<body style="margin:0;display:flex;gap:{GAP}px;background:#888">{images}</body>')
    page.wait_for_function("() => [...document.images].every(one => one.complete)")
    picture = page.screenshot()
    context.close()
    return picture


def keep(name: str, picture: bytes) -> None:
    (IMAGES / name).write_bytes(picture)
    sys.stdout.write(f"wrote {IMAGES / name}\n")


def main() -> None:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    fonts = shutil.which("fc-list")
    if fonts is None or not subprocess.run([fonts, ":charset=1f7e2"], capture_output=True, check=True).stdout:
        raise SystemExit(
            "no font has the green circle of Slack's messages: install one (Debian: fonts-noto-color-emoji)"
        )
    if chromium is None:
        raise SystemExit("no Chromium: install it (Debian: apt install chromium)")
    with demo() as running, sync_playwright() as driver:
        settings = Settings.load()
        with connect(clickhouse_target(settings, read_only=True), settings.dataset) as clickhouse:
            [(alert,)] = clickhouse.query(
                "SELECT argMax(alert_id, event_time) FROM alerts WHERE rule_id = 'top4-share' AND state IN ('firing', 'resolved')"
            )
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        take(browser, running, str(alert))
        browser.close()


if __name__ == "__main__":
    main()
