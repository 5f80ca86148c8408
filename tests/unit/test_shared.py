"""Reference data that is not there skips what needs it, a whole file too: it is no error of a run without it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests import shared


@pytest.mark.parametrize("asked", [shared.shared_data, shared.shared_cases])
def test_what_is_absent_skips_a_module_too(
    asked: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(shared, "_ROOT", tmp_path)
    monkeypatch.setattr(shared, "_CASES", tmp_path)
    with pytest.raises(pytest.skip.Exception) as skipped:
        asked("absent.parquet")
    assert skipped.value.allow_module_level
