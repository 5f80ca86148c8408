"""Settings of the market sources, the drop folder and pushed releases."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr

from counterpoise.settings.section import PluginName, Port, Seconds, SettingsSection


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
