"""Every setting, from environment variables (`COUNTERPOISE_…`) over a TOML file over the defaults below.

Nested names take two underscores: `COUNTERPOISE_CLICKHOUSE__HOST`. The file is `counterpoise.toml` in the working directory, or
the one in `COUNTERPOISE_CONFIG`. A secret is a value or a file (`…__PASSWORD_FILE`), and is never printed.
"""

from __future__ import annotations

import os
import socket
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from counterpoise.contracts.datasets import Dataset, DatasetKind
from counterpoise.errors import ConfigError
from counterpoise.runtime.private_files import check_state_dir
from counterpoise.settings.sections.alert_sections import (
    AlertmanagerSettings,
    AlertSettings,
    SlackSettings,
    WebhookSettings,
)
from counterpoise.settings.sections.engine_sections import ClickHouseSettings, EmbeddedSettings, KafkaSettings
from counterpoise.settings.sections.ingest_sections import (
    IngestSettings,
)
from counterpoise.settings.sections.market_sections import (
    MarketSettings,
)
from counterpoise.settings.sections.service_sections import DeskSettings, HealthSettings, StreamsSettings
from counterpoise.settings.settings_file import settings_file


def _default_state_dir() -> Path:
    base = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(base) / "counterpoise"


def _private(state_dir: Path) -> Path:
    check_state_dir(state_dir)
    return state_dir


INSTANCES: Final = "instances"
"""Folder of the named instances in a dataset's run folder."""

_EXPECTED_NAME = "expected a name of lower-case letters, digits, - and _"

_PLAIN_MESSAGES = {
    "dataset": "expected lower-case letters, digits and _ (a letter first, 48 at most)",
    "instance": "expected letters, digits, ., - and _ (64 at most)",
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


InstanceName = Annotated[str, Field(pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]{0,63})?$")]


def _reserved(name: str) -> str:
    raise ValueError(f"{name!r} is reserved by ClickHouse")


class Settings(BaseSettings):
    """All settings. Use `Settings.load()`: it turns a mistake into one clear line."""

    model_config = SettingsConfigDict(
        env_prefix="COUNTERPOISE_",
        env_nested_delimiter="__",
        extra="ignore",
        frozen=True,
        allow_inf_nan=False,
        nested_model_default_partial_update=True,
        env_ignore_empty=True,
    )

    state_dir: Annotated[Path, AfterValidator(_private)] = Field(
        default_factory=_default_state_dir, validate_default=True
    )
    """Folder for the data of the embedded engines and the run files of all services. Only you may write to it."""
    instance: InstanceName = ""
    """Name of this process among several of one service with one state directory. `hostname` takes the host's name."""
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
        return init_settings, env_settings, settings_file(settings_cls, file)

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
        except ValueError as error:  # a variable that should be JSON
            raise ConfigError(f"settings: {error}") from None

    @cached_property
    def dataset_of(self) -> Dataset:
        """The dataset that this process reads and writes."""
        return Dataset(self.dataset, self.dataset_kind)

    @property
    def run_root(self) -> Path:
        """Folder of what this dataset's services leave on this machine; a named instance has a folder in it."""
        return self.state_dir / "run" / self.dataset

    @property
    def run_dir(self) -> Path:
        """Folder of the status, locks and journals of this process's services."""
        name = socket.gethostname() if self.instance == "hostname" else self.instance
        return self.run_root / INSTANCES / name if name else self.run_root
