"""Every setting, from environment variables (`COUNTERPOISE_…`) over a TOML file over the defaults below.

Nested names take two underscores: `COUNTERPOISE_CLICKHOUSE__HOST`. The file is `counterpoise.toml` in the working directory, or what
`COUNTERPOISE_CONFIG` names. A secret is given as a value, or as a file (`…__PASSWORD_FILE`), and is never printed.
"""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from counterpoise.chain.chain_registry import CHAINS, known_chains
from counterpoise.contracts.datasets import Dataset, DatasetKind
from counterpoise.contracts.topics import DEFAULT_PARTITIONS
from counterpoise.errors import ConfigError
from counterpoise.windows import HISTORY_BLOCKS

MAX_SECRET_BYTES = 16 * 1024

Seconds = Annotated[float, Field(gt=0, le=31_536_000)]
Port = Annotated[int, Field(ge=0, le=65_535)]


def _known_chain(name: str) -> str:
    if name not in CHAINS:
        raise ValueError(f"{name!r} is an unknown chain: expected one of {known_chains()}")
    return name


ChainName = Annotated[str, AfterValidator(_known_chain)]


class SettingsSection(BaseModel):
    """A group of settings: closed, so that a misspelt name is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


def read_secret(value: SecretStr | None, file: Path | None, name: str) -> SecretStr | None:
    """The secret itself, from its value or its file (trailing newline dropped); None where neither is given."""
    if value is not None:
        return value
    if file is None:
        return None
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{name}_FILE names {str(file)!r}, which cannot be read: {error}") from None
    if len(text) > MAX_SECRET_BYTES:
        raise ConfigError(f"{name}_FILE names {str(file)!r}, which is over {MAX_SECRET_BYTES} bytes: not a secret")
    return SecretStr(text.rstrip("\r\n"))


class KafkaSettings(SettingsSection):
    """Where Kafka is. Without `bootstrap_servers` the embedded broker that `counterpoise up` started is used."""

    bootstrap_servers: str | None = None
    """`host:port[,host:port…]`."""
    replication_factor: Annotated[int, Field(ge=1, le=9)] = 1
    """Of topics that are made; 3 on a cluster of three brokers or more."""
    partitions: Annotated[int, Field(ge=1, le=1_024)] = DEFAULT_PARTITIONS
    """Of each topic that chains and series are spread over. Topics that exist with another number are refused."""
    session_timeout_seconds: Seconds = 6.0
    """After so long without a sign of life a consumer loses its partitions."""
    heartbeat_interval_seconds: Seconds = 1.0
    """Between two signs of life; a third of the session at most."""
    rebalance_timeout_seconds: Seconds = 30.0
    """How long a rebalance waits for members."""
    fetch_max_wait_ms: Annotated[int, Field(ge=1, le=5_000)] = 20
    """How long a broker may hold a fetch on a quiet topic: the floor of latency."""


class ClickHouseSettings(SettingsSection):
    """Where ClickHouse is. Without `host` the embedded server that `counterpoise up` started is used."""

    host: str | None = None
    """Name or address of the server."""
    port: Port = 9000
    """Of the native protocol; 9440 is usual with TLS."""
    user: str = "default"
    """The user to connect as."""
    password: SecretStr | None = None
    """The password itself; a file is better."""
    password_file: Path | None = None
    """A file that holds it."""
    secure: bool = False
    """TLS."""
    connect_timeout_seconds: Seconds = 5.0
    """For a connection to be made."""
    query_timeout_seconds: Seconds = 60.0
    """For an answer to begin or go on."""


class BitcoindSettings(SettingsSection):
    """A Bitcoin Core node: JSON-RPC, with the cookie file or a user and password, and ZMQ where it publishes."""

    url: str = "http://127.0.0.1:8332"
    """Of JSON-RPC."""
    cookie_file: Path | None = None
    """The node's .cookie, read again when it changes."""
    user: str | None = None
    """With a password, instead of the cookie."""
    password: SecretStr | None = None
    """The password itself; a file is better."""
    password_file: Path | None = None
    """A file that holds it."""
    zmq_hashblock: str | None = None
    """The node's -zmqpubhashblock address, such as tcp://127.0.0.1:28332."""
    zmq_sequence: str | None = None
    """The node's -zmqpubsequence address."""
    poll_seconds: Seconds = 10.0
    """Between two looks at the tip while ZMQ is silent or not set."""
    timeout_seconds: Seconds = 30.0
    """For one answer."""


class MempoolSettings(SettingsSection):
    """mempool.space, or an instance of your own."""

    url: str = "https://mempool.space"
    """Of the instance."""
    websocket: bool = True
    """Hear of new blocks at once; without it, by polling."""
    poll_seconds: Seconds = 30.0
    """Between two looks at the tip."""
    timeout_seconds: Seconds = 20.0
    """For one answer."""
    max_requests_per_second: Annotated[float, Field(gt=0, le=100)] = 2.0
    """Politeness towards a public instance."""


class ReplaySettings(SettingsSection):
    """A file of blocks, or the figures that the package carries (`figures`)."""

    path: Path | None = None
    """The file (.parquet, .csv, .jsonl)."""
    speed: Annotated[float, Field(ge=0)] = 0.0
    """Times real time; 0 is flat out."""


PluginName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
"""A name in a registry of sources or receivers, which refuses one that it does not hold: at start, and in `doctor`."""


class IngestSettings(SettingsSection):
    """Which source of blocks, and how much history a first start fetches."""

    source: PluginName = "mempool"
    """Where blocks come from: a source of docs/sources.md."""
    chain: ChainName = Field(default="bitcoin", description=f"Whose blocks they are: {known_chains()}.")
    history_blocks: Annotated[int, Field(ge=1, le=2_000_000)] = HISTORY_BLOCKS + 144 + 36
    """Fetched by a first start: the longest window, the hold and a reorg margin."""
    reorg_margin_blocks: Annotated[int, Field(ge=1, le=2016)] = 12
    """Fetched again at every start, below the newest block held."""
    events_per_message: Annotated[int, Field(ge=1, le=2_000)] = 500
    """Packed into one Kafka message in a backfill."""
    stale_after_seconds: Seconds = 300.0
    """A source silent for so long is called stale."""
    bitcoind: BitcoindSettings = BitcoindSettings()
    mempool: MempoolSettings = MempoolSettings()
    replay: ReplaySettings = ReplaySettings()


class EpochSettings(SettingsSection):
    """Epoch AI's estimates of who owns AI compute: CSV files, folders of them, or their URLs."""

    locations: tuple[str, ...] = ()
    """Files, folders or URLs."""
    cadence_seconds: Seconds = 86_400.0
    """Between two looks."""


class PypiSettings(SettingsSection):
    """PyPI downloads of 30 days: the published list of the most downloaded packages, a file or a URL."""

    location: str = "https://hugovk.dev/top-pypi-packages/top-pypi-packages.min.json"
    """File or URL."""
    cadence_seconds: Seconds = 86_400.0
    """Between two looks."""


class PypistatsSettings(SettingsSection):
    """PyPI downloads by calendar month, without mirrors, from pypistats.org."""

    url: str = "https://pypistats.org"
    """Of the service."""
    cadence_seconds: Seconds = 86_400.0
    """Between two looks."""
    max_requests_per_second: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Politeness."""


class NpmSettings(SettingsSection):
    """npm's counts of downloads by calendar month."""

    url: str | None = None
    """Base URL of npm's downloads API; the source needs it."""
    history_months: Annotated[int, Field(ge=1, le=60)] = 12
    """Complete months that a first start fetches."""
    cadence_seconds: Seconds = 86_400.0
    """Between two looks."""
    max_requests_per_second: Annotated[float, Field(gt=0, le=5)] = 1.0
    """Politeness."""


class HuggingFaceSettings(SettingsSection):
    """The Hugging Face Hub: who serves its models, and the formats that run on devices."""

    endpoint: str = "https://huggingface.co"
    """Of the Hub or a mirror."""
    token: SecretStr | None = None
    """Optional; a file is better."""
    token_file: Path | None = None
    """A file that holds it."""
    max_models: Annotated[int, Field(ge=1, le=1_000_000)] = 50_000
    """Of the list of served models; a list that is cut there is of partial coverage and not scored."""
    top_models: Annotated[int, Field(ge=1, le=10_000)] = 1_000
    """Of each format, most downloaded first; the downloads of the last one are the release's cutoff."""
    cadence_seconds: Seconds = 604_800.0
    """Between two looks."""
    timeout_seconds: Seconds = 60.0
    """For one answer."""


class DropSettings(SettingsSection):
    """A folder that people and jobs put files into: one sub-folder for each mapping, named after it."""

    folder: Path | None = None
    """The folder; its sub-folders are named after mappings."""
    settle_seconds: Annotated[float, Field(ge=0, le=3_600)] = 2.0
    """A file is read once its size and time stood still for so long."""
    scan_seconds: Seconds = 2.0
    """Between two looks into it."""
    max_file_bytes: Annotated[int, Field(ge=1, le=1 << 30)] = 64 * 1024 * 1024
    """Larger files are refused."""


class PollSettings(SettingsSection):
    """JSON documents that are fetched and mapped: names of shipped mappings, or paths of your own (.yaml)."""

    mappings: tuple[str, ...] = ()
    """What to fetch and how to read it."""


class PushSettings(SettingsSection):
    """The HTTP endpoint that releases are pushed to. Loopback unless another host is set; TLS is a proxy's work."""

    host: str = "127.0.0.1"
    """To listen on."""
    port: Port = 8645
    """To listen on; 0 takes a free one."""
    token: SecretStr | None = None
    """What senders must show; a file is better."""
    token_file: Path | None = None
    """A file that holds it."""
    max_body_bytes: Annotated[int, Field(ge=1_024, le=64 * 1024 * 1024)] = 4 * 1024 * 1024
    """Larger bodies are refused."""
    body_timeout_seconds: Seconds = 10.0
    """For a body to arrive whole."""
    requests_per_second: Annotated[float, Field(gt=0, le=1_000)] = 5.0
    """Accepted on average."""
    burst_requests: Annotated[int, Field(ge=1, le=10_000)] = 20
    """Accepted at once."""
    max_connections: Annotated[int, Field(ge=1, le=10_000)] = 64
    """Open at the same time."""


class MarketSettings(SettingsSection):
    """The AI side's sources: `sources` names the ones that run."""

    sources: tuple[PluginName, ...] = ()
    """Which run: sources of docs/market-sources.md."""
    contact: str | None = None
    """Who asks, for the User-Agent: a name and an e-mail address. Some publishers require it."""
    timeout_seconds: Seconds = 30.0
    """For one answer."""
    max_answer_bytes: Annotated[int, Field(ge=1_024, le=1 << 30)] = 64 * 1024 * 1024
    """Larger answers are refused."""
    journal_max_bytes: Annotated[int, Field(ge=1 << 20, le=1 << 40)] = 1 << 30
    """Accepted releases wait here until ClickHouse holds them; when it is full, nothing more is accepted."""
    set_aside_after_seconds: Seconds = 86_400.0
    """A release that ClickHouse does not take for so long, while it takes later ones, is put aside as a file."""
    epoch: EpochSettings = EpochSettings()
    pypi: PypiSettings = PypiSettings()
    pypistats: PypistatsSettings = PypistatsSettings()
    npm: NpmSettings = NpmSettings()
    huggingface: HuggingFaceSettings = HuggingFaceSettings()
    drop: DropSettings = DropSettings()
    poll: PollSettings = PollSettings()
    push: PushSettings = PushSettings()


class StreamsSettings(SettingsSection):
    """The stream workers."""

    take_messages: Annotated[int, Field(ge=1, le=1_000)] = 8
    """Kafka messages folded and written together at most."""
    take_within_seconds: Annotated[float, Field(gt=0, le=10)] = 0.02
    """How long to wait for more of them: part of the latency."""
    dead_letter_limit_ratio: Annotated[float, Field(gt=0, le=1)] = 0.5
    """A service stops when more than this part of its last `dead_letter_limit_window` events was bad."""
    dead_letter_limit_window: Annotated[int, Field(ge=0, le=1_000_000)] = 1_000
    """0 switches the limit off."""
    asymmetry_days: Literal["every", "month_ends"] = "every"
    """Which days get a row of the asymmetry score: every UTC day, or the last of each month (a long history in less time)."""


class SlackSettings(SettingsSection):
    """Slack's Web API: a bot token with chat:write and channels:history (metadata look-up), and the channel's id."""

    token: SecretStr | None = None
    """The token itself; a file is better."""
    token_file: Path | None = None
    """A file that holds it."""
    channel: str | None = None
    """The id of the channel (C…), not its name."""
    base_url: str = "https://slack.com/api/"
    """Another server that speaks Slack's API, for tests."""
    timeout_seconds: Seconds = 10.0
    """For one answer."""


class AlertSettings(SettingsSection):
    """The alerter."""

    rules_file: Path | None = None
    """The shipped rules where not given."""
    notifier: PluginName = "auto"
    """`slack`, `console`, or `auto`: Slack where a token and a channel are set, else the console."""
    allow_slack_when_not_live: bool = False
    """Let a replay or a demo post to Slack."""
    tick_seconds: Seconds = 1.0
    """Between two looks of dead-man rules and deliveries."""


class HealthSettings(SettingsSection):
    """The health endpoint of each service; port 0 takes a free one and notes it in the state directory."""

    host: str = "127.0.0.1"
    """To listen on."""
    ingest_port: Port = 0
    """Of the ingest service."""
    market_port: Port = 0
    """Of the market service."""
    streams_port: Port = 0
    """Of the streams service."""
    alerts_port: Port = 0
    """Of the alerts service."""
    stall_after_seconds: Seconds = 120.0
    """No progress for so long, while nothing is waited for and there is work, ends in a restart."""


def _default_state_dir() -> Path:
    base = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(base) / "counterpoise"


_NAME_WANTED = "expected a name of lower-case letters, digits, - and _"

_SAID_BETTER = {
    "dataset": "expected lower-case letters, digits and _ (a letter first, 48 at most)",
    "source": _NAME_WANTED,
    "notifier": _NAME_WANTED,
}


def _what_is_wrong(kind: str, setting: str, said: str) -> str:
    """A mistake in words for who wrote it, where pydantic's `said` speaks of inputs and patterns."""
    if kind == "extra_forbidden":
        return "there is no setting of this name: docs/settings.md lists them all"
    if kind == "value_error":
        return said.removeprefix("Value error, ")
    return _SAID_BETTER.get(setting, said) if kind == "string_pattern_mismatch" else said


DatasetName = Annotated[
    str,
    Field(pattern=r"^[a-z][a-z0-9_]{0,47}$"),
    AfterValidator(lambda name: name if name not in {"default", "system", "information_schema"} else _reserved(name)),
]


def _reserved(name: str) -> str:
    raise ValueError(f"{name!r} is a name of ClickHouse's own")


class Settings(BaseSettings):
    """All of them. `Settings.load()` is the way in: it turns a mistake into one clear line."""

    model_config = SettingsConfigDict(
        env_prefix="COUNTERPOISE_",
        env_nested_delimiter="__",
        extra="ignore",
        frozen=True,
        nested_model_default_partial_update=True,
        use_attribute_docstrings=True,
        env_ignore_empty=True,
    )

    state_dir: Path = Field(default_factory=_default_state_dir)
    """Where the embedded engines keep data and all services keep their run files."""
    dataset: DatasetName = "counterpoise"
    """The ClickHouse database and the prefix of topics."""
    dataset_kind: DatasetKind = "live"
    """What the dataset may hold; a database marked otherwise is refused."""
    log_format: Literal["text", "json"] = "text"
    """For people, or one JSON object a line."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Of our own lines; libraries say warnings and worse, unless it is debug."""
    kafka: KafkaSettings = KafkaSettings()
    clickhouse: ClickHouseSettings = ClickHouseSettings()
    ingest: IngestSettings = IngestSettings()
    market: MarketSettings = MarketSettings()
    streams: StreamsSettings = StreamsSettings()
    slack: SlackSettings = SlackSettings()
    alerts: AlertSettings = AlertSettings()
    health: HealthSettings = HealthSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        file = Path(os.environ.get("COUNTERPOISE_CONFIG", "counterpoise.toml"))
        if "COUNTERPOISE_CONFIG" in os.environ and not file.is_file():
            raise ConfigError(f"COUNTERPOISE_CONFIG names {str(file)!r}, which is not a file")
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, toml_file=file)

    @classmethod
    def load(cls, **overrides: Any) -> Settings:
        """Read everything, or raise ConfigError with a line for each mistake."""
        try:
            return cls(**overrides)
        except ValidationError as error:
            lines = [
                f"{'.'.join(str(part) for part in e['loc'])}: {_what_is_wrong(e['type'], str(e['loc'][-1]), e['msg'])}"
                for e in error.errors(include_input=False, include_url=False)
            ]
            raise ConfigError("settings: " + "; ".join(lines)) from None
        except ValueError as error:  # a TOML file that does not parse
            raise ConfigError(f"settings: {error}") from None

    @cached_property
    def dataset_of(self) -> Dataset:
        """The dataset that this process reads and writes."""
        return Dataset(self.dataset, self.dataset_kind)

    @property
    def run_dir(self) -> Path:
        """Where the services of this dataset keep their status, health ports and journals."""
        return self.state_dir / "run" / self.dataset
