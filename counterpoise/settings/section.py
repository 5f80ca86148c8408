"""What the groups of settings are made of: their class, common types, and secrets from files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

from counterpoise.chain.chain_registry import CHAINS, known_chains
from counterpoise.errors import ConfigError

MAX_SECRET_BYTES = 16 * 1024

Seconds = Annotated[float, Field(gt=0, le=31_536_000)]
Port = Annotated[int, Field(ge=0, le=65_535)]
PluginName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
"""A name in a registry of sources or receivers. The registry refuses an unknown name at start and in `doctor`."""


def _known_chain(name: str) -> str:
    if name not in CHAINS:
        raise ValueError(f"{name!r} is an unknown chain: expected one of {known_chains()}")
    return name


ChainName = Annotated[str, AfterValidator(_known_chain)]


def upper_case(value: object) -> object:
    """A text in capitals; anything else as it is."""
    return value.upper() if isinstance(value, str) else value


class SettingsSection(BaseModel):
    """A group of settings: closed, so that a misspelt name is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


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
