"""The settings file: a mistake in it is one line that names the file, and no name in it is left unread."""

from __future__ import annotations

import tomllib
from difflib import get_close_matches
from pathlib import Path

from pydantic_settings import BaseSettings, InitSettingsSource

from counterpoise.errors import ConfigError

_PREFIX = "counterpoise_"


def settings_file(settings: type[BaseSettings], path: Path) -> InitSettingsSource:
    """What the file sets; nothing where there is none.

    ConfigError for a file that cannot be read or parsed, and for a name at its top that is no setting.
    """
    if not path.is_file():
        return InitSettingsSource(settings, {})
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:  # of the file, of its encoding, or of TOML
        raise ConfigError(f"settings file {str(path)!r}: {error}") from None
    known = sorted(settings.model_fields)
    unknown = [_with_nearest(name, known) for name in found if name not in known]
    if unknown:
        raise ConfigError(
            f"settings file {str(path)!r}: there is no setting or table {', '.join(unknown)}: docs/settings.md lists them all"
        )
    return InitSettingsSource(settings, found)


def _with_nearest(name: str, known: list[str]) -> str:
    near = get_close_matches(name.lower().removeprefix(_PREFIX), known, 1)
    return f"{name!r} (did you mean {near[0]!r}?)" if near else repr(name)
