"""A push endpoint on loopback over a journal of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from counterpoise.runtime.clock import SystemClock
from counterpoise.runtime.service_status import ServiceStatus
from counterpoise.series.load import load_catalogue
from counterpoise.settings.sections.market_sections import PushSettings
from ingest.releases.journal.release_journal import ReleaseJournal
from ingest.releases.push.push_app import PushEndpoint, make_app
from ingest.releases.push.push_server import PushServer

TOKEN = "a-token-for-tests-only"

# Nothing here speaks TLS; reading the machine's certificates for every client takes longer than the tests.
WITHOUT_TLS: dict[str, Any] = {"verify": False, "timeout": 30}


@dataclass(frozen=True)
class Pushing:
    """Where it is, and what it wrote."""

    url: str
    port: int
    journal: ReleaseJournal
    status: ServiceStatus

    @property
    def releases(self) -> str:
        return f"{self.url}/v1/releases"

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}


@contextmanager
def pushing(folder: Path, *, journal_max_bytes: int = 1 << 26, **more: Any) -> Iterator[Pushing]:
    """Serve until the block ends; `more` are PushSettings. No rate limit unless a test sets one."""
    fields: dict[str, Any] = {"port": 0, "requests_per_second": 1000.0, "burst_requests": 10_000}
    settings = PushSettings(**(fields | more))
    clock = SystemClock()
    journal = ReleaseJournal(folder / "journal", max_bytes=journal_max_bytes)
    with ServiceStatus("market", folder / "run", clock) as status:
        endpoint = PushEndpoint(
            settings, SecretStr(TOKEN), journal, clock=clock, status=status, catalogue=load_catalogue()
        )
        server = PushServer(make_app(endpoint), settings)
        server.start()
        try:
            yield Pushing(f"http://127.0.0.1:{server.port}", server.port, journal, status)
        finally:
            server.stop()
            journal.close()
