"""The token of the desk: generated on loopback, required elsewhere, never weak."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from counterpoise.errors import ConfigError
from counterpoise.settings.model import Settings
from desk.web.service import desk_token


def settings(tmp_path: Path, **desk: Any) -> Settings:
    found = Settings.load(state_dir=tmp_path / "state", desk=desk)
    found.run_dir.mkdir(parents=True, mode=0o700)
    for folder in (found.state_dir, found.state_dir / "run"):
        folder.chmod(0o700)
    return found


def test_on_loopback_one_is_made_and_kept(tmp_path: Path) -> None:
    found = settings(tmp_path)
    token = desk_token(found)
    assert len(token) >= 32 and desk_token(found) == token


def test_elsewhere_one_is_needed(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^the desk on 0\.0\.0\.0 is open to other machines and needs a token: set "):
        desk_token(settings(tmp_path, host="0.0.0.0"))  # noqa: S104 - what is refused
    assert desk_token(settings(tmp_path / "b", host="0.0.0.0", token="x" * 16)) == "x" * 16  # noqa: S104


def test_a_weak_one_is_refused_and_not_shown(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="has 5 characters, expected at least 16") as error:
        desk_token(settings(tmp_path, token="weak!"))
    assert "weak!" not in str(error.value)
