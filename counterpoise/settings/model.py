"""Every setting, from environment variables (`COUNTERPOISE_…`) over a TOML file over the defaults below.

Nested names take two underscores: `COUNTERPOISE_CLICKHOUSE__HOST`. The file is `counterpoise.toml` in the working directory, or
the one in `COUNTERPOISE_CONFIG`. A secret is a value or a file (`…__PASSWORD_FILE`), and is never printed.
"""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from counterpoise.chain.chain_registry import CHAINS, known_chains
from counterpoise.contracts.datasets import Dataset, DatasetKind
from counterpoise.contracts.topics import DEFAULT_PARTITIONS
from counterpoise.errors import ConfigError
from counterpoise.runtime.private_files import check_state_dir
from counterpoise.windows import HISTORY_BLOCKS

MAX_SECRET_BYTES = 16 * 1024

Seconds = Annotated[float, Field(gt=0, le=31_536_000)]
Port = Annotated[int, Field(ge=0, le=65_535)]


def _known_chain(name: str) -> str:
    if name not in CHAINS:
        raise ValueError(f"{name!r} is an unknown chain: expected one of {known_chains()}")
    return name


ChainName = Annotated[str, AfterValidator(_known_chain)]


def _upper_case(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


class SettingsSection(BaseModel):
    """A group of settings: closed, so that a misspelt name is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def read_secret(value: SecretStr | None, file: Path | None, name: str) -> SecretStr | None:
    """The secret, from its value or its file (trailing newline dropped); None if neither is set."""
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
    """The Kafka cluster. Without `bootstrap_servers`, the embedded broker that `counterpoise up` started is used."""

    bootstrap_servers: str | None = None
    """Addresses of the brokers: `host:port[,host:port…]`."""
    security_protocol: Annotated[
        Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"], BeforeValidator(_upper_case)
    ] = "PLAINTEXT"
    """Security of the listener: TLS is SSL, a user and password is SASL. docs/security.md describes each."""
    sasl_mechanism: Annotated[
        Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"], BeforeValidator(_upper_case)
    ] = "SCRAM-SHA-512"
    """Mechanism that checks the password or the token."""
    user: str | None = None
    """User name for SASL with a password."""
    password: SecretStr | None = None
    """The password. Prefer a file."""
    password_file: Path | None = None
    """File with the secret."""
    token_file: Path | None = None
    """File with the token for OAUTHBEARER, which is read anew at each connection."""
    ca_file: Path | None = None
    """PEM file of the CA that signed the brokers' certificates. Without it the CAs of the system are trusted."""
    certificate_file: Path | None = None
    """PEM file of a client certificate, with its chain, for brokers that require one."""
    key_file: Path | None = None
    """PEM file of the client certificate's key, unless the certificate's file contains it."""
    key_password: SecretStr | None = None
    """Password of an encrypted key. Prefer a file."""
    key_password_file: Path | None = None
    """File with the secret."""
    verify_hostname: bool = True
    """Refuse a broker whose certificate is for another host. The certificate itself is always verified."""
    replication_factor: Annotated[int, Field(ge=1, le=9)] = 1
    """Replication factor of new topics. Set 3 on a cluster of three brokers or more."""
    partitions: Annotated[int, Field(ge=1, le=1_024)] = DEFAULT_PARTITIONS
    """Partitions of each topic that chains and series are spread over. An existing topic with another number is refused."""
    session_timeout_seconds: Seconds = 6.0
    """Time without a heartbeat after which a consumer loses its partitions."""
    heartbeat_interval_seconds: Seconds = 1.0
    """Time between two heartbeats: at most a third of the session timeout."""
    rebalance_timeout_seconds: Seconds = 30.0
    """Longest time that a rebalance waits for members."""
    fetch_max_wait_ms: Annotated[int, Field(ge=1, le=5_000)] = 20
    """Longest time that a broker delays a fetch on a quiet topic. It is the lower bound of latency."""


class ClickHouseSettings(SettingsSection):
    """The ClickHouse server. Without `host`, the embedded server that `counterpoise up` started is used."""

    host: str | None = None
    """Name or address of the server. Several servers of one cluster: `host[:port],host[:port]…`, tried in this order."""
    port: Port = 9000
    """Port of the native protocol, for a host without one. With TLS it is usually 9440."""
    user: str = "default"
    """User name."""
    password: SecretStr | None = None
    """The password. Prefer a file."""
    password_file: Path | None = None
    """File with the secret."""
    secure: bool = False
    """Use TLS."""
    verify: bool = True
    """Verify the server's certificate and host. `false` trusts every server and is for tests."""
    ca_file: Path | None = None
    """PEM file of the CA that signed the server's certificate. Without it the CAs of the system are trusted."""
    certificate_file: Path | None = None
    """PEM file of a client certificate, with its chain, for a server that requires one."""
    key_file: Path | None = None
    """PEM file of the client certificate's key, unless the certificate's file contains it."""
    key_password: SecretStr | None = None
    """Password of an encrypted key. Prefer a file."""
    key_password_file: Path | None = None
    """File with the secret."""
    server_name: str | None = None
    """Name in the server's certificate, if it is not the host."""
    cluster: str | None = Field(default=None, pattern=r"^[A-Za-z_][A-Za-z0-9_-]{0,63}$")
    """Cluster that the server belongs to: tables are replicated to all of its servers. `none` uses this server alone."""
    connect_timeout_seconds: Seconds = 5.0
    """Timeout of connecting."""
    query_timeout_seconds: Seconds = 60.0
    """Timeout of each read of an answer."""


HostName = Annotated[str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$")]


class EmbeddedSettings(SettingsSection):
    """The embedded ClickHouse, at its next start by `counterpoise up`."""

    allowed_hosts: tuple[HostName, ...] = ()
    """Host names that its HTTP interface accepts beside loopback, for a forwarded port. A JSON list."""
    max_memory_bytes: Annotated[int, Field(ge=512 << 20, le=1 << 50)] = 4 << 30
    """Memory limit of the server's process. All statements together get 768 MiB less, but at least half."""
    reader_memory_bytes: Annotated[int, Field(ge=64 << 20, le=1 << 50)] = 2 << 30
    """Memory limit of one statement of the user `reader`."""
    reader_seconds: Annotated[int, Field(ge=1, le=86_400)] = 120
    """Time limit of one statement of the user `reader`."""
    reader_statements: Annotated[int, Field(ge=1, le=1_000)] = 16
    """Number of statements of the user `reader` that run at once."""


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


PluginName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
"""A name in a registry of sources or receivers. The registry refuses an unknown name at start and in `doctor`."""


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


class EpochSettings(SettingsSection):
    """Epoch AI's estimates of who owns AI compute: CSV files, folders of them, or their URLs."""

    locations: tuple[str, ...] = ()
    """Files, folders or URLs."""
    cadence_seconds: Seconds = 86_400.0
    """Time between two polls."""


class PypiSettings(SettingsSection):
    """PyPI downloads in the period of each snapshot, about a month: the list of the most downloaded packages, a file or a URL."""

    location: str = "https://hugovk.dev/top-pypi-packages/top-pypi-packages.min.json"
    """File or URL."""
    cadence_seconds: Seconds = 86_400.0
    """Time between two polls."""


class PypistatsSettings(SettingsSection):
    """PyPI downloads by calendar month, without mirrors, from pypistats.org."""

    url: str = "https://pypistats.org"
    """URL of the service."""
    cadence_seconds: Seconds = 86_400.0
    """Time between two polls."""
    max_requests_per_second: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Rate limit."""


class NpmSettings(SettingsSection):
    """npm's counts of downloads by calendar month."""

    url: str | None = None
    """Base URL of npm's downloads API; the source needs it."""
    history_months: Annotated[int, Field(ge=1, le=60)] = 12
    """Complete months that a first start fetches."""
    cadence_seconds: Seconds = 86_400.0
    """Time between two polls."""
    max_requests_per_second: Annotated[float, Field(gt=0, le=5)] = 1.0
    """Rate limit."""


class OpenRouterSettings(SettingsSection):
    """OpenRouter's daily exports of tokens by model."""

    url: str = "https://openrouter.ai/api/v1/datasets/exports"
    """Base URL of the exports."""
    cadence_seconds: Seconds = 86_400.0
    """Time between two polls."""
    max_requests_per_second: Annotated[float, Field(gt=0, le=5)] = 0.5
    """Rate limit."""


class HuggingFaceSettings(SettingsSection):
    """The Hugging Face Hub: providers of its models, and the formats that run on devices."""

    endpoint: str = "https://huggingface.co"
    """URL of the Hub or a mirror."""
    token: SecretStr | None = None
    """Optional token. Prefer a file."""
    token_file: Path | None = None
    """File with the secret."""
    max_models: Annotated[int, Field(ge=1, le=1_000_000)] = 50_000
    """Limit of the list of served models. A list cut at the limit has partial coverage and is not scored."""
    top_models: Annotated[int, Field(ge=1, le=10_000)] = 1_000
    """Models of each format, most downloaded first. The downloads of the last one are the release's cutoff."""
    cadence_seconds: Seconds = 604_800.0
    """Time between two polls."""
    timeout_seconds: Seconds = 60.0
    """Timeout of one answer."""


class DropSettings(SettingsSection):
    """A folder that people and jobs put files into: one sub-folder for each mapping, named after it."""

    folder: Path | None = None
    """The folder; its sub-folders are named after mappings."""
    settle_seconds: Annotated[float, Field(ge=0, le=3_600)] = 2.0
    """A file is read once its size and time have not changed for this long."""
    scan_seconds: Seconds = 2.0
    """Time between two scans of the folder."""
    max_file_bytes: Annotated[int, Field(ge=1, le=1 << 30)] = 64 * 1024 * 1024
    """Larger files are refused."""


class PollSettings(SettingsSection):
    """JSON documents that are fetched and mapped: names of shipped mappings, or paths of your mappings (.yaml)."""

    mappings: tuple[str, ...] = ()
    """Mappings to fetch."""


class PushSettings(SettingsSection):
    """The HTTP endpoint for pushed releases. It listens on loopback unless another host is set. Use a proxy for TLS."""

    host: str = "127.0.0.1"
    """Address to listen on."""
    port: Port = 8645
    """Port to listen on. 0 takes a free port."""
    token: SecretStr | None = None
    """Token that senders must present. Prefer a file."""
    token_file: Path | None = None
    """File with the secret."""
    max_body_bytes: Annotated[int, Field(ge=1_024, le=64 * 1024 * 1024)] = 4 * 1024 * 1024
    """Larger bodies are refused."""
    body_timeout_seconds: Seconds = 10.0
    """Timeout of receiving a body."""
    requests_per_second: Annotated[float, Field(gt=0, le=1_000)] = 5.0
    """Requests accepted per second on average."""
    burst_requests: Annotated[int, Field(ge=1, le=10_000)] = 20
    """Requests accepted in one burst."""
    max_connections: Annotated[int, Field(ge=1, le=10_000)] = 64
    """Connections open at the same time."""


class MarketSettings(SettingsSection):
    """Sources of the AI side."""

    sources: tuple[PluginName, ...] = ()
    """Sources that run: see docs/market-sources.md."""
    contact: str | None = None
    """Name and e-mail address for the User-Agent. Some publishers require it."""
    timeout_seconds: Seconds = 30.0
    """Timeout of one answer."""
    max_answer_bytes: Annotated[int, Field(ge=1_024, le=1 << 30)] = 64 * 1024 * 1024
    """Larger answers are refused."""
    journal_max_bytes: Annotated[int, Field(ge=1 << 20, le=1 << 40)] = 1 << 30
    """Size limit of the journal of accepted releases that are not in ClickHouse yet. A full journal accepts nothing more."""
    set_aside_after_seconds: Seconds = 86_400.0
    """Time after which a release that ClickHouse refuses moves to a file, if ClickHouse takes later ones."""
    epoch: EpochSettings = EpochSettings()
    pypi: PypiSettings = PypiSettings()
    pypistats: PypistatsSettings = PypistatsSettings()
    npm: NpmSettings = NpmSettings()
    openrouter: OpenRouterSettings = OpenRouterSettings()
    huggingface: HuggingFaceSettings = HuggingFaceSettings()
    drop: DropSettings = DropSettings()
    poll: PollSettings = PollSettings()
    push: PushSettings = PushSettings()


class StreamsSettings(SettingsSection):
    """The stream workers."""

    take_messages: Annotated[int, Field(ge=1, le=1_000)] = 8
    """Largest number of Kafka messages folded and written together."""
    take_within_seconds: Annotated[float, Field(gt=0, le=10)] = 0.02
    """Time to wait for more messages. It adds to the latency."""
    dead_letter_limit_ratio: Annotated[float, Field(gt=0, le=1)] = 0.5
    """A service stops if more than this share of its last `dead_letter_limit_window` events was bad."""
    dead_letter_limit_window: Annotated[int, Field(ge=0, le=1_000_000)] = 1_000
    """Number of events for the limit. 0 switches the limit off."""
    asymmetry_days: Literal["every", "month_ends"] = "every"
    """Days with a row of the asymmetry score: every UTC day, or the last day of each month (faster for a long history)."""


class SlackSettings(SettingsSection):
    """Slack's Web API: a bot token with chat:write and channels:history (metadata look-up), and the channel's id."""

    token: SecretStr | None = None
    """The bot token. Prefer a file."""
    token_file: Path | None = None
    """File with the secret."""
    app_token: SecretStr | None = None
    """App-level token (xapp-…) with connections:write. With it messages have buttons. Prefer a file."""
    app_token_file: Path | None = None
    """File with the app-level token."""
    channel: str | None = None
    """The id of the channel (C…), not its name."""
    base_url: str = Field(default="https://slack.com/api/", repr=False)
    """URL of Slack's API. Change it for tests."""
    timeout_seconds: Seconds = 10.0
    """Timeout of one answer."""


class WebhookSettings(SettingsSection):
    """The webhook that receives alerts as signed JSON."""

    url: str | None = Field(default=None, repr=False)
    """Address of the POST; https, or http on this machine."""
    secret: SecretStr | None = None
    """The secret of the signature, of at least 16 characters. Prefer a file."""
    secret_file: Path | None = None
    """File with the secret."""
    timeout_seconds: Seconds = 10.0
    """Timeout of the whole request."""


class AlertmanagerSettings(SettingsSection):
    """The Prometheus Alertmanager that receives alerts."""

    url: str | None = Field(default=None, repr=False)
    """Its address, such as http://alertmanager:9093. With a token: https, or http on this machine."""
    token: SecretStr | None = None
    """Bearer token, for an Alertmanager behind a proxy that requires one. Prefer a file."""
    token_file: Path | None = None
    """File with the secret."""
    hold_seconds: Annotated[float, Field(ge=180, le=86_400)] = 900.0
    """Time without a new request after which the Alertmanager resolves an alert. A firing alert is sent every minute."""
    timeout_seconds: Seconds = 10.0
    """Timeout of the whole request."""


class ReceiverSettings(SettingsSection):
    """A receiver with its own name, for routes and for several channels. What it leaves out is as in the section of its type."""

    type: PluginName
    """A receiver of docs/alerts.md."""
    channel: str | None = None
    """The id of a Slack channel."""
    url: str | None = Field(default=None, repr=False)
    """Address of a webhook or an Alertmanager."""
    base_url: str | None = Field(default=None, repr=False)
    """URL of Slack's API. Change it for tests."""
    token: SecretStr | None = None
    """The token. Prefer a file."""
    token_file: Path | None = None
    """File with the token."""
    secret: SecretStr | None = None
    """The secret that signs a webhook's requests. Prefer a file."""
    secret_file: Path | None = None
    """File with the secret."""
    timeout_seconds: Seconds | None = None
    """Timeout of one answer."""
    hold_seconds: Seconds | None = None
    """Time after which an Alertmanager resolves what it did not receive again."""


class RouteSettings(SettingsSection):
    """Receivers of the alerts with these labels. The first route that matches decides."""

    match: dict[str, str] = {}
    """Label → value; `*` and `?` are wildcards. An empty match holds for every alert."""
    receivers: Annotated[tuple[PluginName, ...], Field(min_length=1)]
    """Names of receivers."""


class AlertSettings(SettingsSection):
    """The alerts service."""

    rules_file: Path | None = None
    """File with rules. Without it the shipped rules apply."""
    notifier: PluginName = "auto"
    """A receiver of docs/alerts.md, or `auto`: Slack, a webhook or an Alertmanager if it has its settings, else the console."""
    receivers: dict[PluginName, ReceiverSettings] = {}
    """Receivers by a name of your choice, in place of `notifier`; docs/alerts.md has an example."""
    routes: tuple[RouteSettings, ...] = ()
    """Routes from labels to receivers, as a TOML or JSON list. Without a matching route, an alert goes to every receiver."""
    repeat_seconds: Annotated[float, Field(ge=60, le=604_800)] = 604_800.0
    """Time to the first repeat of an alert without an acknowledgement. Each pause is twice the one before, at most a week."""
    allow_slack_when_not_live: bool = False
    """Allow a replay or a demo to send to receivers outside this machine, such as Slack."""
    tick_seconds: Seconds = 1.0
    """Time between two evaluations of dead-man rules and deliveries."""


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
    """Header in which a trusted proxy names the user. Only for a port that is reached through the proxy alone."""
    actions: bool = True
    """Let people acknowledge and silence alerts on the page. Only this writes, as `COUNTERPOISE_CLICKHOUSE__USER`."""
    session_hours: float = Field(default=12.0, gt=0, le=720)
    """Hours until an opened page has to be opened anew."""
    refresh_seconds: Seconds = 0.1
    """Time between two looks for a new block."""


def _default_state_dir() -> Path:
    base = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(base) / "counterpoise"


def _private(state_dir: Path) -> Path:
    check_state_dir(state_dir)
    return state_dir


_EXPECTED_NAME = "expected a name of lower-case letters, digits, - and _"

_PLAIN_MESSAGES = {
    "dataset": "expected lower-case letters, digits and _ (a letter first, 48 at most)",
    "source": _EXPECTED_NAME,
    "notifier": _EXPECTED_NAME,
}


def _what_is_wrong(kind: str, setting: str, message: str) -> str:
    """A mistake in plain words, in place of pydantic's `message` about inputs and patterns."""
    if kind == "extra_forbidden":
        return "there is no setting of this name: docs/settings.md lists them all"
    if kind == "value_error":
        return message.removeprefix("Value error, ")
    return _PLAIN_MESSAGES.get(setting, message) if kind == "string_pattern_mismatch" else message


DatasetName = Annotated[
    str,
    Field(pattern=r"^[a-z][a-z0-9_]{0,47}$"),
    AfterValidator(lambda name: name if name not in {"default", "system", "information_schema"} else _reserved(name)),
]


def _reserved(name: str) -> str:
    raise ValueError(f"{name!r} is reserved by ClickHouse")


class Settings(BaseSettings):
    """All settings. Use `Settings.load()`: it turns a mistake into one clear line."""

    model_config = SettingsConfigDict(
        env_prefix="COUNTERPOISE_",
        env_nested_delimiter="__",
        extra="ignore",
        frozen=True,
        nested_model_default_partial_update=True,
        env_ignore_empty=True,
    )

    state_dir: Annotated[Path, AfterValidator(_private)] = Field(
        default_factory=_default_state_dir, validate_default=True
    )
    """Folder for the data of the embedded engines and the run files of all services. Only you may write to it."""
    dataset: DatasetName = "counterpoise"
    """The ClickHouse database and the prefix of topics."""
    dataset_kind: DatasetKind = "live"
    """Kind of data in the dataset. A database marked with another kind is refused."""
    log_format: Literal["text", "json"] = "text"
    """Log lines for people, or one JSON object per line."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Lowest level of Counterpoise's log lines. Libraries log warnings and worse, unless the level is debug."""
    kafka: KafkaSettings = KafkaSettings()
    clickhouse: ClickHouseSettings = ClickHouseSettings()
    embedded: EmbeddedSettings = EmbeddedSettings()
    ingest: IngestSettings = IngestSettings()
    market: MarketSettings = MarketSettings()
    streams: StreamsSettings = StreamsSettings()
    slack: SlackSettings = SlackSettings()
    webhook: WebhookSettings = WebhookSettings()
    alertmanager: AlertmanagerSettings = AlertmanagerSettings()
    alerts: AlertSettings = AlertSettings()
    health: HealthSettings = HealthSettings()
    desk: DeskSettings = DeskSettings()

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
        """Read all settings, or raise ConfigError with a line for each mistake."""
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
        """Folder of the status, health ports and journals of this dataset's services."""
        return self.state_dir / "run" / self.dataset
