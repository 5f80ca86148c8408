"""One desk and one Chromium for each file; each test has a session of its own in them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from counterpoise.clickhouse.client import ClickHouse
from tests.engines import ClickHouseServer, RunningKafka, settings_for
from tests.integration.web.conftest import told
from tests.integration.web.running import RunningDesk, running_desk

if TYPE_CHECKING:
    from playwright.sync_api import Browser

__all__ = ["told"]

PATIENCE_MS = 60_000

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium; it may run as root in a container, which its sandbox refuses.

    It ends with its file: while it runs the thread has a running event loop, in which a test of other files could not run its own.
    """
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed: the page is not tried in a browser")
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture(scope="module")
def desk(
    told: ClickHouse, kafka: RunningKafka, clickhouse: ClickHouseServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningDesk]:
    """The sample with an AI side, on the page, for tests that only read."""
    folder = tmp_path_factory.mktemp("desk")
    settings = settings_for(
        kafka, clickhouse, folder, dataset=told.database, dataset_kind="simulated", desk={"port": 0}
    )
    with running_desk(settings) as found:
        yield found
