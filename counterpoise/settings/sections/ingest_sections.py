"""Settings of the block sources and of the ingest service."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr

from counterpoise.chain.chain_registry import known_chains
from counterpoise.settings.section import ChainName, PluginName, Seconds, SettingsSection
from counterpoise.windows import HISTORY_BLOCKS


class BitcoindSettings(SettingsSection):
    """A Bitcoin Core node: JSON-RPC, with the cookie file or a user and password, and ZMQ where it publishes."""

    url: str = "http://127.0.0.1:8332"
    """URL of JSON-RPC."""
    cookie_file: Path | None = None
    """The node's .cookie, read again when it changes."""
    user: str | None = None
    """User of JSON-RPC, with a password, instead of the cookie."""
    password: SecretStr | None = None
    """The password. Prefer a file."""
    password_file: Path | None = None
    """File with the secret."""
    zmq_hashblock: str | None = None
    """The node's -zmqpubhashblock address, such as tcp://127.0.0.1:28332."""
    zmq_sequence: str | None = None
    """The node's -zmqpubsequence address."""
    poll_seconds: Seconds = 10.0
    """Time between two polls of the tip, with or without ZMQ."""
    timeout_seconds: Seconds = 30.0
    """Timeout of one answer."""


class MempoolSettings(SettingsSection):
    """mempool.space, or your own instance."""

    url: str = "https://mempool.space"
    """URL of the instance."""
    websocket: bool = True
    """Receive new blocks at once over a WebSocket. Without it, polling finds them."""
    poll_seconds: Seconds = 30.0
    """Time between two polls of the tip."""
    timeout_seconds: Seconds = 20.0
    """Timeout of one answer."""
    max_requests_per_second: Annotated[float, Field(gt=0, le=100)] = 2.0
    """Rate limit, for a public instance."""


class ReplaySettings(SettingsSection):
    """A file of blocks, or the packaged figures (`figures`)."""

    path: Path | None = None
    """The file (.parquet, .csv, .jsonl)."""
    speed: Annotated[float, Field(ge=0)] = 0.0
    """Speed as a multiple of real time. 0 is unlimited."""
    gaps: Literal["refuse", "unknown"] = "refuse"
    """Heights that the file leaves out: `refuse` the file, or count them as blocks of `unknown` producers."""


class IngestSettings(SettingsSection):
    """The block source, and the history that a first start fetches."""

    source: PluginName = "mempool"
    """Block source: one of docs/sources.md."""
    chain: ChainName = Field(default="bitcoin", description=f"Chain of the blocks: {known_chains()}.")
    history_blocks: Annotated[int, Field(ge=1, le=2_000_000)] = HISTORY_BLOCKS + 144 + 36
    """Blocks that a first start fetches: the longest window, the hold and a reorg margin."""
    reorg_margin_blocks: Annotated[int, Field(ge=1, le=2016)] = 12
    """Blocks below the newest stored block that every start fetches again."""
    events_per_message: Annotated[int, Field(ge=1, le=2_000)] = 500
    """Events in one Kafka message during a backfill."""
    stale_after_seconds: Seconds = 300.0
    """Time without an answer after which a source is stale."""
    bitcoind: BitcoindSettings = BitcoindSettings()
    mempool: MempoolSettings = MempoolSettings()
    replay: ReplaySettings = ReplaySettings()
