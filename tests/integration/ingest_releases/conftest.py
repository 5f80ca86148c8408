"""Servers and sources that are closed after the test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from huggingface_hub import close_session

from ingest.http import BoundedHttp
from testkit.market_server import MarketServer


@pytest.fixture
def server() -> Iterator[MarketServer]:
    with MarketServer() as running:
        yield running


@pytest.fixture(autouse=True)
def closed_afterwards(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Connections of sources that a test made are closed, also where it failed."""
    with ExitStack() as stack:
        original = BoundedHttp.__init__

        def remembered(self: BoundedHttp, *args: Any, **more: Any) -> None:
            original(self, *args, **more)
            stack.callback(self.close)

        monkeypatch.setattr(BoundedHttp, "__init__", remembered)
        stack.callback(close_session)
        yield
