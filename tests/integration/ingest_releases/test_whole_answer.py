"""A server that sends an answer byte by byte, its head too, holds nobody who reads from outside; nor does one that never ends."""

from __future__ import annotations

import ast
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from huggingface_hub import close_session

from counterpoise.errors import CounterpoiseError
from counterpoise.series.load import load_catalogue
from counterpoise.settings.sections.market_sections import MarketSettings
from desk.cli import registry_fetch
from ingest import http as ingest_http
from ingest.http import BoundedHttp
from ingest.releases.sources.huggingface import HuggingFaceSource
from testkit.manual_clock import ManualClock
from testkit.market_server import MarketServer

ROOT = Path(__file__).resolve().parents[3]
HEAD = b"HTTP/1.1 200 OK\r\nX-Long: ".ljust(60, b"x")
"""A head that never ends, a tenth of a second between two bytes. Then the connection ends, so that no reader hangs."""
SECONDS = 0.5


class DrippingServer:
    """Sends one byte of a head after another."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while not self._closing.is_set():
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            with peer:
                for byte in HEAD:
                    if self._closing.wait(0.1):
                        return
                    try:
                        peer.sendall(bytes([byte]))
                    except OSError:
                        break

    def close(self) -> None:
        self._closing.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()


@pytest.fixture
def dripping() -> Iterator[DrippingServer]:
    server = DrippingServer()
    yield server
    server.close()
    close_session()


def bounded(url: str) -> BoundedHttp:
    return BoundedHttp(url, clock=ManualClock(0.0), timeout_seconds=SECONDS, max_bytes=1_000, setting="S")


def hub(url: str, **more: Any) -> HuggingFaceSource:
    clock = ManualClock(0.0)
    settings = MarketSettings(huggingface={"endpoint": url, "timeout_seconds": SECONDS}, **more)
    return HuggingFaceSource(settings, load_catalogue(), clock=clock, pause=clock.sleep)


READERS: dict[str, Callable[[str], object]] = {
    "get": lambda url: bounded(url).get("x"),
    "fetch": lambda url: bounded(url).fetch("x"),
    "post": lambda url: bounded(url).post({}, None),
    "hub": lambda url: list(hub(url).fetch({})),
    "registry": lambda url: registry_fetch.read_source(f"{url}/pools.json"),
}


@pytest.mark.parametrize("reader", READERS)
def test_a_head_that_drips_is_given_up(dripping: DrippingServer, monkeypatch: pytest.MonkeyPatch, reader: str) -> None:
    monkeypatch.setattr(registry_fetch, "FETCH_TIMEOUT_SECONDS", SECONDS)
    with pytest.raises(CounterpoiseError, match=r"it did not answer whole within 0\.5 s"):
        READERS[reader](dripping.url)


def test_a_probe_of_a_head_that_drips_is_given_up(dripping: DrippingServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest_http, "PROBE_SECONDS", SECONDS)
    probe = bounded(dripping.url).probe("mine")
    assert probe.verdict == "problem" and "it did not answer whole within 0.5 s" in probe.said


def test_a_page_of_the_hub_has_a_limit(server: MarketServer) -> None:
    server.serve("/api/models", [{"id": "a/b", "modelId": "a/b", "tags": ["x" * 70_000]}])
    with pytest.raises(CounterpoiseError, match=r"it answered more than 65536 bytes: refused"):
        list(hub(server.url, max_answer_bytes=65_536).fetch({}))
    close_session()


def test_every_client_of_the_product_has_both_limits() -> None:
    """Each file that makes a client of httpx limits its time, and nobody asks without a client."""
    loose = {name for name in httpx.__all__ if name.islower() and callable(getattr(httpx, name))} - {"codes"}
    makers, limited = set(), set()
    for package in ("counterpoise", "ingest", "streams", "alerts", "desk", "engines"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call):
                    called = ast.unparse(node.func)
                    assert called.removeprefix("httpx.") not in loose or not called.startswith("httpx."), path
                    assert called not in ("httpx.AsyncClient", "urlopen", "urllib.request.urlopen"), path
                    makers |= {path} if called in ("httpx.Client", "default_client_factory") else set()
                    limited |= {path} if called == "limit_time" else set()
    assert makers and makers == limited
