"""How other people's servers are asked: spaced, named, obedient to 429 and robots.txt, never twice for the same."""

from __future__ import annotations

import time
from typing import Any

import pytest

from counterpoise.errors import ConfigError, StaleSourceError
from counterpoise.runtime.clock import SystemClock
from counterpoise.settings.sections.market_sections import MarketSettings
from ingest.http import BusyError
from ingest.rate_limited_http import PacedError, RateLimitedHttp
from ingest.releases.sources.npm import NpmSource
from testkit.manual_clock import ManualClock
from testkit.market_server import MarketServer
from tests.integration.ingest_releases.asking import NOW, ask, make
from tests.waiting import PATIENCE_SECONDS


def polite(server: MarketServer, clock: Any = None, *, contact: str | None = None, **more: Any) -> RateLimitedHttp:
    clock = clock or ManualClock(NOW)
    settings = MarketSettings(contact=contact, max_answer_bytes=100_000, timeout_seconds=5)
    return RateLimitedHttp(server.url, settings, setting="THE_SETTING", clock=clock, pause=clock.sleep, **more)


def test_requests_start_no_sooner_than_the_rate_allows(server: MarketServer) -> None:
    server.serve("/", {})
    http = polite(server, SystemClock(), max_requests_per_second=20)
    began = time.monotonic()
    for _ in range(6):
        http.get_json(f"{server.url}/x")
    assert server.asked_at[-1] - began >= 5 * 0.05
    assert len(server.asked_at) == 6


def test_a_source_with_many_requests_keeps_its_rate(server: MarketServer) -> None:
    server.serve_npm({"openai": 5})
    clock = ManualClock(NOW)
    source = make(NpmSource, clock, npm={"url": server.url, "history_months": 2, "max_requests_per_second": 0.5})
    ask(source, {})
    requests = sum(server.paths.values())
    assert requests == 2 * 17  # packages of the catalogue's list
    assert clock.now() - NOW == pytest.approx(2.0 * (requests - 1))


def test_retry_after_is_kept_without_asking(server: MarketServer) -> None:
    clock = ManualClock(NOW)
    http = polite(server, clock)
    server.fault, server.retry_after = "too-many", "120"
    with pytest.raises(BusyError) as first:
        http.get(f"{server.url}/x")
    assert first.value.retry_after_seconds == 120.0
    server.fault = None
    server.serve("/x", {"ok": True})
    clock.advance(119)
    with pytest.raises(BusyError, match="asked for a pause"):
        http.get(f"{server.url}/x")
    assert sum(server.paths.values()) == 1, "the second was not sent"
    clock.advance(1)
    assert http.get_json(f"{server.url}/x") == {"ok": True}


def test_retry_after_as_a_date(server: MarketServer) -> None:
    server.fault, server.retry_after = "unavailable", None
    http = polite(server)
    with pytest.raises(BusyError) as busy:
        http.get(f"{server.url}/x")
    assert busy.value.retry_after_seconds is None
    server.fault, server.retry_after = "too-many", "Wed, 18 Nov 2026 11:07:40 GMT"  # a minute after NOW
    with pytest.raises(BusyError) as dated:
        http.get(f"{server.url}/x")
    assert dated.value.retry_after_seconds == pytest.approx(59.0), "the rate held this request back for a second"


def test_what_has_not_changed_is_not_sent_again(server: MarketServer) -> None:
    server.serve("/x", {"n": 1})
    server.last_modified = "Wed, 21 Oct 2026 07:28:00 GMT"
    http, memory = polite(server), dict[str, str]()
    assert http.get(f"{server.url}/x", memory) is not None
    assert http.get(f"{server.url}/x", memory) is None
    assert server.headers[-1]["if-modified-since"] == "Wed, 21 Oct 2026 07:28:00 GMT"
    server.serve("/x", {"n": 2})
    page = http.get(f"{server.url}/x", memory)
    assert page is not None
    assert page.json("x") == {"n": 2}


def test_we_say_who_we_are(server: MarketServer) -> None:
    server.serve("/", {})
    http = polite(server, contact="Desk desk@example.org")
    http.get_json(f"{server.url}/x")
    assert server.headers[0]["user-agent"].startswith("counterpoise/")
    assert server.headers[0]["user-agent"].endswith(" (Desk desk@example.org)")


def test_robots_are_asked_once_and_obeyed(server: MarketServer) -> None:
    server.serve("/data", {"ok": True})
    server.serve("/robots.txt", b"User-agent: *\nDisallow: /private\nCrawl-delay: 7\n")
    clock = ManualClock(NOW)
    http = polite(server, clock, max_requests_per_second=10, ask_robots=True)
    assert http.get_json(f"{server.url}/data/1") == {"ok": True}
    assert http.get_json(f"{server.url}/data/2") == {"ok": True}
    assert server.paths["/robots.txt"] == 1
    assert clock.now() - NOW >= 7.0, "its Crawl-delay is kept"
    with pytest.raises(
        ConfigError, match=rf"THE_SETTING: {server.url}/robots.txt asks programs not to read {server.url}/private/1: "
    ):
        http.get(f"{server.url}/private/1")
    assert server.paths["/private/1"] == 0


@pytest.mark.parametrize(("asked", "kept"), [(60, 60.0), (86_400, 600.0), (10**9, 600.0)])
def test_a_long_crawl_delay_is_kept_without_sleeping_and_has_a_bound(
    server: MarketServer, asked: int, kept: float
) -> None:
    server.serve("/data", {"ok": True})
    server.serve("/robots.txt", f"User-agent: *\nCrawl-delay: {asked}\n".encode())
    clock = ManualClock(NOW)
    http = polite(server, clock, ask_robots=True)
    assert http.get_json(f"{server.url}/data/1") == {"ok": True}
    began = clock.now()
    for left in (kept, kept - 20.0):
        with pytest.raises(PacedError, match=f"asks for {kept:g} s between two requests") as paced:
            http.get_json(f"{server.url}/data/2")
        assert paced.value.retry_after_seconds == pytest.approx(left)
        assert server.paths["/data/2"] == 0
        clock.advance(20.0)
    assert clock.now() == began + 40.0, "no thread slept"
    clock.advance(kept - 40.0)
    assert http.get_json(f"{server.url}/data/2") == {"ok": True}


def test_our_own_rate_is_slept_out_however_slow(server: MarketServer) -> None:
    server.serve("/data", {"ok": True})
    clock = ManualClock(NOW)
    http = polite(server, clock, max_requests_per_second=0.02)
    for _ in range(2):
        http.get_json(f"{server.url}/data")
    assert clock.now() - NOW == pytest.approx(50.0)


def test_robots_that_name_us_win_and_none_allow_all(server: MarketServer) -> None:
    server.serve("/data", {})
    http = polite(server, ask_robots=True)
    assert http.get_json(f"{server.url}/data") == {}
    server.serve("/robots.txt", b"User-agent: counterpoise\nDisallow: /\n\nUser-agent: *\nAllow: /\n")
    named = polite(server, ask_robots=True)
    with pytest.raises(ConfigError):
        named.get(f"{server.url}/data")


def test_robots_that_cannot_be_read_are_no_permission(server: MarketServer) -> None:
    server.fault = "unavailable"
    http = polite(server, ask_robots=True)
    with pytest.raises(StaleSourceError):
        http.get(f"{server.url}/data")
    assert list(server.paths) == ["/robots.txt"]


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("malformed", "answered what is not JSON"),
        ("oversized", "answered more than 100000 bytes: refused"),
        ("not-found", "does not exist there"),
        ("moved", r"answered 301, expected 200 \(it moved to https://elsewhere.example/new\): check THE_SETTING"),
    ],
)
def test_other_faults_are_said_in_words(server: MarketServer, fault: Any, message: str) -> None:
    server.fault = fault
    http = polite(server)
    with pytest.raises(StaleSourceError, match=message):
        http.get_json(f"{server.url}/x?token=secret")
    try:
        http.get_json(f"{server.url}/x?token=secret")
    except StaleSourceError as error:
        assert "secret" not in str(error)


def test_a_server_that_hangs_is_given_up(server: MarketServer) -> None:
    server.fault, server.slow_seconds = "slow", PATIENCE_SECONDS
    clock = ManualClock(NOW)
    http = RateLimitedHttp(server.url, MarketSettings(timeout_seconds=0.2), setting="S", clock=clock, pause=clock.sleep)
    with pytest.raises(StaleSourceError, match="cannot be reached"):
        http.get(f"{server.url}/x")


def test_a_server_that_goes_on_and_on_is_given_up(server: MarketServer) -> None:
    server.fault, server.slow_seconds = "dripping", PATIENCE_SECONDS
    clock = ManualClock(NOW)
    http = RateLimitedHttp(server.url, MarketSettings(timeout_seconds=4.0), setting="S", clock=clock, pause=clock.sleep)
    with pytest.raises(StaleSourceError, match=r"/x cannot be reached \(it did not answer whole within 4 s\)"):
        http.get(f"{server.url}/x")
