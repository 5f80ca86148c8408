"""Settings of the streams workers, of health and metrics, and of the desk."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr

from counterpoise.settings.section import Port, Seconds, SettingsSection


class StreamsSettings(SettingsSection):
    """The stream workers."""

    take_messages: Annotated[int, Field(ge=1, le=1_000)] = 8
    """Largest number of Kafka messages folded and written together."""
    take_within_seconds: Annotated[float, Field(gt=0, le=10)] = 0.003
    """Time to wait for more messages after the first. It adds to the latency."""
    dead_letter_limit_ratio: Annotated[float, Field(gt=0, le=1)] = 0.5
    """A service stops if more than this share of its last `dead_letter_limit_window` events was bad."""
    dead_letter_limit_window: Annotated[int, Field(ge=0, le=1_000_000)] = 1_000
    """Number of events for the limit. 0 switches the limit off."""
    asymmetry_days: Literal["every", "month_ends"] = "every"
    """Days with a row of the asymmetry score: every UTC day, or the last day of each month (faster for a long history)."""


class HealthSettings(SettingsSection):
    """The health endpoint of each service. Port 0 takes a free port and records it in the state directory."""

    host: str = "127.0.0.1"
    """Address to listen on."""
    ingest_port: Port = 0
    """Port of the ingest service."""
    market_port: Port = 0
    """Port of the market service."""
    streams_port: Port = 0
    """Port of the streams service."""
    alerts_port: Port = 0
    """Port of the alerts service."""
    desk_port: Port = 0
    """Port of the desk service."""
    stall_after_seconds: Seconds = 120.0
    """Time without progress, with work and no wait, after which a service is restarted."""


class DeskSettings(SettingsSection):
    """The desk page: `counterpoise desk`, and a service of `counterpoise run all`."""

    enabled: bool = True
    """Serve the page under `counterpoise run all`."""
    host: str = "127.0.0.1"
    """Address to listen on. Another than loopback needs a token or a proxy."""
    port: Port | None = None
    """Port to listen on. Without it 8090, or a free port where that is taken."""
    public_url: str | None = Field(default=None, pattern=r"^https?://[^\s/?#]+(/[^\s?#]*)?$")
    """URL under which people open the page, such as https://desk.example.org. Slack messages then link to it."""
    docs_url: str | None = Field(default=None, pattern=r"^https?://[^\s/?#]+(/[^\s?#]*)?$")
    """URL of the documentation that `make docs` built, where a web server has it. The page and Slack messages then link to it."""
    token: SecretStr | None = None
    """Token that opens the page and the API. Prefer a file."""
    token_file: Path | None = None
    """File with the secret."""
    proxy_user_header: str | None = Field(default=None, pattern=r"^[A-Za-z][A-Za-z0-9-]{0,63}$")
    """Header in which a proxy of `proxy_addresses` names the user."""
    proxy_addresses: str = Field(default="", max_length=4_096)
    """Addresses and networks of the proxies, separated by commas: headers of other peers do not count. Without it none is trusted;
    on a loopback address with `proxy_user_header`, a proxy on this machine is."""
    actions: bool = True
    """Let people acknowledge and silence alerts on the page. Only this writes, as `COUNTERPOISE_CLICKHOUSE__USER`."""
    session_hours: float = Field(default=12.0, gt=0, le=720)
    """Hours until an opened page has to be opened anew."""
    refresh_seconds: Seconds = 0.1
    """Time between two looks for a new block."""
